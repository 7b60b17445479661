# SPDX-License-Identifier: Apache-2.0
"""Which box is which: pairs of two sets of boxes that overlap, and the best one-to-one choice among them.

Boxes that no tracker should see: not finite, without area, outside the image, below the lowest score.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from gremsy_common.boxes import areas, overlaps_of
from gremsy_common.geometry import Array
from gremsy_common.types.detections import Detections

Index = NDArray[np.intp]

# Of so few it takes longer to sort them out than to compute them all.
_FEW_PAIRS = 256
_FIRST, _NONE = np.zeros(1, dtype=np.intp), np.zeros(0, dtype=np.intp)
_FIRST.flags.writeable = False


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Boxes of two sets that overlap, the other pairs left out: of 300 x 300, some hundreds remain.

    Attributes:
        rows, columns: (K,) which box of the first set, and of the second; ascending by row, then column.
        overlap: (K,) intersection over union, above 0.
    """

    rows: Index
    columns: Index
    overlap: Array

    def where(self, mask: NDArray[np.bool_]) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.rows[mask], self.columns[mask], self.overlap[mask])


def overlapping(a_px: Array, b_px: Array, least: float = 1e-9) -> Pairs:
    """Pairs of boxes (N, 4) and (M, 4), given by their corners, that overlap by at least `least` (above 0)."""
    count = len(b_px)
    if len(a_px) == count == 1:
        overlap = np.array([_overlap_of_two(*a_px[0].tolist(), *b_px[0].tolist())])
        which = _FIRST if overlap[0] >= least else _NONE
        return Pairs(which, which, overlap[which])
    a_areas, b_areas = areas(a_px), areas(b_px)
    if len(a_px) * count <= _FEW_PAIRS:
        overlap = overlaps_of(a_px[:, None], b_px, a_areas[:, None] + b_areas).ravel()
        place = (overlap >= least).nonzero()[0]
        rows = place // max(1, count)
        return Pairs(rows, place - rows * count, overlap[place])
    # Two comparisons on all pairs sort out most of them; the arithmetic is done on what is left.
    near = a_px[:, 0, None] < b_px[:, 2]
    near &= a_px[:, 2, None] > b_px[:, 0]
    # Of a flat array this is several times as fast.
    place = near.ravel().nonzero()[0]
    rows = place // count
    columns = place - rows * count
    overlap = overlaps_of(a_px[rows], b_px[columns], a_areas[rows] + b_areas[columns])
    enough = overlap >= least
    return Pairs(rows[enough], columns[enough], overlap[enough])


def one_to_one(pairs: Pairs) -> tuple[Index, Index]:
    """Rows and columns, in the pairs' order, of the greatest summed overlap in which no box is used twice.

    It is optimal: a pair whose boxes are in no other is in every best choice, and only the rest, where there is
    something to choose, goes to the assignment solver, whose time grows with the cube of the boxes.
    """
    rows, columns = pairs.rows, pairs.columns
    if len(rows) <= 1:
        return rows, columns
    row_count, column_count = np.bincount(rows), np.bincount(columns)
    contested = (row_count[rows] > 1) | (column_count[columns] > 1)
    disputed = contested.nonzero()[0]
    if not len(disputed):
        return rows, columns
    row, column = _compact(rows[disputed], len(row_count)), _compact(columns[disputed], len(column_count))
    worth = np.zeros((int(row.max()) + 1, int(column.max()) + 1))
    number = np.full(worth.shape, -1, dtype=np.intp)
    worth[row, column] = pairs.overlap[disputed]
    number[row, column] = disputed
    chosen = number[linear_sum_assignment(worth, maximize=True)]
    picked = ~contested
    picked[chosen[chosen >= 0]] = True
    return rows[picked], columns[picked]


def _overlap_of_two(
    ax0: float, ay0: float, ax1: float, ay1: float, bx0: float, by0: float, bx1: float, by1: float
) -> float:
    """The same for two boxes: with one person in view, NumPy's calls take ten times as long as these sums."""
    shared = max(min(ax1, bx1) - max(ax0, bx0), 0.0) * max(min(ay1, by1) - max(ay0, by0), 0.0)
    union = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - shared
    return shared / max(union, 1e-12)


def _compact(numbers: Index, limit: int) -> Index:
    """The same numbers, below `limit`, renamed to 0 .. n - 1 in their order."""
    used = np.zeros(limit, dtype=np.intp)
    used[numbers] = 1
    return (np.cumsum(used) - 1)[numbers]


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
