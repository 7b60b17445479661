# SPDX-License-Identifier: Apache-2.0
"""Images of raw pixels, as GStreamer and the kernel's drivers give them: colours are converted by OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_common.picture.picture_memory import PictureMemory

Bytes = NDArray[np.uint8]
Image = NDArray[Any]


class RawFormat(NamedTuple):
    """One format; where it has several planes, its colours are of half the width and height.

    Attributes:
        planes: how many.
        pixel_bytes: of a pixel in the first of them.
        code: what OpenCV makes BGR of it with; None where it is that, or grey.
        encoding: of the image, ROS's.
    """

    planes: int
    pixel_bytes: int
    code: int | None = None
    encoding: str = 'bgr8'


# By GStreamer's name.
FORMATS = {
    'NV12': RawFormat(2, 1, cv2.COLOR_YUV2BGR_NV12),
    'NV21': RawFormat(2, 1, cv2.COLOR_YUV2BGR_NV21),
    'I420': RawFormat(3, 1, cv2.COLOR_YUV2BGR_I420),
    'YV12': RawFormat(3, 1, cv2.COLOR_YUV2BGR_YV12),
    'BGR': RawFormat(1, 3),
    'RGB': RawFormat(1, 3, cv2.COLOR_RGB2BGR),
    'BGRx': RawFormat(1, 4, cv2.COLOR_BGRA2BGR),
    'BGRA': RawFormat(1, 4, cv2.COLOR_BGRA2BGR),
    'RGBx': RawFormat(1, 4, cv2.COLOR_RGBA2BGR),
    'RGBA': RawFormat(1, 4, cv2.COLOR_RGBA2BGR),
    'YUY2': RawFormat(1, 2, cv2.COLOR_YUV2BGR_YUY2),
    'UYVY': RawFormat(1, 2, cv2.COLOR_YUV2BGR_UYVY),
    'YVYU': RawFormat(1, 2, cv2.COLOR_YUV2BGR_YVYU),
    'GRAY8': RawFormat(1, 1, encoding='mono8'),
    'GRAY16_LE': RawFormat(1, 2, encoding='mono16'),
    'GRAY16_BE': RawFormat(1, 2, encoding='mono16'),
    # Encoded: no bytes a pixel.
    'JPEG': RawFormat(1, 0),
}

# Full-range luma and chroma squeezed into the range that OpenCV's conversions expect (BT.601, 16 to 235 and 240).
_LEVELS = np.arange(256)
_LIMITED_LUMA = np.round(16 + _LEVELS * (219 / 255)).astype(np.uint8)
_LIMITED_CHROMA = np.clip(np.round(128 + (_LEVELS - 128) * (224 / 255)), 0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class PictureLayout:
    """How a picture's bytes are laid out.

    Attributes:
        format: of FORMATS.
        strides, offsets: of each plane, bytes.
        full_range: whether luma goes from 0 to 255.
        rate_hz: 0 where not known.
    """

    format: str
    width: int
    height: int
    strides: tuple[int, ...]
    offsets: tuple[int, ...]
    full_range: bool = False
    rate_hz: float = 0.0

    @property
    def encoding(self) -> str:
        """ROS's."""
        return FORMATS[self.format].encoding

    @property
    def least_bytes(self) -> tuple[int, ...]:
        """Where each plane ends at the earliest: the last row may end before its padding does."""
        shapes = zip(_plane_shapes(self), self.strides, self.offsets, strict=True)
        return tuple(offset + stride * (rows - 1) + row_bytes for (rows, row_bytes), stride, offset in shapes)


