# SPDX-License-Identifier: Apache-2.0
"""Programs that a Ctrl-C ends in one line while Python still reads what they import, which takes a second or two.

In a setup.py, `NAME = gremsy_common.programs:node.MODULE.main` is one that runs until it is stopped, and `tool.` one
that does a job; `python -m gremsy_common.programs MODULE [ARGUMENT ...]` runs a module's `main` as a tool.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

INTERRUPTED = 130
"""What a shell says of a program that SIGINT ended; of a node, that it was stopped is no failure."""


class Program:
    """The function that its attributes name, imported when it is called."""

    def __init__(self, status: int, path: str = '') -> None:
        self._status = status
        self._path = path

    def __getattr__(self, name: str) -> Program:
        return Program(self._status, f'{self._path}.{name}'.lstrip('.'))

    def __call__(self) -> Any:
        """Import and run it."""
        module, _, function = self._path.rpartition('.')
        # Where a shell had it ignored (`nohup`, `&` in a script) it stays so.
        interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if interruptible:
            # An exception could end up in whatever is imported, and be taken for that module's fault.
            signal.signal(signal.SIGINT, lambda *_: self._end())
        main = getattr(import_module(module), function)
        if interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return main()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            sys.exit(self._interrupted())

    def _end(self) -> NoReturn:
        # `ros2 launch` sends a second one, which would come while Python ends.
        os._exit(self._interrupted())

    def _interrupted(self) -> int:
        os.write(2, b'Interrupted.\n')
        return self._status


def stop_by_signals(stop: Callable[[], object], *more: signal.Signals) -> None:
    """Call it at the first SIGINT or SIGTERM, or one of those; the next ones do nothing.

    They would interrupt it inside a lock that it holds (`Event.set`), which a handler can wait for in vain.
    """

    def answer(handler: Callable[[int, FrameType | None], object]) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, *more):
            signal.signal(number, handler)

    def first(_number: int, _frame: FrameType | None) -> None:
        answer(lambda *_: None)
        stop()

    answer(first)


class EndedBySignal(Exception):
    """The process was asked to end; its text is the signal's name."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number
        """What a shell reports of a program that this signal ended."""


@contextmanager
def ended_by_signals(afterwards: signal.Handlers = signal.SIG_IGN) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP raise `EndedBySignal` inside; the first one only, which must not interrupt a clean-up.

    Where a shell had a hang-up ignored (`nohup`) it stays so.

    Args:
        afterwards: what the next ones do; with SIG_DFL a second one ends the process.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    if before[signal.SIGHUP] is signal.SIG_IGN:
        del before[signal.SIGHUP]

    def end(number: int, _frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, afterwards)
        raise EndedBySignal(number)

    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


node = Program(0)
tool = Program(INTERRUPTED)

if __name__ == '__main__':
    del sys.argv[0]
    sys.exit(Program(INTERRUPTED, f'{sys.argv[0]}.main')())
