# SPDX-License-Identifier: Apache-2.0
"""How the tool ends when it could not do what it was told."""

from __future__ import annotations

from gremsy_common.errors import SuiteError

FAILED = 1
"""It was tried and did not come about."""

MISUSED = 2
"""It could not begin: wrong arguments (as argparse says too), no link."""


class ToolError(SuiteError):
    """One sentence for standard error; `status` is the process's exit status."""

    def __init__(self, sentence: str, status: int = FAILED) -> None:
        super().__init__(sentence)
        self.status = status
