# SPDX-License-Identifier: Apache-2.0
"""Which box an operator meant by a click."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REACH_PX = 40.0
"""A click may miss a box by this much."""


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
