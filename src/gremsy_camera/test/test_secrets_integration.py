# SPDX-License-Identifier: Apache-2.0
"""No user name and no password anywhere that anybody may read: everything that the node says is searched for them."""

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
from rcl_interfaces.msg import Log
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image

from .http_camera import HttpCamera

pytestmark = pytest.mark.integration
pytest_plugins = ['gremsy_camera.trial.pytest_camera']

USER, PASSWORD, WRONG = 'hushuser', 'hush@word/1', 'hushwrong'
# As they are, percent-encoded, and the beginning of `hushuser:` in base 64.
SECRETS = (USER, PASSWORD, 'hush%40word%2F1', 'hush%40word', WRONG, 'aHVzaHVzZXI6')
NODE = [sys.executable, '-c', 'from gremsy_camera.camera_node import main; main()']


class Node:
    """The camera node in a process, and all that it writes and sends."""

    def __init__(self, folder, **parameters) -> None:
        self._folder = folder
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        namespace = f'/secrets_{uuid.uuid4().hex[:8]}'
        self._watcher = rclpy.create_node('watcher', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._watcher)
        self.diagnostics, self.logs, self.images = [], [], []
        late = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._watcher.create_subscription(DiagnosticArray, '/diagnostics', self.diagnostics.append, 10)
        self._watcher.create_subscription(Log, '/rosout', self.logs.append, late)
        self._watcher.create_subscription(Image, f'{namespace}/image_raw', self.images.append, qos_profile_sensor_data)
        arguments = ['--ros-args', '-r', f'__ns:={namespace}', '-p', f'trace_dir:={folder}/trace']
        for name, value in parameters.items():
            arguments += ['-p', f'{name}:={value}']
        self._output = (folder / 'output').open('w')
        self._process = subprocess.Popen(
            [*NODE, *arguments],
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'ROS_LOG_DIR': str(folder / 'log'), 'CAMERA_USER': USER, 'CAMERA_PASSWORD': PASSWORD},
            cwd=folder,
        )

    def until(self, condition) -> None:
        deadline = time.monotonic() + 60.0
        while not condition():
            assert time.monotonic() < deadline, self.written()
            self._executor.spin_once(timeout_sec=0.1)

    def written(self) -> str:
        """All files, every diagnostic, every log message, and what the process is called."""
        texts = [path.read_text(errors='replace') for path in self._folder.rglob('*') if path.is_file()]
        texts += [str(message) for message in (*self.diagnostics, *self.logs)]
        return '\n'.join(texts)

    def close(self) -> None:
        if not self._context.ok():
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20.0)
        self._output.close()
        self._executor.shutdown()
        self._watcher.destroy_node()
        rclpy.shutdown(context=self._context)


@pytest.fixture
def start_node(tmp_path):
    made = []

    def start(**parameters):
        made.append(Node(tmp_path, **parameters))
        return made[-1]

    yield start
    for node in made:
        node.close()


def found_in(text):
    return [secret for secret in SECRETS if secret in text]


def test_the_search_finds_what_it_looks_for():
    assert found_in(f'rtsp://{USER}:x@h') == [USER]


@pytest.mark.parametrize(('method', 'reader'), [('basic', 'pyav'), ('digest', 'pyav'), ('digest', 'opencv')])
def test_credentials_of_the_environment_are_nowhere(run_camera, start_node, method, reader):
    camera = run_camera(user=USER, password=PASSWORD, authentication=method, width=160, height=128)
    node = start_node(source=f'rtsp://${{CAMERA_USER}}:${{CAMERA_PASSWORD}}@{camera.address}', reader=reader)
    node.until(lambda: len(node.images) > 3 and node.diagnostics)
    camera.stop()
    node.until(lambda: any(words in node.written() for words in ('ended the connection', 'cannot be opened')))
    node.close()
    assert found_in(node.written()) == []


@pytest.mark.parametrize('reader', ['pyav', 'opencv'])
def test_credentials_that_are_written_out_and_wrong_are_nowhere(run_camera, start_node, reader):
    camera = run_camera(user=USER, password=PASSWORD, width=160, height=128)
    source = f'rtsp://{USER}:{WRONG}@{camera.address}'
    node = start_node(source=source, server_url=source.replace('/eo', '/ir'), reader=reader)
    node.until(
        lambda: 'it requires a valid user name and password (401)' in node.written() and len(node.diagnostics) > 1
    )
    node.close()
    assert found_in(node.written()) == []


def test_an_address_that_cannot_be_used_is_shown_without_them(start_node):
    node = start_node(source=f'rtsp://{USER}:{WRONG}@10.1.2.3:99999/eo', reader='pyav')
    node.until(lambda: 'has an invalid port' in node.written())
    node.close()
    assert found_in(node.written()) == []


def test_credentials_of_a_camera_over_http_are_nowhere(start_node):
    def refuse(_request, connection):
        connection.sendall(b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n')
        return True

    server = HttpCamera(refuse)
    node = start_node(source=server.uri.replace('//', f'//{USER}:{WRONG}@'))
    node.until(
        lambda: 'it requires a valid user name and password (401)' in node.written() and len(node.diagnostics) > 1
    )
    node.close()
    server.close()
    assert found_in(node.written()) == []
    assert any('Authorization: Basic aHVzaHVzZXI6' in request for request in server.requests)
