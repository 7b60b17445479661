# SPDX-License-Identifier: Apache-2.0
"""Bytes to MAVLink 2 frames that passed their checksum; never an exception, whatever the bytes.

pymavlink's own parser throws away as many bytes as a damaged frame claims to have, so a lost byte costs the next frame
too. This one looks for the next frame right behind the damaged frame's first byte.
Format: https://mavlink.io/en/guide/serialization.html

Signed frames are read and their signature is skipped: no Gremsy has a key (gimbal.md 1.2), the format's own rule for a
receiver without a key is to accept, and a router on the way may sign all it forwards. They prove nothing more than
unsigned ones, and are counted.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

_MAGIC = 0xFD
_HEADER_BYTES = 10
_CHECKSUM_BYTES = 2
_SIGNATURE_BYTES = 13
_SIGNED = 0x01
# A sender that numbers backwards by this much repeated or reordered a frame rather than skipped 200 others.
_LARGEST_GAP = 128

_REVERSED = bytes(int(f'{byte:08b}'[::-1], 2) for byte in range(256))
"""Each byte with its bits in reverse order."""


def checksum(data: bytes) -> int:
    """CRC-16/MCRF4XX of the bytes.

    It is the mirror image of the CRC-CCITT that the standard library computes in C (`crc_hqx`): bits of each byte
    reversed on the way in, all 16 on the way out. A loop over a table in Python takes 15 times as long.
    """
    mirrored = crc_hqx(data.translate(_REVERSED), 0xFFFF)
    return _REVERSED[mirrored & 0xFF] << 8 | _REVERSED[mirrored >> 8]


@dataclass(frozen=True, slots=True)
class MavlinkFrame:
    """One MAVLink 2 frame; `payload` has its trailing zeros cut off, as on the wire."""

    message_id: int
    system: int
    component: int
    sequence: int
    payload: bytes


class Framer:
    """Cuts a byte stream, or one datagram after another, into checked frames.

    `counts`: `frames`, `signed_frames`; `missed_frames` by the senders' numbering, which on a link behind a router
    includes what the router kept; `noise_bytes`, `bad_checksum`, `cut_off` datagrams.

    Args:
        checksum_extra: message id to the CRC_EXTRA of its definition. An id that is not in it is taken for noise: of
            the 2^24 possible ids some hundreds exist, so it is nearly always a false start.
    """

    def __init__(self, checksum_extra: Mapping[int, int]) -> None:
        self._extra = {number: bytes([extra]) for number, extra in checksum_extra.items()}
        self._rest = b''
        self._sequences: dict[int, int] = {}
        self.counts: Counter[str] = Counter()

    def reset(self) -> None:
        """Forget a half-received frame and the senders' numbering, as after the link was reopened."""
        self._rest = b''
        self._sequences.clear()

    def feed(self, received: bytes, datagram: bool = False) -> list[MavlinkFrame]:
        """The frames that these bytes complete. No frame goes over the edge of a datagram."""
        data = self._rest + received
        frames: list[MavlinkFrame] = []
        noise = position = 0
        while True:
            found = data.find(_MAGIC, position)
            if found < 0:
                noise += len(data) - position
                position = len(data)
                break
            noise += found - position
            position = found
            size = self._size(data, position)
            if size == 0:
                noise += 1
                position += 1
            elif position + size > len(data):
                if not datagram:
                    break
                self.counts['cut_off'] += 1
                position += 1
            else:
                frame = self._check(data, position)
                if frame is None:
                    self.counts['bad_checksum'] += 1
                    position += 1
                else:
                    frames.append(frame)
                    position += size
        self._rest = data[position:]
        if noise:
            self.counts['noise_bytes'] += noise
        if frames:
            self.counts['frames'] += len(frames)
        return frames

    def _size(self, data: bytes, at: int) -> int:
        """Size of the frame that begins there, 0 where none can; a header's while that is not all here."""
        if at + _HEADER_BYTES > len(data):
            return _HEADER_BYTES
        incompatible = data[at + 2]
        message_id = data[at + 7] | data[at + 8] << 8 | data[at + 9] << 16
        if incompatible & ~_SIGNED or message_id not in self._extra:
            return 0
        return _HEADER_BYTES + data[at + 1] + _CHECKSUM_BYTES + (_SIGNATURE_BYTES if incompatible else 0)

    def _check(self, data: bytes, at: int) -> MavlinkFrame | None:
        end = at + _HEADER_BYTES + data[at + 1]
        message_id = data[at + 7] | data[at + 8] << 8 | data[at + 9] << 16
        if checksum(data[at + 1 : end] + self._extra[message_id]) != data[end] | data[end + 1] << 8:
            return None
        sequence, system, component = data[at + 4], data[at + 5], data[at + 6]
        if data[at + 2]:
            self.counts['signed_frames'] += 1
        sender = system << 8 | component
        expected = self._sequences.get(sender, sequence)
        if sequence != expected:
            gap = (sequence - expected) & 0xFF
            if gap < _LARGEST_GAP:
                self.counts['missed_frames'] += gap
        self._sequences[sender] = (sequence + 1) & 0xFF
        return MavlinkFrame(message_id, system, component, sequence, data[at + _HEADER_BYTES : end])
