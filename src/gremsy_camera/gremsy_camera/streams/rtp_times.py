# SPDX-License-Identifier: Apache-2.0
"""What RTP and RTCP packets say of time: the stream's clock without its wraps, sender reports, the ONVIF extension.

RFC 3550 (packets, sender reports), ONVIF Streaming Specification 6.3 (the replay header: NTP time in every picture).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_NS_PER_S = 1_000_000_000
# NTP's epoch, 1900, to 1970.
_NTP_EPOCH_S = 2_208_988_800
_SENDER_REPORT = 200
_ONVIF_PROFILE = 0xABAC
# A stream's clock that jumps by more than this is another stream's.
_HALF_RANGE = 1 << 31


@dataclass(frozen=True, slots=True)
class RtpHeader:
    """Of one RTP packet.

    Attributes:
        timestamp: of the stream's clock, 32 bits.
        sequence: 16 bits.
        onvif_ns: the camera's time since 1970 that the ONVIF extension tells; None without it.
    """

    timestamp: int
    sequence: int
    ssrc: int
    onvif_ns: int | None


@dataclass(frozen=True, slots=True)
class SenderReport:
    """That the stream's clock stood at `timestamp` when the camera's stood at `camera_ns` since 1970."""

    ssrc: int
    timestamp: int
    camera_ns: int

    def camera_time_ns(self, timestamp: int, clock_rate: int) -> int:
        """The camera's time of another point of the stream, within half the clock's range (6.6 h at 90 kHz)."""
        return self.camera_ns + signed_ticks(timestamp - self.timestamp) * _NS_PER_S // clock_rate


def signed_ticks(difference: int) -> int:
    """A difference of two 32-bit times, the shorter way round."""
    return (difference + _HALF_RANGE) % (1 << 32) - _HALF_RANGE


def ntp_ns(seconds: int, fraction: int) -> int:
    """Nanoseconds since 1970 of an NTP time of 32.32 bits; those below 2^31 s are of the era that begins in 2036."""
    era_s = 0 if seconds & 0x8000_0000 else 1 << 32
    return (seconds + era_s - _NTP_EPOCH_S) * _NS_PER_S + (fraction * _NS_PER_S >> 32)


def rtp_header(packet: bytes) -> RtpHeader | None:
    """From the beginning of a packet (40 bytes hold all of it, without contributors); None for what is none."""
    if len(packet) < 12 or packet[0] >> 6 != 2:
        return None
    sequence, timestamp, ssrc = struct.unpack_from('>HII', packet, 2)
    return RtpHeader(timestamp, sequence, ssrc, _onvif_ns(packet) if packet[0] & 0x10 else None)


def _onvif_ns(packet: bytes) -> int | None:
    start = 12 + 4 * (packet[0] & 0x0F)
    if len(packet) < start + 12:
        return None
    profile, words, seconds, fraction = struct.unpack_from('>HHII', packet, start)
    if profile != _ONVIF_PROFILE or words < 3 or not seconds:
        return None
    return ntp_ns(seconds, fraction)


def sender_report(packet: bytes) -> SenderReport | None:
    """From a compound RTCP packet; None where none is in it, or a sender that has no clock (NTP time 0)."""
    start = 0
    while len(packet) >= start + 8:
        first, kind, words = struct.unpack_from('>BBH', packet, start)
        if first >> 6 != 2:
            return None
        if kind == _SENDER_REPORT and len(packet) >= start + 20:
            ssrc, seconds, fraction, timestamp = struct.unpack_from('>IIII', packet, start + 4)
            return SenderReport(ssrc, timestamp, ntp_ns(seconds, fraction)) if seconds or fraction else None
        start += 4 * (words + 1)
    return None


class StreamClock:
    """The stream's time since its first picture, whatever it started from and however often it wrapped (every 13 h)."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._last: int | None = None
        self._ticks = 0

    def position_ns(self, timestamp: int) -> int:
        """Of a 32-bit time; pictures out of order are where they belong."""
        if self._last is not None:
            self._ticks += signed_ticks(timestamp - self._last)
        self._last = timestamp
        return self._ticks * _NS_PER_S // self.rate
