# SPDX-License-Identifier: Apache-2.0
"""The simulated payload in real time: bytes between its plugs and ports, and what a test does to it in the meantime."""

from __future__ import annotations

import math
import os
import queue
import select
import threading
import time
from collections.abc import Callable, Mapping

from gremsy_common.errors import SuiteError
from gremsy_gimbal_sim.payload import SimulatedPayload
from gremsy_gimbal_sim.wire.ports import PayloadPort

_ASKED_FOR_S = 10.0
_COMMANDS = 'unplug PLUG, replug PLUG, reboot [SECONDS], stall AXIS, vehicle HEADING_DEG [PITCH_DEG [ROLL_DEG]]'


class ControlRefused(SuiteError):
    """A control line that cannot be obeyed."""


class PayloadServer:
    """Serves the open ports of a payload; `receive_until` and `send` are called by one thread, the rest by any.

    Args:
        payload: has a plug of each port's name.
        ports: by plug.
        clock: seconds on the payload's own time.
    """

    def __init__(
        self, payload: SimulatedPayload, ports: Mapping[str, PayloadPort], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.payload = payload
        self._ports = ports
        self._clock = clock
        self._boots = payload.boots
        self._asked: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake_reader, self._wake_writer = -1, -1

    def open(self) -> None:
        """Every port. Raises PortUnavailable, and then none is open."""
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK)
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
        for descriptor in (self._wake_reader, self._wake_writer):
            if descriptor >= 0:
                os.close(descriptor)
        self._wake_reader = self._wake_writer = -1

    def send(self) -> None:
        """Move on to now, and send what is due."""
        now_s = self._clock()
        self.payload.move_on(now_s)
        if self.payload.boots != self._boots:
            self._boots = self.payload.boots
            for port in self._ports.values():
                port.forget_peer()
        for plug, port in self._ports.items():
            messages = self.payload.read(plug, now_s)
            if messages:
                port.write(messages)

    def receive_until(self, wake_s: float, also: Mapping[int, Callable[[], None]] | None = None) -> None:
        """Hand over what comes, the moment it comes, until that time; `also` are further descriptors to wait on."""
        others = also or {}
        while (left := wake_s - self._clock()) > 0:
            by_descriptor = {port.fileno(): plug for plug, port in self._ports.items() if port.fileno() >= 0}
            readable, _, _ = select.select([*by_descriptor, self._wake_reader, *others], [], [], left)
            for descriptor in readable:
                if descriptor in by_descriptor:
                    self._receive(by_descriptor[descriptor])
                elif descriptor in others:
                    others[descriptor]()
                else:
                    self._do_what_is_asked()

    def ask(self, action: Callable[[], None]) -> None:
        """From another thread: have it done by the serving one, and wait for that."""
        done = threading.Event()
        failed: list[SuiteError] = []

        def act() -> None:
            try:
                action()
            except SuiteError as error:
                failed.append(error)
            finally:
                done.set()

        self._asked.put(act)
        os.write(self._wake_writer, b'.')
        if not done.wait(_ASKED_FOR_S):
            raise ControlRefused(f'The simulated payload did not answer within {_ASKED_FOR_S:g} s: does it still run?')
        if failed:
            raise failed[0]

    def control(self, line: str) -> None:
        """One line of a control pipe; by the serving thread.

        Raises:
            ControlRefused: for any other line.
            UnknownPlug: for a plug that the payload does not have.
        """
        words = line.split()
        try:
            match words:
                case ['unplug', plug]:
                    self.payload.unplug(plug)
                    self._ports[plug].unplug()
                case ['replug', plug]:
                    self.payload.replug(plug)
                    self._ports[plug].replug()
                case ['reboot', *silence] if len(silence) <= 1:
                    self.payload.reboot(self._clock(), *map(float, silence))
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

    def _receive(self, plug: str) -> None:
        port = self._ports[plug]
        self.payload.receive(port.read(), self._clock(), port.is_datagram, plug)

    def _do_what_is_asked(self) -> None:
        os.read(self._wake_reader, 4096)
        while not self._asked.empty():
            self._asked.get()()
