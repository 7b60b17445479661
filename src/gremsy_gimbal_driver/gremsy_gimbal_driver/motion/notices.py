# SPDX-License-Identifier: Apache-2.0
"""Says a thing once and counts it ever after, until it has been well again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

Say = Callable[[str], None]


class Notices:
    """One sentence per kind of trouble; `well` lets that kind be said again."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._said: set[str] = set()
        self.counts: Counter[str] = Counter()

    def trouble(self, kind: str, sentence: str) -> None:
        """Count it, and say it if it is new."""
        self.counts[kind] += 1
        if kind not in self._said:
            self._said.add(kind)
            self._say(sentence)

    def well(self, *kinds: str) -> None:
        """These troubles are over."""
        self._said.difference_update(kinds)
