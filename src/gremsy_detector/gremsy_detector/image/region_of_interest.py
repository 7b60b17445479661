# SPDX-License-Identifier: Apache-2.0
"""The part of the image that is looked at: stated in shares of the image, cut out in whole pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_common.types.frame import Frame


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of whole source pixels, its top-left corner at (`x_px`, `y_px`)."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int

    def of(self, frame: Frame) -> Frame:
        """The frame as it is in this window: a view, nothing is copied."""
        rows = slice(self.y_px, self.y_px + self.height_px)
        columns = slice(self.x_px, self.x_px + self.width_px)
        return replace(frame, image=frame.image[rows, columns])


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle in shares of the image, 0..1; it reaches from the left and upper edge to the right and lower one."""

    x_min: float = 0.0
    y_min: float = 0.0
    x_max: float = 1.0
    y_max: float = 1.0

    @classmethod
    def parse(cls, shares: tuple[float, ...]) -> Region:
        """From parameter `region_of_interest`.

        Raises:
            ParameterError: when these are not four shares that enclose an area.
        """
        text = ', '.join(f'{share:g}' for share in shares)
        if len(shares) != 4:
            raise ParameterError(
                f'Parameter `region_of_interest` has {len(shares)} numbers [{text}]: '
                'use four, x_min, y_min, x_max, y_max, as shares of the image.'
            )
        region = cls(*shares)
        # A negated comparison is true for NaN too.
        if not (0.0 <= region.x_min < region.x_max <= 1.0 and 0.0 <= region.y_min < region.y_max <= 1.0):
            raise ParameterError(
                f'Parameter `region_of_interest` is [{text}], which encloses nothing: '
                'use x_min below x_max and y_min below y_max, each 0 .. 1.'
            )
        return region

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self == WHOLE_IMAGE

    def window(self, width_px: int, height_px: int) -> Window:
        """The smallest window of an image of that size that has the region in it: at least one pixel.

        Its edges are even where the image allows it, so that formats that share a colour between two pixels (YUV 4:2:2,
        Bayer) keep their order.
        """
        left, right = _span(self.x_min, self.x_max, width_px)
        top, bottom = _span(self.y_min, self.y_max, height_px)
        return Window(left, top, right - left, bottom - top)


WHOLE_IMAGE = Region()


def _span(least: float, most: float, size_px: int) -> tuple[int, int]:
    # 1e-9: 0.1 * 1920 is 192.00000000000003, which must not become pixel 193.
    first = math.floor(least * size_px + 1e-9) // 2 * 2
    end = min(size_px, (math.ceil(most * size_px - 1e-9) + 1) // 2 * 2)
    return min(first, size_px - 1), max(end, min(first, size_px - 1) + 1)
