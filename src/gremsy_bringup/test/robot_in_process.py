# SPDX-License-Identifier: Apache-2.0
"""The loop's nodes in the process of a test, watched over DDS; needs the built workspace."""

import threading
import time
import uuid

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions

from gremsy_camera import camera_node
from gremsy_common.ros.node_host import NodeHost

WAIT_S = 40.0


class Robot:
    """The loop's nodes on a host of this process, watched over DDS by a plain node in a context of its own."""

    def __init__(self, folder, monkeypatch):
        self.namespace = f'/it_{uuid.uuid4().hex[:8]}/eo'
        self.folder, self._monkeypatch = folder, monkeypatch
        self._context = rclpy.Context()
        rclpy.init(context=self._context, args=[])
        self._watcher = rclpy.create_node('watcher', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._watcher)
        self.nodes = []
        self._last_status = None

    def play(self, source):
        """Let the camera have this source, whatever its parameter says."""

        def create(_text, context):
            source.frame_id = context.frame_id
            return source

        self._monkeypatch.setattr(camera_node, 'create_source', create)

    def start(self, *types, **parameters):
        """The camera and these."""
        words = ['--ros-args', '-r', f'__ns:={self.namespace}', '-p', f'path:={self.folder}/film.mp4']
        for name, value in {'source': 'scripted', 'horizontal_field_deg': '60.0', **parameters}.items():
            words += ['-p', f'{name}:={value}']
        rclpy.init(args=words, signal_handler_options=SignalHandlerOptions.NO)
        self._host = NodeHost()
        for kind in (camera_node.CameraNode, *types):
            self.nodes.append(kind(self._host))
        for node in self.nodes:
            node.start()
        self._host.start(self.nodes, on_crash=lambda: None)

    def watch(self, kind, topic, qos=qos_profile_sensor_data):
        came = []
        name = topic if topic.startswith('/') else f'{self.namespace}/{topic}'
        self._watcher.create_subscription(kind, name, came.append, qos)
        return came

    def until(self, condition):
        """Spin until that is so; what the camera says stands in the failure."""
        deadline = time.monotonic() + WAIT_S
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f'what was waited for did not come; the camera: {self._last_status}')
            self._executor.spin_once(timeout_sec=0.05)

    def status(self, name='camera'):
        """A function that gives the newest diagnostics of the node, its level, message and rows."""
        arrays = self.watch(DiagnosticArray, '/diagnostics', 10)

        def newest():
            for array in reversed(arrays):
                for each in array.status:
                    if each.name == f'{self.namespace}/{name}':
                        self._last_status = each
                        return each, {row.key: row.value for row in each.values}
            return None, {}

        return newest

    def call(self, work):
        """On the executor's thread, as a lifecycle manager's request comes."""
        done = threading.Event()
        self._host.call_soon(lambda: (work(), done.set()))
        assert done.wait(WAIT_S)

    def stop(self):
        self._host.stop()
        for node in reversed(self.nodes):
            node.close()
        self._host.shutdown()
        rclpy.shutdown()

    def close(self):
        if rclpy.ok():
            self.stop()
        self._executor.shutdown()
        self._watcher.destroy_node()
        rclpy.shutdown(context=self._context)
