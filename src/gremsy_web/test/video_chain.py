# SPDX-License-Identifier: Apache-2.0
"""The video's whole way as on a robot: the nodes `stream` and `web` and MediaMTX, each a process of its own, with the
settings that are shipped; before them a camera whose pictures bear their number. Import it behind `importorskip`."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor

from gremsy_camera.streaming.rtp_sending import rtp_time
from gremsy_camera.trial import burned_clock
from gremsy_common.ros import topics
from gremsy_common.ros.messages.camera_info_messages import StampedCamera
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Tracks
from gremsy_common.types.frame import Frame, lock_read_only
from src.gremsy_camera.test.real_mediamtx import FILE, PROGRAM, MediaMtx
from src.gremsy_gimbal_driver.test.ros_bench import ISOLATED, Process

ROBOT = 'robot'
KEYS = {
    'GREMSY_WEB_KEY': 'control-key-of-the-test',
    'GREMSY_WEB_VIEW_KEY': 'view-key-of-the-test',
    'GREMSY_WEB_PUBLISH_KEY': 'publish-key-of-the-test',
}
WIDTH, HEIGHT, BITS = 320, 240, 8
# Three nodes and a browser start beside whatever else this machine does.
_PATIENCE_S = 90.0


def numbered(number: int) -> Any:
    """A picture whose eight bars, black or white, are the number's bits, the lowest first."""
    bars = [255 * (number >> bit & 1) for bit in range(BITS)]
    row = np.repeat(np.array(bars, np.uint8), WIDTH // BITS)
    return lock_read_only(np.ascontiguousarray(np.broadcast_to(row[None, :, None], (HEIGHT, WIDTH, 3))))


class NumberedCamera:
    """Publishes numbered pictures at 30 Hz, with a track in each whose id is its number; keeps the stamps' numbers."""

    def __init__(self, sends: bool = True) -> None:
        self._context = rclpy.Context()
        with mock.patch.dict(os.environ, ISOLATED):
            rclpy.init(context=self._context, domain_id=int(ISOLATED['ROS_DOMAIN_ID']))
            self.node = rclpy.create_node('numbered', namespace=f'/{ROBOT}/eo', context=self._context)
        self.number_of: dict[int, int] = {}
        self._sends = sends
        self._on = threading.Event()
        self._on.set()
        self._end = threading.Event()
        self._model = CameraModel.from_horizontal_field(WIDTH, HEIGHT, 1.0)
        self._publishers = {
            topic.name: (self.node.create_publisher(topic.message_type, topic.name, 5), topic)
            for topic in (topics.IMAGE_RAW, topics.CAMERA_INFO, topics.TRACKS, topics.VIDEO_TIME)
        }
        self._thread = threading.Thread(target=self._run)
        if sends:
            self._thread.start()

    def power(self, on: bool) -> None:
        """Whether pictures come."""
        self._on.set() if on else self._on.clear()

    def say(self, topic: Any, item: Any) -> None:
        """Publish one item of that topic."""
        publisher, of = self._publishers[topic.name]
        publisher.publish(of.to_message(item))

    def see(self, stamp_ns: int, number: int) -> None:
        """Intrinsics and one track of the image of that stamp."""
        self.say(topics.CAMERA_INFO, StampedCamera(stamp_ns, 'eo', self._model))
        self.say(topics.TRACKS, one_track(stamp_ns, number))

    def close(self) -> None:
        self._end.set()
        if self._sends:
            self._thread.join()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _run(self) -> None:
        number, due_s = 0, time.monotonic()
        while not self._end.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + 1 / 30, time.monotonic() - 0.1)
            if not self._on.is_set():
                continue
            number = (number + 1) % 2**BITS
            stamp_ns = time.time_ns()
            self.number_of[rtp_time(stamp_ns)] = number
            self.say(topics.IMAGE_RAW, Frame(numbered(number), stamp_ns, 'eo'))
            self.see(stamp_ns, number)


