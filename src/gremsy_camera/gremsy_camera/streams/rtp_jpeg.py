# SPDX-License-Identifier: Apache-2.0
"""JPEG over RTP (RFC 2435): the headers that the packets leave out are put back, so that any decoder takes it."""

from __future__ import annotations

import struct
from collections import Counter

from gremsy_camera.live.jpeg_tables import QUANTISATION, START_OF_SCAN, standard_tables


class JpegAssembler:
    """See `rtp_pictures.Unpacker`. `size` is what the description says: the packets' own fields end at 2040 pixels."""

    def __init__(self, size: tuple[int, int], counts: Counter[str]) -> None:
        self._size = size
        self._counts = counts
        self._head = b''
        self._parts: list[bytes] = []
        self._next = 0
        self._whole = False
        self._tables: dict[int, bytes] = {}

    def begin(self) -> None:
        """See Unpacker."""
        self._head, self._parts, self._next, self._whole = b'', [], 0, True

    def add(self, payload: bytes, gap: bool) -> None:
        """See Unpacker."""
        self._whole &= not gap
        if len(payload) < 8:
            return self._bad()
        offset = int.from_bytes(payload[1:4], 'big')
        kind, quality, width, height = payload[4:8]
        start, restart = 8, 0
        if 64 <= kind <= 127:
            if len(payload) < 12:
                return self._bad()
            (restart,) = struct.unpack_from('>H', payload, 8)
            start = 12
        if offset == 0:
            tables, start = self._quantisation(payload, start, quality)
            if tables is None or kind & 0x3F > 1:
                return self._bad()
            pixels = (_length(width, self._size[0]), _length(height, self._size[1]))
            self._head = _header(kind & 0x3F, pixels, tables, restart)
        self._whole &= offset == self._next
        self._next = offset + len(payload) - start
        self._parts.append(payload[start:])
        return None

    def finish(self) -> tuple[bytes, bool, bool]:
        """See Unpacker. Half a JPEG is useless: a decoder would show grey."""
        if not self._head or not self._whole:
            self._counts['pictures damaged by loss'] += 1
            return b'', True, False
        data = b''.join((self._head, *self._parts))
        return (data if data.endswith(b'\xff\xd9') else data + b'\xff\xd9'), True, True

    def _quantisation(self, payload: bytes, start: int, quality: int) -> tuple[bytes | None, int]:
        """128 bytes of tables and where the picture begins; none for what the RFC does not know."""
        if 1 <= quality <= 99:
            return standard_tables(quality)[0], start
        if quality < 128 or len(payload) < start + 4:
            return None, start
        (length,) = struct.unpack_from('>H', payload, start + 2)
        precise, start = payload[start + 1], start + 4
        if precise or len(payload) < start + length:
            return None, start
        if length:
            tables = payload[start : start + length]
            tables = tables * 2 if length == 64 else tables[:128]
            if len(tables) != 128:
                return None, start
            self._tables[quality] = tables
            return tables, start + length
        # 255 is never kept by the sender: without tables there is nothing to go by.
        return (self._tables.get(quality) if quality != 255 else None), start

    def _bad(self) -> None:
        self._counts['packets that could not be understood'] += 1
        self._whole = False


def _length(eights: int, announced: int) -> int:
    """Pixels of a side: the packets count in eights, of which the last need not be full, and end at 255 of them."""
    return announced if not eights or 0 <= 8 * eights - announced < 8 else 8 * eights


def _header(kind: int, size: tuple[int, int], tables: bytes, restart: int) -> bytes:
    """From SOI to SOS; type 0 halves the colours' width, type 1 their height too."""
    width, height = size
    parts = [b'\xff\xd8']
    for number in (0, 1):
        parts.append(_segment(QUANTISATION, bytes((number,)) + tables[64 * number : 64 * number + 64]))
    if restart:
        parts.append(_segment(0xDD, struct.pack('>H', restart)))
    sampling = 0x21 if kind == 0 else 0x22
    components = bytes((1, sampling, 0, 2, 0x11, 1, 3, 0x11, 1))
    parts.append(_segment(0xC0, struct.pack('>BHHB', 8, height, width, 3) + components))
    parts.append(standard_tables(quality=95)[1])
    parts.append(_segment(START_OF_SCAN, bytes((3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0))))
    return b''.join(parts)


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack('>BBH', 0xFF, marker, len(body) + 2) + body
