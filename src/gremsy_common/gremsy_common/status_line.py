# SPDX-License-Identifier: Apache-2.0
"""How things stand, for a person: one line that changes in place on a terminal, a plain line now and then in a log.

The standard library alone: `./gremsy` shows set-up with it before anything is installed.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

_PLAIN_PERIOD_S = 5.0
# How often work that has no end in sight says that it goes on.
_TICK_S = 1.0
_TICK_IN_LOG_S = 20.0


class StatusLine:
    """Several threads may say something; the status is drawn again below it.

    Args:
        out: where to; what is no terminal gets no control characters.
        clock: s, monotonic.
        in_place: False where others write to the same terminal, who know nothing of a line that changes.
        tick_s: between the ticks of `working`; None for a second on a terminal, 20 s in a log.
    """

    def __init__(
        self,
        out: TextIO,
        clock: Callable[[], float] = time.monotonic,
        *,
        in_place: bool = True,
        tick_s: float | None = None,
    ) -> None:
        self.in_place = in_place and out.isatty()
        self._out = out
        self._clock = clock
        self._tick_s = tick_s or (_TICK_S if self.in_place else _TICK_IN_LOG_S)
        self._lock = threading.Lock()
        self._shown = ''
        self._last_plain_s = float('-inf')

    def show(self, text: str) -> None:
        """The status is now this."""
        with self._lock:
            if self.in_place:
                # A line longer than the terminal would wrap and scroll.
                self._shown = text[: shutil.get_terminal_size((100, 24)).columns - 1]
                self._write(f'\r\x1b[K{self._shown}')
            elif self._clock() - self._last_plain_s >= _PLAIN_PERIOD_S:
                self._last_plain_s = self._clock()
                self._write(f'{text}\n')

    def say(self, text: str) -> None:
        """A line that stays."""
        with self._lock:
            self._write(f'\r\x1b[K{text}\n{self._shown}' if self._shown else f'{text}\n')

    def end(self) -> None:
        """Leave the last status standing."""
        with self._lock:
            if self._shown:
                self._write('\n')
            self._shown = ''

    @contextmanager
    def working(self, what: str) -> Iterator[Callable[[str], None]]:
        """While this is open it says every second, in a log every 20 s, what is being done and for how long.

        Call what it yields with what is going on just now.
        """
        begin_s, over, doing = self._clock(), threading.Event(), ''

        def tick() -> None:
            text, elapsed_s = f'{what} {doing}'.rstrip(), self._clock() - begin_s
            if self.in_place:
                self.show(f'{text}  {elapsed_s:.0f} s')
            else:
                self.say(f'{text} ({elapsed_s:.0f} s so far)')

        def note(text: str) -> None:
            nonlocal doing
            doing = text
            if self.in_place:
                tick()

        def run() -> None:
            while not over.wait(self._tick_s):
                try:
                    tick()
                except OSError:
                    # Nobody reads any more, or the disk is full: the work goes on.
                    return

        thread = threading.Thread(target=run, name='status line', daemon=True)
        thread.start()
        try:
            yield note
        finally:
            over.set()
            thread.join()
            with self._lock:
                if self._shown:
                    self._write('\r\x1b[K')
                self._shown = ''

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
