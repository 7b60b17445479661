# SPDX-License-Identifier: Apache-2.0
"""RTP packets in order: taken apart, counted by their numbers, and put back in order where UDP mixed them."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, replace

from gremsy_camera.streams.rtp_times import onvif_time_ns

_NS_PER_MS = 1_000_000
# A step in the numbers of more than this is a sender that started again.
_LONGEST_GAP = 3000
_MOST_WAITING = 512


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet.

    Attributes:
        sequence: 16 bits.
        timestamp: 32 bits of the stream's clock.
        marker: the last of its picture.
        payload: what it carries.
        arrived_ns: monotonic.
        onvif_ns: the camera's time since 1970 in ONVIF's extension, None without it.
        gap: whether a packet before it is missing.
    """

    sequence: int
    timestamp: int
    marker: bool
    payload: bytes
    arrived_ns: int
    onvif_ns: int | None = None
    gap: bool = False


def take_apart(data: bytes, arrived_ns: int) -> tuple[RtpPacket, int] | None:
    """The packet and its payload type; None for what is no RTP."""
    if len(data) < 12 or data[0] >> 6 != 2:
        return None
    first, second, sequence, timestamp = struct.unpack_from('>BBHI', data)
    start, end = 12 + 4 * (first & 0x0F), len(data)
    onvif_ns = None
    if first & 0x10:
        if len(data) < start + 4:
            return None
        onvif_ns = onvif_time_ns(data)
        start += 4 + 4 * struct.unpack_from('>H', data, start + 2)[0]
    if first & 0x20:
        end -= data[-1]
    if start > end:
        return None
    return RtpPacket(sequence, timestamp, bool(second & 0x80), data[start:end], arrived_ns, onvif_ns), second & 0x7F


class PacketOrder:
    """Hands packets on in the order of their numbers. One that is missing is waited for, for `max_delay_ms` at most.

    Over TCP nothing comes out of order: a number that is missing there was never sent, and is not waited for (0 ms).
    """

    def __init__(self, max_delay_ms: float) -> None:
        self._max_delay_ns = round(max_delay_ms * _NS_PER_MS)
        self._next: int | None = None
        self._waiting: dict[int, RtpPacket] = {}
        self._gap = False
        self.counts: Counter[str] = Counter()

    def put(self, packet: RtpPacket) -> list[RtpPacket]:
        """The packets that are in order now that this one came."""
        if self._next is None:
            self._next = packet.sequence
        ahead = (packet.sequence - self._next + 0x8000) % 0x1_0000 - 0x8000
        if abs(ahead) > _LONGEST_GAP:
            self.counts['streams that started anew'] += 1
            self._waiting.clear()
            self._next, ahead, self._gap = packet.sequence, 0, True
        if ahead < 0 or packet.sequence in self._waiting:
            self.counts['packets that came twice or too late'] += 1
            return []
        if not ahead and self._waiting:
            self.counts['packets out of order'] += 1
        self._waiting[packet.sequence] = packet
        return self.ready(packet.arrived_ns)

    def ready(self, now_ns: int) -> list[RtpPacket]:
        """Those in order, and those behind a gap that was waited for long enough."""
        done: list[RtpPacket] = []
        while self._waiting:
            assert self._next is not None
            packet = self._waiting.pop(self._next, None)
            if packet is None:
                oldest_ns = min(each.arrived_ns for each in self._waiting.values())
                if now_ns - oldest_ns < self._max_delay_ns and len(self._waiting) < _MOST_WAITING:
                    return done
                first = min(self._waiting, key=lambda each: (each - self._next) % 0x1_0000)  # type: ignore[operator]
                self.counts['packets lost'] += (first - self._next) % 0x1_0000
                self._next, self._gap = first, True
                continue
            done.append(replace(packet, gap=True) if self._gap else packet)
            self._gap = False
            self._next = (packet.sequence + 1) % 0x1_0000
        return done

    @property
    def holds_some(self) -> bool:
        """Whether packets wait for a missing one."""
        return bool(self._waiting)
