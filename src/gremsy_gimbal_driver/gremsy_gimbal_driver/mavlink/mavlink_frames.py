# SPDX-License-Identifier: Apache-2.0
"""NED/FRD of MAVLink <-> REP-103 of ROS. The only module of the suite in which an axis changes its sign.

MAVLink: x forward, y right, z down in the level frame and in the camera's; so pitch up +, yaw right +, roll right +.
Suite: x forward, y left, z up in both; azimuth left +, tilt down +. Going over is half a turn about x, for both frames
alike: y and z change sign, in vectors and in quaternions.

The earth frames differ by more: NED has x north, ENU has x east, so yaw 0 of the one is yaw 90 degrees of the other
(yaw_enu = 90 degrees - yaw_ned; negating in one mode only is a known bug of peers, gimbal.md 1.7).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gremsy_common.geometry import multiply_quaternions

Array = NDArray[np.float64]
Triple = tuple[float, float, float]

NORTH_IN_EARTH_RAD = math.pi / 2
"""Azimuth of north in an ENU frame, whose x axis looks east."""

ENCODER_SIGNS: Triple = (-1.0, 1.0, 1.0)
"""Yaw, roll, pitch: REP-103 angle over encoder angle. Yaw is right + and roll right + as on all of the wire; pitch runs
opposite to the attitude's pitch, so it is down + already (F4F, gimbal.md 1.7)."""

IMU_AXES = ('right', 'forward', 'up')
"""Where x, y and z of the IMU point in RAW_IMU 27, unlike all else on the wire. In the vendor's log (gSDK's README,
6.16) z is +1 g at rest, x falls by g sin(roll), and the y gyro is positive while the roll (right side down +) grows."""

_DIRECTIONS = {
    'forward': (1.0, 0.0, 0.0),
    'back': (-1.0, 0.0, 0.0),
    'left': (0.0, 1.0, 0.0),
    'right': (0.0, -1.0, 0.0),
    'up': (0.0, 0.0, 1.0),
    'down': (0.0, 0.0, -1.0),
}

_HALF_TURN_ABOUT_X: Array = np.array([1.0, -1.0, -1.0])
_HALF_TURN_ON_BOTH_SIDES: Array = np.array([1.0, 1.0, -1.0, -1.0])
# Half a turn about the axis between x and y takes ENU to NED and back.
_NED_FROM_ENU: Array = np.array([0.0, math.sqrt(0.5), math.sqrt(0.5), 0.0])
_FLU_FROM_FRD: Array = np.array([0.0, 1.0, 0.0, 0.0])


def level_from_camera_flu(q_frd_wxyz: ArrayLike) -> Array:
    """(..., 4) quaternion of message 285 (camera FRD to level NED) as camera FLU to level, w, x, y, z."""
    return np.asarray(np.asarray(q_frd_wxyz, dtype=np.float64) * _HALF_TURN_ON_BOTH_SIDES)


q_frd_from_level_camera = level_from_camera_flu
"""The inverse, for message 284 in its angle form: the half turn is its own inverse."""


def vector_flu(vector_of_frd: ArrayLike) -> Array:
    """(..., 3) forward, right, down to forward, left, up; angular velocities too."""
    return np.asarray(np.asarray(vector_of_frd, dtype=np.float64) * _HALF_TURN_ABOUT_X)


vector_frd = vector_flu
"""The inverse: (..., 3) forward, left, up to forward, right, down."""


def camera_from_imu(axes: Sequence[str]) -> Array:
    """(3, 3) from the IMU's own axes to forward, left, up, by where its x, y and z point.

    Raises:
        ValueError: what those axes are instead of three of a sensor.
    """
    if len(axes) != 3 or not set(axes) <= _DIRECTIONS.keys():
        raise ValueError(f'use three of {", ".join(_DIRECTIONS)}')
    matrix = _columns(axes)
    if not _is_rotation(matrix):
        raise ValueError(
            'no sensor has such axes: use three at right angles, of which z is up where x is forward and y left'
        )
    return matrix


def imu_mountings() -> list[tuple[tuple[str, str, str], Array]]:
    """Every way in which an IMU can sit square to the camera, 24, as `camera_from_imu` takes and gives them."""
    named = [(axes, _columns(axes)) for axes in permutations(_DIRECTIONS, 3)]
    return [(axes, matrix) for axes, matrix in named if _is_rotation(matrix)]


def _columns(axes: Sequence[str]) -> Array:
    return np.array([_DIRECTIONS[axis] for axis in axes]).T


def _is_rotation(columns: Array) -> bool:
    """Of three of the directions: whether they are at right angles and right-handed."""
    return bool(np.linalg.det(columns) > 0.5)


def wire_rates(azimuth_rate_rad_s: float, tilt_rate_rad_s: float) -> tuple[float, float, float]:
    """Rates in the level frame as message 284 wants them: roll, pitch (up +), yaw (right +), rad/s."""
    return 0.0, -tilt_rate_rad_s, -azimuth_rate_rad_s


def level_rates(pitch_rate_rad_s: float, yaw_rate_rad_s: float) -> tuple[float, float]:
    """What the rates of message 284 are: azimuth rate (left +), tilt rate (down +), rad/s."""
    return -yaw_rate_rad_s, -pitch_rate_rad_s


def ned_degrees(azimuth_rad: float, tilt_rad: float) -> tuple[float, float]:
    """A bearing as pitch (up +) and yaw (right +) in degrees, for MOUNT_ORIENTATION 265."""
    return -float(np.degrees(tilt_rad)), -float(np.degrees(azimuth_rad))


def level_limits(limits_ned_rad: tuple[float, float]) -> tuple[float, float]:
    """Limits of pitch (up +) or yaw (right +) as those of tilt (down +) or azimuth (left +): low and high change."""
    low, high = limits_ned_rad
    return -high, -low


def roll_pitch_yaw_ned(yaw_rad: float, roll_rad: float, pitch_rad: float) -> Triple:
    """3-1-2 angles of the suite (yaw left +, pitch down +) as the wire's: roll, pitch (up +), yaw (right +).

    Mind the order: the suite names them in the order of the motors, MAVLink as roll, pitch, yaw.
    """
    return roll_rad, -pitch_rad, -yaw_rad


def yaw_roll_pitch_flu(roll_rad: float, pitch_rad: float, yaw_rad: float) -> Triple:
    """The inverse of `roll_pitch_yaw_ned`: 265's angles as yaw, roll, pitch of the suite."""
    return -yaw_rad, roll_rad, -pitch_rad


def heading_from_delta_yaw(delta_yaw_rad: float) -> float:
    """285's delta_yaw (the vehicle's yaw from north, right +) as an azimuth in a level frame whose x looks north.

    Its rate likewise.
    """
    return -delta_yaw_rad


def q_frd_ned_from_enu(earth_from_vehicle_wxyz: ArrayLike) -> Array:
    """(..., 4) vehicle FLU to ENU as vehicle FRD to NED, which message 286 carries."""
    return multiply_quaternions(multiply_quaternions(_NED_FROM_ENU, earth_from_vehicle_wxyz), _FLU_FROM_FRD)


enu_from_q_frd_ned = q_frd_ned_from_enu
"""The inverse, up to the quaternion's sign: both turns are their own inverses."""


def vector_ned(vector_enu: ArrayLike) -> Array:
    """(..., 3) east, north, up to north, east, down, and back: the exchange is its own inverse."""
    vector = np.asarray(vector_enu, dtype=np.float64)
    return np.stack([vector[..., 1], vector[..., 0], -vector[..., 2]], axis=-1)
