# SPDX-License-Identifier: Apache-2.0
"""What `./gremsy run` shows of its processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from gremsy_bringup.logs.log_record import LogRecord
from gremsy_bringup.supervise.supervisor import EventKind, ProcessEvent

# A process that refused its configuration has closed its nodes and is gone after 0.3 s.
_HELD_S = 2.0
_OWN_NAME = 'gremsy'
_LEVELS = {
    EventKind.STARTED: 'INFO',
    EventKind.EXITED: 'WARN',
    EventKind.RESPAWNING: 'WARN',
    EventKind.REFUSED: 'ERROR',
    EventKind.STOPPING: 'INFO',
    EventKind.KILLED: 'WARN',
}


class OutputPrinter:
    """What the children say, and what the supervisor does.

    The sentence of a process that cannot run as configured is its last line, and is said at the very end: what may be
    it is held back until the process says another, ends otherwise, or lives on for two seconds. Safe from any thread.
    """

    def __init__(self, write: Callable[[LogRecord], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._lock = threading.Lock()
        self._held: dict[str, tuple[LogRecord, float]] = {}

    def record(self, record: LogRecord) -> None:
        """A child's."""
        with self._lock:
            # What a node logs is not such a sentence, and may follow it while the process closes.
            if record.logger:
                self._write(record)
                return
            self._show_held(record.process)
            self._held[record.process] = (record, self._clock())

    def event(self, event: ProcessEvent) -> None:
        """What the supervisor did; a configuration error is said at the very end instead."""
        with self._lock:
            held, _ = self._held.get(event.name, (None, 0.0))
            if held is not None and event.text.endswith(held.message):
                del self._held[event.name]
            self._show_held(event.name)
            if event.kind is not EventKind.CONFIGURATION_ERROR:
                self._write(own_record(_LEVELS[event.kind], event.text))

    def show_overdue(self) -> None:
        """Show what has waited long enough."""
        with self._lock:
            for name in [name for name, (_, since_s) in self._held.items() if self._clock() - since_s > _HELD_S]:
                self._show_held(name)

    def close(self) -> None:
        """Show the rest."""
        with self._lock:
            for name in list(self._held):
                self._show_held(name)

    def _show_held(self, name: str) -> None:
        record, _ = self._held.pop(name, (None, 0.0))
        if record is not None:
            self._write(record)


def own_record(level: str, sentence: str) -> LogRecord:
    """What the supervisor itself says."""
    return LogRecord(_OWN_NAME, level, sentence)
