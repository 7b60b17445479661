# SPDX-License-Identifier: Apache-2.0
"""3-1-2 Euler angles: yaw about up, then roll about forward, then pitch about left (REP-103 axes).

This is the mechanical order of a Gremsy (yaw motor, roll motor, pitch motor) and, unlike 3-2-1, it is not singular when
the camera looks straight down (gimbal.md 1.7); it is singular only at 90 degrees of roll, which no gimbal reaches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gremsy_common.geometry import matrix_from_quaternion, multiply_quaternions

Array = NDArray[np.float64]


def yaw_roll_pitch(level_from_camera_wxyz: ArrayLike) -> Array:
    """(..., 3) yaw, roll, pitch in rad with Rz(yaw) Rx(roll) Ry(pitch) equal to the rotation.

    Pitch about the left axis is tilt, positive down; with no roll, yaw is the bearing's azimuth and pitch its tilt.
    """
    matrix = matrix_from_quaternion(level_from_camera_wxyz)
    yaw = np.arctan2(-matrix[..., 0, 1], matrix[..., 1, 1])
    roll = np.arctan2(matrix[..., 2, 1], np.hypot(matrix[..., 2, 0], matrix[..., 2, 2]))
    pitch = np.arctan2(-matrix[..., 2, 0], matrix[..., 2, 2])
    return np.stack([yaw, roll, pitch], axis=-1)


def quaternion_from_yaw_roll_pitch(yaw_rad: ArrayLike, roll_rad: ArrayLike, pitch_rad: ArrayLike) -> Array:
    """(..., 4) Rz(yaw) Rx(roll) Ry(pitch), w, x, y, z; what `yaw_roll_pitch` takes apart."""
    yaw, roll, pitch = np.broadcast_arrays(
        *(np.asarray(each, dtype=np.float64) / 2 for each in (yaw_rad, roll_rad, pitch_rad))
    )
    zero = np.zeros_like(yaw)
    about_z = np.stack([np.cos(yaw), zero, zero, np.sin(yaw)], axis=-1)
    about_x = np.stack([np.cos(roll), np.sin(roll), zero, zero], axis=-1)
    about_y = np.stack([np.cos(pitch), zero, np.sin(pitch), zero], axis=-1)
    return multiply_quaternions(multiply_quaternions(about_z, about_x), about_y)
