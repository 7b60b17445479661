# SPDX-License-Identifier: Apache-2.0
"""Takes pictures of H.264 and H.265 in Annex B form apart into parameter sets and the rest; the size of a JPEG.

An MP4 has the parameter sets in its header once, so a picture must not bring others than its file has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_START = b'\x00\x00\x00\x01'
# Table 7-1 of H.264 and of H.265: parameter sets, those that decoding needs, and access unit delimiters, which MP4
# wants taken out with them.
_KINDS = {'h264': ((7, 8, 13), {7, 8}, 9), 'hevc': ((32, 33, 34), {33, 34}, 35)}


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """The NAL units that decoding needs first, in the order in which they came, without start codes."""

    units: tuple[bytes, ...] = ()
    complete: bool = False

    def annex_b(self) -> bytes:
        """With start codes."""
        return b''.join(_START + unit for unit in self.units)


def nal_units(data: bytes) -> Iterator[bytes]:
    """The NAL units between start codes; what comes before the first start code is none."""
    begin = data.find(b'\x00\x00\x01')
    while begin >= 0:
        begin += 3
        end = data.find(b'\x00\x00\x01', begin)
        # Zeros before the next start code are no part of the unit, which ends in a 1 bit.
        unit = (data[begin:] if end < 0 else data[begin:end]).rstrip(b'\x00')
        if unit:
            yield unit
        begin = end


def split_sets(codec: str, data: bytes) -> tuple[ParameterSets, bytes]:
    """The parameter sets of an access unit, and the access unit without them.

    Args:
        codec: 'h264' or 'hevc'.
        data: in Annex B form.
    """
    set_kinds, needed, delimiter = _KINDS[codec]
    sets: list[bytes] = []
    rest: list[bytes] = []
    kinds: set[int] = set()
    for unit in nal_units(data):
        kind = unit[0] & 0x1F if codec == 'h264' else (unit[0] >> 1) & 0x3F
        if kind in set_kinds:
            kinds.add(kind)
            if unit not in sets:
                sets.append(unit)
        elif kind != delimiter:
            rest.append(unit)
    return ParameterSets(tuple(sets), needed <= kinds), b''.join(_START + unit for unit in rest)


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height by the frame header (ITU-T T.81, B.2.2); None where there is none."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], 'big'), int.from_bytes(data[at + 5 : at + 7], 'big')
        if kind == 0xFF:
            at += 1
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], 'big')
    return None
