# SPDX-License-Identifier: Apache-2.0
"""Who is on the network: a robot's detector without its work, and a base station's listener.

Run as `python -m benchmarks.network.network_roles ROLE ...`, with ROS_NETWORK and its like in the environment; a line
on standard input ends it, and one line of JSON says what it sent or heard.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from gremsy_bringup.describe.ros_network import join_network, network_of
from gremsy_bringup.describe.system_description import share_folder
from gremsy_common.parameters.parameter_fields import NodeParameters
from gremsy_common.ros import topics
from gremsy_common.ros.hosting import prepare_process
from gremsy_common.ros.messages.header_messages import stamp_of
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.types.detections import Detections

_TOPICS = {each.name: each for each in (topics.DETECTIONS, topics.GIMBAL_ATTITUDE)}


@dataclass(frozen=True)
class RoleParameters(NodeParameters):
    """None of its own."""


class DetectorRole(SuiteNode[RoleParameters]):
    """Publishes what a detector would, on the topic and with the quality of service of the suite's own."""

    node_name = 'detector'
    parameters_type = RoleParameters

    def activate(self) -> None:
        """Start."""
        self.results = self.publisher(topics.DETECTIONS)


def robot(name: str, rate_hz: float, boxes: int) -> None:
    """Detections of `/NAME/eo` at that rate, with so many boxes each, and their stamps at the end."""
    generator = np.random.default_rng(1)
    corners = generator.uniform(0.0, 500.0, (boxes, 2))
    boxes_px = np.hstack([corners, corners + generator.uniform(20.0, 200.0, (boxes, 2))])
    scores, labels = generator.uniform(0.3, 1.0, boxes), np.full(boxes, 'person')
    stamps: list[int] = []
    with _joined(robot=True):
        host = NodeHost()
        with host.placing(['--ros-args', '-r', f'__ns:=/{name}/eo']):
            node = DetectorRole(host)
        node.start()
        host.start([node], on_crash=lambda: None)
        print('publishes', flush=True)
        ended = _ended()
        due_s = time.monotonic()
        while not ended.wait(max(0.0, due_s - time.monotonic())):
            # On a machine that is busy one is left out: several at once would overrun the queues.
            due_s = max(due_s + 1.0 / rate_hz, time.monotonic())
            stamps.append(node.now_ns())
            node.results.publish(Detections(stamps[-1], 'optical', boxes_px, scores, labels))
        # What is lost is sent again in the meantime.
        time.sleep(1.0)
        host.stop()
        node.close()
        host.shutdown()
    print(json.dumps({'stamps': stamps}), flush=True)


def listener(names: list[str], *, on_robot: bool) -> None:
    """Hear those topics as any node of a base station would; of each message by its stamp how old it came, in ms."""
    heard: dict[str, dict[int, float]] = {name: {} for name in names}
    with _joined(robot=on_robot):
        node = rclpy.create_node(f'listener_{os.getpid()}')

        def received(name: str, message: Any) -> None:
            now_ns = node.get_clock().now().nanoseconds
            if not heard[name]:
                print(f'heard {name}', flush=True)
            stamp_ns = stamp_of(message.header.stamp)
            heard[name][stamp_ns] = (now_ns - stamp_ns) * 1e-6

        for name in names:
            topic = next(each for end, each in _TOPICS.items() if name.endswith(end))
            node.create_subscription(topic.message_type, name, partial(received, name), topic.quality.asked())
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        print('listens', flush=True)
        ended = _ended()
        while not ended.is_set():
            executor.spin_once(timeout_sec=0.1)
        executor.shutdown()
        node.destroy_node()
    print(json.dumps({'heard': heard}), flush=True)


def _ended() -> threading.Event:
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.readline()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    return ended


@contextmanager
def _joined(*, robot: bool) -> Iterator[None]:
    prepare_process()
    network = network_of(os.environ)
    if network is not None:
        join_network(os.environ, network.variables(share_folder() / 'config', robot=robot))
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        yield
    finally:
        rclpy.shutdown()


def main() -> None:
    """Play the role that the command line names."""
    role, *rest = sys.argv[1:]
    if role == 'robot':
        robot(rest[0], float(rest[1]), int(rest[2]))
    else:
        listener(rest, on_robot=role == 'inside')


if __name__ == '__main__':
    main()
