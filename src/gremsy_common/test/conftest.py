# SPDX-License-Identifier: Apache-2.0
"""Nodes of one process for the tests of the transport, and foreign ROS nodes, which know nothing of the suite."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass

import pytest


@dataclass
class Running:
    """A process of this test's own, which says one word a line."""

    process: subprocess.Popen

    def line(self):
        """The next that is the program's own: Fast DDS writes its complaints, in colours, there too."""
        while (line := self.process.stdout.readline()).startswith('\x1b'):
            continue
        return line.strip()

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=20.0)


@pytest.fixture
def until():
    def wait_until(condition, timeout_s=20.0):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, 'the condition did not come true in time'
            time.sleep(0.02)

    return wait_until


@pytest.fixture
def host_with():
    """Makes a `NodeHost` for given ROS arguments; `run(NodeType, ...)` makes and starts nodes in it, and spins."""
    rclpy = pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
    pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')
    from rclpy.signals import SignalHandlerOptions

    from gremsy_common.ros.node_host import NodeHost

    class Host(NodeHost):
        def __init__(self):
            super().__init__()
            self.nodes = []

        def run(self, *types):
            for each in types:
                self.nodes.append(each(self))
                self.nodes[-1].start()
            self.start(self.nodes, on_crash=lambda: None)
            return self.nodes

        def on_executor(self, work):
            """Done there, and waited for."""
            done = threading.Event()
            self.call_soon(lambda: (work(), done.set()))
            assert done.wait(10.0)

    made = []

    def make(arguments):
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
        made.append(Host())
        return made[-1]

    yield make
    for host in made:
        host.stop()
        for node in reversed(host.nodes):
            node.close()
        host.shutdown()
        rclpy.shutdown()


@pytest.fixture
def host(host_with):
    return host_with([])


@pytest.fixture
def foreign():
    """Starts a plain rclpy program; `node` is its node, and it ends when its standard input does."""
    started = []
    head = """
        import select, sys, time
        import rclpy
        from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
        rclpy.init()
        node = rclpy.create_node(sys.argv[1])
        def spin_some():
            rclpy.spin_once(node, timeout_sec=0.02)
            return not select.select([sys.stdin], [], [], 0)[0]
    """
    tail = """
        node.destroy_node()
        rclpy.shutdown()
    """

    def start(program, name='foreign', **environment):
        text = '\n'.join(textwrap.dedent(part) for part in (head, program, tail))
        process = subprocess.Popen(
            [sys.executable, '-c', text, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        started.append(process)
        return Running(process)

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
