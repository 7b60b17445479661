# SPDX-License-Identifier: Apache-2.0
"""How the tool ends before its time: what it was told could not be done, was not confirmed, or a signal came.

Nothing moves and nothing is overwritten by a command that was typed by mistake; Ctrl-C, SIGTERM and a terminal that
closes become one exception, so that every way out stops the gimbal.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from gremsy_common.errors import SuiteError

FAILED = 1
"""It was tried and did not come about."""

MISUSED = 2
"""It could not begin: wrong arguments (as argparse says too), no link."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ToolError(SuiteError):
    """One sentence for standard error; `status` is the process's exit status."""

    def __init__(self, sentence: str, status: int = FAILED) -> None:
        super().__init__(sentence)
        self.status = status


def confirm(
    question: str,
    word: str,
    yes: bool,
    ask: Callable[[str], str] = input,
    can_ask: Callable[[], bool] = lambda: sys.stdin.isatty(),
) -> None:
    """Go on only with --yes or the word typed.

    Raises:
        ToolError: when it was not.
    """
    if yes:
        return
    if not can_ask():
        raise ToolError(f'Nothing was done: {question} There is no terminal to confirm at, so give --yes.')
    try:
        answer = ask(f'{question} Type "{word}" to go on: ')
    except EOFError:
        answer = ''
    if answer.strip().lower() != word:
        raise ToolError('Nothing was done: it was not confirmed.')


class Interrupted(Exception):
    """Asked to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def interruptible() -> Iterator[None]:
    """Signals raise Interrupted inside; the first one only, since a second must not interrupt the stop."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    for number in _SIGNALS:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
