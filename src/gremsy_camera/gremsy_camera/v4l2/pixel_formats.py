# SPDX-License-Identifier: Apache-2.0
"""What the pixels of a camera's buffers are, and how an image is made of them: one pass, one new image.

Of Motion JPEG also what is damaged, and what a whole JPEG needs besides what cameras send.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_camera.live.jpeg_tables import HUFFMAN, START_OF_SCAN, segments, standard_tables
from gremsy_camera.v4l2.kernel_video import fourcc, fourcc_text


class BadPicture(ValueError):
    """A buffer of which no image can be made."""


def check_jpeg(data: NDArray[np.uint8]) -> None:
    """Look for what a decoder would fill up with grey without a word.

    Raises:
        BadPicture: it does not begin or end as a JPEG, or has a marker where only picture data may be.
    """
    if data.size < 4 or data[0] != 0xFF or data[1] != 0xD8:
        raise BadPicture('no JPEG')
    # Each 0xFF that is not followed by 0 is a marker. Drivers fill buffers up behind the last one, with zeros mostly.
    places = np.flatnonzero(data[:-1] == 0xFF)
    kinds = data[places + 1]
    scans, ends = places[kinds == 0xDA], places[kinds == 0xD9]
    if not scans.size or not ends.size or ends[-1] < scans[0]:
        raise BadPicture('a JPEG cut short')
    # Between scan and end: stuffing, restarts, fill bytes; tables and further scans of a progressive one; nothing else.
    inside = kinds[(places > scans[0]) & (places < ends[-1])]
    allowed = (inside == 0x00) | (inside == 0xFF) | ((inside >= 0xD0) & (inside <= 0xD7)) | np.isin(inside, _TABLES)
    if not allowed.all():
        raise BadPicture('a JPEG with a gap')


# SOS, DHT, DQT, DRI, COM.
_TABLES = np.array([0xDA, 0xC4, 0xDB, 0xDD, 0xFE], np.uint8)


def whole_jpeg(data: NDArray[np.uint8]) -> bytes:
    """The picture as a file: without what fills up the buffer, and with Huffman tables.

    A camera that leaves the tables out, as UVC's MJPEG may, means those of the standard (ITU-T T.81, annex K.3).

    Args:
        data: that `check_jpeg` has let pass.
    """
    raw = data.tobytes()
    raw = raw[: raw.rindex(b'\xff\xd9') + 2]
    for kind, begin, _ in segments(raw):
        if kind == HUFFMAN:
            break
        if kind == START_OF_SCAN:
            return raw[:begin] + standard_tables(quality=95)[1] + raw[begin:]
    return raw


Bytes = NDArray[np.uint8]
Image = NDArray[Any]


@dataclass(frozen=True, slots=True)
class BufferLayout:
    """How a picture lies in its buffer.

    Attributes:
        width, height: pixels.
        strides: bytes from one line to the next, of each plane that has memory of its own.
    """

    width: int
    height: int
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PixelKind:
    """One format of the kernel that can be shown.

    Attributes:
        code: the kernel's number.
        encoding: of the image: 'bgr8', 'mono8' or 'mono16'.
        planes: how many pieces of memory a picture of it is in.
        pixel_bytes: bytes of a pixel in the first of them, without colours that lie elsewhere; 0 where it is encoded.
        decode: makes the image from the bytes of its planes.
        size: how many bytes each plane has at least; () where that is not known.
        halved: its colours are of half the width and height, so both are even.
    """

    code: int
    encoding: str
    planes: int
    pixel_bytes: int
    decode: Callable[[list[Bytes], BufferLayout], Image]
    size: Callable[[BufferLayout], tuple[int, ...]]
    halved: bool = False

    @property
    def name(self) -> str:
        """The kernel's letters."""
        return fourcc_text(self.code)

    @property
    def compressed(self) -> bool:
        """Whether it is encoded."""
        return self.pixel_bytes == 0


def _lines(plane: Bytes, stride: int, rows: int, length: int, offset: int = 0) -> Bytes:
    """The rows of a plane without what fills up its lines; nothing is copied."""
    # The last line may end where its pixels do.
    needed = offset + stride * (rows - 1) + length
    if plane.size < needed:
        raise BadPicture(f'{plane.size} of {needed} bytes')
    return np.lib.stride_tricks.as_strided(plane[offset:], (rows, length), (stride, 1), writeable=False)


def _packed(code: int) -> Callable[[list[Bytes], BufferLayout], Image]:
    def decode(planes: list[Bytes], layout: BufferLayout) -> Image:
        # A pair of pixels shares its colour: an odd width has half a pair too many.
        pairs = (layout.width + 1) // 2
        rows = _lines(planes[0], layout.strides[0], layout.height, 4 * pairs)
        image = cv2.cvtColor(rows.reshape(layout.height, 2 * pairs, 2), code)
        return image if layout.width % 2 == 0 else np.ascontiguousarray(image[:, : layout.width])

    return decode


