# SPDX-License-Identifier: Apache-2.0
"""What RTP and RTCP packets say of time: the stream's clock without its wraps, sender reports, the ONVIF extension.

Also decoding times, where RTP only has the times of showing, and capture times inside the video: MISP time stamps
(MISB ST 0604) and SMPTE time codes, both in SEI.

RFC 3550 (packets, sender reports), ONVIF Streaming Specification 6.3 (the replay header: NTP time in every picture).
"""

from __future__ import annotations

import datetime as dt
import struct
from bisect import insort
from collections import deque
from dataclasses import dataclass

from gremsy_camera.live.live_reader import CaptureTime, TimeBase

_NS_PER_S = 1_000_000_000
# NTP's epoch, 1900, to 1970.
NTP_EPOCH_S = 2_208_988_800
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
        onvif_ns: the camera's time since 1970 in the ONVIF extension; None without it.
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
    return (seconds + era_s - NTP_EPOCH_S) * _NS_PER_S + (fraction * _NS_PER_S >> 32)


def rtp_header(packet: bytes) -> RtpHeader | None:
    """From the beginning of a packet (40 bytes hold all of it, without contributors); None for anything else."""
    if len(packet) < 12 or packet[0] >> 6 != 2:
        return None
    sequence, timestamp, ssrc = struct.unpack_from('>HII', packet, 2)
    return RtpHeader(timestamp, sequence, ssrc, onvif_time_ns(packet) if packet[0] & 0x10 else None)


def onvif_time_ns(packet: bytes) -> int | None:
    """The camera's time since 1970 in the ONVIF extension of a packet that has an extension; None for another one."""
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


def capture_time(
    onvif_ns: int | None, report: SenderReport | None, timestamp: int, clock_rate: int
) -> CaptureTime | None:
    """When a picture was taken: by ONVIF's extension of its packets, else by the sender's newest report."""
    if onvif_ns is not None:
        return CaptureTime(onvif_ns, TimeBase.CAMERA, "ONVIF's RTP extension")
    if report is None:
        return None
    return CaptureTime(report.camera_time_ns(timestamp, clock_rate), TimeBase.CAMERA, 'RTCP sender reports')


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


# H.264 and H.265 reorder no more than this.
_MOST_REORDERED = 16


class DecodingTimes:
    """Gives times that rise steadily in the order of decoding and never pass the time of showing.

    They are the times of showing in their own order, as many pictures late as the stream was seen to reorder.
    """

    def __init__(self) -> None:
        self._sorted: list[int] = []
        self._recent: deque[int] = deque(maxlen=_MOST_REORDERED)
        self._late = 0
        self._last_ns: int | None = None

    @property
    def reordered(self) -> int:
        """So many pictures were seen to be decoded before one that is shown before them."""
        return self._late

    def dts_ns(self, pts_ns: int) -> int:
        """Of the next picture in the order of decoding, ns."""
        self._late = max(self._late, sum(1 for each in self._recent if each > pts_ns))
        self._recent.append(pts_ns)
        insort(self._sorted, pts_ns)
        del self._sorted[: -2 * _MOST_REORDERED]
        place = self._sorted.index(pts_ns) if not self._late else len(self._sorted) - 1 - self._late
        dts_ns = min(pts_ns, self._sorted[max(0, place)])
        if self._last_ns is not None and dts_ns <= self._last_ns:
            dts_ns = self._last_ns + 1
        self._last_ns = dts_ns
        return dts_ns


_NS_PER_S = 1_000_000_000
# ST 0604.3: user data of H.264 and of H.265.
_MISP_IDS = (b'MISPmicrosectime', bytes.fromhex('a8687dd4d7593758a5cef0338b6545f1'))
_MISP_NANO_ID = bytes.fromhex('cf848278ee23306c9265e8fef22fb8b8')
_DAY_NS = 86_400 * _NS_PER_S


def misp_ns(user_data: bytes) -> int | None:
    """Nanoseconds since 1970 of an unregistered SEI (its 16 bytes of name included); None where it is another."""
    nano = user_data[:16] == _MISP_NANO_ID
    if not nano and user_data[:16] not in _MISP_IDS:
        return None
    # A status byte, then the number with 0xff after every second byte, so that it never looks like a start code.
    body = user_data[17:28]
    if len(body) < 11 or any(body[place] != 0xFF for place in (2, 5, 8)):
        return None
    number = int.from_bytes(body[0:2] + body[3:5] + body[6:8] + body[9:11], 'big')
    return number if nano else number * 1000


def time_code_ns(word: int, rate_hz: float, now_ns: int) -> int | None:
    """Nanoseconds since 1970 of a SMPTE 12M word as FFmpeg packs it: UTC of the day that is nearest to now."""
    hours, minutes = _decimal(word & 0x3F), _decimal(word >> 8 & 0x7F)
    seconds, frames = _decimal(word >> 16 & 0x7F), _decimal(word >> 24 & 0x3F)
    if hours > 23 or minutes > 59 or seconds > 59 or rate_hz <= 0:
        return None
    midnight = dt.datetime.fromtimestamp(now_ns // _NS_PER_S, dt.timezone.utc).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    of_day_s = 3600 * hours + 60 * minutes + seconds + frames / rate_hz
    time_ns = round(midnight.timestamp()) * _NS_PER_S + round(of_day_s * _NS_PER_S)
    if time_ns - now_ns > _DAY_NS // 2:
        return time_ns - _DAY_NS
    return time_ns + _DAY_NS if now_ns - time_ns > _DAY_NS // 2 else time_ns


def _decimal(coded: int) -> int:
    return 10 * (coded >> 4) + (coded & 0x0F)
