# SPDX-License-Identifier: Apache-2.0
"""H.264 as RTP packets (RFC 6184, packetization mode 1) whose time is the frame's stamp, and sender reports (RFC 3550).

A browser hands the RTP time of the picture that it shows back, so it can say which ROS frame that is.
"""

from __future__ import annotations

import secrets
import struct

from gremsy_camera.recording.access_units import nal_units

RTP_CLOCK_HZ = 90_000
PAYLOAD_TYPE = 96
_NS_PER_S = 1_000_000_000
# From NTP's zero, 1900, to 1970.
_NTP_EPOCH_S = 2_208_988_800
_WRAP = 1 << 32
# With its header. MediaMTX makes longer ones again, and says so in its log.
LONGEST_PACKET_BYTES = 1440
_HEADER_BYTES = 12
_DELIMITER, _FRAGMENT = 9, 28
# A primary_pic_type of 7: slices of every kind may follow (H.264, 7.4.2.4).
_DELIMITER_OF_ANY_PICTURE = b'\x09\xf0'
_SENDER_REPORT, _DESCRIPTION, _FEEDBACK = 200, 202, 206
_PICTURE_LOSS, _FULL_INTRA_REQUEST = 1, 4
_NAME = b'gremsy_camera'


def rtp_time(stamp_ns: int) -> int:
    """The RTP time of a stamp: 90 kHz since the clock's zero, modulo 2^32, which comes round every 13.26 h."""
    # 90 000 / 10^9 in whole numbers, so that every program that does the same gets the same to the tick.
    return stamp_ns * 9 // 100_000 % _WRAP


def stamp_of(time: int, near_ns: int) -> int:
    """The earliest stamp of that RTP time within 6.6 h of `near_ns`: exact to a tick of 11.1 us.

    Args:
        time: as `rtp_time` gave it.
        near_ns: any stamp of about then.
    """
    near = near_ns * 9 // 100_000
    ticks = near + (time - near + _WRAP // 2) % _WRAP - _WRAP // 2
    return -(-ticks * 100_000 // 9)


class RtpSender:
    """Makes the packets of one stream: numbers them from a random beginning, and counts them for the reports."""

    def __init__(self, longest_packet_bytes: int = LONGEST_PACKET_BYTES) -> None:
        self._longest_payload = longest_packet_bytes - _HEADER_BYTES
        self._sequence = secrets.randbits(16)
        self.source = secrets.randbits(32)
        self._packets = 0
        self._payload_bytes = 0

    def packets(self, access_unit: bytes, stamp_ns: int) -> list[bytes]:
        """The packets of one picture, the last one marked.

        The very first picture begins with a packet of a delimiter, which says nothing: a report that is sent behind it
        is in time for the rest of the picture. MediaMTX knows a report's sender by its packets only, and with
        `useAbsoluteTimestamp` drops what comes before a report.

        Args:
            access_unit: of H.264 in Annex B form.
            stamp_ns: of the frame.
        """
        time = rtp_time(stamp_ns)
        beginning = [] if self._packets else [_DELIMITER_OF_ANY_PICTURE]
        payloads = [*beginning, *rtp_payloads(access_unit, self._longest_payload)]
        last = len(payloads) - 1
        return [self._packet(payload, time, index == last) for index, payload in enumerate(payloads)]

    def report(self, stamp_ns: int) -> bytes:
        """That the stream's clock stands at `rtp_time(stamp_ns)` when the ROS clock stands at `stamp_ns`."""
        seconds, rest_ns = divmod(stamp_ns, _NS_PER_S)
        report = struct.pack(
            '>BBHIIIIII',
            0x80,
            _SENDER_REPORT,
            6,
            self.source,
            (seconds + _NTP_EPOCH_S) % _WRAP,
            (rest_ns << 32) // _NS_PER_S,
            rtp_time(stamp_ns),
            self._packets % _WRAP,
            self._payload_bytes % _WRAP,
        )
        item = struct.pack('>IBB', self.source, 1, len(_NAME)) + _NAME + b'\0'
        item += b'\0' * (-len(item) % 4)
        return report + struct.pack('>BBH', 0x81, _DESCRIPTION, len(item) // 4) + item

    def _packet(self, payload: bytes, time: int, last: bool) -> bytes:
        header = struct.pack('>BBHII', 0x80, PAYLOAD_TYPE | (0x80 if last else 0), self._sequence, time, self.source)
        self._sequence = (self._sequence + 1) % 0x1_0000
        self._packets += 1
        self._payload_bytes += len(payload)
        return header + payload


def rtp_payloads(access_unit: bytes, longest: int) -> list[bytes]:
    """What the packets of one picture carry, in bytes at most: its units, or fragments of them, without delimiters."""
    return [
        payload
        for unit in nal_units(access_unit)
        if unit[0] & 0x1F != _DELIMITER
        for payload in _payloads(unit, longest)
    ]


def asks_for_key_frame(report: bytes) -> bool:
    """Whether RTCP that came from the server has a picture loss indication or a full intra request (RFC 4585, 5104)."""
    at = 0
    while at + 4 <= len(report) and report[at] >> 6 == 2:
        if report[at + 1] == _FEEDBACK and report[at] & 0x1F in (_PICTURE_LOSS, _FULL_INTRA_REQUEST):
            return True
        at += 4 + 4 * int.from_bytes(report[at + 2 : at + 4], 'big')
    return False


def _payloads(unit: bytes, longest: int) -> list[bytes]:
    """The unit itself, or its fragments (FU-A)."""
    if len(unit) <= longest:
        return [unit]
    indicator, kind = unit[0] & 0xE0 | _FRAGMENT, unit[0] & 0x1F
    room = longest - 2
    starts = range(1, len(unit), room)
    return [
        bytes((indicator, kind | (0x80 if start == 1 else 0) | (0x40 if start + room >= len(unit) else 0)))
        + unit[start : start + room]
        for start in starts
    ]