def image_of(memories: Sequence[Bytes], layout: PictureLayout, memory: PictureMemory) -> Image:
    """The image in `memory` or its own: `bgr8`, `mono8` or `mono16`; full-range and limited-range YUV alike.

    Args:
        memories: the bytes: one piece for all planes, or one for each.
        layout: of them.
        memory: for the image.

    Raises:
        ValueError: the bytes are fewer than the layout says.
    """
    width, height = layout.width, layout.height
    kind = FORMATS[layout.format]
    first, *colours = _planes(memories, layout)
    if kind.encoding == 'mono8':
        return first.copy()
    if kind.encoding == 'mono16':
        return first.copy().view('>u2' if layout.format == 'GRAY16_BE' else '<u2').astype(np.uint16, copy=False)
    if kind.planes == 1:
        packed = first.reshape(height, -1, kind.pixel_bytes)
        if kind.pixel_bytes == 2 and layout.full_range:
            packed = _squeeze_packed(packed, layout.format)
        if kind.code is None:
            return packed.copy()
        bgr = np.asarray(cv2.cvtColor(packed, kind.code, dst=memory.new((*packed.shape[:2], 3))))
        return np.ascontiguousarray(bgr[:, :width])
    assert kind.code is not None
    if kind.planes == 3 and _tight(layout):
        whole = memories[0][: width * height * 3 // 2].reshape(height * 3 // 2, width)
        return np.asarray(cv2.cvtColor(whole, kind.code, dst=memory.new((height, width, 3))))
    luma = _even(first)
    if layout.full_range:
        luma, colours = cv2.LUT(luma, _LIMITED_LUMA), [cv2.LUT(each, _LIMITED_CHROMA) for each in colours]
    into = memory.new((*luma.shape, 3))
    if kind.planes == 2:
        chroma = colours[0].reshape(luma.shape[0] // 2, luma.shape[1] // 2, 2)
        bgr = np.asarray(cv2.cvtColorTwoPlane(luma, chroma, kind.code, dst=into))
    else:
        joined = np.concatenate([plane.ravel() for plane in (luma, *colours)]).reshape(-1, luma.shape[1])
        bgr = np.asarray(cv2.cvtColor(joined, kind.code, dst=into))
    return bgr if bgr.shape[:2] == (height, width) else bgr[:height, :width].copy()


def _plane_shapes(layout: PictureLayout) -> list[tuple[int, int]]:
    """Rows of each plane, and bytes of each row."""
    width, height, kind = layout.width, layout.height, FORMATS[layout.format]
    half_width, half_height = (width + 1) // 2, (height + 1) // 2
    if kind.planes == 2:
        return [(height, width), (half_height, 2 * half_width)]
    if kind.planes == 3:
        return [(height, width), (half_height, half_width), (half_height, half_width)]
    # YUY2 and its kin hold pixels in pairs.
    in_pairs = kind.pixel_bytes == 2 and kind.encoding == 'bgr8'
    return [(height, kind.pixel_bytes * (2 * half_width if in_pairs else width))]


def _planes(memories: Sequence[Bytes], layout: PictureLayout) -> list[Image]:
    """A view of (rows, row's bytes) of each."""
    views: list[Image] = []
    ends = zip(_plane_shapes(layout), layout.strides, layout.offsets, layout.least_bytes, strict=True)
    for place, ((rows, row_bytes), stride, offset, needed) in enumerate(ends):
        data = memories[place if len(memories) > 1 else 0]
        if rows < 1 or row_bytes > stride or needed > data.size:
            raise ValueError(f'{data.size} of {needed} bytes')
        shape = (rows, row_bytes)
        views.append(np.lib.stride_tricks.as_strided(data[offset:], shape, (stride, 1), writeable=False))
    return views


def _tight(layout: PictureLayout) -> bool:
    """Whether the three planes lie behind each other without gaps, as OpenCV takes them."""
    width, height, size = layout.width, layout.height, layout.width * layout.height
    return (
        not layout.full_range
        and width % 2 == height % 2 == 0
        and layout.strides == (width, width // 2, width // 2)
        and layout.offsets == (0, size, size + size // 4)
    )


def _even(luma: Image) -> Image:
    """With the last row and column repeated where their number is odd, as OpenCV's conversions want it."""
    rows, columns = luma.shape[0] % 2, luma.shape[1] % 2
    return np.pad(luma, ((0, rows), (0, columns)), mode='edge') if rows or columns else luma


def _squeeze_packed(packed: Image, name: str) -> Image:
    luma = 1 if name == 'UYVY' else 0
    squeezed = np.empty_like(packed)
    squeezed[..., luma] = cv2.LUT(np.ascontiguousarray(packed[..., luma]), _LIMITED_LUMA)
    squeezed[..., 1 - luma] = cv2.LUT(np.ascontiguousarray(packed[..., 1 - luma]), _LIMITED_CHROMA)
    return squeezed
