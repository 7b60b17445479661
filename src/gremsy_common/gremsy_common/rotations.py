# SPDX-License-Identifier: Apache-2.0
"""Quaternions, rotation matrices and bearings, in REP-103 axes (x forward, y left, z up).

Quaternions are (..., 4) in w, x, y, z order. A rotation called `a_from_b` takes coordinates in frame b to frame a, so
that inner names must match: `level_from_optical = level_from_camera @ CAMERA_FROM_OPTICAL`.

A bearing is (azimuth, tilt): azimuth about up, positive to the left; tilt about the left axis, positive *down*. They
are the angles whose rates `gimbal/setpoint` carries, and `Rz(azimuth) @ Ry(tilt)` points the x axis along the bearing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# REP-103: an optical frame has z forward, x right, y down.
CAMERA_FROM_OPTICAL: Array = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def matrix_from_quaternion(quaternion_wxyz: ArrayLike) -> Array:
    """(..., 4) quaternions, any positive norm, to (..., 3, 3) rotation matrices."""
    q = np.asarray(quaternion_wxyz, dtype=np.float64)
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def multiply_quaternions(a: ArrayLike, b: ArrayLike) -> Array:
    """Hamilton product a * b of (..., 4) quaternions: the rotation b, then a."""
    aw, ax, ay, az = np.moveaxis(np.asarray(a, dtype=np.float64), -1, 0)
    bw, bx, by, bz = np.moveaxis(np.asarray(b, dtype=np.float64), -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def quaternion_from_rotation_vector(rotation_rad: ArrayLike) -> Array:
    """(..., 3) rotation vectors (axis times angle, rad) to (..., 4) unit quaternions."""
    vector = np.asarray(rotation_rad, dtype=np.float64)
    angle = np.linalg.norm(vector, axis=-1, keepdims=True)
    # sin(angle / 2) / angle, finite at 0: numpy's sinc is sin(pi x) / (pi x).
    return np.concatenate([np.cos(angle / 2), 0.5 * np.sinc(angle / (2 * np.pi)) * vector], axis=-1)


def quaternion_from_bearing(azimuth_rad: ArrayLike, tilt_rad: ArrayLike) -> Array:
    """Level camera looking along a bearing: Rz(azimuth) Ry(tilt), no roll; broadcast, (..., 4)."""
    half_azimuth, half_tilt = np.broadcast_arrays(
        np.asarray(azimuth_rad, dtype=np.float64) / 2, np.asarray(tilt_rad, dtype=np.float64) / 2
    )
    ca, sa, ct, st = np.cos(half_azimuth), np.sin(half_azimuth), np.cos(half_tilt), np.sin(half_tilt)
    return np.stack([ca * ct, -sa * st, ca * st, sa * ct], axis=-1)


def direction_from_bearing(azimuth_rad: ArrayLike, tilt_rad: ArrayLike) -> Array:
    """Unit vectors (..., 3) along bearings."""
    azimuth, tilt = np.broadcast_arrays(
        np.asarray(azimuth_rad, dtype=np.float64), np.asarray(tilt_rad, dtype=np.float64)
    )
    return np.stack([np.cos(tilt) * np.cos(azimuth), np.cos(tilt) * np.sin(azimuth), -np.sin(tilt)], axis=-1)


def bearing_from_direction(direction: ArrayLike) -> Array:
    """(..., 2) azimuth, tilt in rad of (..., 3) directions of any positive length."""
    x, y, z = np.moveaxis(np.asarray(direction, dtype=np.float64), -1, 0)
    return np.stack([np.arctan2(y, x), np.arctan2(-z, np.hypot(x, y))], axis=-1)


def wrap_angle(angle_rad: ArrayLike) -> Array:
    """To [-pi, pi)."""
    return np.asarray((np.asarray(angle_rad, dtype=np.float64) + np.pi) % (2 * np.pi) - np.pi)
