# SPDX-License-Identifier: Apache-2.0
"""The camera node as a process of its own that is told to record, by the services that an operator calls."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not sourced: run ./gremsy test')
pytest.importorskip('av', reason='PyAV is not installed: run ./gremsy test')
pytest.importorskip('mcap', reason='mcap is not installed: run ./gremsy test')
import av
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger

from gremsy_common.ros import topics
from gremsy_common.types.detections import Detections, Tracks
from gremsy_common.types.gimbal_state import GimbalAttitude

pytest_plugins = ['gremsy_camera.trial.pytest_camera']
pytestmark = pytest.mark.integration

NODE = [sys.executable, '-c', 'from gremsy_camera.camera_node import main; main()']
WITHIN_S = 30.0


class Robot:
    """A camera process, and an operator, a detector and a gimbal in this one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._namespace = f'/r{uuid.uuid4().hex[:8]}/eo'
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node('operator', namespace=self._namespace, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self.process: subprocess.Popen | None = None
        self.stamps: set[int] = set()
        self._node.create_subscription(Image, 'image_raw', self._image_came, qos_profile_sensor_data)
        self._publishers = {
            topic: self._node.create_publisher(topic.message_type, topic.name, 10)
            for topic in (topics.DETECTIONS, topics.GIMBAL_ATTITUDE, topics.TRACKS)
        }

    def start(self, source: str, **parameters) -> None:
        arguments = ['--ros-args', '-r', f'__ns:={self._namespace}']
        wanted = {'source': source, 'record_dir': self.folder, 'record_keep_free_gb': 0.0, **parameters}
        for name, value in wanted.items():
            arguments += ['-p', f'{name}:={value}']
        self.process = subprocess.Popen(
            [*NODE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def call(self, kind, name: str, **fields):
        client = self._node.create_client(kind, f'camera/{name}')
        self.until(client.service_is_ready)
        answer = client.call_async(kind.Request(**fields))
        self.until(answer.done)
        return answer.result()

    def publish(self, topic, item) -> None:
        self._publishers[topic].publish(topic.to_message(item))

    def until(self, condition) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            assert time.monotonic() < deadline, 'what was waited for did not come'
            self._executor.spin_once(timeout_sec=0.05)

    def run(self, duration_s: float, work=lambda: None) -> None:
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            work()
            self._executor.spin_once(timeout_sec=0.02)

    def stop(self, by=signal.SIGTERM) -> str:
        if self.process is None:
            return ''
        if self.process.poll() is None:
            self.process.send_signal(by)
        output, _ = self.process.communicate(timeout=WITHIN_S)
        return output

    def close(self) -> None:
        self.stop(signal.SIGKILL)
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def only(self, pattern: str) -> Path:
        (found,) = self.folder.glob(pattern)
        return found

    def _image_came(self, message: Image) -> None:
        self.stamps.add(message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec)


@pytest.fixture
def robot(tmp_path):
    made = Robot(tmp_path / 'recordings')
    yield made
    made.close()


def pictures(path: Path) -> int:
    with av.open(str(path)) as film:
        return len([1 for _ in film.decode(video=0)])


def stamps_of(path: Path) -> list[int]:
    _, *lines = path.read_text().splitlines()
    return [int(row['stamp_ns']) for row in csv.DictReader(lines) if row['stamp_ns']]


@pytest.mark.parametrize('codec', ['h264', 'mjpeg'])
def test_a_camera_of_the_network_is_recorded_with_what_was_seen_in_it(run_camera, robot, codec):
    camera = run_camera(codec=codec, gop=10, width=320, height=240)
    robot.start(camera.uri, record_format='both', record_images='jpeg')
    robot.until(lambda: robot.stamps)
    answer = robot.call(SetBool, 'record', data=True)
    assert answer.success and answer.message.startswith(f"Recording to '{robot.folder}/"), answer.message

    def see() -> None:
        now_ns = time.time_ns()
        box = np.array([[1.0, 2.0, 3.0, 4.0]])
        robot.publish(topics.DETECTIONS, Detections(now_ns, 'eo', box, np.array([0.5]), np.array(['person'])))
        attitude = GimbalAttitude(now_ns, 'eo', np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3))
        robot.publish(topics.GIMBAL_ATTITUDE, attitude)

    robot.run(3.0, see)
    answer = robot.call(Trigger, 'snapshot')
    assert answer.success and answer.message == f"Snapshot to '{robot.only('*Z.png')}'.", answer.message
    assert json.loads(robot.only('*Z.json').read_text())['picture'] == robot.only('*Z.png').name
    answer = robot.call(SetBool, 'record', data=False)
    assert answer.success and answer.message.startswith('Recorded '), answer.message
    output = robot.stop()
    assert f"Recorded to '{robot.folder}': " in output and 'error' not in output.lower(), output

    film, table, bag = (robot.only(pattern) for pattern in ('*.mp4', '*.stamps.csv', '*.mcap'))
    with av.open(str(film)) as opened:
        assert opened.streams.video[0].codec_context.name == codec
    shown = pictures(film)
    assert shown > 30
    in_table = stamps_of(table)
    # The stamps are those of image_raw, where everything else of a frame is found: nearly all were decoded in time.
    assert len(in_table) > shown - 10
    assert len(robot.stamps & set(in_table)) > 20
    with bag.open('rb') as file:
        messages = [
            (channel.topic.rpartition('/eo/')[2] or channel.topic, message)
            for _, channel, _, message in make_reader(
                file, decoder_factories=[DecoderFactory()]
            ).iter_decoded_messages()
        ]
    topics_seen = {topic for topic, _ in messages}
    assert topics_seen >= {'detections', 'gimbal/attitude', 'camera_info', 'image_raw/compressed', '/diagnostics'}
    jpegs = [message for topic, message in messages if topic == 'image_raw/compressed']
    assert cv2.imdecode(np.frombuffer(jpegs[0].data, np.uint8), cv2.IMREAD_COLOR).shape == (240, 320, 3)
    jpeg_stamps = {each.header.stamp.sec * 1_000_000_000 + each.header.stamp.nanosec for each in jpegs}
    assert len(jpeg_stamps & robot.stamps) > 20
    picture = cv2.imread(str(robot.only('*Z.png')), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (240, 320, 3)
    beside = json.loads(robot.only('*Z.json').read_text())
    assert beside['attitude']['level_from_camera_wxyz'] == [1.0, 0.0, 0.0, 0.0]
    assert beside['stamp_ns'] in in_table or beside['stamp_ns'] in robot.stamps


@pytest.fixture
def video(tmp_path) -> Path:
    writer = cv2.VideoWriter(str(tmp_path / 'video.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 30.0, (320, 240))
    for index in range(60):
        writer.write(np.full((240, 320, 3), 4 * index, np.uint8))
    writer.release()
    return tmp_path / 'video.avi'


@pytest.mark.parametrize('by', [signal.SIGTERM, signal.SIGKILL], ids=['term', 'kill'])
def test_a_recording_that_is_ended_from_outside_plays(robot, video, by):
    robot.start(str(video), record_format='both', record_at_start='true')
    robot.until(lambda: len(robot.stamps) > 120)
    robot.stop(by)
    film, table, bag = (robot.only(pattern) for pattern in ('*.mp4', '*.stamps.csv', '*.mcap'))
    # Killed, it lacks what came since the last whole second or two.
    least = 100 if by == signal.SIGTERM else 30
    assert pictures(film) >= least and len(stamps_of(table)) >= least
    with bag.open('rb') as file:
        if by == signal.SIGTERM:
            assert make_reader(file).get_summary().statistics.message_count > 0
        else:
            assert file.read(8) == b'\x89MCAP0\r\n' and len(file.read()) > 1000


def test_a_node_that_is_deactivated_closes_its_files_and_records_again(robot, video):
    robot.start(str(video), record_format='both', record_at_start='true')
    robot.until(lambda: len(robot.stamps) > 60)
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE):
        answer = robot.call(ChangeState, 'change_state', transition=Transition(id=transition))
        assert answer.success
        if transition == Transition.TRANSITION_DEACTIVATE:
            first = robot.only('*.mp4')
            # What came before the recorder had its first picture is not in it, nor what a busy machine had no time for.
            assert pictures(first) >= 15
            with robot.only('*.mcap').open('rb') as file:
                assert make_reader(file).get_summary().statistics.message_count > 0
            robot.stamps.clear()
    robot.until(lambda: len(robot.stamps) > 60)
    robot.stop()
    others = [path for path in robot.folder.glob('*.mp4') if path != first]
    assert len(others) == 1 and pictures(others[0]) >= 15


def test_what_cannot_be_is_answered_with_the_reason(robot, video, tmp_path):
    (tmp_path / 'recordings').write_text('in the way')
    robot.start(str(video))
    robot.until(lambda: robot.stamps)
    answer = robot.call(SetBool, 'record', data=True)
    assert not answer.success
    assert answer.message == (
        f"'{robot.folder}' is not a folder: name one in `record_dir` that recordings can be written to."
    )
    answer = robot.call(Trigger, 'snapshot')
    assert not answer.success and 'is not a folder' in answer.message
    answer = robot.call(SetBool, 'record', data=False)
    assert answer.success and answer.message == 'Nothing is being recorded.'
    assert (tmp_path / 'recordings').read_text() == 'in the way'


def test_a_snapshot_is_of_a_frame_that_was_seen_and_has_what_was_seen_in_it(robot, video):
    """Every third picture is seen, two pictures late; its box begins at its own grey."""
    waiting = []

    def see(message) -> None:
        stamp_ns = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
        waiting.append((stamp_ns, float(message.data[0])))
        if len(waiting) % 3 == 0:
            stamp_ns, grey = waiting[-3]
            box = np.array([[grey, 0.0, grey + 10.0, 20.0]])
            of = Tracks(stamp_ns, 'eo', box, np.ones(1), np.array(['person']), np.array([7], np.int64))
            robot.publish(topics.TRACKS, of)

    robot._node.create_subscription(Image, 'image_raw', see, qos_profile_sensor_data)
    robot.start(str(video))
    robot.until(lambda: len(waiting) > 10)
    for _ in range(3):
        answer = robot.call(Trigger, 'snapshot')
        assert answer.success, answer.message
    written = sorted(robot.folder.glob('*Z.json'))
    assert len(written) == 3
    for path in written:
        beside = json.loads(path.read_text())
        picture = cv2.imread(str(path.with_suffix('.png')))
        (detection,) = beside['detections']
        assert detection['box'] == [float(picture[0, 0, 0]), 0.0, 10.0, 20.0]
        assert beside['stamp_ns'] in {stamp_ns for stamp_ns, _ in waiting[::3]}


def test_a_snapshot_that_fails_while_it_is_written_is_answered_with_the_reason(robot, video):
    robot.folder.mkdir()
    (robot.folder / '.recordings.jsonl').write_text('{"of": "another program"}\n')
    robot.start(str(video))
    robot.until(lambda: robot.stamps)
    answer = robot.call(Trigger, 'snapshot')
    assert not answer.success and '.recordings.jsonl' in answer.message, answer.message
    assert [path.name for path in robot.folder.iterdir()] == ['.recordings.jsonl']
    assert answer.message in robot.stop()
