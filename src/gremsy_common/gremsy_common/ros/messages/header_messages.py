# SPDX-License-Identifier: Apache-2.0
"""Stamps and headers."""

from __future__ import annotations

from builtin_interfaces.msg import Time
from std_msgs.msg import Header


def time_message(stamp_ns: int) -> Time:
    """Nanoseconds of the ROS clock as a message."""
    return Time(sec=stamp_ns // 1_000_000_000, nanosec=stamp_ns % 1_000_000_000)


def stamp_of(time: Time) -> int:
    """Nanoseconds of the ROS clock."""
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)


def header(stamp_ns: int, frame_id: str) -> Header:
    """A header."""
    return Header(stamp=time_message(stamp_ns), frame_id=frame_id)
