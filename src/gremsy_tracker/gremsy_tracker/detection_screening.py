# SPDX-License-Identifier: Apache-2.0
"""Boxes that no tracker should see: not finite, without area, outside the image, below the lowest score."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from gremsy_common.detections import Detections


def screen(
    detections: Detections,
    *,
    low_score: float,
    max_detections: int,
    image_size_px: tuple[int, int] | None,
    dropped: Counter[str],
) -> Detections:
    """The usable boxes, in their order; what is left out is counted by reason in `dropped`.

    Args:
        detections: as received.
        low_score: lowest score of use; boxes below are left out, not counted (they are normal).
        max_detections: the best so many are kept.
        image_size_px: (width, height), or None where it is not known; then no box counts as outside.
        dropped: reasons: `boxes_not_finite`, `boxes_without_area`, `boxes_outside_image`, `boxes_beyond_limit`.
    """
    boxes, scores = detections.boxes_px, detections.scores
    with np.errstate(invalid='ignore'):
        area = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)  # False for NaN, too
        inside: NDArray[np.bool_] = np.ones(len(boxes), dtype=bool)
        if image_size_px is not None:
            inside &= ((boxes[:, 2:] > 0) & (boxes[:, :2] < image_size_px)).all(axis=1)
        keep = area & inside & (scores >= low_score)
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    keep &= finite
    if len(boxes) <= max_detections and keep.all():
        return detections
    for reason, bad in (
        ('boxes_not_finite', ~finite),
        ('boxes_without_area', finite & ~area),
        ('boxes_outside_image', finite & area & ~inside),
    ):
        if bad.any():
            dropped[reason] += int(bad.sum())
    index = np.flatnonzero(keep)
    if len(index) > max_detections:
        dropped['boxes_beyond_limit'] += len(index) - max_detections
        # Stable, so that equal scores keep their order and a replay gives the same ids.
        index = np.sort(index[np.argsort(-scores[index], kind='stable')[:max_detections]])
    if len(index) == len(boxes):
        return detections
    return Detections(detections.stamp_ns, detections.frame_id, boxes[index], scores[index], detections.labels[index])
