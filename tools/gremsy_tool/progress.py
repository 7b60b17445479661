# SPDX-License-Identifier: Apache-2.0
"""Says which step runs, for how long, and what it is doing."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator


class Progress:
    """A line a step; on a terminal the running step's line is rewritten in place."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._total = total
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._count = 0
        self._began_all = time.monotonic()
        self._began = self._began_all
        self._title = ''
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
        self._show('')
        if not self._live:
            self._write(f'[{self._count}/{self._total}] {title} ...\n')
        try:
            yield
        except BaseException:
            self._end('failed')
            raise
        self.seconds[key] = round(time.monotonic() - self._began, 2)
        self._end('done')

    def note(self, text: str) -> None:
        """Says what the running step is doing; only a terminal shows it."""
        self._show(text)

    def say(self, text: str) -> None:
        """A line of its own, on a terminal and in a log."""
        self._write(('\r\x1b[K' if self._live else '') + text + '\n')

    def _show(self, text: str) -> None:
        if self._live:
            seconds = time.monotonic() - self._began_all
            line = f'[{self._count}/{self._total}] {self._title} {text}'[:100]
            self._write(f'\r\x1b[K{line}  {seconds:.0f} s')

    def _end(self, word: str) -> None:
        seconds = time.monotonic() - self._began
        self._write(
            ('\r\x1b[K' if self._live else '')
            + f'[{self._count}/{self._total}] {self._title}: {word}, {seconds:.1f} s\n'
        )

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
