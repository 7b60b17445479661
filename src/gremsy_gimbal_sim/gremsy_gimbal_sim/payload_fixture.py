# SPDX-License-Identifier: Apache-2.0
"""A simulated payload for tests: in real time on free ports, or in invented time. Needs neither ROS nor hardware.

    with running_payload(PayloadOptions(rate_expiry_s=0.3), transport='both') as payload:
        driver = GimbalDriver(links_from_uris([payload.uri]))
        payload.control('unplug udp')

    payload = InstantPayload(PRESETS['realistic'], seed=3)
    payload.write(encoder.heartbeat())
    sent = payload.run(60.0)

`pytest_payload` makes fixtures of them.
"""

from __future__ import annotations

import math
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_sim.gimbal.simulated_modes import LEVEL
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.payload import SimulatedPayload
from gremsy_gimbal_sim.serving import PayloadServer
from gremsy_gimbal_sim.wire.component import heartbeat
from gremsy_gimbal_sim.wire.ports import PayloadPort, PtyPort, UdpPort

# A tenth of the driver's own period; a command is taken the moment it arrives.
_WAKE_S = 0.002
_JOIN_S = 10.0


class RunningPayload:
    """A payload on a thread and the real clock, until closed."""

    def __init__(self, payload: SimulatedPayload, ports: dict[str, PayloadPort]) -> None:
        self.payload = payload
        self.ports = ports
        self._server = PayloadServer(payload, ports)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._serve, name='simulated payload', daemon=True)

    def open(self) -> None:
        """Open the ports and begin. Raises PortUnavailable."""
        self._server.open()
        self._thread.start()

    def close(self) -> None:
        """End the thread and close the ports."""
        self._end.set()
        self._thread.join(_JOIN_S)
        self._server.close()

    @property
    def uris(self) -> dict[str, str]:
        """By plug, as the driver's parameter `link` takes them; a tty by its lasting name if it has one."""
        return {plug: port.uri for plug, port in self.ports.items()}

    @property
    def uri(self) -> str:
        """Of the first port."""
        return next(iter(self.uris.values()))

    @property
    def rate_commands(self) -> list[tuple[float, float, float]]:
        """(s of `time.monotonic` at receipt, azimuth rate, tilt rate rad/s)."""
        return list(self.payload.rate_commands)

    @property
    def angles_rad(self) -> tuple[float, float]:
        """True azimuth and tilt."""
        state = self.payload.true_state(0)
        return state.azimuth_rad, state.tilt_rad

    @property
    def rates_rad_s(self) -> tuple[float, float]:
        """True azimuth and tilt rates."""
        state = self.payload.true_state(0)
        return state.azimuth_rate_rad_s, state.tilt_rate_rad_s

    def control(self, line: str) -> None:
        """As a line of `sim_payload --control`: `unplug udp`, `replug pty`, `reboot 2`."""
        self._server.control(line)

    def _serve(self) -> None:
        while not self._end.is_set():
            self._server.send()
            self._server.receive_until(time.monotonic() + _WAKE_S)


@contextmanager
def running_payload(
    options: PayloadOptions | None = None, seed: int = 0, transport: str = 'udp', udp_port: int = 0
) -> Iterator[RunningPayload]:
    """Serve on `udp`, on `pty` or on `both`, until the end of the block.

    A tty has a name in a temporary folder that stays the same when it is unplugged and comes back.
    """
    if transport not in ('udp', 'pty', 'both'):
        raise ValueError(f"The transport is '{transport}': use udp, pty or both.")
    with tempfile.TemporaryDirectory(prefix='gremsy_payload_') as folder:
        ports: dict[str, PayloadPort] = {}
        if transport != 'pty':
            ports['udp'] = UdpPort('127.0.0.1', udp_port)
        if transport != 'udp':
            ports['pty'] = PtyPort(str(Path(folder) / 'ttyGREMSY'))
        running = RunningPayload(SimulatedPayload(options, seed, start_s=time.monotonic(), plugs=tuple(ports)), ports)
        running.open()
        try:
            yield running
        finally:
            running.close()


