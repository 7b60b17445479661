# SPDX-License-Identifier: Apache-2.0
"""The driver's telemetry on topics, what nobody watches is not built; and others' /tf as what `FrameTree` takes.

Whose frames are whose (a frame has one parent, so no frame is published twice):
* The driver: `<robot>/gimbal_level` -> `<robot>/gimbal_camera` -> the cameras' optical frames, as measured and with the
  measurement's stamp. This is a tree of its own, complete without any description of the robot.
* robot_state_publisher, from the URDF and `joint_states`: `base_link` -> `<robot>/gimbal_base` -> yaw, roll and pitch
  link -> `<robot>/camera_link` -> `<robot>/camera_optical_link`. camera_link coincides with gimbal_camera.
* The one edge between them, `<robot>/gimbal_base` -> `<robot>/gimbal_level`, belongs to one of the two: by default the
  URDF has it as a fixed joint (a vehicle that stays level, in follow); where the vehicle's attitude is fed, the driver
  can publish it as it truly is (`level_transform`), and the URDF leaves it out (`driver_levels:=true`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from geometry_msgs.msg import Transform, TransformStamped
from numpy.typing import NDArray
from sensor_msgs.msg import JointState
from tf2_msgs.msg import TFMessage

from gremsy_common.ros import topics
from gremsy_common.ros.messages.header_messages import header, quaternion_message, stamp_of, wxyz_of, xyz_of
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_gimbal_driver.attitude.attitude_telemetry import MeasuredAttitude
from gremsy_gimbal_driver.attitude.joint_chain import JOINTS, JointAngles
from gremsy_gimbal_driver.attitude.level_frame import LevelReference, earth_attitude
from gremsy_gimbal_driver.device.device_parameters import DeviceParameters
from gremsy_gimbal_driver.driver_reports import GimbalView
from gremsy_gimbal_driver.goals.frame_tree import FrameTransform

# gremsy_common.geometry.CAMERA_FROM_OPTICAL (z forward to x forward) as a quaternion.
CAMERA_FROM_OPTICAL_WXYZ: NDArray[np.float64] = np.array([0.5, -0.5, 0.5, -0.5])


class TelemetryTopics:
    """Called on the driver's threads."""

    def __init__(self, node: SuiteNode[Any], parameters: DeviceParameters) -> None:
        self._parameters = parameters
        self._attitude = node.publisher(topics.GIMBAL_ATTITUDE)
        self._earth = node.publisher(topics.GIMBAL_ATTITUDE_EARTH)
        self.heading = node.publisher(topics.GIMBAL_HEADING)
        self._joints = node.publisher(topics.JOINT_STATES)
        self._tf = node.publisher(topics.TF)
        self.zoom = node.publisher(topics.GIMBAL_ZOOM)
        self.imu = node.publisher(topics.GIMBAL_IMU)
        self.range_finder = node.publisher(topics.GIMBAL_RANGE)
        self.joint_source = ''
        """Where `joint_states` come from, in words."""

    def publish(self, view: GimbalView) -> None:
        """An attitude came."""
        measured = view.measured
        stamp_ns = measured.attitude.stamp_ns
        self._attitude.publish(measured.attitude)
        self.joint_source = view.joints.source.value
        if self._earth.watched:
            earth = earth_attitude(measured, view.reference)
            if earth is not None:
                self._earth.publish(earth)
        if self._joints.watched:
            self._joints.publish(joint_state(view.joints, stamp_ns, self._parameters.joints))
        # Our own subscription to /tf alone is no reason to publish it.
        if self._tf.outside_subscribers > int(self._parameters.goal_frames):
            self._tf.publish(self._transforms(view))

    def _transforms(self, view: GimbalView) -> TFMessage:
        parameters = self._parameters
        message = transforms(view.measured, parameters.level_frame, parameters.cameras_frames)
        if parameters.publish_level_frame:
            stamp_ns = view.measured.attitude.stamp_ns
            base = level_transform(view.reference, parameters.base_frame, parameters.level_frame, stamp_ns)
            if base is not None:
                message.transforms = [base, *message.transforms]
        return message


def joint_state(angles: JointAngles, stamp_ns: int, names: Sequence[str] = JOINTS) -> JointState:
    """Yaw about up, roll about forward, pitch about left: the gimbal's own order."""
    position = [angles.yaw_rad, angles.roll_rad, angles.pitch_rad]
    return JointState(header=header(stamp_ns, ''), name=list(names), position=position)


def transforms(measured: MeasuredAttitude, level_frame: str, optical_frames: Sequence[str]) -> TFMessage:
    """Level frame to camera, and camera to each optical frame, all with the attitude's stamp."""
    attitude = measured.attitude
    level = _rotation(attitude.stamp_ns, level_frame, attitude.frame_id, attitude.level_from_camera_wxyz)
    optical = [
        _rotation(attitude.stamp_ns, attitude.frame_id, frame, CAMERA_FROM_OPTICAL_WXYZ) for frame in optical_frames
    ]
    return TFMessage(transforms=[level, *optical])


def level_transform(
    reference: LevelReference, base_frame: str, level_frame: str, stamp_ns: int
) -> TransformStamped | None:
    """Base to level frame, the one edge that joins the driver's frames to the robot's; None where it is unknown."""
    if reference.level_from_base_wxyz is None:
        return None
    base_from_level = reference.level_from_base_wxyz * [1.0, -1.0, -1.0, -1.0]
    return _rotation(stamp_ns, base_frame, level_frame, base_from_level)


def frame_transforms(message: TFMessage, is_static: bool) -> list[FrameTransform]:
    """Those of others, as they came; the tree checks them."""
    return [
        FrameTransform(
            each.header.frame_id,
            each.child_frame_id,
            xyz_of(each.transform.translation),
            wxyz_of(each.transform.rotation),
            stamp_of(each.header.stamp),
            is_static,
        )
        for each in message.transforms
    ]


def _rotation(stamp_ns: int, parent: str, child: str, parent_from_child_wxyz: NDArray[np.float64]) -> TransformStamped:
    return TransformStamped(
        header=header(stamp_ns, parent),
        child_frame_id=child,
        transform=Transform(rotation=quaternion_message(parent_from_child_wxyz)),
    )
