# SPDX-License-Identifier: Apache-2.0
"""JPEG over RTP (RFC 2435): the headers that the packets leave out are put back, so that any decoder takes it."""

from __future__ import annotations

import struct
from collections import Counter

# ISO/IEC 10918-1, annex K, in zigzag order as RFC 2435 appendix A has them.
# fmt: off
_LUMA = bytes((
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58,
    51, 61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103,
    62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
))
_CHROMA = bytes((17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, *(99,) * 50))
# fmt: on
# Annex K.3: bits and values of the four Huffman tables.
_DC_LUMA = bytes.fromhex('00010501010101010100000000000000') + bytes(range(12))
_DC_CHROMA = bytes.fromhex('00030101010101010101010000000000') + bytes(range(12))
_AC_LUMA = bytes.fromhex(
    '0002010303020403050504040000017d'
    '01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738'
    '393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5'
    'a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa'
)
_AC_CHROMA = bytes.fromhex(
    '00020102040403040705040400010277'
    '000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a353637'
    '38393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3'
    'a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa'
)


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
            return _scaled(quality), start
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


def _scaled(quality: int) -> bytes:
    """RFC 2435, appendix A."""
    factor = 5000 // quality if quality < 50 else 200 - 2 * quality
    return bytes(max(1, min(255, (value * factor + 50) // 100)) for value in _LUMA + _CHROMA)


def _header(kind: int, size: tuple[int, int], tables: bytes, restart: int) -> bytes:
    """From SOI to SOS; type 0 halves the colours' width, type 1 their height too."""
    width, height = size
    parts = [b'\xff\xd8']
    for number in (0, 1):
        parts.append(_segment(0xDB, bytes((number,)) + tables[64 * number : 64 * number + 64]))
    if restart:
        parts.append(_segment(0xDD, struct.pack('>H', restart)))
    sampling = 0x21 if kind == 0 else 0x22
    components = bytes((1, sampling, 0, 2, 0x11, 1, 3, 0x11, 1))
    parts.append(_segment(0xC0, struct.pack('>BHHB', 8, height, width, 3) + components))
    for place, table in ((0x00, _DC_LUMA), (0x10, _AC_LUMA), (0x01, _DC_CHROMA), (0x11, _AC_CHROMA)):
        parts.append(_segment(0xC4, bytes((place,)) + table))
    parts.append(_segment(0xDA, bytes((3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0))))
    return b''.join(parts)


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack('>BBH', 0xFF, marker, len(body) + 2) + body
