# SPDX-License-Identifier: Apache-2.0
"""The camera node as a process of its own, watched over DDS from this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not sourced: run ./gremsy test')
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from gremsy_common.timing.trace import read_trace
from gremsy_gimbal_sim.truth_ring import TrueState, TruthRingWriter

pytestmark = pytest.mark.integration

NODE = [sys.executable, '-c', 'from gremsy_camera.camera_node import main; main()']
STARTS_WITHIN_S, ENDS_WITHIN_S = 30.0, 10.0


class CameraProcess:
    """Starts the node with parameters; its output is kept."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._process: subprocess.Popen | None = None

    def start(self, **parameters) -> None:
        arguments = ['--ros-args', '-r', f'__ns:={self._namespace}']
        for name, value in parameters.items():
            arguments += ['-p', f'{name}:={value}']
        self._process = subprocess.Popen(
            [*NODE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def wait(self) -> tuple[int, str]:
        output, _ = self._process.communicate(timeout=STARTS_WITHIN_S)
        return self._process.returncode, output

    def stop(self) -> tuple[int, str]:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        output, _ = self._process.communicate(timeout=ENDS_WITHIN_S)
        return self._process.returncode, output

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


class Watcher:
    """A plain subscriber in this process."""

    def __init__(self, namespace: str) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._namespace = namespace
        self.node = rclpy.create_node(f'watcher_{uuid.uuid4().hex[:8]}', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def collect(self, kind, topic: str, qos) -> list:
        received: list = []
        name = topic if topic.startswith('/') else f'{self._namespace}/{topic}'
        self.node.create_subscription(kind, name, received.append, qos)
        return received

    def until(self, condition) -> None:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not condition():
            assert time.monotonic() < deadline, 'what was waited for did not come'
            self._executor.spin_once(timeout_sec=0.1)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)


@pytest.fixture(autouse=True)
def own_domain(monkeypatch):
    """Other tests on this machine must not be heard."""
    monkeypatch.setenv('ROS_DOMAIN_ID', os.environ.get('ROS_DOMAIN_ID') or str(1 + os.getpid() % 100))
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')


@pytest.fixture
def namespace():
    return f'/test_{uuid.uuid4().hex[:8]}/eo'


@pytest.fixture
def camera(namespace):
    process = CameraProcess(namespace)
    yield process
    process.kill()


@pytest.fixture
def watcher(namespace):
    made = Watcher(namespace)
    yield made
    made.close()


def stamp_ns(message) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def test_a_file_is_published_with_rising_stamps_and_the_intrinsics_of_its_field(camera, watcher, make_video, namespace):
    images = watcher.collect(Image, 'image_raw', qos_profile_sensor_data)
    infos = watcher.collect(CameraInfo, 'camera_info', 10)
    before_ns = time.time_ns()
    camera.start(source=make_video(20, rate_hz=20.0), horizontal_field_deg='40.0')
    watcher.until(lambda: len(images) >= 25 and len(infos) >= 25)
    stamps = [stamp_ns(image) for image in images]
    assert stamps == sorted(set(stamps)) and before_ns < stamps[0] < time.time_ns()
    assert (images[0].width, images[0].height, images[0].encoding) == (160, 120, 'bgr8')
    assert images[0].header.frame_id == f'{namespace.strip("/")}_optical_frame'
    assert {stamp_ns(info) for info in infos} & set(stamps)
    assert infos[0].k[0] == pytest.approx(219.8, abs=0.1) and infos[0].k[2] == 79.5
    status, output = camera.stop()
    assert status == 0, output
    assert 'ended and starts again' in output
    assert 'Traceback' not in output and 'terminate called' not in output


def test_jpeg_is_made_for_who_listens(camera, watcher, make_video):
    compressed = watcher.collect(CompressedImage, 'image_raw/compressed', qos_profile_sensor_data)
    camera.start(source=make_video(10, rate_hz=20.0))
    watcher.until(lambda: len(compressed) >= 3)
    assert bytes(compressed[0].data[:3]) == b'\xff\xd8\xff'
    assert compressed[0].format == 'bgr8; jpeg compressed bgr8'
    camera.stop()


def test_a_video_that_stops_at_its_end_leaves_the_node_running_and_says_so(camera, watcher, make_video, namespace):
    video = make_video(5, rate_hz=20.0)
    statuses = []
    arrays = watcher.collect(DiagnosticArray, '/diagnostics', 10)

    def ended():
        statuses[:] = [each for array in arrays for each in array.status if each.name == f'{namespace}/camera']
        return any(value.key == 'source state' and value.value == 'ended' for each in statuses for value in each.values)

    camera.start(source=video, at_end='stop')
    watcher.until(ended)
    status, output = camera.stop()
    assert status == 0, output
    assert (
        f'The video {video} ended after 5 frames and `at_end` is `stop`: set `at_end` to `loop` or `hold` to go on.'
        in output
    )


def test_the_simulated_camera_publishes_its_zoom_and_traces_its_true_view(camera, watcher, make_video, tmp_path):
    ring = f'test-{uuid.uuid4().hex[:8]}'
    infos = watcher.collect(CameraInfo, 'camera_info', 10)
    with TruthRingWriter(ring) as payload:

        def enough():
            payload.write(TrueState(time.time_ns(), 0.1, 0.05, 0.0, 0.0, 2.0))
            return len(infos) >= 20

        camera.start(source=f'sim:{make_video(20)}?ring={ring}', trace_dir=tmp_path / 'trace')
        watcher.until(enough)
        status, output = camera.stop()
    assert status == 0, output
    assert (infos[0].width, infos[0].height) == (640, 480)
    assert infos[0].k[0] == pytest.approx(2 * 879.19, abs=0.1)
    events = [event for event in read_trace(tmp_path / 'trace') if event['kind'] == 'frame']
    assert {stamp_ns(info) for info in infos} <= {event['stamp_ns'] for event in events}
    assert (events[0]['azimuth_rad'], events[0]['tilt_rad'], events[0]['zoom']) == pytest.approx((0.1, 0.05, 2.0))
    assert events[0]['footage_frame'] == 0 and events[0]['render_ns'] > 0


def test_a_magnification_that_is_none_is_counted_and_said_once(camera, watcher, namespace, make_video):
    statuses = watcher.collect(DiagnosticArray, '/diagnostics', 10)
    zoom = watcher.node.create_publisher(JointState, f'{namespace}/gimbal/zoom', 10)

    def rows():
        found = [each for array in statuses for each in array.status if each.name == f'{namespace}/camera']
        return {each.key: each.value for each in found[-1].values} if found else {}

    def refused():
        zoom.publish(JointState(name=['zoom'], position=[-1.0]))
        return int(rows().get('gimbal/zoom: not positive', '0')) >= 3

    camera.start(source=make_video(20))
    watcher.until(refused)
    status, output = camera.stop()
    assert status == 0, output
    sentence = (
        f'A message on {namespace}/gimbal/zoom cannot be used: joint `zoom` is -1.0: '
        'a positive magnification is needed.'
    )
    assert output.count(sentence) == 1
    assert rows()['last error'] == sentence
    assert rows()['JPEGs dropped while busy'] == '0'


def test_a_file_that_cannot_be_decoded_ends_the_start_with_one_sentence(camera, tmp_path):
    path = tmp_path / 'bad.mp4'
    path.write_bytes(b'no video at all' * 1000)
    camera.start(source=path)
    status, output = camera.wait()
    assert status == 2
    assert output.strip().splitlines()[-1] == (
        f'The file {path} has no video that can be decoded: '
        'check that it is complete and that `ffmpeg` plays it, or use another.'
    )
    assert 'Traceback' not in output


def test_an_unknown_scheme_ends_the_start_with_what_there_is(camera):
    camera.start(source='rtsp://10.1.2.3/eo')
    status, output = camera.wait()
    assert status == 2
    assert output.strip().splitlines()[-1] == (
        'There is no video source for `source` rtsp://10.1.2.3/eo: use one of file:, sim: or the path of a video file.'
    )
