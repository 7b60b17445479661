# SPDX-License-Identifier: Apache-2.0
"""VideoTime <-> sensor_msgs/TimeReference: the RTP time, 90 kHz, as seconds and nanoseconds from its zero."""

from __future__ import annotations

from builtin_interfaces.msg import Time
from sensor_msgs.msg import TimeReference

from gremsy_common.errors import Unusable
from gremsy_common.ros.messages.header_messages import header, stamp_of
from gremsy_common.types.video_time import VideoTime

_SOURCE = 'rtp'
_NS_PER_S = 1_000_000_000
# A tick is 11 111.1 ns, so the nearest nanosecond tells which one it is.
_TICKS, _NS = 9, 100_000


def video_time_message(time: VideoTime) -> TimeReference:
    """To the nearest nanosecond."""
    sec, nanosec = divmod((time.rtp * _NS + _TICKS // 2) // _TICKS, _NS_PER_S)
    return TimeReference(header=header(time.stamp_ns, ''), time_ref=Time(sec=sec, nanosec=nanosec), source=_SOURCE)


def video_time_from(message: TimeReference) -> VideoTime:
    """The tick that is nearest.

    Raises:
        Unusable: for a time of something else.
    """
    if message.source != _SOURCE:
        raise Unusable('not of RTP', f"its source is '{message.source[:40]}': only '{_SOURCE}' is used here.")
    time_ns = stamp_of(message.time_ref)
    return VideoTime(stamp_of(message.header.stamp), (time_ns * _TICKS + _NS // 2) // _NS % 2**32)
