# SPDX-License-Identifier: Apache-2.0
"""What 285 and 265 say of the camera, in one form: REP-103 axes, and against what the azimuth counts.

The level frame has its z axis up, whatever the vehicle does (a Gremsy's roll and pitch are against gravity, gimbal.md
1.7), and its x axis is where the mode's azimuth 0 is: the vehicle's heading in follow, north or the heading at power-up
in lock. That is the frame in which the gimbal takes angle commands in that mode; an angle of the one used in the other
has slewed a camera by 202 degrees (gimbal.md 1.9), so every reading carries the name of its frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import (
    matrix_from_quaternion,
    multiply_quaternions,
    quaternion_from_bearing,
    quaternion_from_yaw_roll_pitch,
)
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, MountOrientation
from gremsy_gimbal_driver.mavlink.mavlink_frames import (
    heading_from_delta_yaw,
    level_from_camera_flu,
    vector_flu,
    yaw_roll_pitch_flu,
)

Array = NDArray[np.float64]

_YAW_LOCK = dialect.GIMBAL_DEVICE_FLAGS_YAW_LOCK
_YAW_IN_VEHICLE = dialect.GIMBAL_DEVICE_FLAGS_YAW_IN_VEHICLE_FRAME
_YAW_IN_EARTH = dialect.GIMBAL_DEVICE_FLAGS_YAW_IN_EARTH_FRAME


class YawFrame(str, Enum):
    """Where azimuth 0 is."""

    VEHICLE = 'vehicle'  # the vehicle's heading
    EARTH = 'earth'  # north where the gimbal is fed the vehicle's attitude, else the heading at power-up


class AttitudeSource(str, Enum):
    """Which message it came from."""

    STATUS = 'GIMBAL_DEVICE_ATTITUDE_STATUS 285'
    ORIENTATION = 'MOUNT_ORIENTATION 265'


@dataclass(frozen=True, slots=True, eq=False)
class AttitudeReading:
    """One attitude as the device measured it, before it has a time of ours.

    Attributes:
        time_boot_ms: the device's clock.
        source: the message.
        level_from_camera_wxyz: (4,) unit quaternion.
        rate_rad_s: (3,) about the camera's axes; None where the device does not say.
        yaw_frame: of the level frame.
        heading_rad: azimuth of the vehicle's heading in the earth-fixed level frame; None where it is not said.
    """

    time_boot_ms: int
    source: AttitudeSource
    level_from_camera_wxyz: Array
    rate_rad_s: Array | None
    yaw_frame: YawFrame
    heading_rad: float | None


def reading_from_status(status: AttitudeStatus) -> AttitudeReading:
    """285, turned into the frame of the mode's angle commands where it reports the other one and their difference.

    From firmware 7.8.7 on a Gremsy reports the vehicle's frame in lock, too (QGC #14865).
    """
    quaternion = level_from_camera_flu(status.q_frd_wxyz)
    rates = vector_flu(status.rates_frd_rad_s)
    reported, heading = _reported_frame(status)
    wanted = YawFrame.EARTH if status.flags & _YAW_LOCK else YawFrame.VEHICLE
    if reported is not wanted and heading is not None:
        sign = 1.0 if wanted is YawFrame.EARTH else -1.0
        quaternion = _turned(quaternion, sign * heading)
        up_in_camera = matrix_from_quaternion(quaternion)[2]
        rates = rates + sign * heading_from_delta_yaw(status.delta_yaw_rate_rad_s) * up_in_camera
        reported = wanted
    known = bool(np.isfinite(rates).all())
    return AttitudeReading(
        status.time_boot_ms, AttitudeSource.STATUS, quaternion, rates if known else None, reported, heading
    )


def reading_from_orientation(orientation: MountOrientation, locked: bool = False) -> AttitudeReading:
    """265: three angles and no flags, so the mode must be told; no rates.

    The angles are put together in the order of the motors (yaw, roll, pitch). What old firmware means is written
    nowhere; without roll, which it holds at 0, the order makes no difference.
    """
    absolute = orientation.yaw_absolute_rad
    has_absolute = math.isfinite(absolute)
    in_earth = locked and has_absolute
    yaw, roll, pitch = yaw_roll_pitch_flu(
        orientation.roll_rad, orientation.pitch_rad, absolute if in_earth else orientation.yaw_rad
    )
    delta = math.remainder(absolute - orientation.yaw_rad, 2 * math.pi)
    heading = heading_from_delta_yaw(delta) if has_absolute else None
    return AttitudeReading(
        orientation.time_boot_ms,
        AttitudeSource.ORIENTATION,
        quaternion_from_yaw_roll_pitch(yaw, roll, pitch),
        None,
        YawFrame.EARTH if in_earth else YawFrame.VEHICLE,
        heading,
    )


def _reported_frame(status: AttitudeStatus) -> tuple[YawFrame, float | None]:
    """The frame that 285's quaternion is in, and the heading where delta_yaw may be believed.

    Old firmware sets neither YAW_IN_* flag: then YAW_LOCK decides and delta_yaw is to be ignored, being 0 for want of
    the field (MAVLink's text of 285). Both flags at once are not allowed and say as little.
    """
    flags = status.flags & (_YAW_IN_VEHICLE | _YAW_IN_EARTH)
    if flags not in (_YAW_IN_VEHICLE, _YAW_IN_EARTH):
        return (YawFrame.EARTH if status.flags & _YAW_LOCK else YawFrame.VEHICLE), None
    delta = status.delta_yaw_rad
    heading = heading_from_delta_yaw(delta) if math.isfinite(delta) else None
    return (YawFrame.VEHICLE if flags == _YAW_IN_VEHICLE else YawFrame.EARTH), heading


def _turned(level_from_camera_wxyz: Array, azimuth_rad: float) -> Array:
    return multiply_quaternions(quaternion_from_bearing(azimuth_rad, 0.0), level_from_camera_wxyz)
