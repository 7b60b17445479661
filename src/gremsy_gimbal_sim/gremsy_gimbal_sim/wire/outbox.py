# SPDX-License-Identifier: Apache-2.0
"""What the device's components have to say, now or later; numbered in the order in which it leaves."""

from __future__ import annotations

import heapq
from itertools import count
from typing import Protocol

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect


class Message(Protocol):
    """A message of pymavlink, or one that it does not have."""

    def pack(self, mavlink: dialect.MAVLink) -> bytes:
        """As bytes, numbered by that sender."""


class Component:
    """One MAVLink component of the device, with its own count of messages."""

    def __init__(self, system: int, component: int) -> None:
        self.system = system
        self.component = component
        self._mavlink = dialect.MAVLink(None, system, component)

    def is_named(self, system: int, component: int) -> bool:
        """Whether a message for that target is for this one; 0 is all."""
        return system in (0, self.system) and component in (0, self.component)

    def pack(self, message: Message) -> bytes:
        """As MAVLink 2 bytes."""
        packed = bytes(message.pack(self._mavlink))
        self._mavlink.seq = (self._mavlink.seq + 1) % 256
        return packed


class Outbox:
    """Messages by the time at which they leave."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Component, Message]] = []
        self._order = count()

    def send(self, sender: Component, message: Message, at_s: float) -> None:
        """Let it leave then."""
        heapq.heappush(self._heap, (at_s, next(self._order), sender, message))

    def take(self, now_s: float) -> list[bytes]:
        """What leaves by now."""
        if not self._heap or self._heap[0][0] > now_s:
            return []
        taken = []
        while self._heap and self._heap[0][0] <= now_s:
            _, _, sender, message = heapq.heappop(self._heap)
            taken.append(sender.pack(message))
        return taken

    def clear(self) -> None:
        """The device went down."""
        self._heap.clear()
