# SPDX-License-Identifier: Apache-2.0
"""NED/FRD and REP-103 agree with each other and with plain words (up, right), over the whole sphere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gremsy_common.geometry import (
    matrix_from_quaternion,
    quaternion_from_bearing,
    quaternion_from_rotation_vector,
    quaternion_from_yaw_roll_pitch,
    yaw_roll_pitch,
)
from gremsy_gimbal_driver.mavlink.mavlink_frames import (
    enu_from_q_frd_ned,
    level_from_camera_flu,
    level_rates,
    ned_degrees,
    q_frd_from_level_camera,
    q_frd_ned_from_enu,
    roll_pitch_yaw_ned,
    vector_flu,
    vector_frd,
    vector_ned,
    wire_rates,
    yaw_roll_pitch_flu,
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


angles = st.floats(-math.pi, math.pi)
nearly_all_tilts = st.one_of(angles, st.sampled_from([math.pi / 2, -math.pi / 2, 2.0, 0.0]))


@given(angles, st.floats(-1.5, 1.5), nearly_all_tilts)
def test_312_angles_put_together_and_taken_apart_are_the_same_rotation(yaw, roll, pitch):
    together = quaternion_from_yaw_roll_pitch(yaw, roll, pitch)
    again = quaternion_from_yaw_roll_pitch(*yaw_roll_pitch(together))
    assert abs(float(together @ again)) == pytest.approx(1.0, abs=1e-12)


@given(angles, st.floats(-1.0, 1.0), nearly_all_tilts)
def test_the_wires_angles_are_the_wires_quaternion(yaw, roll, pitch):
    """Roll, pitch, yaw of the wire, put together in NED by Rz Rx Ry, are what 284 carries for the same camera."""
    in_ned = np.array(roll_pitch_yaw_ned(yaw, roll, pitch))
    assert yaw_roll_pitch_flu(*in_ned) == (yaw, roll, pitch)
    by_angles = quaternion_from_yaw_roll_pitch(in_ned[2], in_ned[0], in_ned[1])
    by_quaternion = q_frd_from_level_camera(quaternion_from_yaw_roll_pitch(yaw, roll, pitch))
    assert abs(float(by_angles @ by_quaternion)) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ('heading_enu_deg', 'yaw_ned_deg'), [(0.0, 90.0), (90.0, 0.0), (180.0, -90.0), (-90.0, 180.0), (45.0, 45.0)]
)
def test_a_vehicle_that_looks_east_has_yaw_90_in_ned(heading_enu_deg, yaw_ned_deg):
    q = q_frd_ned_from_enu(quaternion_from_bearing(math.radians(heading_enu_deg), 0.0))
    assert abs(float(q @ frd_quaternion(math.radians(yaw_ned_deg), 0.0))) == pytest.approx(1.0, abs=1e-12)


def test_nose_up_is_pitch_up_in_ned_whatever_the_heading():
    q = q_frd_ned_from_enu(quaternion_from_bearing(math.radians(30.0), math.radians(-20.0)))
    assert abs(float(q @ frd_quaternion(math.radians(60.0), math.radians(20.0)))) == pytest.approx(1.0, abs=1e-12)


def test_east_north_up_is_north_east_down_and_back():
    assert vector_ned([1.0, 2.0, 3.0]).tolist() == [2.0, 1.0, -3.0]
    v = np.random.default_rng(10).normal(size=(200, 3))
    assert (vector_ned(vector_ned(v)) == v).all()
    q = random_quaternions(200)
    turned = np.einsum('nij,nj->ni', matrix_from_quaternion(q), v)
    turned_ned = np.einsum('nij,nj->ni', matrix_from_quaternion(q_frd_ned_from_enu(q)), vector_frd(v))
    np.testing.assert_allclose(vector_ned(turned), turned_ned, atol=1e-12)
    back = enu_from_q_frd_ned(q_frd_ned_from_enu(q))
    np.testing.assert_allclose(np.abs((back * q).sum(axis=1)), 1.0, atol=1e-12)


def quaternion_of(matrix: np.ndarray) -> np.ndarray:
    """Independent of the code under test."""
    from scipy.spatial.transform import Rotation

    return np.roll(Rotation.from_matrix(matrix).as_quat(), 1, axis=-1)
