# SPDX-License-Identifier: Apache-2.0
"""What came lately, in the order of its stamps and asked by time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import Generic, TypeVar

T = TypeVar('T')


class TimedHistory(Generic[T]):
    """Items by the time from which they hold. Not for several threads at once.

    Args:
        keep_ns: so long before the newest it can be asked: what held then is kept, and nothing older. None is for ever.
        most: never more than this many.
    """

    def __init__(self, *, keep_ns: int | None = None, most: int = 4096) -> None:
        self._keep_ns, self._most = keep_ns, most
        self._stamps_ns: list[int] = []
        self._items: list[T] = []

    def put(self, stamp_ns: int, item: T) -> None:
        """Keep the next; one that is older than the newest is of a clock that was set back, and forgets the others."""
        if self._stamps_ns and stamp_ns < self._stamps_ns[-1]:
            self.clear()
        self._stamps_ns.append(stamp_ns)
        self._items.append(item)
        old = max(0, len(self._items) - self._most)
        if self._keep_ns is not None:
            old = max(old, bisect_left(self._stamps_ns, stamp_ns - self._keep_ns) - 1)
        if old:
            del self._stamps_ns[:old], self._items[:old]

    def clear(self) -> None:
        """Forget everything."""
        self._stamps_ns.clear()
        self._items.clear()

    def forget_after(self, stamp_ns: int) -> None:
        """Forget what is newer than that."""
        old = bisect_right(self._stamps_ns, stamp_ns)
        del self._stamps_ns[old:], self._items[old:]

    def forget_before(self, stamp_ns: int) -> None:
        """Forget what is older than that."""
        old = bisect_left(self._stamps_ns, stamp_ns)
        del self._stamps_ns[:old], self._items[:old]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[tuple[int, T]]:
        """From the oldest on, each with its stamp."""
        return zip(self._stamps_ns, self._items, strict=True)

    def __reversed__(self) -> Iterator[tuple[int, T]]:
        """From the newest back."""
        return zip(reversed(self._stamps_ns), reversed(self._items), strict=True)

    @property
    def newest(self) -> T | None:
        """The item put last."""
        return self._items[-1] if self._items else None

    @property
    def newest_ns(self) -> int | None:
        """Its stamp."""
        return self._stamps_ns[-1] if self._stamps_ns else None

    def around(self, stamp_ns: int) -> tuple[T | None, T | None]:
        """The newest item not after that time, and the oldest not before it: the same one at its own stamp."""
        after = bisect_left(self._stamps_ns, stamp_ns)
        later = self._items[after] if after < len(self._items) else None
        if later is not None and self._stamps_ns[after] == stamp_ns:
            return later, later
        return (self._items[after - 1] if after else None), later

    def at(self, stamp_ns: int) -> T | None:
        """The item that held at that time: the newest not after it; None before the first."""
        after = bisect_right(self._stamps_ns, stamp_ns)
        return self._items[after - 1] if after else None

    def exactly(self, stamp_ns: int) -> T | None:
        """The item of just that stamp."""
        earlier, later = self.around(stamp_ns)
        return earlier if earlier is later else None

    def held_since(self, stamp_ns: int) -> list[tuple[int, T]]:
        """What held at that time and everything since, each with its stamp."""
        first = max(0, bisect_right(self._stamps_ns, stamp_ns) - 1)
        return list(zip(self._stamps_ns[first:], self._items[first:], strict=True))

    def longest_gap_ns(self, since_ns: int, until_ns: int) -> int:
        """The longest time without an item between two stamps; a gap that reaches beyond them counts whole."""
        first = max(0, bisect_right(self._stamps_ns, since_ns) - 1)
        stamps_ns = self._stamps_ns[first : bisect_left(self._stamps_ns, until_ns) + 1]
        if not stamps_ns or stamps_ns[-1] < until_ns:
            stamps_ns.append(until_ns)
        return max((after - before for before, after in pairwise([min(since_ns, stamps_ns[0]), *stamps_ns])), default=0)
