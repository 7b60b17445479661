# SPDX-License-Identifier: Apache-2.0
"""Where the camera is to look: OrientationWish, PointWish, JointWish <-> QuaternionStamped, PointStamped, JointState.

Whether the numbers are fit to move a gimbal is the driver's to judge, with a sentence, not the conversion's.
"""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point, PointStamped, Quaternion, QuaternionStamped
from sensor_msgs.msg import JointState

from gremsy_common.ros.messages.header_messages import header, stamp_of
from gremsy_common.types.gimbal_state import JointWish, OrientationWish, PointWish


def orientation_message(wish: OrientationWish) -> QuaternionStamped:
    """An orientation of the camera's frame (x forward, y left, z up)."""
    w, x, y, z = wish.frame_from_camera_wxyz.tolist()
    return QuaternionStamped(header=header(wish.stamp_ns, wish.frame_id), quaternion=Quaternion(w=w, x=x, y=y, z=z))


def orientation_from(message: QuaternionStamped) -> OrientationWish:
    """As it came."""
    q = message.quaternion
    own = message.header
    return OrientationWish(stamp_of(own.stamp), own.frame_id, np.array([q.w, q.x, q.y, q.z]))


def point_message(wish: PointWish) -> PointStamped:
    """A point in m."""
    x, y, z = wish.point_m
    return PointStamped(header=header(wish.stamp_ns, wish.frame_id), point=Point(x=x, y=y, z=z))


def point_from(message: PointStamped) -> PointWish:
    """As it came."""
    own, point = message.header, message.point
    return PointWish(stamp_of(own.stamp), own.frame_id, (float(point.x), float(point.y), float(point.z)))


def joint_message(wish: JointWish) -> JointState:
    """Names and positions; velocities and efforts stay empty."""
    return JointState(header=header(wish.stamp_ns, ''), name=list(wish.names), position=list(wish.positions_rad))


def joint_from(message: JointState) -> JointWish:
    """As it came; velocities and efforts are not looked at."""
    return JointWish(stamp_of(message.header.stamp), tuple(message.name), tuple(map(float, message.position)))
