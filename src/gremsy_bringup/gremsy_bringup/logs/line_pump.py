# SPDX-License-Identifier: Apache-2.0
"""Lines to standard output by a thread of its own, so that nobody who reads them slowly holds up who says them.

A terminal that was stopped with Ctrl-S, a pipe that nobody empties: whoever wrote there would stop, then the nodes,
whose own output nobody took any more, and with them what they command the gimbal.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable

# Letters that wait; at 600 lines a second of 200 letters it is two minutes.
_MOST_WAITING = 16 << 20
# For the last lines of a run that ends.
_END_S = 2.0


class LinePump:
    """From `open` to `close`; what finds no room is left out and counted, and said where it would have been.

    A reader that has gone (`| head`) and a full disk end no robot: it goes on without.
    """

    def __init__(self, descriptor: int, notice: Callable[[int], str], most_waiting: int = _MOST_WAITING) -> None:
        """Write nothing yet.

        Args:
            descriptor: of the file.
            notice: makes the line that says how many were left out.
            most_waiting: letters.
        """
        self._descriptor, self._notice, self._most = descriptor, notice, most_waiting
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque()
        self._letters = self._left_out = 0
        self._closing = self._within_line = False
        # A daemon: a write that never returns must not keep the process.
        self._thread = threading.Thread(target=self._run, name='lines', daemon=True)

    def __enter__(self) -> LinePump:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_END_S)

    def put(self, line: str) -> None:
        """Have it written; never waits for that."""
        with self._changed:
            if self._letters + len(line) > self._most:
                self._left_out += 1
                return
            self._append_left_out()
            self._append(line)
            self._changed.notify()

    def _append(self, line: str) -> None:
        self._waiting.append(line)
        self._letters += len(line)

    def _append_left_out(self) -> None:
        if self._left_out:
            self._append(self._notice(self._left_out))
            self._left_out = 0

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._left_out:
                    if self._closing:
                        return
                    self._changed.wait()
                if not self._waiting:
                    self._append_left_out()
                lines = list(self._waiting)
                self._waiting.clear()
            # Of a name in a parameter file a letter may have no UTF-8.
            self._write('\n'.join([*lines, '']).encode(errors='replace'))
            with self._changed:
                self._letters -= sum(map(len, lines))

    def _write(self, data: bytes) -> None:
        if self._within_line:
            data = b'\n' + data
        while data:
            try:
                written = os.write(self._descriptor, data)
            except BlockingIOError:
                # Whoever shares the terminal has made it so.
                select.select([], [self._descriptor], [])
                continue
            except OSError:
                # Nobody reads any more, or the disk is full; a later line may find room again.
                return
            self._within_line = not data[:written].endswith(b'\n')
            data = data[written:]
