# SPDX-License-Identifier: Apache-2.0
"""What came in the last seconds, found again by its stamp."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from typing import Generic, Protocol, TypeVar


class Stamped(Protocol):
    """Anything with a capture time."""

    @property
    def stamp_ns(self) -> int:
        """Ns of the ROS clock."""
        ...


T = TypeVar('T', bound=Stamped)


class StampMemory(Generic[T]):
    """Items of the last `span_s` before the newest; written by one thread, read by another.

    Args:
        span_s: older ones are forgotten.
        most: never more than this many, whatever their stamps.
    """

    def __init__(self, span_s: float = 2.0, most: int = 512) -> None:
        self._span_ns = int(span_s * 1e9)
        self._most = most
        self._lock = threading.Lock()
        self._items: list[T] = []

    def put(self, item: T) -> None:
        """Keep it; a clock that was set back makes all that was kept worthless."""
        with self._lock:
            if self._items and item.stamp_ns < self._items[-1].stamp_ns - self._span_ns:
                self._items.clear()
            insort(self._items, item, key=lambda each: each.stamp_ns)
            oldest_ns = self._items[-1].stamp_ns - self._span_ns
            keep_from = max(bisect_left(self._items, oldest_ns, key=lambda each: each.stamp_ns), 0)
            keep_from = max(keep_from, len(self._items) - self._most)
            del self._items[:keep_from]

    @property
    def newest(self) -> T | None:
        """None before the first."""
        with self._lock:
            return self._items[-1] if self._items else None

    def nearest(self, stamp_ns: int) -> T | None:
        """The one whose stamp is nearest."""
        with self._lock:
            return min(self._items, key=lambda each: abs(each.stamp_ns - stamp_ns), default=None)

    def at(self, stamp_ns: int) -> T | None:
        """The one of just that stamp."""
        around = self.around(stamp_ns)
        return around[0] if around is not None and around[0] is around[1] else None

    def around(self, stamp_ns: int) -> tuple[T, T] | None:
        """The two that the stamp lies between (twice the same at a stamp of one); None where it lies outside."""
        with self._lock:
            at = bisect_left(self._items, stamp_ns, key=lambda each: each.stamp_ns)
            if at < len(self._items) and self._items[at].stamp_ns == stamp_ns:
                return self._items[at], self._items[at]
            if 0 < at < len(self._items):
                return self._items[at - 1], self._items[at]
            return None

    def last(self, span_s: float, most: int) -> list[T]:
        """Those of the last `span_s` before the newest, the newest among them; every second, third ... of too many."""
        with self._lock:
            if not self._items:
                return []
            from_ns = self._items[-1].stamp_ns - int(span_s * 1e9)
            found = self._items[bisect_left(self._items, from_ns, key=lambda each: each.stamp_ns) :]
        return found[:: -max(1, -(-len(found) // most))][::-1]

    def oldest_and_newest_ns(self) -> tuple[int, int] | None:
        """Between which stamps something is known."""
        with self._lock:
            return (self._items[0].stamp_ns, self._items[-1].stamp_ns) if self._items else None
