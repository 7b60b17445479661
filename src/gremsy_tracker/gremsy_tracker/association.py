# SPDX-License-Identifier: Apache-2.0
"""Which box is which: overlaps of two sets of boxes, and the one-to-one assignment of least cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Stands for "never": larger than any sum of real costs (each at most 1) of a few thousand pairs.
_FORBIDDEN = 1e6


def overlaps(a_px: Array, b_px: Array) -> Array:
    """Intersection over union, (N, M) in [0, 1], of boxes (N, 4) and (M, 4) given by their corners."""
    # Column by column: (N, M) temporaries are twice as fast as (N, M, 2) ones.
    ax0, ay0, ax1, ay1 = a_px.T[:, :, None]
    bx0, by0, bx1, by1 = b_px.T[:, None, :]
    common = np.minimum(ax1, bx1)
    common -= np.maximum(ax0, bx0)
    np.maximum(common, 0.0, out=common)
    high = np.minimum(ay1, by1)
    high -= np.maximum(ay0, by0)
    common *= np.maximum(high, 0.0, out=high)
    union = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - common
    return np.asarray(common / np.maximum(union, 1e-12, out=union))


def assign(similarity: Array, least: float) -> tuple[Index, Index]:
    """One-to-one pairs of rows and columns that maximise the summed similarity, none below `least`.

    Args:
        similarity: (N, M) in [0, 1]; pairs that may not be are below `least` (e.g. -1).
        least: a pair below this is left apart, however the rest is paired.

    Returns:
        rows (K,), ascending, and their columns (K,).
    """
    if similarity.size == 0:
        none = np.zeros(0, dtype=np.intp)
        return none, none
    allowed = similarity >= least
    rows, columns = linear_sum_assignment(np.where(allowed, 1.0 - similarity, _FORBIDDEN))
    good = allowed[rows, columns]
    return rows[good], columns[good]


def duplicates(boxes_px: Array, classes: NDArray[np.int64], scores: Array, most: float) -> NDArray[np.bool_]:
    """(N,) True where a better box (of equal scores: the earlier) of the same class overlaps by more than `most`."""
    order = np.argsort(-scores, kind='stable')
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    better = rank[None, :] < rank[:, None]
    same = classes[:, None] == classes[None, :]
    return np.asarray(((overlaps(boxes_px, boxes_px) > most) & better & same).any(axis=1))
