# SPDX-License-Identifier: Apache-2.0
"""Where a source image lies in the network's input, and the exact way back for boxes.

Both images are measured from the top-left corner of their top-left pixel. cv2.resize aligns the images' areas (edge to
edge), so in these coordinates a resize is a plain scale with no half-pixel term.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Those that a camera and a network can have between them; 1 / (1 / factor) is the factor itself for each.
_ODD_FACTORS = (3, 5, 7, 9)


@dataclass(frozen=True, slots=True)
class Placement:
    """The source image, scaled to `width_px` x `height_px`, its top-left corner at (`x_px`, `y_px`) of the input."""

    source_width_px: int
    source_height_px: int
    x_px: int
    y_px: int
    width_px: int
    height_px: int

    @property
    def _scale(self) -> NDArray[np.float64]:
        x = self.width_px / self.source_width_px
        y = self.height_px / self.source_height_px
        return np.array([x, y, x, y])

    @property
    def _offset_px(self) -> NDArray[np.float64]:
        return np.array([self.x_px, self.y_px, self.x_px, self.y_px], dtype=np.float64)

    def to_network(self, boxes_source_px: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 4) corners x_min, y_min, x_max, y_max in source pixels to the same in network-input pixels."""
        return boxes_source_px * self._scale + self._offset_px

    def to_source(self, boxes_network_px: NDArray[np.floating]) -> NDArray[np.float64]:
        """The exact inverse of `to_network`; sub-pixel, not clipped."""
        return (boxes_network_px - self._offset_px) / self._scale

    def clip_to_source(self, boxes_source_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 4) corners kept inside the source image."""
        width, height = self.source_width_px, self.source_height_px
        return np.clip(boxes_source_px, 0.0, np.array([width, height, width, height], dtype=np.float64))


def resize_into(source: NDArray[Any], target: NDArray[Any]) -> None:
    """Bilinear, without smoothing, (H, W) or (H, W, C) of one dtype into the other array's size.

    As Ultralytics does in training and prediction; INTER_AREA is 4-7 times slower (20 ms at 1080p).
    """
    height, width = target.shape[:2]
    factor = source.shape[1] // width
    if factor in _ODD_FACTORS and source.shape[:2] == (factor * height, factor * width):
        # At an odd whole factor (1080p to 640x360 is 3) each target pixel's centre lies on a source pixel's centre, so
        # bilinear is that pixel alone. Taking it is the same to the last bit and twice as fast (0.6 ms for 1.2).
        middle = factor // 2
        cv2.resize(
            source[middle:, middle:], None, dst=target, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_NEAREST
        )
        return
    cv2.resize(source, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
