# SPDX-License-Identifier: Apache-2.0
"""What most messages are made of: stamps, headers, vectors, rotations."""

from __future__ import annotations

from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, Vector3
from numpy.typing import NDArray
from std_msgs.msg import Header


def time_message(stamp_ns: int) -> Time:
    """Nanoseconds of the ROS clock as a message."""
    return Time(sec=stamp_ns // 1_000_000_000, nanosec=stamp_ns % 1_000_000_000)


def stamp_of(time: Time) -> int:
    """Nanoseconds of the ROS clock."""
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)


def origin_of(message: Any) -> tuple[int, str]:
    """Stamp and frame out of a message's header."""
    return stamp_of(message.header.stamp), message.header.frame_id


def header(stamp_ns: int, frame_id: str) -> Header:
    """A header."""
    return Header(stamp=time_message(stamp_ns), frame_id=frame_id)


def vector_message(xyz: NDArray[np.float64]) -> Vector3:
    """(3,) as a message."""
    x, y, z = xyz.tolist()
    return Vector3(x=x, y=y, z=z)


def xyz_of(message: Any) -> NDArray[np.float64]:
    """(3,) of a Vector3 or Point."""
    return np.array([message.x, message.y, message.z])


def quaternion_message(wxyz: NDArray[np.float64]) -> Quaternion:
    """(4,) as a message."""
    w, x, y, z = wxyz.tolist()
    return Quaternion(w=w, x=x, y=y, z=z)


def wxyz_of(message: Quaternion) -> NDArray[np.float64]:
    """(4,), whatever they are."""
    return np.array([message.w, message.x, message.y, message.z])
