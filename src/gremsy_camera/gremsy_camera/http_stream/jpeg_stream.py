# SPDX-License-Identifier: Apache-2.0
"""Finds the JPEG pictures in a stream by their own structure, whatever stands between them.

Cameras disagree on multipart: boundaries with two more dashes than were announced (Sony, Panasonic), none before the
first picture (Tasmota, ESP32 before 2020), no Content-Length, or lines that are no headers at all (webcamXP). Every one
of them sends whole JPEGs, which say where they end (ITU-T T.81, annex B). What stands before a picture is searched for
headers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LONGEST_PICTURE = 64 * 1024 * 1024
# Between two pictures there are headers; more than this is another kind of stream.
_LONGEST_BETWEEN = 1024 * 1024
_HEADERS_KEPT = 16 * 1024
_START = b'\xff\xd8\xff'
_FIELD = re.compile(rb'^[ \t]*([A-Za-z][A-Za-z0-9-]*)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?$', re.MULTILINE)
# In picture data 0xFF is followed by 0 or by a restart marker, so that this is its end wherever it stands; that of a
# thumbnail lies in a segment before it.
_END = b'\xff\xd9'
_END_OF_IMAGE, _START_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xD8, 0xDA
# Start of frame, of every kind of coding; the three numbers among them are other segments.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class NoPictures(ValueError):
    """What comes holds no JPEG pictures."""


@dataclass(frozen=True, slots=True)
class JpegPart:
    """One picture.

    Attributes:
        data: the whole JPEG.
        width, height: as it says itself; (0, 0) where it does not.
        arrived_ns: when its first bytes came.
        fields: of the headers before it, names in lower case.
    """

    data: bytes
    width: int
    height: int
    arrived_ns: int
    fields: dict[str, str]


class JpegStream:
    """Fed with what comes, gives whole pictures in order; `cut_short` counts those that never ended."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._start = -1
        self._walk = _Walk()
        self._arrived_ns = 0
        self._fields: dict[str, str] = {}
        self._lengths_hold = False
        self.cut_short = 0

    def feed(self, data: bytes, arrived_ns: int) -> list[JpegPart]:
        """The pictures that are whole with these bytes.

        Raises:
            NoPictures: there is no JPEG in a megabyte, or one has no end in 64.
        """
        self._buffer += data
        parts = []
        while (part := self._next(arrived_ns)) is not None:
            parts.append(part)
        return parts

    def _next(self, arrived_ns: int) -> JpegPart | None:
        buffer = self._buffer
        while True:
            if self._start < 0 and not self._find_start(arrived_ns):
                return None
            length = self._length()
            if self._lengths_hold and length > len(buffer):
                return None
            end = self._walk.go_on(buffer, length if self._lengths_hold else 0)
            if end is None:
                if len(buffer) > _LONGEST_PICTURE:
                    raise NoPictures(f'a picture has no end in {_LONGEST_PICTURE >> 20} MB')
                return None
            width, height = self._walk.size
            ended = self._walk.ended
            # A length is believed while the one before it was true: nothing need be searched for then.
            self._lengths_hold = ended and end == length
            picture = bytes(buffer[:end])
            del buffer[:end]
            self._start = -1
            if ended:
                return JpegPart(picture, width, height, self._arrived_ns, self._fields)
            # Another picture or what no JPEG has: the camera broke off in this one.
            self.cut_short += 1

    def _length(self) -> int:
        text = self._fields.get('content-length', '')
        return int(text) if text.isdecimal() and len(text) < 9 else 0

    def _find_start(self, arrived_ns: int) -> bool:
        """Have the picture at the front of the buffer, and what stood before it taken for headers."""
        buffer = self._buffer
        start = buffer.find(_START)
        if start < 0:
            if len(buffer) > _LONGEST_BETWEEN:
                raise NoPictures(f'there is no JPEG in {_LONGEST_BETWEEN >> 20} MB')
            return False
        head = bytes(buffer[max(0, start - _HEADERS_KEPT) : start])
        self._fields = {name.decode().lower(): value.decode('latin-1') for name, value in _FIELD.findall(head)}
        del buffer[:start]
        self._start = 0
        self._arrived_ns = arrived_ns
        self._walk = _Walk()
        return True


class _Walk:
    """From segment to segment of the picture at the front of a buffer, as far as it has come."""

    def __init__(self) -> None:
        self._at = 2
        self._in_scan = False
        self.size = (0, 0)
        self.ended = False

    def go_on(self, buffer: bytearray, length: int) -> int | None:
        """Where the picture ends, or breaks off; None while that has not come. Its length may be known, else 0."""
        while True:
            if self._in_scan:
                if length > self._at and buffer[length - len(_END) : length] == _END:
                    self.ended = True
                    return length
                return self._find_end(buffer)
            while self._at + 1 < len(buffer) and buffer[self._at] == buffer[self._at + 1] == 0xFF:
                self._at += 1
            if self._at + 1 >= len(buffer):
                return None
            kind = buffer[self._at + 1]
            if kind == _END_OF_IMAGE and buffer[self._at] == 0xFF:
                self.ended = True
                return self._at + 2
            if buffer[self._at] != 0xFF or kind == _START_OF_IMAGE or kind < 0xC0:
                return max(self._at, 2)
            if self._at + 4 > len(buffer):
                return None
            length = int.from_bytes(buffer[self._at + 2 : self._at + 4], 'big')
            if length < 2:
                return self._at + 2
            if self._at + 2 + length > len(buffer):
                return None
            if kind in _FRAMES and length >= 8:
                height, width = (int.from_bytes(buffer[self._at + at : self._at + at + 2], 'big') for at in (5, 7))
                self.size = (width, height)
            self._in_scan = kind == _START_OF_SCAN
            self._at += 2 + length

    def _find_end(self, buffer: bytearray) -> int | None:
        end = buffer.find(_END, self._at)
        another = buffer.find(_START, self._at, end if end >= 0 else len(buffer))
        if another >= 0:
            return another
        if end < 0:
            # The beginning of a mark may have come, its rest comes next.
            self._at = max(self._at, len(buffer) - len(_START) + 1)
            return None
        self.ended = True
        return end + len(_END)
