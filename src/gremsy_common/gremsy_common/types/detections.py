# SPDX-License-Identifier: Apache-2.0
"""What was seen in one image: detections (no identity) and tracks (with identity), as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The boxes of one image; zero boxes is a result too.

    Attributes:
        stamp_ns: the image's own capture stamp, ns of the ROS clock.
        frame_id: the image's own optical frame.
        boxes_px: (N, 4) float64, x_min, y_min, x_max, y_max in source-image pixels, (0, 0) the top-left corner.
        scores: (N,) float64 in [0, 1].
        labels: (N,) unicode array, the class names.
    """

    stamp_ns: int
    frame_id: str
    boxes_px: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.boxes_px)

    def where(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Detections:
        """Some of the boxes, without identity."""
        boxes, scores, labels = self.boxes_px[rows], self.scores[rows], self.labels[rows]
        return Detections(self.stamp_ns, self.frame_id, boxes, scores, labels)

    @classmethod
    def empty(cls, stamp_ns: int, frame_id: str) -> Detections:
        """Nothing seen in the image of that stamp."""
        return cls(stamp_ns, frame_id, np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=np.str_))


@dataclass(frozen=True, slots=True, eq=False)
class Tracks(Detections):
    """Detections with identity.

    Attributes:
        boxes_px: (N, 4) by their corners: as detected, or smoothed over time.
        ids: (N,) int64, the same for the same object from image to image.
    """

    ids: NDArray[np.int64]

    @classmethod
    def empty(cls, stamp_ns: int, frame_id: str) -> Tracks:
        """No track confirmed in the image of that stamp."""
        none = np.zeros(0)
        return cls(stamp_ns, frame_id, np.zeros((0, 4)), none, none.astype(np.str_), none.astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The track that the lock is on, as seen in (or coasted to) the image of `stamp_ns`.

    `box_px` is (4,) float64 x_min, y_min, x_max, y_max in source-image pixels; it may lie outside the image while the
    target coasts.
    """

    stamp_ns: int
    frame_id: str
    id: int
    label: str
    score: float
    box_px: NDArray[np.float64]
