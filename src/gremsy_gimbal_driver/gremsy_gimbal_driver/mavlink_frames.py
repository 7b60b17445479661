# SPDX-License-Identifier: Apache-2.0
"""NED/FRD of MAVLink <-> REP-103 of ROS. The only module of the suite in which an axis changes its sign.

MAVLink: x forward, y right, z down in the level frame and in the camera's; so pitch up +, yaw right +, roll right +.
Suite: x forward, y left, z up in both; azimuth left +, tilt down +. Going over is half a turn about x, for both frames
alike: y and z change sign, in vectors and in quaternions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_HALF_TURN_ABOUT_X: Array = np.array([1.0, -1.0, -1.0])
_HALF_TURN_ON_BOTH_SIDES: Array = np.array([1.0, 1.0, -1.0, -1.0])


def level_from_camera_flu(q_frd_wxyz: ArrayLike) -> Array:
    """(..., 4) quaternion of message 285 (camera FRD to level NED) as camera FLU to level, w, x, y, z."""
    return np.asarray(np.asarray(q_frd_wxyz, dtype=np.float64) * _HALF_TURN_ON_BOTH_SIDES)


def q_frd_from_level_camera(level_from_camera_wxyz: ArrayLike) -> Array:
    """The inverse of `level_from_camera_flu`, for message 284 in its angle form; the half turn is its own inverse."""
    return level_from_camera_flu(level_from_camera_wxyz)


def vector_flu(vector_frd: ArrayLike) -> Array:
    """(..., 3) forward, right, down to forward, left, up; angular velocities too."""
    return np.asarray(np.asarray(vector_frd, dtype=np.float64) * _HALF_TURN_ABOUT_X)


def vector_frd(vector_flu: ArrayLike) -> Array:
    """(..., 3) forward, left, up to forward, right, down; angular velocities too."""
    return np.asarray(np.asarray(vector_flu, dtype=np.float64) * _HALF_TURN_ABOUT_X)


def wire_rates(azimuth_rate_rad_s: float, tilt_rate_rad_s: float) -> tuple[float, float, float]:
    """Rates in the level frame as message 284 wants them: roll, pitch (up +), yaw (right +), rad/s."""
    return 0.0, -tilt_rate_rad_s, -azimuth_rate_rad_s


def level_rates(pitch_rate_rad_s: float, yaw_rate_rad_s: float) -> tuple[float, float]:
    """What a payload makes of the rates of message 284: azimuth rate (left +), tilt rate (down +), rad/s."""
    return -yaw_rate_rad_s, -pitch_rate_rad_s


def ned_degrees(azimuth_rad: float, tilt_rad: float) -> tuple[float, float]:
    """A bearing as pitch (up +) and yaw (right +) in degrees, for MOUNT_ORIENTATION 265."""
    return -float(np.degrees(tilt_rad)), -float(np.degrees(azimuth_rad))
