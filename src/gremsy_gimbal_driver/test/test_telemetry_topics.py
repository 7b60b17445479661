# SPDX-License-Identifier: Apache-2.0
"""joint_states and /tf say one and the same; needs the built workspace (tf2_msgs)."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('tf2_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from tf2_msgs.msg import TFMessage

from gremsy_common.geometry import CAMERA_FROM_OPTICAL, matrix_from_quaternion, quaternion_from_yaw_roll_pitch
from gremsy_common.types.gimbal_state import GimbalAttitude, VehicleAttitude
from gremsy_gimbal_driver.attitude.attitude_reading import YawFrame
from gremsy_gimbal_driver.attitude.attitude_telemetry import MeasuredAttitude
from gremsy_gimbal_driver.attitude.joint_chain import JointAngles, JointSource, joint_names
from gremsy_gimbal_driver.attitude.level_frame import level_reference
from gremsy_gimbal_driver.goals.frame_tree import FrameTree
from gremsy_gimbal_driver.ros.telemetry_topics import (
    frame_transforms,
    joint_state,
    level_transform,
    transforms,
)

STAMP = 1_700_000_000_123_456_789
NAN3 = np.full(3, np.nan)
CAMERA = quaternion_from_yaw_roll_pitch(0.3, 0.05, 1.2)
MEASURED = MeasuredAttitude(GimbalAttitude(STAMP, 'r/gimbal_camera', CAMERA, np.zeros(3)), 0.3, 0.05, 1.2)


def test_joints_are_named_in_the_order_of_the_chain():
    message = joint_state(JointAngles(0.3, 0.05, 1.2, JointSource.ENCODERS), STAMP)
    assert list(message.name) == ['gimbal_yaw_joint', 'gimbal_roll_joint', 'gimbal_pitch_joint']
    assert list(message.position) == [0.3, 0.05, 1.2]
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1_700_000_000, 123_456_789)
    named = joint_state(JointAngles(0.3, 0.05, 1.2, JointSource.ENCODERS), STAMP, joint_names('rear_'))
    assert list(named.name) == ['rear_gimbal_yaw_joint', 'rear_gimbal_roll_joint', 'rear_gimbal_pitch_joint']


def test_tf_heard_again_is_the_attitude_and_the_optical_frame():
    heard = frame_transforms(transforms(MEASURED, 'r/gimbal_level', ['r/eo_optical_frame']), is_static=False)
    tree = FrameTree()
    for each in heard:
        tree.take(each)
    camera = tree.lookup('r/gimbal_level', 'r/gimbal_camera', STAMP, 0.1)
    assert camera.rotation_wxyz == pytest.approx(CAMERA)
    optical = tree.lookup('r/gimbal_camera', 'r/eo_optical_frame', STAMP, 0.1)
    assert matrix_from_quaternion(optical.rotation_wxyz) == pytest.approx(CAMERA_FROM_OPTICAL)
    assert {each.stamp_ns for each in heard} == {STAMP}


def test_the_edge_between_base_and_level_frame_is_the_vehicles_tilt_and_absent_where_unknown():
    q = quaternion_from_yaw_roll_pitch(0.7, 0.1, -0.2)
    vehicle = VehicleAttitude(STAMP, 'base_link', 'odom', q, NAN3, NAN3, NAN3)
    reference = level_reference(YawFrame.VEHICLE, None, vehicle, '')
    edge = level_transform(reference, 'r/gimbal_base', 'r/gimbal_level', STAMP)
    (heard,) = frame_transforms(TFMessage(transforms=[edge]), is_static=False)
    up_in_base = matrix_from_quaternion(heard.rotation_wxyz) @ [0.0, 0.0, 1.0]
    assert up_in_base == pytest.approx(matrix_from_quaternion(q).T @ [0.0, 0.0, 1.0])
    assert (heard.parent, heard.child) == ('r/gimbal_base', 'r/gimbal_level')
    unknown = level_reference(YawFrame.EARTH, None, None, '')
    assert level_transform(unknown, 'r/gimbal_base', 'r/gimbal_level', STAMP) is None
