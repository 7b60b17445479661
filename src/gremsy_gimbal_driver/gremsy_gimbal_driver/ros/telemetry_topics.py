# SPDX-License-Identifier: Apache-2.0
"""The driver's telemetry on topics; what nobody watches is not built."""

from __future__ import annotations

from typing import Any, Protocol

from tf2_msgs.msg import TFMessage

from gremsy_common.ros import topics
from gremsy_common.ros.transport.topic import Topic
from gremsy_gimbal_driver.attitude.level_frame import earth_attitude
from gremsy_gimbal_driver.device.device_parameters import DeviceParameters
from gremsy_gimbal_driver.driver_listener import GimbalView
from gremsy_gimbal_driver.ros.attitude_messages import joint_state, level_transform, transforms


class _Publishes(Protocol):
    """The part of a SuiteNode that makes publishers."""

    def publisher(self, topic: Topic[Any]) -> Any:
        """A publisher that lives until deactivation."""


class TelemetryTopics:
    """Called on the driver's threads."""

    def __init__(self, node: _Publishes, parameters: DeviceParameters) -> None:
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
