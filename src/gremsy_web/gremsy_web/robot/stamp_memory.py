# SPDX-License-Identifier: Apache-2.0
"""What came in the last seconds, found again by its stamp."""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

_STAMP = attrgetter('stamp_ns')


class Stamped(Protocol):
    """Anything with a capture time."""

    @property
    def stamp_ns(self) -> int:
        """Ns of the ROS clock."""
        ...


T = TypeVar('T', bound=Stamped)


class StampMemory(Generic[T]):
    """Items of the last `span_s` before the newest, in any order; written by one thread, read by another.

    Args:
        span_s: older ones are forgotten.
        most: never more than this many, whatever their stamps.
    """

    def __init__(self, span_s: float = 2.0, most: int = 512) -> None:
        self._span_ns = int(span_s * 1e9)
        self._most = most
        # Replaced as a whole, so that the reading thread sees one state or the next.
        self._items: list[T] = []

    def put(self, item: T) -> None:
        """Keep it; a clock that was set back makes all that was kept worthless."""
        items = self._items
        if items and item.stamp_ns < items[-1].stamp_ns - self._span_ns:
            items = []
        items = sorted([*items, item], key=_STAMP)[-self._most :]
        self._items = items[bisect_left(items, items[-1].stamp_ns - self._span_ns, key=_STAMP) :]

    @property
    def newest(self) -> T | None:
        """None before the first."""
        items = self._items
        return items[-1] if items else None

    def nearest(self, stamp_ns: int) -> T | None:
        """The one whose stamp is nearest."""
        return min(self._items, key=lambda each: abs(each.stamp_ns - stamp_ns), default=None)

    def at(self, stamp_ns: int) -> T | None:
        """The one of just that stamp."""
        around = self.around(stamp_ns)
        return around[0] if around is not None and around[0] is around[1] else None

    def around(self, stamp_ns: int) -> tuple[T, T] | None:
        """The two that the stamp lies between (twice the same at a stamp of one); None where it lies outside."""
        items = self._items
        at = bisect_left(items, stamp_ns, key=_STAMP)
        if at < len(items) and items[at].stamp_ns == stamp_ns:
            return items[at], items[at]
        return (items[at - 1], items[at]) if 0 < at < len(items) else None

    def last(self, span_s: float, most: int) -> list[T]:
        """Those of the last `span_s` before the newest, the newest among them; every second, third ... of too many."""
        items = self._items
        from_ns = items[-1].stamp_ns - int(span_s * 1e9) if items else 0
        found = items[bisect_left(items, from_ns, key=_STAMP) :]
        return found[:: -max(1, -(-len(found) // most))][::-1]
