# SPDX-License-Identifier: Apache-2.0
"""Where the camera is to look: an orientation, a point, joint angles <-> QuaternionStamped, PointStamped, JointState.

Whether the numbers are fit to move a gimbal is the driver's to judge, with a sentence, not the conversion's.
"""

from __future__ import annotations

from geometry_msgs.msg import Point, PointStamped, QuaternionStamped
from sensor_msgs.msg import JointState

from gremsy_common.ros.messages.header_messages import header, origin_of, quaternion_message, stamp_of, wxyz_of
from gremsy_common.types.gimbal_state import JointRequest, OrientationRequest, PointRequest


def orientation_message(request: OrientationRequest) -> QuaternionStamped:
    """An orientation of the camera's frame (x forward, y left, z up)."""
    return QuaternionStamped(
        header=header(request.stamp_ns, request.frame_id), quaternion=quaternion_message(request.frame_from_camera_wxyz)
    )


def orientation_from(message: QuaternionStamped) -> OrientationRequest:
    """As it came."""
    return OrientationRequest(*origin_of(message), wxyz_of(message.quaternion))


def point_message(request: PointRequest) -> PointStamped:
    """A point in m."""
    x, y, z = request.point_m
    return PointStamped(header=header(request.stamp_ns, request.frame_id), point=Point(x=x, y=y, z=z))


def point_from(message: PointStamped) -> PointRequest:
    """As it came."""
    point = message.point
    return PointRequest(*origin_of(message), (float(point.x), float(point.y), float(point.z)))


def joint_message(request: JointRequest) -> JointState:
    """Names and positions; velocities and efforts stay empty."""
    return JointState(
        header=header(request.stamp_ns, ''), name=list(request.names), position=list(request.positions_rad)
    )


def joint_from(message: JointState) -> JointRequest:
    """As it came; velocities and efforts are not looked at."""
    return JointRequest(stamp_of(message.header.stamp), tuple(message.name), tuple(map(float, message.position)))
