# SPDX-License-Identifier: Apache-2.0
"""How far a benchmark is: a line of standard error each, since its figures go to standard output; and its waits."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from gremsy_common.errors import SuiteError


def report(line: str) -> None:
    """Print it now."""
    print(line, file=sys.stderr, flush=True)


def wait_until(
    true: Callable[[], object], problem: str, benchmark: str, patience_s: float, look_s: float = 0.02
) -> None:
    """Return as soon as it is true.

    Raises:
        SuiteError: it never was; with the problem and the benchmark's name.
    """
    until_s = time.monotonic() + patience_s
    while not true():
        if time.monotonic() > until_s:
            raise SuiteError(f'The {benchmark} cannot go on: {problem} within {patience_s:g} s.')
        time.sleep(look_s)
