# SPDX-License-Identifier: Apache-2.0
"""Boxes by their corners (x_min, y_min, x_max, y_max), in any one unit: areas and overlaps.

Boxes are the last dimension; what stands before it is broadcast, so that a row of pairs costs as little as a table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[Any]  # float32 or float64, as it comes


def areas(boxes: Boxes) -> Boxes:
    """(...) of (..., 4); a box turned inside out has none."""
    size = boxes[..., 2:] - boxes[..., :2]
    np.maximum(size, 0.0, out=size)
    return np.asarray(size[..., 0] * size[..., 1])


def intersections(boxes_a: Boxes, boxes_b: Boxes) -> Boxes:
    """(...) common areas of boxes (..., 4) with boxes (..., 4)."""
    common = np.minimum(boxes_a[..., 2:], boxes_b[..., 2:])
    common -= np.maximum(boxes_a[..., :2], boxes_b[..., :2])
    np.maximum(common, 0.0, out=common)
    return np.asarray(common[..., 0] * common[..., 1])


def overlaps_of(boxes_a: Boxes, boxes_b: Boxes, both_areas: Boxes) -> Boxes:
    """(...) intersection over union, 0 for a pair without area; `both_areas` (...) are the sums, and are used up."""
    shared = intersections(boxes_a, boxes_b)
    both_areas -= shared
    return np.asarray(shared / np.maximum(both_areas, 1e-12, out=both_areas))


def intersection_over_union(boxes_a: Boxes, boxes_b: Boxes) -> Boxes:
    """(A, B) of (A, 4) with (B, 4)."""
    return overlaps_of(boxes_a[:, None], boxes_b, areas(boxes_a)[:, None] + areas(boxes_b))