class ClockReader:
    """Beside the node `camera`: reads the clock in each of its images, sees a track in it, and hears its RTP times."""

    def __init__(self, seen_by: NumberedCamera) -> None:
        self.clock_us: dict[int, int] = {}
        self.stamp_of: dict[int, int] = {}
        self._seen_by = seen_by
        node = seen_by.node
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        node.create_subscription(topics.IMAGE_RAW.message_type, 'image_raw', self._image_came, 5)
        node.create_subscription(topics.VIDEO_TIME.message_type, 'video_time', self._time_came, 5)
        self._thread = threading.Thread(target=self._executor.spin)
        self._thread.start()

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join()

    def _image_came(self, message: Any) -> None:
        frame = topics.IMAGE_RAW.from_message(message)
        clock_us = burned_clock.read(frame.image)
        if clock_us is not None:
            self.clock_us[frame.stamp_ns] = clock_us
        self._seen_by.say(topics.TRACKS, one_track(frame.stamp_ns, 1))

    def _time_came(self, message: Any) -> None:
        time = topics.VIDEO_TIME.from_message(message)
        self.stamp_of[time.rtp] = time.stamp_ns


def one_track(stamp_ns: int, number: int) -> Tracks:
    """Of the image of that stamp."""
    box = np.array([[10.0, 20.0, 60.0, 90.0]])
    return Tracks(stamp_ns, 'eo', box, np.ones(1), np.array(['person']), np.array([number], np.int64))


class Chain:
    """The three processes; `mediamtx` has the power switch of the server.

    Args:
        folder: of what they say.
        settings: of MediaMTX, from those that are shipped.
        streams: whether the node `stream` runs.
    """

    def __init__(self, folder: Path, settings: Callable[[str], str] = str, streams: bool = True) -> None:
        self._folder = folder
        self.mediamtx = MediaMtx(folder, settings(FILE.read_text(encoding='utf-8')))
        self._streams = streams
        self.stream: Process | None = None
        self.camera: Process | None = None
        self.web: Process | None = None
        self.address = ''

    def start(self) -> None:
        """First the node `web`, whose port MediaMTX is told."""
        with mock.patch.dict(os.environ, KEYS):
            words = [f'video_url:={self.mediamtx.whep}', f'video_api_url:={self.mediamtx.api}', 'port:=0']
            self.web = self._node('gremsy_web.web_node', f'/{ROBOT}', *words)
        said = self.until(lambda: re.search(r'The page is at http://127\.0\.0\.1:(\d+)/', self.web.said))
        self.address = f'http://127.0.0.1:{said[1]}'
        self.mediamtx.environment = {'MTX_AUTHHTTPADDRESS': f'{self.address}/api/video/auth'}
        self.mediamtx.start()
        self.start_stream()

    def start_stream(self) -> None:
        """The node `stream`, where there is to be one."""
        if self._streams:
            server = self.mediamtx.server('robot', KEYS['GREMSY_WEB_PUBLISH_KEY'])
            words = [f'server:={server}', f'server_api:={self.mediamtx.api}', 'encoder:=x264', 'picture:=clean']
            self.stream = self._node('gremsy_camera.stream_node', f'/{ROBOT}/eo', *words)

    def start_camera(self, source: str) -> None:
        """The node `camera`, which reads at the server too."""
        server_url = f'{self.mediamtx.server("me", KEYS["GREMSY_WEB_VIEW_KEY"])}/eo'
        words = [f'source:={source}', f'server_url:={server_url}', 'via:=server']
        self.camera = self._node('gremsy_camera.camera_node', f'/{ROBOT}/eo', *words)

    def until(self, true: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + _PATIENCE_S
        while not (value := true()):
            assert time.monotonic() < deadline, (self.web.said, self.mediamtx.log)
            time.sleep(0.02)
        return value

    def close(self) -> None:
        for each in (self.camera, self.stream, self.web):
            if each is not None:
                each.kill()
        self.mediamtx.stop()

    def _node(self, module: str, namespace: str, *parameters: str) -> Process:
        words = [word for each in parameters for word in ('-p', each)]
        name = module.rpartition('.')[2]
        watch = f'stream/watch:=/{ROBOT}/stream/watch'
        arguments = ('--ros-args', '-r', f'__ns:={namespace}', '-r', watch, *words)
        return Process(self._folder / f'{name}.log', sys.executable, '-m', module, *arguments)


@contextmanager
def whole_chain(folder: Path, **options: Any) -> Iterator[Chain]:
    """A chain that is ended; skips where there is no MediaMTX."""
    if PROGRAM is None:
        pytest.skip('mediamtx is not on PATH: see docker/mediamtx.yml')
    chain = Chain(folder, **options)
    try:
        chain.start()
        yield chain
    finally:
        chain.close()
