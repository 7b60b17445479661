# SPDX-License-Identifier: Apache-2.0
"""Says which step runs, for how long, and what it is doing."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from gremsy_common.status_line import StatusLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Progress:
    """A line a step; on a terminal the running step's line changes in place."""

    def __init__(self, total: int, stream: TextIO | None = None, tick_s: float | None = None) -> None:
        self._total = total
        self._line = StatusLine(stream or sys.stderr, tick_s=tick_s)
        self._count = 0
        self._began = time.monotonic()
        self._note: Callable[[str], None] = lambda _: None
        self.seconds: dict[str, float] = {}

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    @contextmanager
    def step(self, key: str, title: str) -> Iterator[None]:
        """Runs one step under `title`; its seconds are kept under `key`."""
        self._count += 1
        what = f'[{self._count}/{self._total}] {title}'
        began = time.monotonic()
        if not self._line.in_place:
            self.say(f'{what} ...')
        word = 'failed'
        try:
            with self._line.working(what) as self._note:
                self.note('')
                yield
            self.seconds[key] = round(time.monotonic() - began, 2)
            word = 'done'
        finally:
            self.say(f'{what}: {word}, {time.monotonic() - began:.1f} s')

    def note(self, text: str) -> None:
        """What the running step is doing: shown at once on a terminal, at the clock's next tick in a log."""
        self._note(text)

    def say(self, text: str) -> None:
        """A line of its own, on a terminal and in a log."""
        self._line.say(text)
