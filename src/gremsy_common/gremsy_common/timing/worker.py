# SPDX-License-Identifier: Apache-2.0
"""A thread that repeats one step until it is stopped, and the slot that hands it the newest item.

There is no queue to grow old in.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar('T')
# A step that fails at once and always must not eat a core.
_PAUSE_AFTER_ERROR_S = 0.05


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


def yield_to_others(niceness: int) -> None:
    """Give this thread at least that niceness; a process that was started with more (`nice`) keeps its own.

    On Linux the priority is the thread's own; lowering it takes no privilege, raising it does.
    """
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, max(niceness, os.getpriority(os.PRIO_PROCESS, thread)))


class Worker(threading.Thread):
    """Runs `step()` over and over; `step` must return within about half a second (take with a timeout).

    `niceness` above 0 lets the process's other threads (and other processes) go first when the cores are short: for
    what computes for long, so that what is short and urgent, a setpoint, does not wait for its time slice.
    """

    def __init__(
        self, name: str, step: Callable[[], None], on_error: Callable[[Exception], None], niceness: int = 0
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._niceness = niceness
        self._step = step
        self._on_error = on_error
        self._ended = threading.Event()

    def stop(self, timeout_s: float = 3.0) -> bool:
        """Ask the thread to end after its present step and wait for it; False when it did not end in time."""
        self._ended.set()
        if self.is_alive() and self is not threading.current_thread():
            self.join(timeout_s)
        return not self.is_alive()

    def run(self) -> None:
        """The thread's own."""
        if self._niceness > 0:
            yield_to_others(self._niceness)
        while not self._ended.is_set():
            try:
                self._step()
            except Exception as error:  # noqa: BLE001 one bad frame must not end the loop; it is counted and reported
                self._on_error(error)
                self._ended.wait(_PAUSE_AFTER_ERROR_S)
