# SPDX-License-Identifier: Apache-2.0
"""Pictures that are brought to the network's size on a GPU: what goes up of them, which is what a resize looks at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gremsy_detector.image.resize import Placement, Taps, taps


@dataclass(frozen=True, slots=True)
class PictureForm:
    """What the pictures of one source have in common.

    Attributes:
        placement: their size, and where they lie in the network's input.
        channels: bytes of a pixel.
        rgb: at which of them red, green and blue lie; the same thrice for grey.
    """

    placement: Placement
    channels: int
    rgb: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of what goes up: the rows that a resize looks at, whole; of 1080p to 640x360 every third, of 720p all."""
        return (len(self._rows.read), self.placement.source_width_px, self.channels)

    def copy(self, pixels: NDArray[np.uint8], target: NDArray[np.uint8]) -> None:
        """The rows of a picture into an array of `shape`."""
        rows = self._rows
        target = target if pixels.ndim == 3 else target[..., 0]
        if rows.evenly is not None:
            np.copyto(target, pixels[rows.evenly])
        elif pixels.flags.c_contiguous:
            # `clip`: NumPy else makes the rows elsewhere first, in case an index is wrong.
            np.take(pixels, rows.read, axis=0, out=target, mode='clip')
        else:
            target[...] = pixels[rows.read]

    @property
    def _rows(self) -> Taps:
        return taps(self.placement.source_height_px, self.placement.height_px)
