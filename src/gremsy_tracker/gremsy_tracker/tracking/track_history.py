# SPDX-License-Identifier: Apache-2.0
"""The tracks of the last images: a click means what was on the screen when it was made."""

from __future__ import annotations

from collections import deque

from gremsy_common.types.detections import Tracks

# Longer than an operator's glass-to-glass delay and reaction together.
_KEPT_NS = 3_000_000_000


class TrackHistory:
    """Tracks by the stamp of their image."""

    def __init__(self) -> None:
        self._tracks: deque[Tracks] = deque()

    @property
    def newest(self) -> Tracks | None:
        """Those of the newest image."""
        return self._tracks[-1] if self._tracks else None

    def offer(self, tracks: Tracks) -> None:
        """Those of the next image."""
        self._tracks.append(tracks)
        while tracks.stamp_ns - self._tracks[0].stamp_ns > _KEPT_NS:
            self._tracks.popleft()

    def at(self, stamp_ns: int) -> Tracks | None:
        """Those of the image of that stamp, or of the last before it that was searched; the newest for 0."""
        if stamp_ns == 0:
            return self.newest
        return next((each for each in reversed(self._tracks) if each.stamp_ns <= stamp_ns), None)

    def clear(self) -> None:
        """Keep nothing."""
        self._tracks.clear()
