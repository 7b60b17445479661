# SPDX-License-Identifier: Apache-2.0
"""The last pictures, small: a picture's detections come some frames after the picture."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

# Larger pictures are kept as every second, third ... pixel: colours are sampled, not read.
_WIDEST_PX = 800
_KEPT = 24


class FrameHistory:
    """Pictures by stamp, the newest 24 (0.8 s at 30 per second).

    A picture that is small enough is kept by reference, which the transport allows: nobody changes a frame.
    """

    def __init__(self) -> None:
        self._images: OrderedDict[int, tuple[NDArray[np.uint8], int]] = OrderedDict()

    def offer(self, stamp_ns: int, image: NDArray[np.uint8]) -> None:
        """One more picture."""
        step = -(-max(image.shape[:2]) // _WIDEST_PX)
        if step > 1:
            image = np.ascontiguousarray(image[::step, ::step])
        self._images[stamp_ns] = (image, step)
        if len(self._images) > _KEPT:
            self._images.popitem(last=False)

    def at(self, stamp_ns: int) -> tuple[NDArray[np.uint8], int] | None:
        """The picture of that stamp, and of how many pixels one was kept, by row and by column; None if it is gone."""
        return self._images.get(stamp_ns)

    def forget_before(self, stamp_ns: int) -> None:
        """Pictures older than that are needed no more."""
        while self._images and next(iter(self._images)) < stamp_ns:
            self._images.popitem(last=False)

    def clear(self) -> None:
        """Keep nothing."""
        self._images.clear()