class InstantPayload:
    """A payload in invented time: nothing happens except by `write`, `send` and `run`.

    Args:
        options, seed, start_s, speaks_first: as of `SimulatedPayload`.
        wake_s: how finely time goes.
        heartbeats: send it one a second, from the start.
    """

    def __init__(
        self,
        options: PayloadOptions | None = None,
        seed: int = 0,
        start_s: float = 0.0,
        speaks_first: bool = False,
        wake_s: float = 0.005,
        heartbeats: bool = False,
    ) -> None:
        self.payload = SimulatedPayload(options, seed, start_s, speaks_first)
        self.now_s = self._start_s = start_s
        self.sent: list[tuple[float, bytes]] = []
        """Everything it ever sent, with the time."""
        self._wake_s = wake_s
        self._wakes = 0
        self._sender = dialect.MAVLink(None, 1, dialect.MAV_COMP_ID_ONBOARD_COMPUTER)
        self._heartbeats = heartbeats
        if heartbeats:
            self._beat()

    def write(self, data: bytes, datagram: bool = False) -> None:
        """As the driver writes."""
        self.payload.receive(data, self.now_s, datagram)

    def send(self, message: dialect.MAVLink_message) -> None:
        """A message of pymavlink, from system 1, component 191."""
        self.write(bytes(message.pack(self._sender)))
        self._sender.seq = (self._sender.seq + 1) % 256

    def command(self, component: int, command: int, *parameters: float) -> None:
        """COMMAND_LONG to a component, the rest of its seven parameters 0."""
        seven = [*parameters, *[0.0] * (7 - len(parameters))]
        self.send(dialect.MAVLink_command_long_message(self.payload.options.system, component, command, 1, *seven))

    def turn(self, pitch_rad_s: float, yaw_rad_s: float, flags: int = LEVEL) -> None:
        """284 with rates: pitch up +, yaw right +."""
        self._set_attitude(flags, [math.nan] * 4, (0.0, pitch_rad_s, yaw_rad_s))

    def point(self, pitch_rad: float, yaw_rad: float, flags: int = LEVEL) -> None:
        """284 with a quaternion: pitch up +, yaw right +."""
        cp, sp = math.cos(pitch_rad / 2), math.sin(pitch_rad / 2)
        cy, sy = math.cos(yaw_rad / 2), math.sin(yaw_rad / 2)
        self._set_attitude(flags, [cy * cp, -sy * sp, cy * sp, sy * cp], (math.nan, math.nan, math.nan))

    def run(self, until_s: float) -> list[tuple[float, bytes]]:
        """Go on to that time; every message that came out, with its time."""
        before = len(self.sent)
        while self.now_s < until_s - 1e-9:
            previous_s = self.now_s
            self._wakes += 1
            # From the start and not from the last wake: a sum of 12 000 steps would be off by a rounding.
            self.now_s = round(self._start_s + self._wakes * self._wake_s, 9)
            if self._heartbeats and int(self.now_s) != int(previous_s):
                self._beat()
            self.sent += [(self.now_s, message) for message in self.payload.advance(self.now_s)]
        return self.sent[before:]

    def messages(self, message_id: int, since_s: float = -math.inf) -> list[tuple[float, dialect.MAVLink_message]]:
        """Whole messages of that id, read by pymavlink, each with its time."""
        found = []
        for at_s, data in self.sent:
            if at_s >= since_s and len(data) > 10 and int.from_bytes(data[7:10], 'little') == message_id:
                found += [(at_s, message) for message in dialect.MAVLink(None).parse_buffer(data) or []]
        return found

    def _set_attitude(self, flags: int, q: list[float], rates_rad_s: tuple[float, float, float]) -> None:
        options = self.payload.options
        self.send(
            dialect.MAVLink_gimbal_device_set_attitude_message(
                options.system, options.gimbal_component, flags, q, *rates_rad_s
            )
        )

    def _beat(self) -> None:
        self.send(heartbeat(dialect.MAV_TYPE_ONBOARD_CONTROLLER))
