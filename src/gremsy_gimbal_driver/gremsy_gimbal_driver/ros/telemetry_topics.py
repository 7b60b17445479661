# SPDX-License-Identifier: Apache-2.0
"""The driver's telemetry on topics; what nobody watches is not built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tf2_msgs.msg import TFMessage

from gremsy_common.ros import topics
from gremsy_common.ros.transport.topic import Topic
from gremsy_gimbal_driver.attitude.joint_chain import JOINTS
from gremsy_gimbal_driver.attitude.level_frame import earth_attitude
from gremsy_gimbal_driver.driver_listener import GimbalView
from gremsy_gimbal_driver.ros.attitude_messages import joint_state, level_transform, transforms


class _Publishes(Protocol):
    """The part of a SuiteNode that makes publishers."""

    def publisher(self, topic: Topic[Any]) -> Any:
        """A publisher that lives until deactivation."""


@dataclass(frozen=True, slots=True)
class TelemetryFrames:
    """With the robot's prefix.

    Attributes:
        level: the level frame.
        base: None where robot_state_publisher has the edge from the base.
        optical: of the cameras.
        heard_here: how many subscriptions of our own hear /tf; they alone are no reason to publish it.
        joints: names of the yaw, the roll and the pitch joint.
    """

    level: str
    base: str | None
    optical: Sequence[str]
    heard_here: int = 0
    joints: Sequence[str] = JOINTS


class TelemetryTopics:
    """Called on the driver's threads."""

    def __init__(self, node: _Publishes, frames: TelemetryFrames) -> None:
        self._frames = frames
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
            self._joints.publish(joint_state(view.joints, stamp_ns, self._frames.joints))
        if self._tf.outside_subscribers > self._frames.heard_here:
            self._tf.publish(self._transforms(view))

    def _transforms(self, view: GimbalView) -> TFMessage:
        frames = self._frames
        message = transforms(view.measured, frames.level, frames.optical)
        if frames.base is not None:
            stamp_ns = view.measured.attitude.stamp_ns
            base = level_transform(view.reference, frames.base, frames.level, stamp_ns)
            if base is not None:
                message.transforms = [base, *message.transforms]
        return message
