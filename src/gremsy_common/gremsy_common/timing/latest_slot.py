# SPDX-License-Identifier: Apache-2.0
"""A place for the newest item only: what a callback fills and a worker empties; there is no queue to grow old in."""

from __future__ import annotations

import threading
import time
from typing import Generic, TypeVar

T = TypeVar('T')


class LatestSlot(Generic[T]):
    """Latest wins: an item that was not taken when the next one comes is dropped and counted.

    Attributes:
        dropped: how many items were replaced before anybody took them.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self.dropped = 0

    def put(self, item: T) -> None:
        """Never blocks."""
        with self._condition:
            self.dropped += self._item is not None
            self._item = item
            self._condition.notify()

    def take(self, timeout_s: float | None = None) -> T | None:
        """Wait for an item and empty the slot; None on timeout or once closed."""
        with self._condition:
            self._condition.wait_for(lambda: self._item is not None or self._closed, timeout_s)
            item, self._item = self._item, None
            return None if self._closed else item

    def take_next(self, timeout_s: float) -> T | None:
        """Throw away what waits and take the next item to arrive."""
        deadline = time.monotonic() + timeout_s
        with self._condition:
            self.dropped += self._item is not None
            self._item = None
        return self.take(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """Wake every waiter; nothing comes out any more."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    @property
    def waiting(self) -> int:
        """0 or 1: the length of what would be a queue elsewhere."""
        return int(self._item is not None)
