# SPDX-License-Identifier: Apache-2.0
"""VehicleAttitude <-> sensor_msgs/Imu and nav_msgs/Odometry."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point, Quaternion
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from sensor_msgs.msg import Imu

from gremsy_common.errors import Unusable
from gremsy_common.geometry import matrix_from_quaternion
from gremsy_common.ros.messages.header_messages import (
    header,
    origin_of,
    quaternion_message,
    stamp_of,
    vector_message,
    wxyz_of,
    xyz_of,
)
from gremsy_common.types.attitude_screen import VEHICLE_LIMITS, fault_of
from gremsy_common.types.gimbal_state import VehicleAttitude

# REP-145: a covariance that begins with -1 says that the quantity is not given.
_NOT_GIVEN = -1.0


def imu_message(vehicle: VehicleAttitude) -> Imu:
    """Orientation and, where known, angular velocity; the linear acceleration is marked as not given."""
    message = Imu(
        header=header(vehicle.stamp_ns, vehicle.vehicle_frame),
        orientation=quaternion_message(vehicle.earth_from_vehicle_wxyz),
    )
    message.linear_acceleration_covariance[0] = _NOT_GIVEN
    if np.isfinite(vehicle.rate_rad_s).all():
        message.angular_velocity = vector_message(vehicle.rate_rad_s)
    else:
        message.angular_velocity_covariance[0] = _NOT_GIVEN
    return message


def vehicle_from_imu(message: Imu) -> VehicleAttitude:
    """Raises ValueError when the IMU gives no orientation, or one that is no rotation."""
    if message.orientation_covariance[0] == _NOT_GIVEN:
        raise Unusable(
            'no orientation',
            'the IMU says that it gives no orientation (orientation_covariance[0] is -1): '
            'connect one that does, behind an attitude filter.',
        )
    given = message.angular_velocity_covariance[0] != _NOT_GIVEN
    return VehicleAttitude(
        *origin_of(message),
        '',
        _rotation(message.orientation),
        xyz_of(message.angular_velocity) if given else np.full(3, np.nan),
        np.full(3, np.nan),
        np.full(3, np.nan),
    )


def odometry_message(vehicle: VehicleAttitude) -> Odometry:
    """Pose in the earth frame, twist in the vehicle's; what is unknown is NaN there."""
    message = Odometry(header=header(vehicle.stamp_ns, vehicle.earth_frame), child_frame_id=vehicle.vehicle_frame)
    message.pose.pose.orientation = quaternion_message(vehicle.earth_from_vehicle_wxyz)
    x, y, z = vehicle.position_earth_m.tolist()
    message.pose.pose.position = Point(x=x, y=y, z=z)
    message.twist.twist.linear = vector_message(
        matrix_from_quaternion(vehicle.earth_from_vehicle_wxyz).T @ vehicle.velocity_earth_m_s
    )
    message.twist.twist.angular = vector_message(vehicle.rate_rad_s)
    return message


def vehicle_from_odometry(message: Odometry) -> VehicleAttitude:
    """Its twist is in the vehicle's frame (nav_msgs), so velocities are turned. Raises ValueError for no rotation."""
    pose, twist = message.pose.pose, message.twist.twist
    quaternion = _rotation(pose.orientation)
    return VehicleAttitude(
        stamp_of(message.header.stamp),
        message.child_frame_id,
        message.header.frame_id,
        quaternion,
        xyz_of(twist.angular),
        matrix_from_quaternion(quaternion) @ xyz_of(twist.linear),
        xyz_of(pose.position),
    )


def _rotation(q: Quaternion) -> NDArray[np.float64]:
    quaternion = wxyz_of(q)
    norm = float(np.linalg.norm(quaternion))
    if fault_of(norm, (), VEHICLE_LIMITS) is not None:
        raise Unusable('no rotation', f'the orientation {quaternion.tolist()} is no rotation.')
    return quaternion / norm
