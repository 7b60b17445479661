# SPDX-License-Identifier: Apache-2.0
"""Bytes to MAVLink 2 frames that passed their checksum; never an exception, whatever the bytes.

pymavlink's own parser throws away as many bytes as a damaged frame claims to have, so a lost byte costs the next frame
too. This one looks for the next frame right behind the damaged frame's first byte.
Format: https://mavlink.io/en/guide/serialization.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

_MAGIC = b'\xfd'
_HEADER_BYTES = 10
_CHECKSUM_BYTES = 2
_SIGNATURE_BYTES = 13
_SIGNED = 0x01


def _checksum_table() -> tuple[int, ...]:
    """CRC-16/MCRF4XX: polynomial 0x1021 reflected, one entry per byte."""
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x8408 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _checksum_table()


def checksum(data: bytes | bytearray | memoryview, start: int = 0xFFFF) -> int:
    """CRC-16/MCRF4XX of the bytes."""
    value = start
    table = _TABLE
    for byte in data:
        value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
    return value


@dataclass(frozen=True, slots=True)
class Frame:
    """One MAVLink 2 frame; `payload` has its trailing zeros cut off, as on the wire."""

    message_id: int
    system: int
    component: int
    sequence: int
    payload: bytes


class Framer:
    """Cuts a byte stream, or one datagram after another, into checked frames.

    Args:
        checksum_extra: message id to the CRC_EXTRA of its definition. An id that is not in it is taken for noise: of
            the 2^24 possible ids some hundreds exist, so it is nearly always a false start.
    """

    def __init__(self, checksum_extra: Mapping[int, int]) -> None:
        self._extra = checksum_extra
        self._buffer = bytearray()
        self.counts: Counter[str] = Counter()

    def reset(self) -> None:
        """Forget a half-received frame, as after the link was opened anew."""
        self._buffer.clear()

    def feed(self, data: bytes, datagram: bool = False) -> list[Frame]:
        """The frames that these bytes complete. No frame goes over the edge of a datagram."""
        self._buffer += data
        frames = []
        position = 0
        while True:
            found = self._buffer.find(_MAGIC, position)
            if found < 0:
                self.counts['noise_bytes'] += len(self._buffer) - position
                position = len(self._buffer)
                break
            self.counts['noise_bytes'] += found - position
            position = found
            size = self._size(position)
            if size is None:
                self.counts['noise_bytes'] += 1
                position += 1
            elif position + size > len(self._buffer):
                if not datagram:
                    break
                self.counts['cut_off'] += 1
                position += 1
            else:
                frame = self._check(position)
                if frame is None:
                    self.counts['bad_checksum'] += 1
                    position += 1
                else:
                    frames.append(frame)
                    self.counts['frames'] += 1
                    position += size
        del self._buffer[:position]
        return frames

    def _size(self, at: int) -> int | None:
        """Size of the frame that begins there, None where none can; a header's while that is not all here."""
        buffer = self._buffer
        if at + _HEADER_BYTES > len(buffer):
            return _HEADER_BYTES
        incompatible = buffer[at + 2]
        message_id = int.from_bytes(buffer[at + 7 : at + 10], 'little')
        if incompatible & ~_SIGNED or message_id not in self._extra:
            return None
        return _HEADER_BYTES + buffer[at + 1] + _CHECKSUM_BYTES + (_SIGNATURE_BYTES if incompatible else 0)

    def _check(self, at: int) -> Frame | None:
        buffer = self._buffer
        end = at + _HEADER_BYTES + buffer[at + 1]
        message_id = int.from_bytes(buffer[at + 7 : at + 10], 'little')
        value = checksum(buffer[at + 1 : end])
        value = (value >> 8) ^ _TABLE[(value ^ self._extra[message_id]) & 0xFF]
        if value != int.from_bytes(buffer[end : end + 2], 'little'):
            return None
        payload = bytes(buffer[at + _HEADER_BYTES : end])
        return Frame(message_id, buffer[at + 5], buffer[at + 6], buffer[at + 4], payload)
