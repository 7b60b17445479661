# SPDX-License-Identifier: Apache-2.0
"""How an image is brought to the network's size, where it then lies, and the exact way back for boxes.

Both images are measured from the top-left corner of their top-left pixel. cv2.resize aligns the images' areas (edge to
edge), so in these coordinates a resize is a plain scale with no half-pixel term.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# The grey that Ultralytics pads with in training.
PADDING_GREY = 114
# Those that a camera and a network can have between them; 1 / (1 / factor) is the factor itself for each.
_ODD_FACTORS = (3, 5, 7, 9)
# INTER_RESIZE_COEF_SCALE of OpenCV's resize.cpp.
_SHARES = 2048


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


def letterbox(source_width_px: int, source_height_px: int, width_px: int, height_px: int) -> Placement:
    """As large as it fits, in the middle of the `width_px` x `height_px` input; the rest is grey.

    Rounding follows Ultralytics' LetterBox (size rounded to whole pixels, odd padding to the right and bottom), so a
    network sees the pixels it was trained on. The way back uses the rounded size, not the nominal gain: at 1920x1080 to
    640 they agree, at 768x577 to 416 the gain alone is 0.8 source pixels off at the far edge.
    """
    gain = min(width_px / source_width_px, height_px / source_height_px)
    placed_width_px = max(1, round(source_width_px * gain))
    placed_height_px = max(1, round(source_height_px * gain))
    return Placement(
        source_width_px,
        source_height_px,
        (width_px - placed_width_px) // 2,
        (height_px - placed_height_px) // 2,
        placed_width_px,
        placed_height_px,
    )


def stretch(source_width_px: int, source_height_px: int, width_px: int, height_px: int) -> Placement:
    """Over the whole `width_px` x `height_px` input; the aspect ratio is lost."""
    return Placement(source_width_px, source_height_px, 0, 0, width_px, height_px)


def top_left(source_width_px: int, source_height_px: int, width_px: int, height_px: int) -> Placement:
    """As large as it fits, in the top left corner of the `width_px` x `height_px` input; the rest is grey.

    What YOLOX and OpenMMLab's detectors are fed. Rounding follows YOLOX's `preproc` (yolox/data/data_augment.py): both
    sides are cut off to whole pixels. OpenMMLab rounds them, which can give its networks one row or column of pixels
    more; the way back is exact for either.
    """
    gain = min(height_px / source_height_px, width_px / source_width_px)
    placed_width_px = max(1, int(source_width_px * gain))
    placed_height_px = max(1, int(source_height_px * gain))
    return Placement(source_width_px, source_height_px, 0, 0, placed_width_px, placed_height_px)


@dataclass(frozen=True, slots=True, eq=False)
class Taps:
    """What each line of a picture that is resized is made of: of line `near`, and a `share` (0..1) of line `far`.

    Attributes:
        read: the lines that are looked at at all, in order.
        evenly: the same, where they are evenly apart.
    """

    near: NDArray[np.intp]
    far: NDArray[np.intp]
    share: NDArray[np.float32]
    read: NDArray[np.intp]
    evenly: slice | None


@functools.lru_cache(maxsize=64)
def taps(source_px: int, target_px: int, *, whole: bool = False) -> Taps:
    """Along one side, those of `resize_into`: OpenCV's INTER_LINEAR of bytes, whose shares are whole 1/2048.

    `whole` has all lines read.
    """
    centres = (np.arange(target_px) + 0.5) * (source_px / target_px) - 0.5
    near = np.clip(np.floor(centres), 0, source_px - 1).astype(np.intp)
    share = np.round(np.clip(centres - near, 0.0, 1.0) * _SHARES) / _SHARES
    far = np.minimum(near + 1, source_px - 1)
    read = np.arange(source_px) if whole else np.union1d(near, far[share > 0])
    steps = set(np.diff(read).tolist()) or {1}
    evenly = slice(int(read[0]), int(read[-1]) + 1, steps.pop()) if len(steps) == 1 else None
    return Taps(near, far, share.astype(np.float32), read, evenly)


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
