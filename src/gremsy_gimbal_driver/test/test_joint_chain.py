# SPDX-License-Identifier: Apache-2.0
"""Encoders and attitudes to joint angles."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_common.geometry import (
    multiply_quaternions,
    quaternion_from_bearing,
    quaternion_from_yaw_roll_pitch,
    yaw_roll_pitch,
)
from gremsy_common.types.gimbal_state import GimbalAttitude, VehicleAttitude
from gremsy_gimbal_driver.attitude.attitude_reading import YawFrame
from gremsy_gimbal_driver.attitude.attitude_telemetry import MeasuredAttitude
from gremsy_gimbal_driver.attitude.joint_chain import (
    JointSource,
    joints_from_attitude,
    joints_from_encoders,
)
from gremsy_gimbal_driver.attitude.level_frame import level_reference
from gremsy_gimbal_driver.mavlink.mavlink_events import MountStatus, Sender

DEG = math.pi / 180
NAN3 = np.full(3, np.nan)


def encoders(tilt=0, roll=0, pan=0):
    return MountStatus(Sender(1, 154), tilt, roll, pan)


ONES, ZEROS = (1, 1, 1), (0, 0, 0)


def degrees(angles):
    return [angles.yaw_rad / DEG, angles.roll_rad / DEG, angles.pitch_rad / DEG]


def test_counts_are_65536_a_turn_with_a_home_of_their_own():
    """The README's sample of gimbal.md 1.4: tilt -23336 counts at level, roll -216 ... 4276 along -0.3 ... 23.7 deg."""
    angles = joints_from_encoders(encoders(-23336, 4276, 0), 'counts', ONES, (0, -216, -23336))
    assert degrees(angles) == pytest.approx([0.0, 24.7, 0.0], abs=0.1)
    assert angles.source is JointSource.ENCODERS


def test_centidegrees_run_as_is_known_of_gremsys():
    """Pan right +, roll right +, and tilt down + (against the attitude's pitch)."""
    angles = joints_from_encoders(encoders(3000, 500, 9000), 'cdeg', ONES, ZEROS)
    assert degrees(angles) == pytest.approx([-90.0, 5.0, 30.0])


def test_an_encoder_that_runs_the_other_way_is_turned():
    angles = joints_from_encoders(encoders(1300, 1200, 1100), 'cdeg', (-1, -1, -1), (100, 200, 300))
    assert degrees(angles) == pytest.approx([10.0, -10.0, -10.0])


@pytest.mark.parametrize(('near_deg', 'expected_deg'), [(0.0, 170.0), (200.0, 170.0), (-150.0, -190.0), (500.0, 530.0)])
def test_of_all_turns_the_nearest_is_taken(near_deg, expected_deg):
    angles = joints_from_encoders(encoders(pan=-17000), 'cdeg', ONES, ZEROS, near_deg * DEG)
    assert angles.yaw_rad / DEG == pytest.approx(expected_deg)


@pytest.mark.parametrize('counts', [0, 65536, -65536])
def test_a_counter_that_wraps_or_goes_on_is_the_same_angle(counts):
    angles = joints_from_encoders(encoders(counts, counts, counts), 'counts', ONES, ZEROS)
    assert degrees(angles) == [0.0, 0.0, 0.0]


def measured(level_from_camera, yaw_frame=YawFrame.VEHICLE, turns=0):
    yaw, roll, pitch = yaw_roll_pitch(level_from_camera).tolist()
    attitude = GimbalAttitude(0, 'camera', level_from_camera, np.zeros(3))
    return MeasuredAttitude(attitude, yaw + 2 * math.pi * turns, roll, pitch, yaw_frame)


def vehicle(q):
    return VehicleAttitude(0, 'base_link', 'odom', q, NAN3, NAN3, NAN3)


def test_on_a_level_vehicle_the_joints_are_the_attitudes_angles():
    level = level_reference(YawFrame.VEHICLE, None, None, 'unknown')
    angles = joints_from_attitude(measured(quaternion_from_yaw_roll_pitch(0.3, 0.02, 1.0), turns=1), level)
    assert degrees(angles) == pytest.approx([0.3 / DEG + 360.0, 0.02 / DEG, 1.0 / DEG])
    assert angles.source is JointSource.LEVEL


def test_on_a_vehicle_that_leans_forward_the_pitch_joint_makes_up_for_it():
    reference = level_reference(YawFrame.VEHICLE, None, vehicle(quaternion_from_yaw_roll_pitch(0.7, 0.0, 15 * DEG)), '')
    angles = joints_from_attitude(measured(quaternion_from_bearing(0.0, 0.0)), reference)
    assert degrees(angles) == pytest.approx([0.0, 0.0, -15.0])
    assert angles.source is JointSource.ATTITUDES


def test_over_random_vehicles_base_and_joints_make_the_camera_again():
    random = np.random.default_rng(4)
    for _ in range(300):
        yaw, pitch = random.uniform(-3.1, 3.1), random.choice([math.pi / 2, random.uniform(-1.5, 2.0)])
        camera = quaternion_from_yaw_roll_pitch(yaw, random.uniform(-0.5, 0.5), pitch)
        leaning = quaternion_from_yaw_roll_pitch(random.uniform(-3.1, 3.1), *random.uniform(-0.5, 0.5, 2))
        reference = level_reference(YawFrame.EARTH, None, vehicle(leaning), '', lock_is_north=True)
        angles = joints_from_attitude(measured(camera, YawFrame.EARTH), reference)
        by_joints = quaternion_from_yaw_roll_pitch(angles.yaw_rad, angles.roll_rad, angles.pitch_rad)
        again = multiply_quaternions(reference.level_from_base_wxyz, by_joints)
        assert abs(float(again @ camera)) == pytest.approx(1.0, abs=1e-12)


def test_in_lock_without_a_heading_it_is_said_what_was_assumed():
    unknown = level_reference(YawFrame.EARTH, None, None, '')
    angles = joints_from_attitude(measured(quaternion_from_bearing(0.4, 0.1), YawFrame.EARTH), unknown)
    assert degrees(angles) == pytest.approx([0.4 / DEG, 0.0, 0.1 / DEG])
    assert angles.source is JointSource.LEVEL_FRAME
