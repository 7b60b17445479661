# SPDX-License-Identifier: Apache-2.0
"""Whether a camera sends the same picture over and over.

An encoder that is fed one picture does not give one. It quantises it anew at each key frame, for some pictures after
it, and for as long as it has bits to spare; and then it may go round and round: x264 at 320x240 and 2 Mbit/s flips two
of 19200 sampled pixels by one level with a period of two or three pictures, for ever. So pictures are compared with
several before, and need not be equal to the last pixel.

Measured with x264 at 320x240 and 20 Hz (ultrafast, medium) and 640x360 and 30 Hz (ultrafast), 0.2 to 2.5 Mbit/s, by
windows of 5 s: where noise of half a level to two levels lies on a still scene, at most 5 % of the pictures repeat one
before, those for which a starved encoder has no bits. Where the sensor gives one noisy picture again and again, 80 to
95 % do so at 1.6 bits a pixel, 14 to 48 % at 0.14, 4 to 11 % at 0.13 in the smaller picture: there it is not found,
which is better than a camera that is held for frozen and is not.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_SAMPLES = 16_384
# A picture repeats one of so many before when no larger share of its sampled pixels differs: ten of 19200.
_BEFORE, _DIFFERENT_SHARE = 4, 0.0005
# Of the pictures of a window so many must repeat one before; six times as many as were seen of a living sensor.
_REPEATED_SHARE = 0.3
_LEAST_PICTURES = 5
# Quantising one picture anew moved 0.12 % of its pixels by more than six levels at 300 kbit/s; whatever moves, more.
_MOVED_LEVELS, _MOVED_SHARE = 6, 0.005
_NS_PER_S = 1_000_000_000


class FrozenPicture:
    """Sees the pictures that are used and remembers the one that the present window began with."""

    def __init__(self, frozen_after_s: float) -> None:
        self._after_ns = round(frozen_after_s * _NS_PER_S)
        self._reference: NDArray[Any] | None = None
        self._before: deque[NDArray[Any]] = deque(maxlen=_BEFORE)
        self._since_ns = 0
        self._pictures = self._repeated = 0
        self.frozen = False

    def see(self, image: NDArray[Any], now_ns: int) -> bool:
        """Whether it is frozen, this picture included; a time that is 0 never is.

        Args:
            image: the next one.
            now_ns: monotonic.
        """
        if self._after_ns <= 0:
            return False
        sample = _sample(image)
        if self._reference is None or _moved(sample, self._reference):
            self._before.clear()
            self._before.append(sample)
            self._begin(sample, now_ns)
            self.frozen = False
            return False
        self._pictures += 1
        self._repeated += any(_repeats(sample, each) for each in self._before)
        self._before.append(sample)
        if now_ns - self._since_ns >= self._after_ns and self._pictures >= _LEAST_PICTURES:
            self.frozen = self._repeated >= _REPEATED_SHARE * self._pictures
            self._begin(self._reference if self.frozen else sample, now_ns)
        return self.frozen

    def _begin(self, reference: NDArray[Any], now_ns: int) -> None:
        self._reference = reference
        self._since_ns = now_ns
        self._pictures = self._repeated = 0


def _sample(image: NDArray[Any]) -> NDArray[Any]:
    """A grid of pixels, one channel of them."""
    step = max(1, math.isqrt(image.shape[0] * image.shape[1] // _SAMPLES))
    grid = image[::step, ::step]
    return np.ascontiguousarray(grid if grid.ndim == 2 else grid[..., 1])


def _repeats(sample: NDArray[Any], before: NDArray[Any]) -> bool:
    return bool(np.count_nonzero(sample != before) <= _DIFFERENT_SHARE * sample.size)


def _moved(sample: NDArray[Any], reference: NDArray[Any]) -> bool:
    if sample.shape != reference.shape or sample.dtype != reference.dtype:
        return True
    moved = np.count_nonzero(cv2.absdiff(sample, reference) > _MOVED_LEVELS)
    return bool(moved > _MOVED_SHARE * sample.size)