def _two_planes(code: int) -> Callable[[list[Bytes], BufferLayout], Image]:
    def decode(planes: list[Bytes], layout: BufferLayout) -> Image:
        width, height, stride = layout.width, layout.height, layout.strides[0]
        luma = _lines(planes[0], stride, height, width)
        if len(planes) > 1:
            colour = _lines(planes[1], layout.strides[1], height // 2, width)
        else:
            colour = _lines(planes[0], stride, height // 2, width, offset=stride * height)
        return cv2.cvtColorTwoPlane(luma, colour.reshape(height // 2, width // 2, 2), code)

    return decode


def _three_planes(planes: list[Bytes], layout: BufferLayout) -> Image:
    width, height, stride = layout.width, layout.height, layout.strides[0]
    if stride == width:
        whole = _lines(planes[0], width, height * 3 // 2, width)
    else:
        # OpenCV wants the three behind each other without gaps.
        whole = np.empty((height * 3 // 2, width), np.uint8)
        whole[:height] = _lines(planes[0], stride, height, width)
        colours = _lines(planes[0], stride // 2, height, width // 2, offset=stride * height)
        whole[height:] = colours.reshape(height // 2, width)
    return cv2.cvtColor(whole, cv2.COLOR_YUV2BGR_I420)


def _colours(planes: list[Bytes], layout: BufferLayout) -> Image:
    rows = _lines(planes[0], layout.strides[0], layout.height, 3 * layout.width)
    return rows.reshape(layout.height, layout.width, 3)


def _bgr(planes: list[Bytes], layout: BufferLayout) -> Image:
    return _colours(planes, layout).copy()


def _rgb(planes: list[Bytes], layout: BufferLayout) -> Image:
    return cv2.cvtColor(_colours(planes, layout), cv2.COLOR_RGB2BGR)


def _grey(planes: list[Bytes], layout: BufferLayout) -> Image:
    return _lines(planes[0], layout.strides[0], layout.height, layout.width).copy()


def _wide(order: str) -> Callable[[list[Bytes], BufferLayout], Image]:
    def decode(planes: list[Bytes], layout: BufferLayout) -> Image:
        rows = _lines(planes[0], layout.strides[0], layout.height, 2 * layout.width)
        return rows.view(f'{order}u2').astype(np.uint16)

    return decode


def _jpeg(planes: list[Bytes], layout: BufferLayout) -> Image:
    data = planes[0]
    check_jpeg(data)
    # Where the Huffman tables are left out, OpenCV takes those of the standard by itself.
    image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise BadPicture('a JPEG that cannot be decoded')
    if image.shape[:2] != (layout.height, layout.width):
        raise BadPicture(f'a JPEG of {image.shape[1]}x{image.shape[0]}')
    return image


def _per_pixel(count: int) -> Callable[[BufferLayout], tuple[int, ...]]:
    def size(layout: BufferLayout) -> tuple[int, ...]:
        return (layout.strides[0] * (layout.height - 1) + count * layout.width,)

    return size


def _half_colours(layout: BufferLayout) -> tuple[int, ...]:
    luma = layout.strides[0] * layout.height
    colour = layout.strides[-1] * (layout.height // 2 - 1) + layout.width
    return (luma - layout.strides[0] + layout.width, colour) if len(layout.strides) > 1 else (luma + colour,)


def _three_colours(layout: BufferLayout) -> tuple[int, ...]:
    # The last line may end where its pixels do.
    stride = layout.strides[0]
    return (stride * layout.height * 3 // 2 - stride // 2 + layout.width // 2,)


def _unknown(_: BufferLayout) -> tuple[int, ...]:
    return ()


# What is taken where nothing else decides, first to last: colours before grey, grey before 16 bit, and of the colours
# what costs least to decode; 4:2:0 before 4:2:2 for the smaller buffers.
KINDS = (
    PixelKind(fourcc('NV12'), 'bgr8', 1, 1, _two_planes(cv2.COLOR_YUV2BGR_NV12), _half_colours, halved=True),
    PixelKind(fourcc('NM12'), 'bgr8', 2, 1, _two_planes(cv2.COLOR_YUV2BGR_NV12), _half_colours, halved=True),
    PixelKind(fourcc('YU12'), 'bgr8', 1, 1, _three_planes, _three_colours, halved=True),
    PixelKind(fourcc('YUYV'), 'bgr8', 1, 2, _packed(cv2.COLOR_YUV2BGR_YUY2), _per_pixel(2)),
    PixelKind(fourcc('UYVY'), 'bgr8', 1, 2, _packed(cv2.COLOR_YUV2BGR_UYVY), _per_pixel(2)),
    PixelKind(fourcc('BGR3'), 'bgr8', 1, 3, _bgr, _per_pixel(3)),
    PixelKind(fourcc('RGB3'), 'bgr8', 1, 3, _rgb, _per_pixel(3)),
    PixelKind(fourcc('MJPG'), 'bgr8', 1, 0, _jpeg, _unknown),
    PixelKind(fourcc('JPEG'), 'bgr8', 1, 0, _jpeg, _unknown),
    PixelKind(fourcc('GREY'), 'mono8', 1, 1, _grey, _per_pixel(1)),
    PixelKind(fourcc('Y16'), 'mono16', 1, 2, _wide('<'), _per_pixel(2)),
    PixelKind(fourcc('Y16-BE'), 'mono16', 1, 2, _wide('>'), _per_pixel(2)),
    PixelKind(fourcc('Y14'), 'mono16', 1, 2, _wide('<'), _per_pixel(2)),
    PixelKind(fourcc('Y12'), 'mono16', 1, 2, _wide('<'), _per_pixel(2)),
    PixelKind(fourcc('Y10'), 'mono16', 1, 2, _wide('<'), _per_pixel(2)),
)
BY_CODE = {kind.code: kind for kind in KINDS}
# Other names by which people know them.
ALIASES = {
    'MJPEG': 'MJPG',
    'YUY2': 'YUYV',
    'I420': 'YU12',
    'NV12M': 'NM12',
    'GRAY': 'GREY',
    'Y8': 'GREY',
    'RGB24': 'RGB3',
    'BGR24': 'BGR3',
}


def kind_called(name: str) -> PixelKind | None:
    """The format of that name, in whatever case."""
    letters = name.strip().upper()
    letters = ALIASES.get(letters, letters)
    return BY_CODE.get(fourcc(letters)) if 0 < len(letters.removesuffix('-BE')) <= 4 else None
