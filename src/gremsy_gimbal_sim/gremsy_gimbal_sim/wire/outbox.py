# SPDX-License-Identifier: Apache-2.0
"""What leaves the device when: messages by their time, numbered in the order in which they leave, and streams."""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Mapping
from itertools import count
from typing import Generic, TypeVar

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect

K = TypeVar('K', bound=Hashable)


class Outbox:
    """Messages by the time at which they leave."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, dialect.MAVLink, dialect.MAVLink_message]] = []
        self._order = count()

    def send(self, sender: dialect.MAVLink, message: dialect.MAVLink_message, at_s: float) -> None:
        """Let it leave then."""
        heapq.heappush(self._heap, (at_s, next(self._order), sender, message))

    def take(self, now_s: float) -> list[bytes]:
        """What leaves by now, as MAVLink 2 bytes."""
        taken = []
        while self._heap and self._heap[0][0] <= now_s:
            _, _, sender, message = heapq.heappop(self._heap)
            taken.append(bytes(message.pack(sender)))
            sender.seq = (sender.seq + 1) % 256
        return taken

    def clear(self) -> None:
        """The device went down."""
        self._heap.clear()


class StreamSchedule(Generic[K]):
    """Streams by key, each with its interval, s; an infinite interval is off."""

    def __init__(self, intervals_s: Mapping[K, float], now_s: float) -> None:
        self._intervals = dict(intervals_s)
        self.restart(now_s)

    def set(self, key: K, interval_s: float, now_s: float) -> None:
        """From now on so often, the first at once."""
        self._intervals[key] = interval_s
        self._due[key] = now_s

    def restart(self, now_s: float) -> None:
        """All are due now."""
        self._due = dict.fromkeys(self._intervals, now_s)

    def faster_than(self, rate_hz: float) -> frozenset[K]:
        """Streams above that rate."""
        return frozenset(key for key, interval in self._intervals.items() if interval * rate_hz < 1.0 - 1e-6)

    def due(self, now_s: float) -> list[K]:
        """Streams to send now. A late wake does not make up for what was missed."""
        found = [key for key, at_s in self._due.items() if now_s >= at_s and self._intervals[key] < math.inf]
        for key in found:
            interval = self._intervals[key]
            self._due[key] = max(self._due[key] + interval, now_s + 0.5 * interval)
        return found
