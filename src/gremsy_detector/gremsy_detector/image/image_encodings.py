# SPDX-License-Identifier: Apache-2.0
"""Which source encodings the detector takes, and how each becomes 8-bit colour or grey.

Encodings whose pixels stand for themselves (bgr8, rgba8, mono16, ...) are resized as they are, and their channels put
in order afterwards, on a fifth of the pixels. Those whose pixels share colour with their neighbours (YUV, Bayer) become
BGR first, at full size, in a buffer that is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_common.types.frame import Frame
from gremsy_common.types.pixel_layout import PIXEL_LAYOUTS, PixelLayout
from gremsy_detector.errors import FrameError

# A demosaic looks at the neighbours: of less than 3x3 pixels OpenCV makes black.
_SMALLEST_BAYER_PX = 3


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An image that can be resized.

    Attributes:
        pixels: (H, W) or (H, W, C), uint8, or uint16 of one channel, in this machine's byte order.
        rgb: at which channel red, green and blue lie; the same thrice for grey.
        converted: `pixels` is BGR made of something else, in the reader's buffer.
    """

    pixels: NDArray[Any]
    rgb: tuple[int, int, int]
    converted: bool = False


class PictureReader:
    """Turns frames into pictures; for sources of one size and encoding it allocates nothing after the first frame."""

    def __init__(self) -> None:
        self._buffers: dict[str, NDArray[Any]] = {}

    def read(self, frame: Frame) -> Picture:
        """A view of the frame's own pixels where they can be resized as they are, else of a buffer.

        Raises:
            FrameError: for an unknown encoding, or an image that is not what it says.
        """
        layout = PIXEL_LAYOUTS.get(frame.encoding)
        if layout is None:
            raise FrameError(
                f"Images from '{frame.frame_id}' are encoded as '{frame.encoding}': "
                f'publish them as {", ".join(PIXEL_LAYOUTS)}.',
                'unknown encoding',
            )
        image: NDArray[Any] = frame.image
        _check(frame, layout)
        if not image.dtype.isnative or not _in_rows(image):
            # 16 bits in the other byte order, or rows that OpenCV cannot read: put right as they are copied.
            plain = self._scratch('plain', image.shape, np.dtype(image.dtype.newbyteorder('=')))
            np.copyto(plain, image)
            image = plain
        if not layout.shares_colour or layout.to_bgr is None:
            return Picture(image, layout.rgb)
        height = layout.height_px(image.shape[0])
        bgr = self._scratch('bgr', (height, image.shape[1], 3), np.dtype(np.uint8))
        return Picture(cv2.cvtColor(image, layout.to_bgr, dst=bgr), layout.rgb, converted=True)

    def _scratch(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """The buffer of that name, made again where the source has changed."""
        kept = self._buffers.get(name)
        if kept is None or kept.shape != shape or kept.dtype != dtype:
            kept = self._buffers[name] = np.empty(shape, dtype)
        return kept


def _in_rows(image: NDArray[Any]) -> bool:
    """Do pixels follow each other, and rows, perhaps with padding?

    OpenCV reads rows of stride 0 wrongly, and refuses 16-bit rows that begin at odd addresses.
    """
    columns = image.shape[1]
    pixel = image[0, 0].nbytes
    packed = image.ndim == 2 or image.strides[2] == image.itemsize
    return packed and image.flags.aligned and image.strides[1] == pixel and image.strides[0] >= columns * pixel


def _check(frame: Frame, layout: PixelLayout) -> None:
    """Raises FrameError where the array is not an image of that layout."""
    image: NDArray[Any] = frame.image
    plain = image.ndim == 2 if layout.channels == 1 else image.ndim == 3 and image.shape[2] == layout.channels
    if not plain or image.dtype.newbyteorder('=') != np.dtype(layout.dtype) or image.size == 0:
        raise FrameError(
            f"An image from '{frame.frame_id}' says {frame.encoding} but is {image.dtype} {list(image.shape)}: "
            'check its publisher.',
            'another layout than said',
        )
    rows, columns = image.shape[:2]
    if layout.half_height_chroma and rows % 3:
        raise FrameError(
            f"An image from '{frame.frame_id}' says {frame.encoding} but has {rows} rows, which is not the picture's "
            'height and half of it: check its publisher.',
            'another layout than said',
        )
    height = layout.height_px(rows)
    if (layout.even_width and columns % 2) or (layout.even_height and height % 2):
        needed = 'width and height' if layout.even_height else 'width'
        raise FrameError(
            f"An image from '{frame.frame_id}' is {columns}x{height} px, and {frame.encoding} needs an even {needed}: "
            'publish it as bgr8, or in another size.',
            'odd size',
        )
    if frame.encoding.startswith('bayer_') and min(columns, height) < _SMALLEST_BAYER_PX:
        raise FrameError(
            f"An image from '{frame.frame_id}' is {columns}x{height} px, and {frame.encoding} needs "
            f'{_SMALLEST_BAYER_PX}x{_SMALLEST_BAYER_PX} at least: check its publisher.',
            'too small',
        )
