# SPDX-License-Identifier: Apache-2.0
"""Boxes that no tracker should see: not finite, without area, outside the image, below the lowest score."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from gremsy_common.types.detections import Detections


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
    if len(boxes) <= max_detections and _all_good(boxes, scores, low_score, image_size_px):
        return detections
    with np.errstate(invalid='ignore'):
        area = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)  # False for NaN, too
        inside: NDArray[np.bool_] = np.ones(len(boxes), dtype=bool)
        if image_size_px is not None:
            inside &= ((boxes[:, 2:] > 0) & (boxes[:, :2] < image_size_px)).all(axis=1)
        keep = area & inside & (scores >= low_score)
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    keep &= finite
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


def _all_good(
    boxes: NDArray[np.float64], scores: NDArray[np.float64], low_score: float, image_size_px: tuple[int, int] | None
) -> bool:
    """The usual case, in a third of the array operations; False also where that is not certain."""
    if not len(boxes):
        return True
    low, high = boxes[:, :2], boxes[:, 2:]
    # A comparison with NaN is False; one number that is not finite makes the sum of squares not finite (and a dot
    # product is twice as fast as a sum).
    numbers = boxes.ravel()
    squares = float(numbers @ numbers) + float(scores @ scores)
    if not (scores.min() >= low_score and math.isfinite(squares) and (high > low).all()):
        return False
    return image_size_px is None or bool(high.min() > 0 and (low < image_size_px).all())
