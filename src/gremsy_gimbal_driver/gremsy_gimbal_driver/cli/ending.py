# SPDX-License-Identifier: Apache-2.0
"""How the tool ends early: a command failed, or was not confirmed.

Nothing moves and nothing is overwritten by a command that was typed by mistake.
"""

from __future__ import annotations

import sys

from gremsy_common.errors import SuiteError

FAILED = 1
"""It was tried and failed."""

MISUSED = 2
"""It could not begin: wrong arguments (with argparse's own status), no link."""


class ToolError(SuiteError):
    """One sentence for standard error; `status` is the process's exit status."""

    def __init__(self, sentence: str, status: int = FAILED) -> None:
        super().__init__(sentence)
        self.status = status


def confirm(question: str, word: str, yes: bool) -> None:
    """Go on only with --yes or the word typed.

    Raises:
        ToolError: otherwise.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise ToolError(f'{question} Nothing was done, since there is no terminal to confirm on: give --yes.')
    try:
        answer = input(f'{question} Type "{word}" to go on: ')
    except EOFError:
        answer = ''
    if answer.strip().lower() != word:
        raise ToolError('Nothing was done: it was not confirmed.')
