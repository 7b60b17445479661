# SPDX-License-Identifier: Apache-2.0
"""The stream node as a process of its own: images, an operator's page and GStreamer's RTSP server around it."""

from __future__ import annotations

import http.server
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not sourced: run ./gremsy test')
pytest.importorskip('av', reason='PyAV encodes here: ./gremsy setup --extra encode')
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image
from std_msgs.msg import String

from gremsy_camera.streaming.rtp_sending import rtp_time
from gremsy_camera.trial.debian_gi import reach_debian_gi

pytest_plugins = ['gremsy_camera.trial.pytest_camera']
pytestmark = pytest.mark.integration

NODE = [sys.executable, '-c', 'from gremsy_camera.stream_node import main; main()']
# As in the robot's image, which has no PyAV: imported, it is not there.
WITHOUT_PYAV = [*NODE[:2], f"import sys; sys.modules['av'] = None; {NODE[2]}"]
WITHIN_S = 30.0


class Robot:
    """A stream process, and a camera, a tracker and a page in this one."""

    def __init__(self) -> None:
        self._namespace = f'/r{uuid.uuid4().hex[:8]}/eo'
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node('robot', namespace=self._namespace, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._images = {name: self._node.create_publisher(Image, name, 1) for name in ('image_raw', 'overlay')}
        self._watch = self._node.create_publisher(String, 'stream/watch', 5)
        self._node.create_subscription(DiagnosticArray, '/diagnostics', self._diagnostics_came, 10)
        self.stamps: dict[str, list[int]] = {'image_raw': [], 'overlay': []}
        self.watched: set[str] = set()
        self.key = False
        self.level, self.message = b'', ''
        self.rows: dict[str, str] = {}
        self._asked_s = 0.0
        self._shown_s = 0.0
        self.process: subprocess.Popen[str] | None = None

    def start(self, command=NODE, **parameters: object) -> None:
        arguments = ['--ros-args', '-r', f'__ns:={self._namespace}']
        for name, value in {'encoder': 'x264', 'server_api': "''", **parameters}.items():
            arguments += ['-p', f'{name}:={value}']
        self.process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def until(self, condition) -> None:
        """Publish images, each of them different, and say who watches, until that is so."""
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            assert time.monotonic() < deadline, f'what was waited for did not come: {self.message} {self.rows}'
            assert self.process.poll() is None, self.process.communicate()[0]
            now_s = time.monotonic()
            if now_s - self._shown_s > 0.03:
                self._shown_s = now_s
                for name, brightness in (('image_raw', 60), ('overlay', 160)):
                    self._show(name, brightness)
            if now_s - self._asked_s > 0.5:
                self._asked_s = now_s
                for path in self.watched:
                    self._watch.publish(String(data=path))
            self._executor.spin_once(timeout_sec=0.01)

    def say(self, text: str) -> None:
        self._watch.publish(String(data=text))

    def close(self) -> str:
        output = ''
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            output = self.process.communicate(timeout=20.0)[0]
        if self._context.ok():
            self._executor.shutdown()
            self._node.destroy_node()
            rclpy.shutdown(context=self._context)
        return output

    def _show(self, name: str, brightness: int) -> None:
        if self._images[name].get_subscription_count() == 0:
            return
        message = Image(height=96, width=128, encoding='bgr8', step=384)
        stamp_ns = time.time_ns()
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
        message.data = np.full((96, 128, 3), brightness, np.uint8).tobytes()
        self._images[name].publish(message)
        self.stamps[name].append(stamp_ns)

    def _diagnostics_came(self, array) -> None:
        for status in array.status:
            if status.name == f'{self._namespace}/stream':
                self.level, self.message = status.level, status.message
                self.rows = {row.key: row.value for row in status.values}


@pytest.fixture
def robot(monkeypatch):
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    made = Robot()
    yield made
    made.close()


def test_what_is_watched_goes_out_with_its_stamps_and_nothing_else(robot, run_video_server):
    server = run_video_server()
    robot.start(server=server.server)
    robot.until(lambda: robot.rows.get('eo: watched by') == 'nobody')
    assert robot.rows['eo: encoder'] == 'none while nobody watches'
    assert robot.stamps['image_raw'] == [], 'somebody took images while nobody watched'
    robot.watched = {'eo'}
    robot.until(lambda: len(server.reports('luma')) >= 10)
    times = {each['rtp'] for each in server.reports('rtp')}
    assert times <= {rtp_time(stamp) for stamp in robot.stamps['image_raw']}
    assert robot.stamps['overlay'] == []
    robot.until(lambda: robot.rows.get('eo: watched by') == 'an operator' and 'eo: pictures sent' in robot.rows)
    assert robot.rows['eo: encoder'] == 'x264 (PyAV)'
    assert robot.rows['eo_overlay: watched by'] == 'nobody'
    assert robot.rows['video server'] == server.server
    keys = int(robot.rows['eo: key frames sent'])
    robot.say('eo key')
    robot.until(lambda: int(robot.rows['eo: key frames sent']) > keys)
    robot.watched = set()
    robot.until(lambda: robot.rows.get('eo: encoder') == 'none while nobody watches')
    assert robot.level == b'\0'
    assert 'Traceback' not in robot.close()


def test_the_overlay_has_a_path_of_its_own(robot, run_video_server):
    """BT.601's luma of 160 in limited range: 16 + 219 * 160 / 255."""
    server = run_video_server(path='/eo_overlay')
    robot.start(server=server.server)
    robot.watched = {'eo_overlay'}
    robot.until(lambda: len(server.reports('luma')) >= 5)
    assert server.reports('luma')[-1]['luma'] == pytest.approx(153.4, abs=2.0)


def test_a_server_that_is_away_is_an_error_once_somebody_watches(robot, run_video_server):
    server = run_video_server()
    server.stop()
    robot.start(server=server.server)
    robot.until(lambda: robot.rows.get('eo: watched by') == 'nobody')
    assert robot.level == b'\0'
    robot.watched = {'eo'}
    robot.until(lambda: robot.level == b'\2')
    assert robot.message == (
        f'The video server rtsp://127.0.0.1:{server.port}/eo cannot be published to: nothing listens on port '
        f'{server.port} of 127.0.0.1: start it, or check `server`.'
    )
    server.start()
    robot.until(lambda: robot.level == b'\0' and len(server.reports('luma')) >= 3)


class Api(http.server.BaseHTTPRequestHandler):
    """`/v3/paths/get/PATH` as MediaMTX 1.20 answers it."""

    readers = 0
    source = 'rtspSession'

    def do_GET(self):
        body = json.dumps(
            {
                'name': self.path.rpartition('/')[2],
                'source': {'type': self.source, 'id': 'x'},
                'readers': [{'type': 'webRTCSession', 'id': str(index)} for index in range(self.readers)],
            }
        ).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def api():
    kind = type('OneApi', (Api,), {})
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    kind.address = f'http://127.0.0.1:{server.server_address[1]}'
    yield kind
    server.shutdown()
    thread.join()
    server.server_close()


def test_readers_of_the_server_count_and_each_new_one_gets_a_key_frame(robot, run_video_server, api):
    server = run_video_server()
    robot.start(server=server.server, server_api=api.address, gop=600, picture='clean')
    api.readers = 1
    robot.until(
        lambda: robot.rows.get('eo: watched by') == '1 reader of the server' and len(server.reports('luma')) > 5
    )
    robot.until(lambda: int(robot.rows.get('eo: pictures sent', 0)) > 5)
    keys = int(robot.rows['eo: key frames sent'])
    api.readers = 2
    robot.until(lambda: int(robot.rows['eo: key frames sent']) > keys)
    assert robot.rows["the server's API answers"] == 'yes'
    api.readers = 0
    robot.until(lambda: robot.rows['eo: watched by'] == 'nobody')


def test_a_path_that_the_server_pulls_itself_is_not_published(robot, run_video_server, api):
    api.source, api.readers = 'rtspSource', 1
    server = run_video_server()
    robot.start(server=server.server, server_api=api.address, picture='clean', when='always')
    robot.until(lambda: robot.rows.get('eo: watched by') == 'the server has it from the camera itself')
    robot.until(lambda: robot.rows.get('eo: encoder') == 'none while nobody watches')


def test_an_address_that_cannot_be_ends_the_start(robot):
    robot.start(server='http://127.0.0.1:8889')
    output = robot.process.communicate(timeout=WITHIN_S)[0]
    assert robot.process.returncode == 2
    assert "Parameter `server` is 'http://127.0.0.1:8889': video is published by rtsp:// or rtsps://." in output


def test_credentials_come_from_the_environment_and_are_not_shown(robot, run_video_server, monkeypatch):
    server = run_video_server(user='robot', password='s3cret')
    monkeypatch.setenv('VIDEO_USER', 'robot')
    monkeypatch.setenv('VIDEO_PASSWORD', 's3cret')
    robot.start(server=f'rtsp://${{VIDEO_USER}}:${{VIDEO_PASSWORD}}@127.0.0.1:{server.port}')
    robot.watched = {'eo'}
    robot.until(lambda: len(server.reports('luma')) >= 3 and 'eo: pictures sent' in robot.rows)
    shown = f'{robot.rows} {robot.message} {robot.close()}'
    assert 's3cret' not in shown


def test_without_pyav_gstreamer_encodes(robot, run_video_server, tmp_path, monkeypatch):
    if reach_debian_gi(tmp_path) is not None:
        pytest.skip(reach_debian_gi(tmp_path))
    # Another test of this process may have reached it by a folder of its own.
    reached = Path(importlib.util.find_spec('gi').origin).parents[1]
    monkeypatch.setenv('PYTHONPATH', f'{reached}:{os.environ.get("PYTHONPATH", "")}')
    server = run_video_server()
    robot.start(WITHOUT_PYAV, server=server.server, encoder='auto')
    robot.watched = {'eo'}
    robot.until(lambda: len(server.reports('luma')) >= 5 and 'eo: pictures sent' in robot.rows)
    assert '(GStreamer)' in robot.rows['eo: encoder']
    assert {each['rtp'] for each in server.reports('rtp')} <= {rtp_time(stamp) for stamp in robot.stamps['image_raw']}
    assert 'Traceback' not in robot.close()


def test_without_pyav_and_gstreamer_it_runs_and_says_what_is_missing(robot, run_video_server):
    server = run_video_server()
    without = WITHOUT_PYAV[2].replace('sys.modules', "sys.modules['gi'] = sys.modules", 1)
    robot.start([*WITHOUT_PYAV[:2], without], server=server.server, encoder='auto')
    robot.until(lambda: robot.rows.get('eo: watched by') == 'nobody')
    assert robot.level == b'\0', 'nobody watches, so nothing is missing'
    robot.watched = {'eo'}
    robot.until(lambda: robot.message.startswith('No encoder for H.264 works here ('))
    assert robot.level != b'\0'
    assert robot.message.endswith(
        './gremsy setup --extra encode, or sudo apt-get install gstreamer1.0-plugins-ugly python3-gst-1.0.'
    )
    assert 'Traceback' not in robot.close()
