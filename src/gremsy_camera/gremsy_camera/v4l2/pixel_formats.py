# SPDX-License-Identifier: Apache-2.0
"""What the pixels of a camera's buffers are, and how an image is made of them.

Of Motion JPEG also what is damaged, and what a whole JPEG needs besides what cameras send.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_camera.live.jpeg_tables import HUFFMAN, START_OF_SCAN, segments, standard_tables
from gremsy_camera.live.raw_pictures import FORMATS, Bytes, Image, PictureLayout, RawFormat, image_of
from gremsy_camera.v4l2.kernel_video import fourcc
from gremsy_common.picture.picture_memory import PictureMemory


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


@dataclass(frozen=True, slots=True)
class PixelKind:
    """One format of the kernel that can be shown.

    Attributes:
        name: the kernel's letters.
        format: as `raw_pictures` has it, or 'JPEG'.
        memories: how many pieces of memory a picture of it is in.
    """

    name: str
    format: str
    memories: int = 1

    @property
    def code(self) -> int:
        """The kernel's number."""
        return fourcc(self.name)

    @property
    def pixels(self) -> RawFormat:
        """What `raw_pictures` knows of its format."""
        return FORMATS[self.format]

    @property
    def compressed(self) -> bool:
        """Whether it is encoded."""
        return self.format == 'JPEG'

    def layout(self, width: int, height: int, strides: Sequence[int]) -> PictureLayout:
        """Where its planes are, by the strides of its pieces of memory.

        In one piece the planes follow each other, with lines that are filled up alike.
        """
        stride, half = strides[0], strides[0] // 2
        places = [(each, 0) for each in strides]
        if self.memories == 1 and self.pixels.planes == 2:
            places = [(stride, 0), (stride, stride * height)]
        elif self.pixels.planes == 3:
            places = [(stride, 0), (half, stride * height), (half, stride * height + half * (height // 2))]
        strides, offsets = zip(*places, strict=True)
        return PictureLayout(self.format, width, height, strides, offsets)

    def size(self, layout: PictureLayout) -> tuple[int, ...]:
        """How many bytes each piece of memory has at least; of what is encoded one."""
        if self.compressed:
            return (1,)
        return layout.least_bytes if self.memories > 1 else (max(layout.least_bytes),)


def decode(planes: Sequence[Bytes], layout: PictureLayout, memory: PictureMemory) -> Image:
    """The image in `memory` or its own.

    Raises:
        BadPicture: none can be made.
    """
    if layout.format == 'JPEG':
        return _jpeg(planes[0], layout)
    try:
        return image_of(planes, layout, memory)
    except ValueError as error:
        raise BadPicture(str(error)) from None


def _jpeg(data: Bytes, layout: PictureLayout) -> Image:
    check_jpeg(data)
    # Where the Huffman tables are left out, OpenCV takes those of the standard by itself.
    image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise BadPicture('a JPEG that cannot be decoded')
    if image.shape[:2] != (layout.height, layout.width):
        raise BadPicture(f'a JPEG of {image.shape[1]}x{image.shape[0]}')
    return image


# What is taken where nothing else decides, first to last: colours before grey, grey before 16 bit, and of the colours
# what costs least to decode; 4:2:0 before 4:2:2 for the smaller buffers.
KINDS = (
    PixelKind('NV12', 'NV12'),
    PixelKind('NM12', 'NV12', memories=2),
    PixelKind('YU12', 'I420'),
    PixelKind('YUYV', 'YUY2'),
    PixelKind('UYVY', 'UYVY'),
    PixelKind('BGR3', 'BGR'),
    PixelKind('RGB3', 'RGB'),
    PixelKind('MJPG', 'JPEG'),
    PixelKind('JPEG', 'JPEG'),
    PixelKind('GREY', 'GRAY8'),
    PixelKind('Y16', 'GRAY16_LE'),
    PixelKind('Y16-BE', 'GRAY16_BE'),
    PixelKind('Y14', 'GRAY16_LE'),
    PixelKind('Y12', 'GRAY16_LE'),
    PixelKind('Y10', 'GRAY16_LE'),
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
