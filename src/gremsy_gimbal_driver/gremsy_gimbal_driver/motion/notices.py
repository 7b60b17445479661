# SPDX-License-Identifier: Apache-2.0
"""Reports a fault once, and counts it from then on, until it has recovered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from gremsy_common.errors import SuiteError

Report = Callable[[str], None]


class Refusal(SuiteError):
    """Something was not taken; its sentence says why, and `kind` is a key to count by."""

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class Notices:
    """One sentence per kind of fault; `recovered` lets that kind be reported again."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._reported: set[str] = set()
        self.counts: Counter[str] = Counter()

    def fault(self, kind: str, sentence: str) -> None:
        """Count it, and report it if it is new."""
        self.counts[kind] += 1
        if kind not in self._reported:
            self._reported.add(kind)
            self._report(sentence)

    def recovered(self, *kinds: str) -> None:
        """These faults are over."""
        self._reported.difference_update(kinds)

    def check(self, kind: str, sentence: str) -> None:
        """A check was made: a fault with that sentence, or recovered where it is empty."""
        if sentence:
            self.fault(kind, sentence)
        else:
            self.recovered(kind)
