# SPDX-License-Identifier: Apache-2.0
"""How often one address may ask: a bucket that fills steadily and from which each request takes one."""

from __future__ import annotations

from collections import OrderedDict

# More than anybody's clients; of a flood of addresses the oldest are forgotten.
_MOST_ADDRESSES = 4096


class RateLimit:
    """Token buckets by address (Turner 1986); not for several threads.

    Args:
        per_s: requests a second in the long run.
        burst: how many may come at once.
    """

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self.refused = 0

    def allows(self, address: str, now_s: float) -> bool:
        """Whether one more may come now; counts it."""
        level = self._level(address, now_s)
        if level < 1.0:
            self.refused += 1
            self._keep(address, level, now_s)
            return False
        self._keep(address, level - 1.0, now_s)
        return True

    def is_spent(self, address: str, now_s: float) -> bool:
        """Whether the next one would be refused."""
        return self._level(address, now_s) < 1.0

    def _level(self, address: str, now_s: float) -> float:
        level, before_s = self._buckets.get(address, (self._burst, now_s))
        return min(self._burst, level + (now_s - before_s) * self._per_s)

    def _keep(self, address: str, level: float, now_s: float) -> None:
        self._buckets[address] = (level, now_s)
        self._buckets.move_to_end(address)
        if len(self._buckets) > _MOST_ADDRESSES:
            self._buckets.popitem(last=False)
