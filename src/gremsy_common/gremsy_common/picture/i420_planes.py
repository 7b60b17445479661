# SPDX-License-Identifier: Apache-2.0
"""Pictures as I420, which encoders take: BT.601, limited range."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def even_size(width: int, height: int) -> tuple[int, int]:
    """4:2:0 shares colour between two pixels each way: the last column or row of an odd side is left out."""
    return width - width % 2, height - height % 2


def narrowed(picture: NDArray[Any], widest_px: int) -> NDArray[Any]:
    """The picture itself, or a smaller one of its shape where it is wider than that; 0 for any width."""
    height, width = picture.shape[:2]
    if not 0 < widest_px < width:
        return picture
    size = (widest_px, max(2, round(height * widest_px / width)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def i420_planes(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """(H * 3 / 2, W) of a picture without the last row or column of an odd side.

    Args:
        picture: (H, W, 3) BGR or (H, W) grey, uint8, at least 2x2.
    """
    width, height = even_size(picture.shape[1], picture.shape[0])
    cut = np.ascontiguousarray(picture[:height, :width])
    if cut.ndim == 3:
        # Ten times faster than FFmpeg's own conversion from BGR (0.7 against 7.7 ms at 1080p).
        return np.asarray(cv2.cvtColor(cut, cv2.COLOR_BGR2YUV_I420), dtype=np.uint8)
    # Brightness lies between 16 and 235, as OpenCV puts colours too; 128 is no colour.
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    cv2.convertScaleAbs(cut, dst=planes[:height], alpha=219 / 255, beta=16)
    return planes
