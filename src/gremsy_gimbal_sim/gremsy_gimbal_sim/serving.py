# SPDX-License-Identifier: Apache-2.0
"""The simulated payload in real time: bytes between its plugs and ports, and what a test does to it in the meantime."""

from __future__ import annotations

import math
import select
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

from gremsy_common.errors import SuiteError
from gremsy_gimbal_sim.payload import SimulatedPayload
from gremsy_gimbal_sim.wire.ports import PayloadPort

_COMMANDS = 'unplug PLUG, replug PLUG, reboot [SECONDS], stall AXIS, vehicle HEADING_DEG [PITCH_DEG [ROLL_DEG]]'


class ControlRefused(SuiteError):
    """A control line that cannot be obeyed."""


class PayloadServer:
    """Serves the open ports of a payload; `receive_until` and `send` are called by one thread, `control` by any.

    Args:
        payload: has a plug of each port's name.
        ports: by plug.
    """

    def __init__(self, payload: SimulatedPayload, ports: Mapping[str, PayloadPort]) -> None:
        self.payload = payload
        self._ports = ports
        self._boots = payload.power.boots
        self._lock = threading.Lock()

    def open(self) -> None:
        """Every port. Raises PortUnavailable, and then none is open."""
        try:
            for port in self._ports.values():
                port.open()
        except SuiteError:
            self.close()
            raise

    def close(self) -> None:
        """Every port."""
        for port in self._ports.values():
            port.close()

    def send(self) -> None:
        """Move on to now, and send what is due."""
        with self._lock:
            now_s = time.monotonic()
            self.payload.move_on(now_s)
            if self.payload.power.boots != self._boots:
                self._boots = self.payload.power.boots
                for port in self._ports.values():
                    port.forget_peer()
            for plug, port in self._ports.items():
                messages = self.payload.read(plug, now_s)
                if messages:
                    port.write(messages)

    def receive_until(self, wake_s: float) -> None:
        """Hand over what comes, the moment it comes, until that time."""
        while (left := wake_s - time.monotonic()) > 0:
            with self._lock:
                descriptors = [port.fileno() for port in self._ports.values() if port.fileno() >= 0]
            # `control` may close one at any moment: it is then a bad descriptor, and its port reads nothing.
            with suppress(OSError):
                select.select(descriptors, [], [], left)
            with self._lock:
                for plug, port in self._ports.items():
                    if data := port.read():
                        self.payload.receive(data, time.monotonic(), port.is_datagram, plug)

    def control(self, line: str) -> None:
        """One line of a control pipe.

        Raises:
            ControlRefused: for any other line.
            UnknownPlug: for a plug that the payload does not have.
        """
        try:
            with self._lock:
                match line.split():
                    case ['unplug', plug]:
                        self.payload.unplug(plug)
                        self._ports[plug].unplug()
                    case ['replug', plug]:
                        self.payload.replug(plug)
                        self._ports[plug].replug()
                    case ['reboot', *silence] if len(silence) <= 1:
                        self.payload.reboot(time.monotonic(), *map(float, silence))
                    case ['stall', ('none' | 'azimuth' | 'tilt') as axis]:
                        self.payload.gimbal.body.stall(axis)
                    case ['vehicle', *angles] if 1 <= len(angles) <= 3:
                        self.payload.gimbal.body.vehicle.place(*(math.radians(float(each)) for each in angles))
                    case _:
                        raise ValueError
        except ValueError as error:
            plugs = ', '.join(self._ports)
            raise ControlRefused(
                f"'{line.strip()}' is not a control line: write {_COMMANDS}; plugs: {plugs}."
            ) from error
