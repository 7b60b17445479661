# SPDX-License-Identifier: Apache-2.0
"""Which box an operator meant by a click: one of those that were on the screen when it was made."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from gremsy_common.types.detections import Tracks

REACH_PX = 40.0
"""A click may miss a box by this much."""

# Longer than an operator's glass-to-glass delay and reaction together.
_KEPT_NS = 3_000_000_000


class TrackHistory:
    """The tracks of the last images, by the stamp of their image."""

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


def row_at_pixel(boxes_px: NDArray[np.float64], x_px: float, y_px: float) -> int | None:
    """Of the boxes (N, 4) under the pixel the smallest, else the nearest within reach; None where there is none."""
    if not len(boxes_px):
        return None
    pixel = np.array([x_px, y_px])
    outside = np.maximum(np.maximum(boxes_px[:, :2] - pixel, pixel - boxes_px[:, 2:]), 0.0)
    distance = np.linalg.norm(outside, axis=1)
    area = np.prod(boxes_px[:, 2:] - boxes_px[:, :2], axis=1)
    row = int(np.lexsort((area, distance))[0])
    return row if distance[row] <= REACH_PX else None
