# SPDX-License-Identifier: Apache-2.0
"""16-bit infrared to 8 bits: the range of values that matters, held steady from frame to frame.

A thermal camera uses a few hundred of its 65 536 values. Black and white are put at the lowest and the highest half
percent, so that one dead pixel or the sun decides nothing. The limits follow with a time constant, because a network
sees a picture that flickers in brightness as another one each time, and so does an operator.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Of the pixels, at either end.
_CLIPPED = 0.005
# Some 15 frames of a camera at 30 Hz: slower than a hand before the lens, faster than a pan from ground to sky.
_TIME_CONSTANT_S = 0.5
# After a longer gap the scene is another one: start over. A stamp that goes back is a restarted source.
_LONGEST_GAP_S = 2.0
# What a picture counts for whose stamp is the last one's: of a source without stamps the limits must follow too.
_UNSTAMPED_GAP_S = 1 / 30
# A wall of one temperature stays grey: at 40 mK per count, as radiometric cameras have, this is 2.6 K.
_LEAST_SPAN = 64.0
# Every fourth pixel of every fourth row of a 640x360 picture tells a half percent from 72 pixels.
_SAMPLED_SIDE = 160


class InfraredStretch:
    """The limits of one source, and the buffer for pictures of one size; another size is another source.

    Attributes:
        limits: the values, in the source's own counts, that are shown black and white now.
    """

    def __init__(self) -> None:
        self.limits = 0.0, 0.0
        self._last_ns: int | None = None
        self._plain: NDArray[np.uint16] = np.empty((0, 0), np.uint16)
        self._raised: NDArray[np.uint16] = np.empty((0, 0), np.uint16)

    def stretch(
        self, picture: NDArray[np.uint16], stamp_ns: int, out: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """The picture in 8 bits, black at the lower limit and white at the upper.

        Args:
            picture: (H, W) uint16 counts, at least one pixel, in either byte order and with any strides.
            stamp_ns: when it was captured, on any one clock; it says how far the limits may follow.
            out: (H, W) uint8 to write into and return; None makes an array that is the caller's own.
        """
        if self._raised.shape != picture.shape:
            self._raised = np.empty(picture.shape, np.uint16)
            self._last_ns = None
        picture = self._readable(picture)
        self._follow(picture, stamp_ns)
        low, high = math.floor(self.limits[0]), self.limits[1]
        if out is None:
            out = np.empty(picture.shape, np.uint8)
        # What lies below the limit stops at 0. (OpenCV's type hints know no scalar operand.)
        cv2.subtract(picture, float(low), dst=self._raised)  # type: ignore[call-overload]
        cv2.convertScaleAbs(self._raised, dst=out, alpha=255.0 / max(high - low, 1.0))
        return out

    def _readable(self, picture: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """The picture itself, or where OpenCV cannot read it, a copy in a buffer that is kept."""
        if picture.dtype.isnative and picture.flags.c_contiguous and picture.flags.aligned:
            return picture
        if self._plain.shape != picture.shape:
            self._plain = np.empty(picture.shape, np.uint16)
        np.copyto(self._plain, picture)
        return self._plain

    def _follow(self, picture: NDArray[np.uint16], stamp_ns: int) -> None:
        low, high = _limits(picture)
        gap_s = math.inf if self._last_ns is None else 1e-9 * (stamp_ns - self._last_ns)
        if 0.0 <= gap_s <= _LONGEST_GAP_S:
            share = 1.0 - math.exp(-(gap_s or _UNSTAMPED_GAP_S) / _TIME_CONSTANT_S)
            last_low, last_high = self.limits
            low, high = last_low + share * (low - last_low), last_high + share * (high - last_high)
        self.limits, self._last_ns = (low, high), stamp_ns


def _limits(picture: NDArray[np.uint16]) -> tuple[float, float]:
    """The lowest and highest value that count in this picture alone, `_LEAST_SPAN` apart at least."""
    step_y, step_x = (max(1, side // _SAMPLED_SIDE) for side in picture.shape)
    sample: NDArray[Any] = picture[::step_y, ::step_x].ravel()
    beyond = int(_CLIPPED * (sample.size - 1))
    sample = np.partition(sample, (beyond, sample.size - 1 - beyond))
    low, high = float(sample[beyond]), float(sample[-1 - beyond])
    missing = max(0.0, _LEAST_SPAN - (high - low))
    return max(0.0, low - missing / 2), high + missing / 2
