# SPDX-License-Identifier: Apache-2.0
"""What the gimbal says and is asked (`gimbal_state`) <-> Imu, TwistStamped, JointState and Range."""

from __future__ import annotations

import math

import numpy as np
from geometry_msgs.msg import Quaternion, TwistStamped, Vector3
from sensor_msgs.msg import Imu, JointState, Range

from gremsy_common.errors import Unusable
from gremsy_common.ros.messages.header_messages import (
    header,
    origin_of,
    quaternion_message,
    stamp_of,
    vector_message,
    wxyz_of,
    xyz_of,
)
from gremsy_common.types.attitude_screen import fault_of
from gremsy_common.types.gimbal_state import (
    EarthAttitude,
    GimbalAttitude,
    ImuReading,
    LevelHeading,
    RangeReading,
    RateSetpoint,
    ZoomState,
)

ZOOM_JOINT = 'zoom'


def attitude_message(attitude: GimbalAttitude) -> Imu:
    """Orientation and angular velocity; the linear acceleration is marked as not given (covariance -1)."""
    message = Imu(
        header=header(attitude.stamp_ns, attitude.frame_id),
        orientation=quaternion_message(attitude.level_from_camera_wxyz),
        angular_velocity=vector_message(attitude.rate_rad_s),
    )
    message.linear_acceleration_covariance[0] = -1.0
    return message


def attitude_from(message: Imu) -> GimbalAttitude:
    """Raises ValueError when the orientation is no rotation or a rate is not finite."""
    quaternion, rates = wxyz_of(message.orientation), xyz_of(message.angular_velocity)
    norm = float(np.linalg.norm(quaternion))
    if fault_of(norm, rates) is not None or not np.isfinite(rates).all():
        raise Unusable(
            'no attitude', f'the orientation {quaternion.tolist()} with rates {rates.tolist()} is no attitude.'
        )
    return GimbalAttitude(*origin_of(message), quaternion / norm, rates)


def setpoint_message(setpoint: RateSetpoint) -> TwistStamped:
    """Only azimuth (z) and tilt (y) rates are set."""
    message = TwistStamped(header=header(setpoint.stamp_ns, setpoint.frame_id))
    message.twist.angular.z = setpoint.azimuth_rate_rad_s
    message.twist.angular.y = setpoint.tilt_rate_rad_s
    return message


def setpoint_from(message: TwistStamped) -> RateSetpoint:
    """Whether the numbers are fit to move a gimbal is the driver's to judge, not the conversion's."""
    angular = message.twist.angular
    return RateSetpoint(*origin_of(message), float(angular.z), float(angular.y))


def zoom_message(zoom: ZoomState) -> JointState:
    """One joint, `zoom`, whose position is the magnification."""
    return JointState(header=header(zoom.stamp_ns, ''), name=[ZOOM_JOINT], position=[zoom.factor])


def zoom_from(message: JointState) -> ZoomState:
    """Raises ValueError where there is no positive, finite zoom joint."""
    positions = dict(zip(message.name, message.position, strict=False))
    factor = float(positions.get(ZOOM_JOINT, np.nan))
    if not (np.isfinite(factor) and factor > 0):
        raise Unusable('not positive', f'joint `{ZOOM_JOINT}` is {factor}: a positive magnification is needed.')
    return ZoomState(stamp_of(message.header.stamp), factor)


def earth_attitude_message(attitude: EarthAttitude) -> Imu:
    """Like the attitude in the level frame."""
    return attitude_message(
        GimbalAttitude(attitude.stamp_ns, attitude.frame_id, attitude.earth_from_camera_wxyz, attitude.rate_rad_s)
    )


def earth_attitude_from(message: Imu) -> EarthAttitude:
    """Raises ValueError when the orientation is no rotation or a rate is not finite."""
    same = attitude_from(message)
    return EarthAttitude(same.stamp_ns, same.frame_id, same.level_from_camera_wxyz, same.rate_rad_s)


def heading_message(heading: LevelHeading) -> Imu:
    """Orientation of the level frame, which turns about up alone; a rate that is not known has covariance -1."""
    known = math.isfinite(heading.rate_rad_s)
    half = heading.heading_rad / 2
    message = Imu(
        header=header(heading.stamp_ns, heading.frame_id),
        orientation=Quaternion(w=math.cos(half), z=math.sin(half)),
        angular_velocity=Vector3(z=heading.rate_rad_s if known else 0.0),
    )
    message.linear_acceleration_covariance[0] = -1.0
    if not known:
        message.angular_velocity_covariance[0] = -1.0
    return message


def heading_from(message: Imu) -> LevelHeading:
    """Raises ValueError when the orientation is no turn about up."""
    w, x, y, z = message.orientation.w, message.orientation.x, message.orientation.y, message.orientation.z
    norm = math.hypot(w, z)
    if fault_of(norm, ()) is not None or not math.hypot(x, y) < 0.01:
        raise Unusable('no heading', f'the orientation {[w, x, y, z]} is no turn about up.')
    known = message.angular_velocity_covariance[0] != -1.0 and math.isfinite(message.angular_velocity.z)
    rate_rad_s = float(message.angular_velocity.z) if known else math.nan
    return LevelHeading(*origin_of(message), 2 * math.atan2(z, w), rate_rad_s)


def imu_message(reading: ImuReading) -> Imu:
    """Acceleration and angular velocity; the orientation is marked as not given (covariance -1)."""
    message = Imu(
        header=header(reading.stamp_ns, reading.frame_id),
        angular_velocity=vector_message(reading.rate_rad_s),
        linear_acceleration=vector_message(reading.acceleration_m_s2),
    )
    message.orientation_covariance[0] = -1.0
    return message


def imu_from(message: Imu) -> ImuReading:
    """Raises ValueError when a number is not finite."""
    accelerations, rates = xyz_of(message.linear_acceleration), xyz_of(message.angular_velocity)
    if not (np.isfinite(accelerations).all() and np.isfinite(rates).all()):
        raise Unusable(
            'not finite', f'accelerations {accelerations.tolist()} with rates {rates.tolist()} are no IMU reading.'
        )
    return ImuReading(*origin_of(message), accelerations, rates)


def range_message(reading: RangeReading) -> Range:
    """A laser is an infrared device to sensor_msgs."""
    return Range(
        header=header(reading.stamp_ns, reading.frame_id),
        radiation_type=Range.INFRARED,
        field_of_view=reading.beam_rad,
        min_range=reading.min_m,
        max_range=reading.max_m,
        range=reading.range_m,
    )


def range_from(message: Range) -> RangeReading:
    """Raises ValueError for NaN; infinities mean too near and too far."""
    if np.isnan(message.range):
        raise Unusable('not finite', 'the range is not a number.')
    numbers = (message.range, message.min_range, message.max_range, message.field_of_view)
    return RangeReading(*origin_of(message), *map(float, numbers))
