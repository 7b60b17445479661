# SPDX-License-Identifier: Apache-2.0
"""How far a download is: one line that changes on a terminal, a line for every tenth elsewhere."""

from __future__ import annotations

from typing import TextIO

_MEGABYTE = 1_000_000
# Where the server does not say how much will come.
_STEP_BYTES = 10 * _MEGABYTE


class Progress:
    """Writes to a stream; `end` closes an open line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._said = -1
        self._open_line = False

    def show(self, got: int, total: int | None) -> None:
        """Take note; written only when the number has changed."""
        if total:
            step = 100 * got // total if self._terminal else 10 * got // total
            text = f'{got / _MEGABYTE:.1f} of {total / _MEGABYTE:.1f} MB'
        else:
            step = got // (_MEGABYTE if self._terminal else _STEP_BYTES)
            text = f'{got / _MEGABYTE:.1f} MB'
        if step == self._said or (got == 0 and not self._terminal):
            return
        self._said = step
        if not self._terminal:
            print(text, file=self._stream, flush=True)
            return
        done = total is not None and got == total
        print(f'\r{text}\x1b[K', end='\n' if done else '', file=self._stream, flush=True)
        self._open_line = not done

    def end(self) -> None:
        """Let the next sentence begin on a line of its own."""
        if self._open_line:
            print(file=self._stream)
            self._open_line = False
