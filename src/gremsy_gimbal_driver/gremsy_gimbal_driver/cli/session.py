# SPDX-License-Identifier: Apache-2.0
"""A link to a gimbal without a driver: heartbeats out, events in, and whatever the attached parts have to send.

It has no way to move a gimbal: what moves goes through `GimbalDriver`, with its limits and its deadman.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from gremsy_gimbal_driver.cli.ending import ToolError
from gremsy_gimbal_driver.cli.link_choice import refusal_to_open
from gremsy_gimbal_driver.links.link import Link, LinkError
from gremsy_gimbal_driver.mavlink.component_register import ComponentRegister
from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import Event, Sender
from gremsy_gimbal_driver.motion.instant import nanoseconds

OWN = Sender(1, 191)
"""Whom gimbals are known to obey (gimbal.md 1.3)."""

_HEARTBEAT_NS = nanoseconds(1.0)
_WAIT_S = 0.02
_FIRST_HEARTBEAT_S = 5.0


class LinkSession:
    """One link, open within a `with`, pumped by whoever waits for something. Times are monotonic."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.encoder = MavlinkEncoder(OWN)
        self.components = ComponentRegister()
        """Which components are there."""
        self._decoder = MavlinkDecoder(OWN, components=self.components)
        self._parts: list[tuple[Callable[[int], Sequence[bytes]], Callable[[Event, int], None]]] = []
        self._beat_ns: int | None = None
        self._bytes = 0

    def __enter__(self) -> LinkSession:
        """Raises ToolError when the link does not open."""
        try:
            self.link.open()
        except LinkError as error:
            raise refusal_to_open(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()

    def attach(self, due: Callable[[int], Sequence[bytes]], on_event: Callable[[Event, int], None]) -> None:
        """Send what is due, and hand over every event, from now on; both get the monotonic time."""
        self._parts.append((due, on_event))

    def wait(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Pump until that is true, or the time is over; whether it is true.

        Raises:
            ToolError: when the link was lost.
        """
        end_ns = time.monotonic_ns() + nanoseconds(timeout_s)
        while not done():
            if time.monotonic_ns() >= end_ns:
                return False
            self._pump()
        return True

    def find_gimbal(self) -> Sender:
        """The gimbal, after its first heartbeat.

        Raises:
            ToolError: saying what came instead.
        """
        self.wait(lambda: self.components.gimbal is not None, _FIRST_HEARTBEAT_S)
        if self.components.gimbal is None:
            raise ToolError(self._silence())
        return self.components.gimbal

    def _pump(self) -> None:
        now_ns = time.monotonic_ns()
        try:
            if self._beat_ns is None or now_ns - self._beat_ns >= _HEARTBEAT_NS:
                self._beat_ns = now_ns
                self.link.write(self.encoder.heartbeat())
            for due, _ in self._parts:
                for message in due(now_ns):
                    self.link.write(message)
            data = self.link.read(_WAIT_S)
        except LinkError as error:
            raise ToolError(str(error).replace('the parameter `link`', '--link')) from error
        self._bytes += len(data)
        arrival_ns = time.monotonic_ns()
        self.components.forget_silent(arrival_ns)
        for event in self._decoder.feed(data, self.link.is_datagram, arrival_ns):
            for _, on_event in self._parts:
                on_event(event, arrival_ns)

    def _silence(self) -> str:
        name, waited = self.link.name, f'{_FIRST_HEARTBEAT_S:g} s'
        frames = self._decoder.framing_counts['frames']
        if frames:
            senders = ', '.join(map(str, sorted(self.components.last_ns))) or 'no part of a Gremsy'
            return (
                f'No gimbal on {name}: {frames} MAVLink messages came in {waited} ({senders}), but no heartbeat '
                'of a component 154 or 171 to 175; check which device is wired there.'
            )
        if self._bytes:
            return (
                f'No gimbal on {name}: {self._bytes} bytes came in {waited} and no MAVLink 2 message among them'
                '; check the baud rate and which device is wired there.'
            )
        wire = 'the address' if self.link.is_datagram else 'the cable (TX to RX)'
        return (
            f'Nothing answers on {name} within {waited}: check the power and {wire}, and that no driver '
            'elsewhere talks to it.'
        )
