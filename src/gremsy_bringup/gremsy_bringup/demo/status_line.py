# SPDX-License-Identifier: Apache-2.0
"""One line that changes in place on a terminal, or a plain line every few seconds anywhere else."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from typing import TextIO

_PLAIN_PERIOD_S = 5.0


class StatusLine:
    """Several threads may say something; the status is drawn again below it."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._lock = threading.Lock()
        self._shown = ''
        self._last_plain_s = float('-inf')

    def show(self, text: str) -> None:
        """The status is now this."""
        with self._lock:
            if not self._out.isatty():
                if self._clock() - self._last_plain_s >= _PLAIN_PERIOD_S:
                    self._last_plain_s = self._clock()
                    print(text, file=self._out, flush=True)
                return
            # A line longer than the terminal would wrap and scroll.
            self._shown = text[: shutil.get_terminal_size((100, 24)).columns - 1]
            print(f'\r\x1b[K{self._shown}', end='', file=self._out, flush=True)

    def say(self, text: str) -> None:
        """A line that stays."""
        with self._lock:
            if self._shown:
                print(f'\r\x1b[K{text}\n{self._shown}', end='', file=self._out, flush=True)
            else:
                print(text, file=self._out, flush=True)

    def end(self) -> None:
        """Leave the last status standing."""
        with self._lock:
            if self._shown:
                print(file=self._out, flush=True)
            self._shown = ''
