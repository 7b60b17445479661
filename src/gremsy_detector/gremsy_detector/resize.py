# SPDX-License-Identifier: Apache-2.0
"""Where a source image lies in the network's input, and the exact way back for boxes.

Both images are measured from the top-left corner of their top-left pixel. cv2.resize aligns the images' areas (edge to
edge), so in these coordinates a resize is a plain scale with no half-pixel term.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
