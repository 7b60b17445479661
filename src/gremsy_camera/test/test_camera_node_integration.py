# SPDX-License-Identifier: Apache-2.0
"""The camera node as a process of its own, watched over DDS from this one."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import uuid

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not sourced: run ./gremsy test')
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from gremsy_camera.sources import available_sources
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
    assert rows()['pictures to show dropped while busy'] == '0'


def test_a_file_that_cannot_be_decoded_ends_the_start_with_one_sentence(camera, tmp_path, namespace):
    path = tmp_path / 'bad.mp4'
    path.write_bytes(b'no video at all' * 1000)
    camera.start(source=path)
    status, output = camera.wait()
    assert status == 2
    assert output.strip().splitlines()[-1] == (
        f'{namespace}/camera: The file {path} has no video that can be decoded: '
        'check that it is complete and that `ffmpeg` plays it, or use another.'
    )
    assert 'Traceback' not in output


def test_an_unknown_scheme_ends_the_start_with_what_there_is(camera, namespace):
    camera.start(source='ftp://10.1.2.3/eo')
    status, output = camera.wait()
    assert status == 2
    offer = ', '.join(f'{scheme}:' for scheme in available_sources())
    assert output.strip().splitlines() == [
        f'{namespace}/camera: There is no video source for `source` ftp://10.1.2.3/eo: use one of {offer}, /dev/videoN '
        'or the path of a video file.'
    ]


def test_a_parameter_that_the_camera_does_not_have_is_said_with_the_one_that_was_meant(camera, watcher, namespace):
    statuses = watcher.collect(DiagnosticArray, '/diagnostics', 10)
    camera.start(source='/dev/video99', horizontal_field_degs=60.0)
    watcher.until(lambda: any(status.name == f'{namespace}/camera' for each in statuses for status in each.status))
    said = camera.stop()[1]
    sentence = (
        f'{namespace}/camera has no parameter `horizontal_field_degs`, and what was given for it is not used: did you '
        'mean `horizontal_field_deg`?'
    )
    assert said.count('has no parameter') == said.count(sentence) == 1


def test_a_camera_that_is_not_there_is_waited_for_with_its_sentence(camera, watcher):
    statuses = watcher.collect(DiagnosticArray, '/diagnostics', 10)
    camera.start(source='/dev/video99?size=1280x720')
    watcher.until(lambda: any('/dev/video99' in status.message for array in statuses for status in array.status))
    assert 'There is no camera /dev/video99: this machine has' in camera.stop()[1]


@pytest.fixture
def dead_camera():
    """Takes connections and never answers, which is waited for for 5 s."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen(4)
        yield server


def test_a_camera_that_does_not_answer_holds_nobody_up(camera, watcher, namespace, dead_camera):
    """The executor of its node answers while the first try still waits for the camera's answer."""
    kinds = {'change_state': ChangeState, 'get_state': GetState}
    clients = {name: watcher.node.create_client(kind, f'{namespace}/camera/{name}') for name, kind in kinds.items()}

    def call(name, **request):
        answer = clients[name].call_async(kinds[name].Request(**request))
        watcher.until(answer.done)
        return answer.result()

    camera.start(source=f'rtsp://127.0.0.1:{dead_camera.getsockname()[1]}/eo', autostart='false')
    watcher.until(lambda: all(client.service_is_ready() for client in clients.values()))
    assert call('change_state', transition=Transition(id=Transition.TRANSITION_CONFIGURE)).success
    assert call('get_state').current_state.label == 'inactive'
    dead_camera.settimeout(STARTS_WITHIN_S)
    connection, _ = dead_camera.accept()
    # The try is still going on: it asked, and has not hung up.
    connection.settimeout(STARTS_WITHIN_S)
    assert connection.recv(4096)
    connection.setblocking(False)
    with pytest.raises(BlockingIOError):
        connection.recv(4096)
    for number, state in ((Transition.TRANSITION_ACTIVATE, 'active'), (Transition.TRANSITION_DEACTIVATE, 'inactive')):
        assert call('change_state', transition=Transition(id=number)).success
        assert call('get_state').current_state.label == state
    connection.close()
    assert 'did not end in time' not in camera.stop()[1]


def test_a_camera_that_sends_no_video_ends_the_start_however_long_it_takes_to_say_so(camera, namespace, dead_camera):
    camera.start(source=f'rtsp://127.0.0.1:{dead_camera.getsockname()[1]}/eo', reader='pyav')
    dead_camera.settimeout(STARTS_WITHIN_S)
    connection, _ = dead_camera.accept()
    connection.settimeout(STARTS_WITHIN_S)
    # Longer than the start waits for an answer.
    time.sleep(1.0)
    session = 'v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n'
    while request := connection.recv(4096).decode():
        head = f'RTSP/1.0 200 OK\r\nCSeq: {request.split("CSeq: ")[1].split()[0]}\r\n'
        body = session if request.startswith('DESCRIBE') else ''
        kind = 'Content-Type: application/sdp\r\n' if body else ''
        connection.sendall(f'{head}{kind}Content-Length: {len(body)}\r\n\r\n{body}'.encode())
    connection.close()
    status, output = camera.wait()
    assert status == 2, output
    last = output.strip().splitlines()[-1]
    assert last.startswith(f'{namespace}/camera: The camera rtsp://127.0.0.1:') and 'sends no video but audio' in last
