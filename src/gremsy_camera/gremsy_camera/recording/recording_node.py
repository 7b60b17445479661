# SPDX-License-Identifier: Apache-2.0
"""What recording needs of the camera's node: two services, the topics that a bag has, two threads that write."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from queue import Empty, Full, Queue
from typing import Any

from std_srvs.srv import SetBool, Trigger

from gremsy_camera.camera_parameters import CameraParameters
from gremsy_camera.footage.pacing import Clock
from gremsy_camera.recording.bag_file import BagChannel
from gremsy_camera.recording.bag_messages import (
    RECORDED_TOPICS,
    as_message,
    channel_of,
    copied_jpeg_channel,
    jpeg_channel,
)
from gremsy_camera.recording.camera_recorder import CameraRecorder
from gremsy_camera.recording.recording_session import CameraChannels
from gremsy_camera.recording.recordings_folder import RecordingsFolder
from gremsy_camera.recording.seen_frames import SeenFrames
from gremsy_camera.recording.snapshot import snapshot_path, write_snapshot
from gremsy_common.errors import SuiteError, one_line
from gremsy_common.ros import topics
from gremsy_common.ros.messages.camera_info_messages import StampedCamera
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.ros.transport.endpoints import TopicSubscription
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.frame import Frame
from gremsy_common.types.gimbal_state import GimbalAttitude

_TIMEOUT_S = 0.2
# What is written still when the node is stopped; a disk that takes longer leaves films that play, without their end.
_FINISH_S = 2.0
_OLD_S = 2.0
_MOST_SNAPSHOTS = 5
# What is seen in a frame comes 0.03 to 0.3 s after it.
_SEEN_S = 1.0
_NS_PER_S = 1_000_000_000
# Two seconds of telemetry at 100 Hz: a frame may be decoded half a second late.
_ATTITUDES = 200


class CameraRecording:
    """Of one camera node; `frame` is called for each frame by the thread that publishes them, and only stores.

    Attributes:
        zoom: magnification as last received, for snapshots; None before.
    """

    def __init__(self, node: SuiteNode[CameraParameters], clock: Clock, frame_id: str) -> None:
        """Touch nothing yet."""
        self._node = node
        self._clock = clock
        self._frame_id = frame_id
        self.recorder = CameraRecorder(
            clock,
            node.get_logger().info,
            node.report_error,
            node.report_drop,
            lambda: node.host.call_soon(self._unsubscribe),
        )
        self._info: BagChannel | None = None
        self._subscriptions: list[TopicSubscription[Any]] = []
        self._newest: tuple[Frame, CameraModel] | None = None
        self.zoom: float | None = None
        self._attitudes: deque[GimbalAttitude] = deque(maxlen=_ATTITUDES)
        self._snapshots: Queue[Callable[[], None]] = Queue(_MOST_SNAPSHOTS)
        self._seen = SeenFrames()

    def activate(self) -> None:
        """Services, threads, what snapshots need; and a recording where one is wanted from the start."""
        node = self._node
        self._seen.open()
        node.subscription(topics.GIMBAL_ATTITUDE, self._attitudes.append)
        node.subscription(topics.TRACKS, self._seen.tracks)
        node.worker('record', lambda: self.recorder.step(_TIMEOUT_S), niceness=5)
        node.worker('snapshot', self._write_snapshot, niceness=5)
        node.service(SetBool, '~/record', self._record)
        node.service(Trigger, '~/snapshot', self._snapshot)
        if node.parameters.record_at_start:
            try:
                node.get_logger().info(self._start())
            except SuiteError as error:
                node.report_error(str(error))

    def frame(self, frame: Frame, camera: StampedCamera) -> None:
        """The newest frame, with the intrinsics that are published for it."""
        self._newest = (frame, camera.model)
        self._seen.frame(frame, camera.model)
        if self.recorder.recording:
            self.recorder.frame(frame)
            if self._info is not None:
                self.recorder.message(self._info, camera)

    def deactivate(self) -> None:
        """End the recording, and wait a little until its files are closed; write the snapshots that were asked for."""
        self._seen.close()
        with suppress(Empty):
            while True:
                self._snapshots.get_nowait()()
        if not self.recorder.finish(_FINISH_S):
            self._node.get_logger().warning('The disk is slow: what has arrived is still being written.')
        # The node's own list has them too, and closes them.
        self._subscriptions.clear()

    def _record(self, request: Any, response: Any) -> Any:
        try:
            response.message = self._start() if request.data else self._stop()
            response.success = True
        except SuiteError as error:
            response.message = str(error)
        return response

    def _start(self) -> str:
        before = self.recorder.recording
        if not before:
            self._info = None
        answer = self.recorder.start(self._node.parameters, self._node.get_namespace(), self._channels)
        if self.recorder.writes_bag and not before:
            for topic in RECORDED_TOPICS:
                channel = channel_of(topic, self._node.resolve_topic_name(topic.name))
                self._subscriptions.append(
                    self._node.subscription(as_message(topic), partial(self.recorder.message, channel))
                )
        return answer

    def _stop(self) -> str:
        answer = self.recorder.stop()
        self._unsubscribe()
        return answer

    def _unsubscribe(self) -> None:
        """On the executor's thread; not while another recording has begun already."""
        if self.recorder.recording:
            return
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            self._node.close_subscription(subscription)

    def _channels(self) -> CameraChannels:
        name = self._node.resolve_topic_name
        compressed = name(topics.IMAGE_COMPRESSED.name)
        self._info = channel_of(topics.CAMERA_INFO, name(topics.CAMERA_INFO.name))
        return CameraChannels(
            jpeg_channel(compressed, self._node.parameters.jpeg_quality),
            copied_jpeg_channel(compressed, self._frame_id),
            self._info,
        )

    def _snapshot(self, _request: Any, response: Any) -> Any:
        newest = self._newest
        if newest is None:
            response.message = 'No frame has come yet, so there is nothing to save: see `source state` in /diagnostics.'
            return response
        frame, camera = newest
        wanted = self._node.parameters
        folder = RecordingsFolder(wanted.record_folder)
        try:
            # Snapshots are no recordings: they count for no limit, and are never deleted.
            folder.check(replace(wanted, record_limit_gb=0.0, record_delete_oldest=False))
        except SuiteError as error:
            response.message = str(error)
            return response
        name, format_ = wanted.record_name, wanted.snapshot_format
        age_s = (self._clock.ros_ns() - frame.stamp_ns) / _NS_PER_S
        old = f', of a frame that is {age_s:.0f} s old' if age_s > _OLD_S else ''
        held = self._seen.hold(frame, camera)
        answer: Future[Any] = Future()

        def write() -> None:
            kept, model, tracks = self._seen.wait(held, _SEEN_S)
            path = folder.path
            try:
                folder.prepare()
                path = snapshot_path(folder.path, name, self._node.get_namespace(), kept, format_)
                write_snapshot(path, kept, model, self.zoom, tuple(self._attitudes), tracks)
            except Exception as error:  # noqa: BLE001 whatever it is, who asked must hear of it
                response.message = (
                    str(error)
                    if isinstance(error, SuiteError)
                    else f"The snapshot '{path}' cannot be written: {one_line(error)}."
                )
                self._node.report_error(response.message)
            else:
                response.success, response.message = True, f"Snapshot to '{path}'{old}."
                self._node.get_logger().info(response.message)
            answer.set_result(response)

        try:
            self._snapshots.put_nowait(write)
        except Full:
            self._seen.drop(held)
            response.message = f'{_MOST_SNAPSHOTS} snapshots are still being written: ask again.'
            return response
        return answer

    def _write_snapshot(self) -> None:
        with suppress(Empty):
            self._snapshots.get(timeout=_TIMEOUT_S)()
