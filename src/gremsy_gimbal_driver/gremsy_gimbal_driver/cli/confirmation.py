# SPDX-License-Identifier: Apache-2.0
"""Nothing moves and nothing is overwritten by a command that was typed by mistake."""

from __future__ import annotations

import sys
from collections.abc import Callable

from gremsy_gimbal_driver.cli.tool_error import ToolError


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
