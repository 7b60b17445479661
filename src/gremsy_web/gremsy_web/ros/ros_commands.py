# SPDX-License-Identifier: Apache-2.0
"""The robot's commands over ROS: published from the server's thread, services called and waited for on its loop."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters
from std_srvs.srv import SetBool, Trigger

from gremsy_common.geometry import direction_from_bearing, quaternion_from_bearing
from gremsy_common.ros import topics
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.ros.transport.endpoints import TopicPublisher, TopicSubscription
from gremsy_common.types.frame import Frame
from gremsy_common.types.gimbal_state import OrientationRequest, PointRequest, RateSetpoint
from gremsy_web.http.api_errors import ApiError
from gremsy_web.http.response_bodies import LiveSetting
from gremsy_web.robot.robot_commands import (
    CapturedPicture,
    RobotService,
    SettingValue,
)
from gremsy_web.ros.setting_messages import parameter_message, setting_of

_DRIVER = 'gimbal_driver'
_ANSWER_S = 3.0
# Farther than anything that the parallax of a gimbal's arm could be seen at.
_FAR_M = 10_000.0
_PICTURE_S = 2.0
_POLL_S = 0.02
# Detections of a frame come 0.03 to 0.3 s after it, of every third one or so.
_DETECTED_S = 1.0
# Frames that wait for theirs: a second and a half at 30 a second, some 10 MB.
_MOST_HELD = 45
_FOUND_S = 1.0
# rclpy's own, and what each topic declares.
_NOT_SHOWN = ('qos_overrides.', 'use_sim_time', 'start_type_description_service')
_UNUSED_S = 5.0
_OVERLAY = '_overlay'
_JPEG_QUALITY = 80


class PictureTap:
    """The newest JPEG of a video path, subscribed to only while somebody asks; on the executor's thread."""

    def __init__(self, node: SuiteNode[Any], path: str) -> None:
        self._node = node
        self._path = path
        self._subscription: TopicSubscription[Any] | None = None
        self.asked_s = time.monotonic()
        self.newest: tuple[float, int, Any] | None = None
        """When it came, its stamp, and what came."""
        self.holds: list[deque[CapturedPicture]] = []
        """Where frames are put for those who wait for what is seen in them."""

    def open(self) -> None:
        """Begin to listen."""
        if self._subscription is not None:
            return
        camera = self._path.removesuffix(_OVERLAY)
        if self._path.endswith(_OVERLAY):
            overlay = replace(topics.OVERLAY, name=f'{camera}/{topics.OVERLAY.name}')
            self._subscription = self._node.subscription(overlay, self._on_frame)
        else:
            compressed = replace(topics.IMAGE_COMPRESSED, name=f'{camera}/{topics.IMAGE_COMPRESSED.name}')
            self._subscription = self._node.subscription(compressed, self._on_jpeg)

    def close_unused(self) -> None:
        """End it when nobody has asked for a while."""
        if self._subscription is not None and time.monotonic() - self.asked_s > _UNUSED_S:
            subscription, self._subscription = self._subscription, None
            self._node.close_subscription(subscription)

    def _on_frame(self, frame: Frame) -> None:
        self.newest = (time.monotonic(), frame.stamp_ns, frame)

    def _on_jpeg(self, message: Any) -> None:
        stamp = message.header.stamp
        stamp_ns, is_png = stamp.sec * 1_000_000_000 + stamp.nanosec, 'png' in message.format
        content = b'' if is_png and not self.holds else bytes(message.data)
        if not is_png:
            self.newest = (time.monotonic(), stamp_ns, content)
        for hold in list(self.holds):
            hold.append(CapturedPicture(stamp_ns, 'image/png' if is_png else 'image/jpeg', content))


