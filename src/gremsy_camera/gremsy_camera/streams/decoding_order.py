# SPDX-License-Identifier: Apache-2.0
"""Decoding times of pictures that RTP gives the times of showing of only."""

from __future__ import annotations

from bisect import insort
from collections import deque

# H.264 and H.265 reorder no more than this.
_MOST_REORDERED = 16


class DecodingTimes:
    """Gives times that rise steadily in the order of decoding and never pass the time of showing.

    They are the times of showing in their own order, as many pictures late as the stream was seen to reorder.
    """

    def __init__(self) -> None:
        self._sorted: list[int] = []
        self._recent: deque[int] = deque(maxlen=_MOST_REORDERED)
        self._late = 0
        self._last_ns: int | None = None

    @property
    def reordered(self) -> int:
        """So many pictures were seen to be decoded before one that is shown before them."""
        return self._late

    def dts_ns(self, pts_ns: int) -> int:
        """Of the next picture in the order of decoding, ns."""
        self._late = max(self._late, sum(1 for each in self._recent if each > pts_ns))
        self._recent.append(pts_ns)
        insort(self._sorted, pts_ns)
        del self._sorted[: -2 * _MOST_REORDERED]
        place = self._sorted.index(pts_ns) if not self._late else len(self._sorted) - 1 - self._late
        dts_ns = min(pts_ns, self._sorted[max(0, place)])
        if self._last_ns is not None and dts_ns <= self._last_ns:
            dts_ns = self._last_ns + 1
        self._last_ns = dts_ns
        return dts_ns
