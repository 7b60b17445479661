# SPDX-License-Identifier: Apache-2.0
"""One video frame as it travels through the loop: pixels that nobody may change, and when the light was captured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gremsy_common.types.pixel_layout import PIXEL_LAYOUTS

_Pixels = TypeVar('_Pixels', bound=NDArray[Any])


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A captured image.

    Attributes:
        image: (height, width, 3) uint8 BGR, or (height, width) for mono; read-only down to its base array. A consumer
            that asked for images as they were sent (`topics.IMAGE_RAW_AS_SENT`) gets other encodings too, laid out as
            `gremsy_common.types.pixel_layout` says: mono16 is uint16 counts, in the byte order that its dtype says.
        stamp_ns: when the light was captured, nanoseconds of the ROS clock.
        frame_id: the optical frame (z forward, x right, y down).
        encoding: the ROS encoding of `image`.
    """

    image: NDArray[Any]
    stamp_ns: int
    frame_id: str
    encoding: str = 'bgr8'

    @property
    def width(self) -> int:
        """Columns, px."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Rows of the picture, px; those of colour, which 4:2:0 has below it, are none."""
        rows = int(self.image.shape[0])
        layout = PIXEL_LAYOUTS.get(self.encoding)
        return rows if layout is None else layout.height_px(rows)


def lock_read_only(image: _Pixels) -> _Pixels:
    """Make an array and every array it is a view of read-only, and return it.

    Frames are handed over by reference inside one process. Locking only the view would leave its base writable: a
    consumer that draws into `image.base` would draw into everybody's frame.
    """
    array: object = image
    while isinstance(array, np.ndarray):
        array.flags.writeable = False
        array = array.base
    return image