class RosCommands:
    """As `RobotCommands` says; made and closed on the executor's thread.

    Args:
        node: in the robot's namespace.
        cameras: their namespaces.
        level_frame: of rates and bearings.
    """

    def __init__(self, node: SuiteNode[Any], cameras: tuple[str, ...], level_frame: str) -> None:
        self._node = node
        self._frame = level_frame

        def driver(topic: Any) -> TopicPublisher[Any]:
            return node.publisher(replace(topic, name=topic.name.replace('~', _DRIVER)))

        self._rate = driver(topics.COMMAND_RATE)
        self._attitude = driver(topics.COMMAND_ATTITUDE)
        self._look_at = driver(topics.COMMAND_LOOK_AT)
        self._zoom = driver(topics.COMMAND_ZOOM)
        self._watch = node.publisher(topics.STREAM_WATCH)
        self._select = {
            name: node.publisher(replace(topics.TARGET_SELECT_ID, name=f'{name}/{topics.TARGET_SELECT_ID.name}'))
            for name in cameras
        }
        self._clients: dict[str, Any] = {}
        for request in RobotService:
            kind = SetBool if request.switches else Trigger
            for name in cameras if '{camera}' in request.value else ('',):
                path = request.value.format(camera=name)
                self._clients[path] = node.create_client(kind, path)
        self._parameters: dict[str, Any] = {}
        self._taps = {path: PictureTap(node, path) for name in cameras for path in (name, f'{name}{_OVERLAY}')}

    def close(self) -> None:
        """Let the clients go; topics are the node's."""
        for client in (*self._clients.values(), *self._parameters.values()):
            self._node.destroy_client(client)
        self._clients.clear()
        self._parameters.clear()

    def close_unused_taps(self) -> None:
        """Once a second, on the executor's thread."""
        for tap in self._taps.values():
            tap.close_unused()

    def rate(self, azimuth_rad_s: float, tilt_rad_s: float) -> None:
        """Turn at these rates."""
        self._rate.publish(RateSetpoint(self._node.now_ns(), self._frame, azimuth_rad_s, tilt_rad_s))

    def point(self, azimuth_rad: float, tilt_rad: float) -> None:
        """Turn to that bearing."""
        orientation = quaternion_from_bearing(azimuth_rad, tilt_rad)
        self._attitude.publish(OrientationRequest(self._node.now_ns(), self._frame, orientation))

    def look(self, azimuth_rad: float, tilt_rad: float) -> None:
        """Look into that direction."""
        x, y, z = (direction_from_bearing(azimuth_rad, tilt_rad) * _FAR_M).tolist()
        self._look_at.publish(PointRequest(self._node.now_ns(), self._frame, (x, y, z)))

    def zoom(self, factor: float) -> None:
        """Zoom to this factor of the widest view."""
        self._zoom.publish(factor)

    def select(self, camera: str, text: str) -> None:
        """Follow that."""
        self._select[camera].publish(text)

    def watch(self, path: str) -> None:
        """Somebody watches."""
        self._watch.publish(path)

    async def ask(self, request: RobotService, camera: str = '', *, on: bool = True) -> str:
        """Call the service; raises ApiError."""
        path = request.value.format(camera=camera)
        content = SetBool.Request(data=on) if request.switches else Trigger.Request()
        answer = await self._call(self._clients.get(path), path, content)
        return _text(answer.success, answer.message)

    async def settings(self, node: str) -> list[LiveSetting]:
        """As the node describes them; raises ApiError."""
        listed = await self._of_parameters(ListParameters, f'{node}/list_parameters', ListParameters.Request())
        names = [name for name in listed.result.names if not name.startswith(_NOT_SHOWN)]
        described = await self._of_parameters(
            DescribeParameters, f'{node}/describe_parameters', DescribeParameters.Request(names=names)
        )
        got = await self._of_parameters(GetParameters, f'{node}/get_parameters', GetParameters.Request(names=names))
        return [setting_of(*each) for each in zip(described.descriptors, got.values, strict=True)]

    async def set_parameter(self, node: str, name: str, value: SettingValue) -> str:
        """Change it; raises ApiError."""
        content = SetParameters.Request(parameters=[parameter_message(name, value)])
        answer = await self._of_parameters(SetParameters, f'{node}/set_parameters', content)
        result = answer.results[0]
        return _text(result.successful, result.reason) or f'`{name}` is {value} now.'

    async def jpeg(self, path: str) -> tuple[int, bytes] | None:
        """The newest picture, waited for where nobody has asked for a while."""
        tap = self._taps[path]
        tap.asked_s = began_s = time.monotonic()
        self._node.host.call_soon(tap.open)
        while time.monotonic() - began_s < _PICTURE_S:
            newest = tap.newest
            if newest is not None and began_s - newest[0] < 1.0:
                _, stamp_ns, content = newest
                return stamp_ns, content if isinstance(content, bytes) else await asyncio.to_thread(_jpeg_of, content)
            await asyncio.sleep(_POLL_S)
        return None

    async def still(self, camera: str, wanted: Callable[[int], bool]) -> CapturedPicture | None:
        """A frame that comes from now on and whose detections come too, else the newest."""
        tap, held = self._taps[camera], deque[CapturedPicture](maxlen=_MOST_HELD)
        tap.asked_s = time.monotonic()
        tap.holds.append(held)
        self._node.host.call_soon(tap.open)
        deadline, waits_for_first = tap.asked_s + _PICTURE_S, True
        try:
            while time.monotonic() < deadline:
                frames = list(held)
                found = next((each for each in frames if wanted(each.stamp_ns)), None)
                if found is not None:
                    return found
                if frames and waits_for_first:
                    deadline, waits_for_first = time.monotonic() + _DETECTED_S, False
                await asyncio.sleep(_POLL_S)
            return held[-1] if held else None
        finally:
            tap.holds.remove(held)

    async def _of_parameters(self, kind: type[Any], path: str, content: Any) -> Any:
        """Clients are made when they are first needed, on the executor's thread as every entity."""
        if path not in self._parameters:
            made: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def make() -> None:
                if path not in self._parameters:
                    self._parameters[path] = self._node.create_client(kind, path)
                _settle(made, None)

            self._node.host.call_soon(make)
            await asyncio.wait_for(made, _ANSWER_S)
            # Discovery takes a moment.
            deadline = time.monotonic() + _FOUND_S
            while not self._parameters[path].service_is_ready() and time.monotonic() < deadline:
                await asyncio.sleep(_POLL_S)
        return await self._call(self._parameters[path], path, content)

    async def _call(self, client: Any, path: str, content: Any) -> Any:
        if client is None or not client.service_is_ready():
            raise ApiError(503, f'The service {path} is not there: is its node running?')
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future = client.call_async(content)
        future.add_done_callback(lambda done: _settle(answered, done.result()))
        try:
            return await asyncio.wait_for(answered, _ANSWER_S)
        except asyncio.TimeoutError as error:
            client.remove_pending_request(future)
            raise ApiError(503, f'The service {path} did not answer within {_ANSWER_S:.0f} s.') from error


def _text(done: bool, text: str) -> str:
    if not done:
        raise ApiError(409, text or 'The robot refused this without a reason.')
    return text


def _settle(waiting: asyncio.Future[Any], result: Any) -> None:
    """From the executor's thread; nobody waits for what comes too late, or after the server has ended."""

    def settle() -> None:
        if not waiting.done():
            waiting.set_result(result)

    if not waiting.get_loop().is_closed():
        waiting.get_loop().call_soon_threadsafe(settle)


def _jpeg_of(frame: Frame) -> bytes:
    _, encoded = cv2.imencode('.jpg', frame.image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return bytes(encoded)
