# SPDX-License-Identifier: Apache-2.0
"""Capture times that stand in the video itself: MISP time stamps (MISB ST 0604) and SMPTE time codes, both in SEI."""

from __future__ import annotations

import datetime as dt

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
