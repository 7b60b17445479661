# SPDX-License-Identifier: Apache-2.0
"""What people wear, as a histogram: hue and brightness of the upper and the lower half of the middle of their box."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_HUES, _SATURATIONS, _VALUES = 8, 3, 4
BINS = 2 * _HUES * _SATURATIONS * _VALUES


def colours_of(image: NDArray[np.uint8], boxes_px: Array) -> Array:
    """(N, BINS) histograms, rows of sum 1, of boxes (N, 4) in a BGR image; even where a box lies outside."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    return np.array([_one(hsv, box) for box in boxes_px]).reshape(-1, BINS)


def _one(hsv: cv2.typing.MatLike, box_px: Array) -> Array:
    x_min, y_min, x_max, y_max = box_px
    # The sides of a box are street, its top is hair and its end shoes, for everybody alike.
    inset = 0.25 * (x_max - x_min)
    height = y_max - y_min
    halves = []
    for above, below in ((0.15, 0.5), (0.5, 0.85)):
        part = hsv[
            max(0, round(y_min + above * height)) : max(0, round(y_min + below * height)),
            max(0, round(x_min + inset)) : max(0, round(x_max - inset)),
        ]
        if part.size == 0:
            halves.append(np.full(BINS // 2, 2.0 / BINS))
            continue
        counts = cv2.calcHist([part], [0, 1, 2], None, [_HUES, _SATURATIONS, _VALUES], [0, 180, 0, 256, 0, 256]).ravel()
        halves.append(counts / counts.sum())
    return np.concatenate(halves).astype(np.float64) / 2
