# SPDX-License-Identifier: Apache-2.0
"""Pictures that are brought to the network's size on a GPU: what goes up of them, which is what a resize looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

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
        whole: whether all rows go up, which a GPU reads at once where they lie.
    """

    placement: Placement
    channels: int
    rgb: tuple[int, int, int]
    whole: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of what goes up: the rows that a resize looks at, whole; of 1080p to 640x360 every third, of 720p all."""
        return (len(self.rows.read), self.placement.source_width_px, self.channels)

    def copy(self, pixels: NDArray[np.uint8], target: NDArray[np.uint8]) -> None:
        """The rows of a picture into an array of `shape`."""
        rows = self.rows
        target = target if pixels.ndim == 3 else target[..., 0]
        if rows.evenly is not None:
            np.copyto(target, pixels[rows.evenly])
        elif pixels.flags.c_contiguous:
            # `clip`: NumPy else makes the rows elsewhere first, in case an index is wrong.
            np.take(pixels, rows.read, axis=0, out=target, mode='clip')
        else:
            target[...] = pixels[rows.read]

    def rows_in_place(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """The rows of a picture where they lie; None where they are not evenly apart, so that a GPU could read them."""
        evenly = self.rows.evenly
        # Each row without gaps.
        return pixels[evenly] if evenly is not None and pixels[0].flags.c_contiguous else None

    @property
    def rows(self) -> Taps:
        """What each of the resized picture's is made of, and which go up."""
        return taps(self.placement.source_height_px, self.placement.height_px, whole=self.whole)


class PictureSlot(Protocol):
    """Where pictures of one form go on their way to a GPU."""

    def lends(self, pixels: NDArray[np.uint8]) -> bool:
        """Whether the GPU can read a picture where it lies."""

    def take(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Have a picture run next; it is to stay as it is until then.

        Returns:
            What stands for it, for `infer`.
        """
