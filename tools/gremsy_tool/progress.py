# SPDX-License-Identifier: Apache-2.0
"""Says which step runs, for how long, and what it is doing."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator


# How often the running step is said: on a terminal in place, in a log by a line more.
_TICK_S = 1.0
_TICK_IN_LOG_S = 20.0


class Progress:
    """A line a step; on a terminal the running step's line is rewritten in place."""

    def __init__(self, total: int, stream: TextIO | None = None, tick_s: float | None = None) -> None:
        self._total = total
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._tick_s = tick_s or (_TICK_S if self._live else _TICK_IN_LOG_S)
        self._count = 0
        self._began_all = time.monotonic()
        self._began = self._began_all
        self._title = ''
        self._note = ''
        self.seconds: dict[str, float] = {}

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began_all

    @contextmanager
    def step(self, key: str, title: str) -> Iterator[None]:
        """Runs one step under `title`; its seconds are kept under `key`."""
        self._count += 1
        self._began = time.monotonic()
        self._title = title
        self.note('')
        if not self._live:
            self._write(f'[{self._count}/{self._total}] {title} ...\n')
        over = threading.Event()
        clock = threading.Thread(target=self._tick, args=(over,), daemon=True)
        clock.start()
        try:
            yield
        except BaseException:
            self._stop(over, clock, 'failed')
            raise
        self.seconds[key] = round(time.monotonic() - self._began, 2)
        self._stop(over, clock, 'done')

    def note(self, text: str) -> None:
        """What the running step is doing: shown at once on a terminal, at the clock's next tick in a log."""
        self._note = text
        if self._live:
            self._show()

    def say(self, text: str) -> None:
        """A line of its own, on a terminal and in a log."""
        self._write(('\r\x1b[K' if self._live else '') + text + '\n')

    def _tick(self, over: threading.Event) -> None:
        while not over.wait(self._tick_s):
            self._show()

    def _show(self) -> None:
        now = time.monotonic()
        line = f'[{self._count}/{self._total}] {self._title} {self._note}'[:100]
        if self._live:
            self._write(f'\r\x1b[K{line}  {now - self._began_all:.0f} s')
        else:
            self._write(f'{line} ({now - self._began:.0f} s so far)\n')

    def _stop(self, over: threading.Event, clock: threading.Thread, word: str) -> None:
        over.set()
        clock.join()
        seconds = time.monotonic() - self._began
        self._write(
            ('\r\x1b[K' if self._live else '')
            + f'[{self._count}/{self._total}] {self._title}: {word}, {seconds:.1f} s\n'
        )

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
