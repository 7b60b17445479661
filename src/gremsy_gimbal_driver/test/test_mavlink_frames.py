# SPDX-License-Identifier: Apache-2.0
"""NED/FRD and REP-103 agree with each other and with plain words (up, right), over the whole sphere."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_common.rotations import (
    matrix_from_quaternion,
    quaternion_from_bearing,
    quaternion_from_rotation_vector,
)
from gremsy_gimbal_driver.euler import yaw_roll_pitch
from gremsy_gimbal_driver.mavlink_frames import (
    level_from_camera_flu,
    level_rates,
    ned_degrees,
    q_frd_from_level_camera,
    vector_flu,
    vector_frd,
    wire_rates,
)


def random_quaternions(count: int) -> np.ndarray:
    q = np.random.default_rng(7).normal(size=(count, 4))
    return q / np.linalg.norm(q, axis=1, keepdims=True)


def frd_quaternion(yaw: float, pitch: float) -> list[float]:
    """Textbook 3-2-1 in NED with roll 0 (MAVLink's own convention)."""
    cy, sy, cp, sp = math.cos(yaw / 2), math.sin(yaw / 2), math.cos(pitch / 2), math.sin(pitch / 2)
    return [cy * cp, -sy * sp, cy * sp, sy * cp]


def test_round_trip_is_exact_over_the_sphere():
    q = random_quaternions(2000)
    assert (q_frd_from_level_camera(level_from_camera_flu(q)) == q).all()
    assert (vector_frd(vector_flu(q[:, 1:])) == q[:, 1:]).all()


def test_rotating_a_vector_commutes_with_changing_axes():
    q = random_quaternions(500)
    v = np.random.default_rng(8).normal(size=(500, 3))
    rotated_frd = np.einsum('nij,nj->ni', matrix_from_quaternion(q), v)
    rotated_flu = np.einsum('nij,nj->ni', matrix_from_quaternion(level_from_camera_flu(q)), vector_flu(v))
    np.testing.assert_allclose(vector_flu(rotated_frd), rotated_flu, atol=1e-12)


@pytest.mark.parametrize('pitch_deg', [-90.0, -60.0, 0.0, 30.0])
@pytest.mark.parametrize('yaw_deg', [-170.0, -30.0, 0.0, 45.0, 179.0])
def test_pitch_up_is_tilt_negative_and_yaw_right_is_azimuth_negative(yaw_deg, pitch_deg):
    q = level_from_camera_flu(frd_quaternion(math.radians(yaw_deg), math.radians(pitch_deg)))
    expected = quaternion_from_bearing(math.radians(-yaw_deg), math.radians(-pitch_deg))
    assert abs(float(q @ expected)) == pytest.approx(1.0, abs=1e-12)


def test_yaw_right_on_the_wire_is_azimuth_rate_negative():
    assert wire_rates(0.3, -0.2) == (0.0, 0.2, -0.3)
    assert level_rates(*wire_rates(0.3, -0.2)[1:]) == (0.3, -0.2)
    assert ned_degrees(math.radians(10), math.radians(-5)) == pytest.approx((5.0, -10.0))


def test_312_angles_come_back_over_the_sphere_and_at_nadir():
    random = np.random.default_rng(9)
    yaw, pitch = random.uniform(-math.pi, math.pi, 4000), random.uniform(-math.pi, math.pi, 4000)
    roll = random.uniform(-1.5, 1.5, 4000)
    pitch[:100] = math.pi / 2  # straight down
    zero = np.zeros_like(yaw)
    parts = [
        matrix_from_quaternion(quaternion_from_rotation_vector(np.stack(vector, axis=-1)))
        for vector in ((zero, zero, yaw), (roll, zero, zero), (zero, pitch, zero))
    ]
    q = quaternion_of(parts[0] @ parts[1] @ parts[2])
    angles = yaw_roll_pitch(q)
    wrong = np.abs((angles - np.stack([yaw, roll, pitch], axis=-1) + math.pi) % (2 * math.pi) - math.pi)
    assert wrong.max() < 1e-9


def quaternion_of(matrix: np.ndarray) -> np.ndarray:
    """Independent of the code under test."""
    from scipy.spatial.transform import Rotation

    return np.roll(Rotation.from_matrix(matrix).as_quat(), 1, axis=-1)
