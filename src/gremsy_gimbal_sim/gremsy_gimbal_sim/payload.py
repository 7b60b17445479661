# SPDX-License-Identifier: Apache-2.0
"""The simulated payload's behaviour: bytes and times in, bytes and true states out. No clock, no socket, no thread."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from gremsy_common.errors import SuiteError
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_sim.board.board import Board
from gremsy_gimbal_sim.camera.simulated_camera import SimulatedCamera
from gremsy_gimbal_sim.gimbal.simulated_gimbal import SimulatedGimbal
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.truth_ring import TrueState
from gremsy_gimbal_sim.wire.component import ReceivedMessage, SimulatedDevice
from gremsy_gimbal_sim.wire.wire import Plug


class UnknownPlug(SuiteError):
    """The payload has no plug of that name."""


class SimulatedPayload:
    """Gimbal, camera and payload board of one device.

    Args:
        options: what it does and what is wrong with it.
        seed: of every random fault.
        start_s: the time of all later calls counts from any origin; this is the first.
        speaks_first: a real one is silent until it receives a heartbeat (gimbal.md 1.2).
        plugs: names of its plugs; on each it sends to whoever has sent something there.
    """

    def __init__(
        self,
        options: PayloadOptions | None = None,
        seed: int = 0,
        start_s: float = 0.0,
        speaks_first: bool = False,
        plugs: Sequence[str] = ('link',),
    ) -> None:
        self.options = options or PayloadOptions()
        self.plugs = {name: Plug(self.options, _seeds(seed, number), speaks_first) for number, name in enumerate(plugs)}
        self._first = plugs[0]
        self._device = device = SimulatedDevice(self.options, seed, start_s)
        self.power = device.power
        self.gimbal = SimulatedGimbal(device, start_s)
        self.camera = SimulatedCamera(device, self.gimbal, start_s)
        self.board = Board(device, self.gimbal, self.camera, start_s)
        payload = (self.camera, self.board) if self.options.has_payload else ()
        self._components = (self.gimbal, *payload)
        self.received: Counter[int] = Counter()
        """Whole messages received on any plug, by id."""

    # The wire.

    def receive(self, data: bytes, now_s: float, datagram: bool = False, plug: str = '') -> None:
        """Bytes were written to that plug, the first unless named."""
        named = self._plug(plug)
        named.written(data, now_s, datagram)
        self._listen(named, now_s)

    def advance(self, now_s: float) -> list[bytes]:
        """Move on to this time; what goes out at the first plug now, one item a message."""
        self.move_on(now_s)
        return self.read(self._first, now_s)

    def move_on(self, now_s: float) -> None:
        """Move on to this time; then `read` every plug."""
        if self.power.step(now_s):
            self._power_changed(now_s)
        for plug in self.plugs.values():
            self._listen(plug, now_s)
        self.camera.advance(now_s)
        self.gimbal.body.plant.set_zoom(self.camera.lens.factor)
        self.gimbal.advance(now_s)
        self.camera.laser.advance(now_s)
        if self.power.running and any(plug.talking for plug in self.plugs.values()):
            for component in self._components:
                component.send_due(now_s)
        messages = self._device.outbox.take(now_s)
        if messages:
            for plug in self.plugs.values():
                plug.send(messages, now_s)

    def read(self, plug: str, now_s: float) -> list[bytes]:
        """What has gone out at that plug since it was read last."""
        return self._plug(plug).read(now_s)

    def unplug(self, plug: str = '') -> None:
        """Pull that plug out; what is under way on it is lost."""
        self._plug(plug).pull()

    def replug(self, plug: str = '') -> None:
        """Put it in again."""
        self._plug(plug).plugged = True

    def reboot(self, now_s: float, silence_s: float | None = None) -> None:
        """As if somebody had taken its power away for a moment; silent for `boot_s` by default."""
        self.power.plan(now_s, self.options.boot_s if silence_s is None else silence_s)

    # What a test or a benchmark may look at.

    @property
    def mode(self) -> GimbalMode:
        """The gimbal's, `HOME` while it goes there."""
        return GimbalMode.HOME if self.gimbal.modes.homing else self.gimbal.modes.mode

    @property
    def rate_commands(self) -> deque[tuple[float, float, float]]:
        """(time of receipt s, azimuth rate, tilt rate rad/s) of the newest rate commands, for tests and benchmarks."""
        return self.gimbal.motion.rate_commands

    def true_state(self, ros_minus_own_ns: int) -> TrueState:
        """The truth at the plant's newest step; `ros_minus_own_ns` leads from this class's time to the ROS clock."""
        body = self.gimbal.body
        stamp_ns = round(body.plant.time_s * 1e9) + ros_minus_own_ns
        return TrueState(stamp_ns, *body.world_rad, *body.world_rates_rad_s, self.camera.lens.factor)

    # Inside.

    def _plug(self, name: str) -> Plug:
        found = self.plugs.get(name or self._first)
        if found is None:
            raise UnknownPlug(f"The payload has no plug '{name}': it has {', '.join(self.plugs)}.")
        return found

    def _listen(self, plug: Plug, now_s: float) -> None:
        for at_s, received in plug.messages(now_s):
            if self.power.running:
                self._take(received, plug, at_s)

    def _take(self, received: ReceivedMessage, plug: Plug, now_s: float) -> None:
        self.received[received.message_id] += 1
        if received.message_id != dialect.MAVLINK_MSG_ID_HEARTBEAT:
            for component in self._components:
                component.take(received, now_s)
        elif not plug.talking:
            plug.talking = True
            if sum(each.talking for each in self.plugs.values()) == 1:
                for component in self._components:
                    component.schedule.restart(now_s)

    def _power_changed(self, now_s: float) -> None:
        if not self.power.running:
            self._device.outbox.clear()
            for plug in self.plugs.values():
                plug.restart()
        # Nothing that was going on goes on in the dark.
        for component in (self.gimbal, self.camera, self.board):
            component.power_up(now_s)


def _seeds(seed: int, number: int) -> tuple[int | list[int], int | list[int]]:
    """Of a plug's two wires."""
    if number == 0:
        return 2 * seed + 1, 2 * seed + 2
    return [seed, number, 1], [seed, number, 2]
