# SPDX-License-Identifier: Apache-2.0
"""Greedy, class-aware non-maximum suppression: of boxes of one class that overlap, the best scored stays.

The greedy rule is sequential, but its outcome is the fixed point of "a box stays if no staying better box suppresses
it", and iterating that on the whole overlap matrix reaches it in as many rounds as the longest chain of suppressions
(2-4 in practice; cluster NMS, Zheng et al. 2020, arXiv:2005.03572). Boxes go through in blocks, best first, and what a
block's survivors suppress is dropped from the rest at once: a thousand candidates do not make a matrix of a million.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Best of 32 to 512 for 400 boxes about 40 objects: 0.8 ms, against 3.3 ms for one matrix of all.
_BLOCK = 64
# Of a block, best first: is the row's box better than the column's?
_BETTER = np.triu(np.ones((_BLOCK, _BLOCK), dtype=np.bool_), k=1)


def intersection_over_union(boxes_a: NDArray[np.floating], boxes_b: NDArray[np.floating]) -> NDArray[np.floating]:
    """(A, B) overlap of (A, 4) with (B, 4) corner boxes; a pair without area overlaps by 0."""
    width = np.minimum(boxes_a[:, None, 2], boxes_b[None, :, 2])
    width -= np.maximum(boxes_a[:, None, 0], boxes_b[None, :, 0])
    height = np.minimum(boxes_a[:, None, 3], boxes_b[None, :, 3])
    height -= np.maximum(boxes_a[:, None, 1], boxes_b[None, :, 1])
    intersection = np.maximum(width, 0, out=width)
    intersection *= np.maximum(height, 0, out=height)
    union = _area(boxes_a)[:, None] + _area(boxes_b)[None, :]
    union -= intersection
    overlap = np.zeros_like(intersection)
    np.divide(intersection, union, out=overlap, where=union > 0)
    return overlap


def suppress(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    classes: NDArray[np.intp],
    *,
    iou: float,
    max_boxes: int,
) -> NDArray[np.intp]:
    """Indices of the boxes that stay, best score first; of equal scores the earlier one is better.

    Args:
        boxes: (N, 4) corners, in any one unit.
        scores: (N,).
        classes: (N,); boxes of different classes never suppress each other.
        iou: a box goes when its overlap with a staying better one is above this.
        max_boxes: stop when so many stay.
    """
    order = np.argsort(-scores, kind='stable')
    # x_min, y_min, x_max, y_max and area as rows: side by side in memory, where the arithmetic is 3 times as fast.
    sides = np.empty((5, len(order)), np.float32)
    sides[:4] = boxes[order].T
    np.multiply(np.maximum(sides[2] - sides[0], 0), np.maximum(sides[3] - sides[1], 0), out=sides[4])
    labels = classes[order]
    remaining = np.arange(len(order))
    kept = remaining[:0]
    while len(remaining) and len(kept) < max_boxes:
        block, remaining = remaining[:_BLOCK], remaining[_BLOCK:]
        by_better = _suppressed_by(sides, labels, block, block, iou)
        by_better &= _BETTER[: len(block), : len(block)]
        stays = block[_fixed_point(by_better)]
        kept = np.concatenate([kept, stays])
        # Most of what is left goes here, so that few more blocks follow.
        if len(remaining):
            remaining = remaining[~_suppressed_by(sides, labels, stays, remaining, iou).any(axis=0)]
    return order[kept[:max_boxes]]


def _suppressed_by(
    sides: NDArray[np.float32], labels: NDArray[np.intp], better: NDArray[np.intp], worse: NDArray[np.intp], iou: float
) -> NDArray[np.bool_]:
    """(better, worse): would the row's box suppress the column's, if it stays itself?"""
    a, b = sides[:, better, None], sides[:, None, worse]
    overlap = np.minimum(a[2], b[2])
    overlap -= np.maximum(a[0], b[0])
    height = np.minimum(a[3], b[3])
    height -= np.maximum(a[1], b[1])
    np.maximum(overlap, 0, out=overlap)
    overlap *= np.maximum(height, 0, out=height)
    # overlap / (area + area - overlap) > iou, without the division by what may be 0.
    union = np.add(a[4], b[4], out=height)
    union -= overlap
    union *= np.float32(iou)
    suppressed: NDArray[np.bool_] = overlap > union
    suppressed &= labels[better, None] == labels[None, worse]
    return suppressed


def _fixed_point(suppresses: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which boxes stay, given the strictly upper triangular matrix of who would suppress whom."""
    stays: NDArray[np.bool_] = ~np.any(suppresses, axis=0)
    # Round k settles the first k boxes at least, so there are never more rounds than boxes.
    for _ in range(len(suppresses)):
        after: NDArray[np.bool_] = ~np.any(suppresses[stays], axis=0)
        if np.array_equal(after, stays):
            break
        stays = after
    return stays


def _area(boxes: NDArray[np.floating]) -> NDArray[np.floating]:
    """(N,) areas; a box turned inside out has none."""
    return np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)
