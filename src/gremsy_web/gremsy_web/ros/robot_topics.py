# SPDX-License-Identifier: Apache-2.0
"""The robot's topics into the picture of it, and on to the live sockets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import GetParameters

from gremsy_common.ros import topics
from gremsy_common.ros.messages.camera_info_messages import StampedCamera
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.ros.transport.topic import Topic
from gremsy_common.types.control_state import ControlState
from gremsy_common.types.detections import Target, Tracks
from gremsy_common.types.gimbal_state import GimbalAttitude, ZoomState
from gremsy_common.types.video_time import VideoTime
from gremsy_web.live.live_hub import LiveHub
from gremsy_web.live.live_messages import gimbal_text, text_of, tracks_text
from gremsy_web.robot.robot_picture import CameraPicture, ModelAt, NodeState, RobotPicture, parsed

_LIMITS = ('azimuth_min_rad', 'azimuth_max_rad', 'tilt_min_rad', 'tilt_max_rad')
# 10 Hz of an attitude that comes at 50 with some jitter: at 0.1 it would be every sixth.
_GIMBAL_EVERY_S = 0.09
# Frames at 30 Hz while a client or this server is held up; with one, 0.4 to 0.8 % of the frames had no boxes.
_MOST_TRACKS = 4
_LEVELS = ('info', 'warning', 'error', 'error')


def _same(message: Any) -> Any:
    return message


# Of everybody, so shared; a second of it is not worth a retransmission, but an array must not be lost to the next.
DIAGNOSTICS: Topic[DiagnosticArray] = Topic('/diagnostics', DiagnosticArray, DiagnosticArray, _same, _same, shared=True)


class RobotTopics:
    """Subscriptions of the node, which it takes back itself; callbacks store and hand on.

    Args:
        node: in the robot's namespace.
        picture: what is known.
        hub: passes it on to the clients.
    """

    def __init__(self, node: SuiteNode[Any], picture: RobotPicture, hub: LiveHub) -> None:
        self._node = node
        self._picture = picture
        self._hub = hub
        self._inside = f'{node.get_namespace().rstrip("/")}/'
        self._gimbal_sent_s = 0.0
        self._limits = node.create_client(GetParameters, 'gimbal_driver/get_parameters')
        self._asks_limits = False
        for camera in picture.cameras.values():
            self._subscribe_camera(camera)
        node.subscription(topics.GIMBAL_ATTITUDE, self._on_attitude)
        node.subscription(topics.GIMBAL_ZOOM, self._on_zoom)
        node.subscription(topics.GIMBAL_CONTROL, self._on_control)
        node.subscription(topics.GIMBAL_GOAL, self._on_goal)
        node.subscription(DIAGNOSTICS, self._on_diagnostics)
        node.every(2.0, self._ask_limits)

    def close(self) -> None:
        """Let the client go."""
        self._node.destroy_client(self._limits)

    def _subscribe_camera(self, camera: CameraPicture) -> None:
        def subscribe(topic: Topic[Any], callback: Callable[[CameraPicture, Any], None]) -> None:
            self._node.subscription(replace(topic, name=f'{camera.name}/{topic.name}'), partial(callback, camera))

        subscribe(topics.CAMERA_INFO, self._on_model)
        subscribe(topics.VIDEO_TIME, self._on_time)
        subscribe(topics.TRACKS, self._on_tracks)
        subscribe(topics.TARGET, self._on_target)
        subscribe(topics.TARGET_STATE, self._on_state)

    def _on_model(self, camera: CameraPicture, stamped: StampedCamera) -> None:
        camera.models.put(ModelAt(stamped.stamp_ns, stamped.model))
        camera.frames.note(time.monotonic())

    def _on_time(self, camera: CameraPicture, time: VideoTime) -> None:
        camera.times.put(time)
        # Of video that is made here the page knows the stamps by itself; frames with tracks have theirs with these.
        if camera.pulled:
            text = partial(text_of, 'video', camera=camera.name, rtp=time.rtp, stamp_ns=str(time.stamp_ns))
            self._hub.publish(f'video {camera.name}', text)

    def _on_tracks(self, camera: CameraPicture, tracks: Tracks) -> None:
        camera.tracks.put(tracks)
        camera.results.note(time.monotonic())
        self._hub.publish(f'tracks {camera.name}', partial(tracks_text, camera, tracks), keep=_MOST_TRACKS)

    @staticmethod
    def _on_target(camera: CameraPicture, target: Target) -> None:
        camera.target = target

    def _on_state(self, camera: CameraPicture, text: str) -> None:
        before, camera.target_state = camera.target_state, parsed(text)
        now = camera.target_state
        if (before.get('state'), before.get('id')) != (now.get('state'), now.get('id')):
            whom = f' on {camera.target_name}' if camera.target_name else ''
            self._event('info', f'{camera.name}/tracker', f'{now.get("state")}{whom}: {now.get("reason", "")}')

    def _on_attitude(self, attitude: GimbalAttitude) -> None:
        self._picture.attitudes.put(attitude)
        now_s = time.monotonic()
        self._picture.attitude_arrivals.note(now_s)
        if now_s - self._gimbal_sent_s >= _GIMBAL_EVERY_S:
            self._gimbal_sent_s = now_s
            self._publish_gimbal()

    def _on_zoom(self, zoom: ZoomState) -> None:
        self._picture.zoom = zoom

    def _on_control(self, text: str) -> None:
        before, now = self._picture.control, ControlState.from_json(text)
        self._picture.control, self._picture.control_known = now, True
        if before.armed != now.armed:
            self._event('info', 'gimbal_driver', 'armed' if now.armed else 'disarmed')
        self._publish_gimbal()

    def _on_goal(self, text: str) -> None:
        self._picture.goal = goal = parsed(text)
        if goal.get('ended'):
            self._event('info', 'gimbal_driver', str(goal.get('reason', '')))

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        now_s = time.monotonic()
        before = {node.name: node for node in self._picture.nodes()}
        for status in array.status:
            if not status.name.startswith(self._inside):
                continue
            name = status.name.removeprefix(self._inside)
            level = status.level[0] if isinstance(status.level, bytes) else int(status.level)
            values = {row.key: row.value for row in status.values}
            self._picture.on_node_state(NodeState(name, level, status.message, values, now_s))
            last = before.get(name)
            if last is not None and last.level != level:
                self._event(_LEVELS[min(level, 3)], name, status.message or 'recovered')

    def _ask_limits(self) -> None:
        """Until they are known; a driver with other ones takes a restart of both."""
        if self._picture.limits_rad or self._asks_limits or not self._limits.service_is_ready():
            return
        self._asks_limits = True
        self._limits.call_async(GetParameters.Request(names=list(_LIMITS))).add_done_callback(self._on_limits)

    def _on_limits(self, future: Any) -> None:
        self._asks_limits = False
        values = [each.double_value for each in future.result().values]
        if len(values) == len(_LIMITS) and any(values):
            self._picture.limits_rad = {'azimuth': (values[0], values[1]), 'tilt': (values[2], values[3])}

    def _publish_gimbal(self) -> None:
        self._hub.publish('gimbal', lambda: gimbal_text(self._picture))

    def _event(self, level: str, source: str, text: str) -> None:
        stamp_ns = str(self._node.now_ns())
        self._hub.event(text_of('event', stamp_ns=stamp_ns, level=level, source=source, text=text))
