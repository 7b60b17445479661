# SPDX-License-Identifier: Apache-2.0
"""The processes of the benchmark: cameras and viewers, ours and plain rclpy ones, and what keeps a core busy.

Run as `python -m benchmarks.transport.transport_processes ROLE ...`; a viewer prints one line of JSON when it ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import rclpy
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image

from benchmarks.transport.transport_nodes import RATE_HZ, SIZES, BenchParameters
from gremsy_bringup.describe.system_description import share_folder
from gremsy_common.errors import SuiteError
from gremsy_common.ros import topics
from gremsy_common.ros.hosting import prepare_process
from gremsy_common.ros.messages.header_messages import header, stamp_of
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.types.frame import Frame, lock_read_only

_TOPIC = 'image_raw'
_DISCOVERY_S = 20.0
_SETTLE_S = 1.0
_PROFILE_VARIABLES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTDDS_BUILTIN_TRANSPORTS')


def environment(*, profile: bool) -> dict[str, str]:
    """Of a process: the domain of this benchmark, with the shipped profile or Fast DDS's defaults."""
    made = {name: value for name, value in os.environ.items() if name not in _PROFILE_VARIABLES}
    if profile:
        path = str(share_folder() / 'config' / 'fastdds_shm.xml')
        made |= dict.fromkeys(_PROFILE_VARIABLES[:2], path)
    return made


@contextmanager
def process(words: Sequence[str], variables: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """One of the roles below, ended on the way out."""
    popen = subprocess.Popen(
        [sys.executable, '-m', 'benchmarks.transport.transport_processes', *words],
        env=dict(variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield popen
    finally:
        popen.kill()
        popen.communicate()


def result_of(popen: subprocess.Popen[str]) -> dict[str, Any]:
    """End a viewer and take what it saw."""
    try:
        out, _ = popen.communicate('end\n', timeout=_DISCOVERY_S)
        return dict(json.loads(out.splitlines()[-1]))
    except (subprocess.TimeoutExpired, IndexError, ValueError) as error:
        raise SuiteError(f'The transport benchmark cannot go on: a viewer gave no result ({error}).') from error


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """That many processes that compute and do nothing else."""
    started = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(count)]
    try:
        yield
    finally:
        for each in started:
            each.kill()
            each.wait()


def pair(kind: str, frames: int, *, profile: bool) -> dict[str, Any]:
    """A camera and a viewer of that kind in two processes: latencies in ms and how many of the frames came."""
    variables = environment(profile=profile)
    with (
        process([f'{kind}-viewer'], variables) as viewer,
        process([f'{kind}-camera', str(frames)], variables) as camera,
    ):
        if camera.wait(_DISCOVERY_S + frames / RATE_HZ + 10.0) != 0:
            raise SuiteError('The transport benchmark cannot go on: the camera found no viewer.')
        seen = result_of(viewer)
    latencies = np.array(seen['latencies_ms'] or [float('nan')])
    return {
        'lost': frames - len(seen['latencies_ms']),
        'p50_ms': float(np.percentile(latencies, 50)),
        'p99_ms': float(np.percentile(latencies, 99)),
    }


# The roles.


def _paced(frames: int, publish: Callable[[], None], subscribers: Callable[[], int]) -> None:
    deadline = time.monotonic() + _DISCOVERY_S
    while subscribers() == 0:
        if time.monotonic() > deadline:
            sys.exit(1)
        time.sleep(0.02)
    time.sleep(_SETTLE_S)  # the other side needs a moment to know us
    begin_s = time.monotonic()
    for number in range(frames):
        time.sleep(max(0.0, begin_s + number / RATE_HZ - time.monotonic()))
        publish()
    time.sleep(_SETTLE_S)


def _plain_camera(frames: int) -> None:
    rclpy.init()
    node = rclpy.create_node('camera')
    publisher = node.create_publisher(Image, _TOPIC, 10)
    picture = np.full((*SIZES['1080p'], 3), 7, np.uint8)

    def publish() -> None:
        message = Image(header=header(node.get_clock().now().nanoseconds, 'eo'), encoding='bgr8')
        message.height, message.width, message.step = *picture.shape[:2], picture.strides[0]
        message.data.frombytes(picture.data.cast('B'))
        publisher.publish(message)

    _paced(frames, publish, publisher.get_subscription_count)


def _plain_viewer(quality: int | QoSProfile) -> None:
    rclpy.init()
    node = rclpy.create_node('viewer')
    latencies_ms: list[float] = []

    def see(message: Image) -> None:
        np.frombuffer(message.data, np.uint8)
        latencies_ms.append((node.get_clock().now().nanoseconds - stamp_of(message.header.stamp)) * 1e-6)

    node.create_subscription(Image, _TOPIC, see, quality)
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.readline()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    while not ended.is_set():
        rclpy.spin_once(node, timeout_sec=0.1)
    print(json.dumps({'latencies_ms': latencies_ms}), flush=True)


class _OwnCamera(SuiteNode[BenchParameters]):
    node_name = 'camera'
    parameters_type = BenchParameters

    def activate(self) -> None:
        self.images = self.publisher(topics.IMAGE_RAW)


class _OwnViewer(SuiteNode[BenchParameters]):
    node_name = 'viewer'
    parameters_type = BenchParameters

    def activate(self) -> None:
        self.latencies_ms: list[float] = []
        self.subscription(topics.IMAGE_RAW, self._see)

    def _see(self, frame: Frame) -> None:
        self.latencies_ms.append((self.now_ns() - frame.stamp_ns) * 1e-6)


@contextmanager
def _running(kind: type[SuiteNode[BenchParameters]]) -> Iterator[Any]:
    prepare_process()
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    host = NodeHost()
    node = kind(host)
    node.start()
    host.start([node], on_crash=lambda: None)
    try:
        yield node
    finally:
        host.stop()
        node.close()
        host.shutdown()
        rclpy.shutdown()


def _own_camera(frames: int) -> None:
    picture = lock_read_only(np.full((*SIZES['1080p'], 3), 7, np.uint8))
    with _running(_OwnCamera) as node:
        images = node.images
        _paced(frames, lambda: images.publish(Frame(picture, node.now_ns(), 'eo')), lambda: images.outside_subscribers)


def _own_viewer() -> None:
    with _running(_OwnViewer) as node:
        sys.stdin.readline()
        print(json.dumps({'latencies_ms': node.latencies_ms}), flush=True)


def main() -> None:
    """Play the role that the command line names."""
    role, *rest = sys.argv[1:]
    if role == 'own-camera':
        _own_camera(int(rest[0]))
    elif role == 'own-viewer':
        _own_viewer()
    elif role in ('plain-camera', 'sensor-camera'):
        _plain_camera(int(rest[0]))
    else:
        _plain_viewer(qos_profile_sensor_data if role == 'sensor-viewer' else 10)


if __name__ == '__main__':
    main()
