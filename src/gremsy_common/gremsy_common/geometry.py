# SPDX-License-Identifier: Apache-2.0
"""Quaternions, rotation matrices and bearings, in REP-103 axes (x forward, y left, z up).

Quaternions are (..., 4) in w, x, y, z order. A rotation called `a_from_b` takes coordinates in frame b to frame a, so
that inner names must match: `level_from_optical = level_from_camera @ CAMERA_FROM_OPTICAL`.

A bearing is (azimuth, tilt): azimuth about up, positive to the left; tilt about the left axis, positive *down*. They
are the angles whose rates `gimbal/setpoint` carries, and `Rz(azimuth) @ Ry(tilt)` points the x axis along the bearing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# REP-103: an optical frame has z forward, x right, y down.
CAMERA_FROM_OPTICAL: Array = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def matrix_from_quaternion(quaternion_wxyz: ArrayLike) -> Array:
    """(..., 4) quaternions, any positive norm, to (..., 3, 3) rotation matrices."""
    q = np.asarray(quaternion_wxyz, dtype=np.float64)
    w, x, y, z = _components(q)
    # Twice the products over the squared norm, so that no normalised copy is needed.
    s = 2.0 / (w * w + x * x + y * y + z * z)
    matrix = np.empty((*q.shape[:-1], 3, 3))
    matrix[..., 0, 0] = 1 - s * (y * y + z * z)
    matrix[..., 0, 1] = s * (x * y - w * z)
    matrix[..., 0, 2] = s * (x * z + w * y)
    matrix[..., 1, 0] = s * (x * y + w * z)
    matrix[..., 1, 1] = 1 - s * (x * x + z * z)
    matrix[..., 1, 2] = s * (y * z - w * x)
    matrix[..., 2, 0] = s * (x * z - w * y)
    matrix[..., 2, 1] = s * (y * z + w * x)
    matrix[..., 2, 2] = 1 - s * (x * x + y * y)
    return matrix


def multiply_quaternions(a: ArrayLike, b: ArrayLike) -> Array:
    """Hamilton product a * b of (..., 4) quaternions: the rotation b, then a."""
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    aw, ax, ay, az = _components(first)
    bw, bx, by, bz = _components(second)
    product = (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )
    return np.array(product) if first.ndim == second.ndim == 1 else np.stack(product, axis=-1)


def quaternion_from_rotation_vector(rotation_rad: ArrayLike) -> Array:
    """(..., 3) rotation vectors (axis times angle, rad) to (..., 4) unit quaternions."""
    vector = np.asarray(rotation_rad, dtype=np.float64)
    if vector.ndim == 1:  # a single one takes 15 us with arrays
        x, y, z = vector.tolist()
        angle = math.sqrt(x * x + y * y + z * z)
        scale = math.sin(angle / 2) / angle if angle > 0.0 else 0.5
        return np.array([math.cos(angle / 2), scale * x, scale * y, scale * z])
    angle = np.sqrt((vector * vector).sum(axis=-1))
    # sin(angle / 2) / angle, finite at 0: numpy's sinc is sin(pi x) / (pi x).
    quaternion = np.empty((*vector.shape[:-1], 4))
    quaternion[..., 0] = np.cos(angle / 2)
    quaternion[..., 1:] = (0.5 * np.sinc(angle / (2 * np.pi)))[..., None] * vector
    return quaternion


def rotation_vector_between(a: ArrayLike, b: ArrayLike) -> Array:
    """(..., 3) shortest rotation that takes (..., 4) unit quaternions a to b, axis times angle, about b's own axes."""
    first = np.asarray(a, dtype=np.float64)
    turn = multiply_quaternions(first * [1.0, -1.0, -1.0, -1.0], b)
    turn = np.where(turn[..., :1] < 0, -turn, turn)
    sine = np.linalg.norm(turn[..., 1:], axis=-1)
    angle = 2 * np.arctan2(sine, turn[..., 0])
    # angle / sine is 2 at no turn; the tiny denominator only keeps 0 / 0 away.
    scale = np.where(sine < 1e-12, 2.0, angle / np.maximum(sine, 1e-300))
    return np.asarray(turn[..., 1:] * scale[..., None])


def quaternion_from_bearing(azimuth_rad: ArrayLike, tilt_rad: ArrayLike) -> Array:
    """Level camera looking along a bearing: Rz(azimuth) Ry(tilt), no roll; broadcast, (..., 4)."""
    half_azimuth, half_tilt = np.broadcast_arrays(
        np.asarray(azimuth_rad, dtype=np.float64) / 2, np.asarray(tilt_rad, dtype=np.float64) / 2
    )
    ca, sa, ct, st = np.cos(half_azimuth), np.sin(half_azimuth), np.cos(half_tilt), np.sin(half_tilt)
    return np.stack([ca * ct, -sa * st, ca * st, sa * ct], axis=-1)


def direction_from_bearing(azimuth_rad: ArrayLike, tilt_rad: ArrayLike) -> Array:
    """Unit vectors (..., 3) along bearings."""
    azimuth, tilt = np.asarray(azimuth_rad, dtype=np.float64), np.asarray(tilt_rad, dtype=np.float64)
    level = np.cos(tilt)
    forward = level * np.cos(azimuth)
    direction = np.empty((*np.shape(forward), 3))
    direction[..., 0] = forward
    direction[..., 1] = level * np.sin(azimuth)
    direction[..., 2] = -np.sin(tilt)
    return direction


def bearing_from_direction(direction: ArrayLike) -> Array:
    """(..., 2) azimuth, tilt in rad of (..., 3) directions of any positive length."""
    vector = np.asarray(direction, dtype=np.float64)
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    bearing = np.empty((*vector.shape[:-1], 2))
    bearing[..., 0] = np.arctan2(y, x)
    bearing[..., 1] = np.arctan2(-z, np.hypot(x, y))
    return bearing


def yaw_roll_pitch(level_from_camera_wxyz: ArrayLike) -> Array:
    """(..., 3) 3-1-2 Euler angles in rad: Rz(yaw) Rx(roll) Ry(pitch) is the rotation (about up, forward, left).

    This is the mechanical order of a Gremsy (yaw, roll, pitch motor) and, unlike 3-2-1, it is not singular when the
    camera looks straight down (gimbal.md 1.7), only at 90 degrees of roll, which no gimbal reaches. Pitch is tilt,
    positive down; with no roll, yaw is the bearing's azimuth and pitch its tilt.
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


def wrap_angle(angle_rad: ArrayLike) -> Array:
    """To [-pi, pi)."""
    return np.asarray((np.asarray(angle_rad, dtype=np.float64) + np.pi) % (2 * np.pi) - np.pi)


def _components(quaternions: Array) -> tuple[Any, Any, Any, Any]:
    """w, x, y, z as Python floats of a single quaternion (a tenth of the time), else as arrays."""
    if quaternions.ndim == 1:
        w, x, y, z = quaternions.tolist()
        return w, x, y, z
    return quaternions[..., 0], quaternions[..., 1], quaternions[..., 2], quaternions[..., 3]
