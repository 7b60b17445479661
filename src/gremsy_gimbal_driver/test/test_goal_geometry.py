# SPDX-License-Identifier: Apache-2.0
"""Wishes in any frame become azimuth and tilt in the level frame, or one sentence."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gremsy_common.geometry import (
    direction_from_bearing,
    matrix_from_quaternion,
    multiply_quaternions,
    quaternion_from_bearing,
    quaternion_from_yaw_roll_pitch,
)
from gremsy_common.types.gimbal_state import JointRequest, OrientationRequest, PointRequest, VehicleAttitude
from gremsy_gimbal_driver.attitude.attitude_reading import YawFrame
from gremsy_gimbal_driver.attitude.level_frame import level_reference
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.goals.frame_tree import FrameTransform, FrameTree
from gremsy_gimbal_driver.goals.goal_geometry import GoalGeometry
from gremsy_gimbal_driver.motion.notices import Refusal

DEG = math.pi / 180
NS = 1_000_000_000
NOW = 1_700_000_000 * NS
LEVEL, BASE, CAMERA = 'robot/gimbal_level', 'robot/gimbal_base', 'robot/gimbal_camera'
NAN3 = np.full(3, np.nan)
NO_VEHICLE = level_reference(YawFrame.VEHICLE, None, None, "The vehicle's attitude is unknown.")


def vehicle(heading_deg=0.0, pitch_deg=0.0, roll_deg=0.0, position=NAN3):
    q = quaternion_from_yaw_roll_pitch(heading_deg * DEG, roll_deg * DEG, pitch_deg * DEG)
    return VehicleAttitude(NOW, 'base_link', 'odom', q, NAN3, NAN3, np.asarray(position, dtype=float))


def on(standing, yaw_frame=YawFrame.VEHICLE, heading_rad=None, north=False):
    """How the level frame stands on that vehicle, and when."""
    return level_reference(yaw_frame, heading_rad, standing, '', north), NOW


AROUND = NO_VEHICLE, NOW


def geometry(*edges, camera=(0.0, 0.0)):
    """On a robot whose gimbal hangs 0.1 m ahead of and 0.2 m below base_link; edges: (parent, child, xyz, q, age)."""
    tree = FrameTree(own=(LEVEL, CAMERA))
    tree.take_own(
        FrameTransform(LEVEL, CAMERA, np.zeros(3), quaternion_from_bearing(camera[0] * DEG, camera[1] * DEG), NOW)
    )
    mount = np.array([0.1, 0.0, -0.2])
    tree.take(FrameTransform('base_link', BASE, mount, np.array([1.0, 0.0, 0.0, 0.0]), 0, is_static=True))
    for parent, child, xyz, q, age_s in edges:
        tree.take(FrameTransform(parent, child, np.array(xyz), np.asarray(q), NOW - round(age_s * NS)))
    return GoalGeometry(tree, GimbalDriverParameters(frame_prefix='robot/'))


def orientation(q, frame=LEVEL):
    return OrientationRequest(NOW, frame, np.asarray(q, dtype=float))


def degrees(goal):
    return tuple(None if each is None else each / DEG for each in (goal.azimuth_rad, goal.tilt_rad))


def refused(wish):
    with pytest.raises(Refusal) as error:
        wish()
    return error.value.kind, str(error.value)


# Orientations.


@given(st.floats(-math.pi, math.pi), st.one_of(st.floats(-2.0, 2.0), st.just(math.pi / 2), st.just(-math.pi / 2)))
def test_an_upright_orientation_is_its_own_azimuth_and_tilt_at_nadir_and_beyond(azimuth, tilt):
    goal = geometry().goal(orientation(quaternion_from_bearing(azimuth, tilt)), *AROUND)
    again = quaternion_from_bearing(goal.azimuth_rad, goal.tilt_rad)
    assert abs(float(again @ quaternion_from_bearing(azimuth, tilt))) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize('tilt_deg', [89.0, 90.0, 91.0, -90.0])
def test_at_nadir_the_azimuth_is_that_of_the_image(tilt_deg):
    goal = geometry().goal(orientation(quaternion_from_bearing(30 * DEG, tilt_deg * DEG)), *AROUND)
    assert degrees(goal) == pytest.approx((30.0, tilt_deg))


@given(st.floats(-3.0, 3.0), st.floats(-0.7, 0.7), st.floats(-1.2, 1.9))
def test_roll_is_dropped_and_the_camera_looks_there_all_the_same(yaw, roll, pitch):
    q = quaternion_from_yaw_roll_pitch(yaw, roll, pitch)
    goal = geometry().goal(orientation(q), *AROUND)
    looks = direction_from_bearing(goal.azimuth_rad, goal.tilt_rad)
    off_rad = math.acos(min(1.0, float(looks @ matrix_from_quaternion(q)[:, 0])))
    # Within one degree of the vertical the azimuth of the image is kept instead.
    assert off_rad < 1.5 * DEG
    assert math.cos(goal.azimuth_rad - yaw) >= -1e-6


def test_a_camera_on_its_side_is_refused():
    q = quaternion_from_yaw_roll_pitch(0.0, 60 * DEG, 0.0)
    assert refused(lambda: geometry().goal(orientation(q), *AROUND)) == (
        'goal_with_roll',
        'An attitude goal was refused: it lays the camera 60 degrees on its side, and the horizon is held level; give '
        'an orientation with an upright image (x forward, y left, z up).',
    )


def test_in_the_cameras_own_frame_it_is_relative():
    made = geometry(camera=(40.0, 10.0))
    goal = made.goal(orientation(quaternion_from_bearing(0.0, 5 * DEG), CAMERA), *AROUND)
    assert degrees(goal) == pytest.approx((40.0, 15.0))


def test_in_the_bases_frame_without_a_vehicle_it_is_taken_as_level():
    goal = geometry().goal(orientation(quaternion_from_bearing(20 * DEG, 30 * DEG), BASE), *AROUND)
    assert degrees(goal) == pytest.approx((20.0, 30.0))


def test_in_the_vehicles_frame_its_tilt_counts():
    around = on(vehicle(70.0, pitch_deg=15.0))
    for frame in (BASE, 'base_link'):
        goal = geometry().goal(orientation(quaternion_from_bearing(0.0, 10 * DEG), frame), *around)
        assert degrees(goal) == pytest.approx((0.0, 25.0))


def test_in_lock_the_vehicles_frame_is_turned_by_its_heading():
    """Angles of the one frame used in the other have slewed a camera by 202 degrees (gimbal.md 1.9)."""
    around = on(vehicle(40.0), YawFrame.EARTH, north=True)
    goal = geometry().goal(orientation(quaternion_from_bearing(0.0, 0.0), 'base_link'), *around)
    assert degrees(goal) == pytest.approx((-50.0, 0.0))


def test_in_lock_without_a_heading_the_vehicles_frame_is_refused():
    around = (level_reference(YawFrame.EARTH, None, None, ''), NOW)
    kind, sentence = refused(
        lambda: geometry().goal(orientation(quaternion_from_bearing(0.0, 0.0), 'base_link'), *around)
    )
    assert kind == 'base_unknown'
    assert sentence.startswith('An attitude goal was refused. In lock azimuth counts from the heading at power-up')
    level = geometry().goal(orientation(quaternion_from_bearing(0.3, 0.0)), *around)
    assert level.azimuth_rad == pytest.approx(0.3)


def test_what_tf_says_about_the_level_frame_does_not_matter():
    """A URDF fixes the level frame to the base, which is wrong in lock."""
    made = geometry(('base_link', LEVEL, (0, 0, 0), (0.0, 0.0, 0.0, 1.0), 0.0))
    goal = made.goal(orientation(quaternion_from_bearing(0.2, 0.0), 'base_link'), *AROUND)
    assert goal.azimuth_rad == pytest.approx(0.2)


def test_in_the_earth_frame_by_the_vehicles_attitude():
    around = on(vehicle(40.0, pitch_deg=10.0))
    goal = geometry().goal(orientation(quaternion_from_bearing(100 * DEG, 20 * DEG), 'odom'), *around)
    assert degrees(goal) == pytest.approx((60.0, 20.0))


def test_in_the_earth_frame_by_the_tree():
    q = quaternion_from_bearing(40 * DEG, 0.0)
    made = geometry(('map', 'base_link', (5.0, 0.0, 0.0), q, 0.1))
    goal = made.goal(orientation(quaternion_from_bearing(100 * DEG, 20 * DEG), 'map'), *AROUND)
    assert degrees(goal) == pytest.approx((60.0, 20.0))


@pytest.mark.parametrize(
    ('wish', 'kind', 'sentence'),
    [
        (
            orientation((np.nan, 0, 0, 1)),
            'goal_not_a_rotation',
            'An attitude goal was refused: its quaternion is not of length 1 or its numbers are not finite.',
        ),
        (
            orientation((0, 0, 0, 0)),
            'goal_not_a_rotation',
            'An attitude goal was refused: its quaternion is not of length 1 or its numbers are not finite.',
        ),
        (
            orientation((1, 0, 0, 0), ''),
            'no_frame',
            "An attitude goal was refused: its header has no frame_id; use 'robot/gimbal_level'.",
        ),
        (
            orientation((1, 0, 0, 0), 'moon'),
            'unknown_frame',
            "An attitude goal was refused. The frame 'moon' is not known; known are base_link, map, robot/gimbal_base, "
            'robot/gimbal_camera, robot/gimbal_level.',
        ),
        (
            orientation((1, 0, 0, 0), 'map'),
            'stale_transform',
            "An attitude goal was refused. The transform from 'map' to 'base_link' is 0.6 s old, the limit is 0.5 s: "
            'see whether its publisher still runs.',
        ),
    ],
)
def test_what_cannot_be_turned_into_angles_is_refused(wish, kind, sentence):
    made = geometry(('map', 'base_link', (0, 0, 0), (1.0, 0.0, 0.0, 0.0), 0.6))
    assert refused(lambda: made.goal(wish, *AROUND)) == (kind, sentence)


# Points.


def test_a_point_is_looked_at_from_where_the_gimbal_hangs():
    made = geometry()
    # 0.1 m ahead and 0.2 m below base_link: this point is 10 m ahead of the gimbal and 10 m below.
    assert degrees(made.goal(PointRequest(NOW, 'base_link', (10.1, 0.0, -10.2)), *AROUND)) == pytest.approx((0.0, 45.0))
    assert degrees(made.goal(PointRequest(NOW, BASE, (0.0, 3.0, 0.0)), *AROUND)) == pytest.approx((90.0, 0.0))
    assert degrees(made.goal(PointRequest(NOW, LEVEL, (0.0, -3.0, 3.0)), *AROUND)) == pytest.approx((-90.0, -45.0))


def test_a_point_on_the_map_is_looked_at_by_the_tree_and_by_the_odometry():
    q = quaternion_from_bearing(90 * DEG, 0.0)
    by_tree = geometry(('odom', 'base_link', (5.0, 5.0, 1.0), q, 0.0))
    point = PointRequest(NOW, 'odom', (5.0, 15.1, 0.8))
    assert degrees(by_tree.goal(point, *AROUND)) == pytest.approx((0.0, 0.0), abs=1e-9)
    around = on(vehicle(90.0, position=(5.0, 5.0, 1.0)))
    assert degrees(geometry().goal(point, *around)) == pytest.approx((0.0, 0.0), abs=1e-9)
    aside = PointRequest(NOW, 'odom', (5.0 - 4.0, 5.1 + 4.0, 0.8))
    assert degrees(geometry().goal(aside, *around)) == pytest.approx((45.0, 0.0))


def test_both_ways_to_a_point_on_the_map_agree_on_a_leaning_vehicle():
    standing = vehicle(33.0, pitch_deg=12.0, roll_deg=-7.0, position=(4.0, -2.0, 30.0))
    around = on(standing)
    edge = ('odom', 'base_link', standing.position_earth_m, standing.earth_from_vehicle_wxyz, 0.0)
    point = PointRequest(NOW, 'odom', (60.0, 20.0, 0.0))
    by_odometry = degrees(geometry().goal(point, *around))
    assert degrees(geometry(edge).goal(point, *around)) == pytest.approx(by_odometry)


@pytest.mark.parametrize(('aside_m', 'known'), [(0.0, False), (0.1, False), (0.3, True)])
def test_straight_below_the_azimuth_is_kept(aside_m, known):
    goal = geometry().goal(PointRequest(NOW, LEVEL, (0.0, aside_m, -10.0)), *AROUND)
    assert (goal.azimuth_rad is not None) == known
    assert goal.tilt_rad / DEG == pytest.approx(90.0, abs=2.0)


@pytest.mark.parametrize(
    ('wish', 'around', 'kind', 'sentence'),
    [
        (
            PointRequest(NOW, LEVEL, (math.inf, 0.0, 0.0)),
            AROUND,
            'goal_not_finite',
            'A look-at goal was refused: its point is not of finite numbers.',
        ),
        (
            PointRequest(NOW, BASE, (0.0, 0.004, 0.0)),
            AROUND,
            'goal_at_the_camera',
            'A look-at goal was refused: its point is 4 mm from the camera itself.',
        ),
        (
            PointRequest(NOW, 'odom', (9.0, 0.0, 0.0)),
            on(vehicle()),
            'position_unknown',
            "A look-at goal was refused: where the camera is in 'odom' is not known; feed `vehicle/odometry` or "
            'publish the transform.',
        ),
    ],
)
def test_a_point_that_cannot_be_looked_at_is_refused(wish, around, kind, sentence):
    assert refused(lambda: geometry().goal(wish, *around)) == (kind, sentence)


def test_the_earth_is_refused_while_it_is_unknown():
    standing = vehicle()
    around = level_reference(YawFrame.EARTH, None, standing, ''), NOW
    kind, sentence = refused(lambda: geometry().goal(PointRequest(NOW, 'odom', (9.0, 0.0, 0.0)), *around))
    assert kind == 'earth_unknown'
    assert 'set `lock_reference` to north' in sentence


# Joints.

YAW, ROLL, PITCH = 'gimbal_yaw_joint', 'gimbal_roll_joint', 'gimbal_pitch_joint'


def joints(**angles_deg):
    names = {'yaw': YAW, 'roll': ROLL, 'pitch': PITCH}
    return JointRequest(
        NOW, tuple(names[each] for each in angles_deg), tuple(angle * DEG for angle in angles_deg.values())
    )


@pytest.mark.parametrize(
    ('wish', 'expected'),
    [
        (joints(yaw=30.0, pitch=20.0), (30.0, 20.0)),
        (joints(pitch=90.0, yaw=-10.0), (-10.0, 90.0)),
        (joints(yaw=200.0), (200.0, None)),
        (joints(pitch=-15.0), (None, -15.0)),
        (joints(roll=0.2, pitch=5.0), (None, 5.0)),
    ],
)
def test_joints_on_a_level_vehicle_are_azimuth_and_tilt(wish, expected):
    assert degrees(geometry().goal(wish, *AROUND)) == pytest.approx(expected)


def test_joints_on_a_leaning_vehicle_point_where_they_would():
    around = on(vehicle(50.0, pitch_deg=10.0, roll_deg=5.0))
    goal = geometry().goal(joints(yaw=30.0, pitch=20.0), *around)
    base = around[0].level_from_base_wxyz
    looks = matrix_from_quaternion(multiply_quaternions(base, quaternion_from_bearing(30 * DEG, 20 * DEG)))[:, 0]
    assert direction_from_bearing(goal.azimuth_rad, goal.tilt_rad) == pytest.approx(looks)


def test_more_than_half_a_turn_of_yaw_stays_that():
    goal = geometry().goal(joints(yaw=250.0, pitch=20.0), *on(vehicle(50.0)))
    assert degrees(goal) == pytest.approx((250.0, 20.0))


def test_in_lock_joints_are_turned_by_the_heading_or_refused():
    north = on(vehicle(40.0), YawFrame.EARTH, north=True)
    assert degrees(geometry().goal(joints(yaw=0.0, pitch=0.0), *north)) == pytest.approx((-50.0, 0.0))
    unknown = (level_reference(YawFrame.EARTH, None, None, ''), NOW)
    assert refused(lambda: geometry().goal(joints(yaw=1.0), *unknown))[0] == 'base_unknown'
    assert degrees(geometry().goal(joints(pitch=1.0), *unknown)) == pytest.approx((None, 1.0))


def test_joints_with_a_prefix_are_those_of_that_gimbal_and_no_other() -> None:
    parameters = GimbalDriverParameters(frame_prefix='robot/', joint_prefix='rear_')
    rear = GoalGeometry(FrameTree(own=(LEVEL, CAMERA)), parameters)
    level = on(vehicle(0.0))
    wish = JointRequest(NOW, ('rear_gimbal_yaw_joint', 'rear_gimbal_pitch_joint'), (0.5, 0.2))
    goal = rear.goal(wish, *level)
    assert (goal.azimuth_rad, goal.tilt_rad) == pytest.approx((0.5, 0.2))
    for name in (YAW, f'front_{YAW}'):
        kind, sentence = refused(lambda name=name: rear.goal(JointRequest(NOW, (name,), (0.5,)), *level))
        assert kind == 'unknown_joint'
        assert sentence == (
            f'A joint goal was refused: it names {name}; name each of rear_gimbal_yaw_joint, rear_gimbal_roll_joint, '
            'rear_gimbal_pitch_joint once at most.'
        )
    rolled = JointRequest(NOW, ('rear_gimbal_roll_joint', 'rear_gimbal_pitch_joint'), (0.5, 0.2))
    assert refused(lambda: rear.goal(rolled, *level))[0] == 'goal_with_roll'


ALL_JOINTS = f'{YAW}, {ROLL}, {PITCH}'


@pytest.mark.parametrize(
    ('wish', 'kind', 'sentence'),
    [
        (
            JointRequest(NOW, (YAW, PITCH), (0.1,)),
            'joints_without_positions',
            'A joint goal was refused: it has 2 names and 1 positions.',
        ),
        (
            JointRequest(NOW, ('pan',), (0.1,)),
            'unknown_joint',
            f'A joint goal was refused: it names pan; name each of {ALL_JOINTS} once at most.',
        ),
        (
            JointRequest(NOW, (YAW, YAW), (0.1, 0.2)),
            'unknown_joint',
            f'A joint goal was refused: it names {YAW}, {YAW}; name each of {ALL_JOINTS} once at most.',
        ),
        (
            JointRequest(NOW, (), ()),
            'unknown_joint',
            f'A joint goal was refused: it names nothing; name each of {ALL_JOINTS} once at most.',
        ),
        (
            JointRequest(NOW, (YAW,), (math.nan,)),
            'joints_not_finite',
            'A joint goal was refused: its positions are not finite numbers.',
        ),
        (
            joints(roll=10.0),
            'goal_with_roll',
            f"A joint goal was refused: '{ROLL}' is 10.0 degrees, but the horizon is held level; leave it out.",
        ),
    ],
)
def test_joints_that_make_no_sense_are_refused(wish, kind, sentence):
    assert refused(lambda: geometry().goal(wish, *AROUND)) == (kind, sentence)
