# SPDX-License-Identifier: Apache-2.0
"""What went over one link: how many items, how fast, how old they were on arrival."""

from __future__ import annotations

import time
from collections import deque

import numpy as np

# p99 of 10 s at 50 Hz; older ages say nothing about now.
_WINDOW = 512


class LinkStatistics:
    """Written by whichever thread delivers, read at 1 Hz; appending to a deque is atomic, so that there is no lock."""

    def __init__(self) -> None:
        self.items = 0
        self._ages_ns: deque[int] = deque(maxlen=_WINDOW)
        self._items_at_rate = 0
        self._rate_at_s = time.monotonic()

    def count(self, age_ns: int | None) -> None:
        """One item; `age_ns` is now less its stamp, None where it has none."""
        self.items += 1
        if age_ns is not None:
            self._ages_ns.append(age_ns)

    def take_words(self) -> str:
        """`301 items, 30.0 Hz, 0.4 ms old (p99 1.2)`; asking starts a new interval of the rate."""
        now = time.monotonic()
        rate_hz = (self.items - self._items_at_rate) / max(1e-6, now - self._rate_at_s)
        self._items_at_rate, self._rate_at_s = self.items, now
        words = f'{self.items} items, {rate_hz:.1f} Hz'
        ages_ns = list(self._ages_ns)
        if not ages_ns:
            return words
        p50_ms, p99_ms = np.percentile(ages_ns, [50, 99]) * 1e-6
        return f'{words}, {p50_ms:.1f} ms old (p99 {p99_ms:.1f})'
