# SPDX-License-Identifier: Apache-2.0
"""A thread that repeats one step until it is stopped, and survives what the step raises."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

# A step that fails at once and always must not eat a core.
_PAUSE_AFTER_ERROR_S = 0.05


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
