# SPDX-License-Identifier: Apache-2.0
"""GimbalAttitude, RateSetpoint and ZoomState <-> Imu, TwistStamped and JointState."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Quaternion, TwistStamped, Vector3
from sensor_msgs.msg import Imu, JointState

from gremsy_common.gimbal_state import GimbalAttitude, RateSetpoint, ZoomState
from gremsy_common.messages.header import header, stamp_of

ZOOM_JOINT = 'zoom'


def attitude_message(attitude: GimbalAttitude) -> Imu:
    """Orientation and angular velocity; the linear acceleration is marked as not given (covariance -1)."""
    w, x, y, z = attitude.level_from_camera_wxyz.tolist()
    rate_x, rate_y, rate_z = attitude.rate_rad_s.tolist()
    message = Imu(
        header=header(attitude.stamp_ns, attitude.frame_id),
        orientation=Quaternion(w=w, x=x, y=y, z=z),
        angular_velocity=Vector3(x=rate_x, y=rate_y, z=rate_z),
    )
    message.linear_acceleration_covariance[0] = -1.0
    return message


def attitude_from(message: Imu) -> GimbalAttitude:
    """Raises ValueError when the orientation is no rotation or a rate is not finite."""
    q, rate = message.orientation, message.angular_velocity
    quaternion = np.array([q.w, q.x, q.y, q.z])
    rates = np.array([rate.x, rate.y, rate.z])
    norm = float(np.linalg.norm(quaternion))
    if not (np.isfinite(norm) and 0.9 < norm < 1.1 and np.isfinite(rates).all()):
        raise ValueError(f'the orientation {quaternion.tolist()} with rates {rates.tolist()} is no attitude.')
    return GimbalAttitude(stamp_of(message.header.stamp), message.header.frame_id, quaternion / norm, rates)


def setpoint_message(setpoint: RateSetpoint) -> TwistStamped:
    """Only azimuth (z) and tilt (y) rates are set."""
    message = TwistStamped(header=header(setpoint.stamp_ns, setpoint.frame_id))
    message.twist.angular.z = setpoint.azimuth_rate_rad_s
    message.twist.angular.y = setpoint.tilt_rate_rad_s
    return message


def setpoint_from(message: TwistStamped) -> RateSetpoint:
    """Whether the numbers are fit to move a gimbal is the driver's to judge, not the conversion's."""
    angular = message.twist.angular
    return RateSetpoint(stamp_of(message.header.stamp), message.header.frame_id, float(angular.z), float(angular.y))


def zoom_message(zoom: ZoomState) -> JointState:
    """One joint, `zoom`, whose position is the magnification."""
    return JointState(header=header(zoom.stamp_ns, ''), name=[ZOOM_JOINT], position=[zoom.factor])


def zoom_from(message: JointState) -> ZoomState:
    """Raises ValueError where there is no positive, finite zoom joint."""
    positions = dict(zip(message.name, message.position, strict=False))
    factor = float(positions.get(ZOOM_JOINT, np.nan))
    if not (np.isfinite(factor) and factor > 0):
        raise ValueError(f'joint `{ZOOM_JOINT}` is {factor}: a positive magnification is needed.')
    return ZoomState(stamp_of(message.header.stamp), factor)
