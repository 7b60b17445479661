# SPDX-License-Identifier: Apache-2.0
"""Motion JPEG as cameras send it: what is damaged, and what a whole JPEG needs besides."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray


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
    at = 2
    while raw[at + 1] != 0xDA:
        if raw[at + 1] == 0xC4:
            return raw
        at += 2 + int.from_bytes(raw[at + 2 : at + 4], 'big')
        if at + 4 > len(raw) or raw[at] != 0xFF:
            return raw
    return raw[:at] + _standard_tables() + raw[at:]


@cache
def _standard_tables() -> bytes:
    """The segments that an encoder writes which does not make tables of its own, as OpenCV's does not unless told."""
    made, data = cv2.imencode('.jpg', np.zeros((16, 16, 3), np.uint8), [cv2.IMWRITE_JPEG_OPTIMIZE, 0])
    assert made
    raw, at, tables = data.tobytes(), 2, b''
    while raw[at + 1] != 0xDA:
        length = 2 + int.from_bytes(raw[at + 2 : at + 4], 'big')
        tables += raw[at : at + length] if raw[at + 1] == 0xC4 else b''
        at += length
    return tables
