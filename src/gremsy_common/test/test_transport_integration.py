# SPDX-License-Identifier: Apache-2.0
"""Nodes of one process hand over by reference; a second process is served over DDS; the count falls back to 0."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass

import pytest

rclpy = pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

import numpy as np
from rclpy.signals import SignalHandlerOptions

from gremsy_common.parameters.parameter_fields import NodeParameters, Span, live_param, param
from gremsy_common.ros import topics
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.types.detections import Detections

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class ExampleParameters(NodeParameters):
    gain: float = live_param(1.0, 'A gain.', Span(0.0, 2.0))
    fixed: int = param(3, 'Not live.')


class Talker(SuiteNode[ExampleParameters]):
    node_name = 'talker'
    parameters_type = ExampleParameters

    def activate(self):
        self.results = self.publisher(topics.DETECTIONS)
        self.labels = self.publisher(topics.LABEL_INFO)


class Listener(SuiteNode[ExampleParameters]):
    node_name = 'listener'
    parameters_type = ExampleParameters

    def activate(self):
        self.got = []
        self.detections = self.subscription(topics.DETECTIONS, self.got.append)


def wait_until(condition, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, 'the condition did not come true in time'
        time.sleep(0.02)


@pytest.fixture
def host():
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    made = NodeHost()
    made.test_nodes = []
    yield made
    made.stop()
    for node in reversed(made.test_nodes):
        node.close()
    made.shutdown()
    rclpy.shutdown()


def run(host, *types):
    nodes = host.test_nodes
    nodes.extend(each(host) for each in types)
    for node in nodes:
        node.start()
    host.start(nodes, on_crash=lambda: None)
    return nodes


def detections(stamp_ns):
    return Detections(stamp_ns, 'eo', np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([0.5]), np.array(['person']))


@pytest.mark.parametrize('order', [(Talker, Listener), (Listener, Talker)])
def test_same_process_gets_the_very_object_and_no_dds_subscription(host, order):
    nodes = run(host, *order)
    talker = next(node for node in nodes if isinstance(node, Talker))
    listener = next(node for node in nodes if isinstance(node, Listener))
    wait_until(lambda: listener.detections.is_local)
    wait_until(lambda: talker.results.outside_subscribers == 0)
    item = detections(1)
    talker.results.publish(item)
    assert listener.got[-1] is item


LISTENER = textwrap.dedent("""
    import sys, rclpy
    from vision_msgs.msg import Detection2DArray, LabelInfo
    from rclpy.qos import QoSProfile, QoSDurabilityPolicy
    rclpy.init()
    node = rclpy.create_node('outside')
    got = {}
    node.create_subscription(Detection2DArray, 'detections', lambda message: got.setdefault('d', message), 5)
    latched = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
    node.create_subscription(LabelInfo, 'label_info', lambda message: got.setdefault('l', message), latched)
    for _ in range(600):
        rclpy.spin_once(node, timeout_sec=0.05)
        if len(got) == 2:
            break
    print(got['d'].header.stamp.nanosec, got['d'].detections[0].results[0].hypothesis.class_id,
          got['l'].class_map[0].class_name, flush=True)
    node.destroy_node()
    rclpy.shutdown()
""")


def test_second_process_gets_messages_and_leaves_no_count_behind(host):
    from gremsy_common.ros.messages.detection_messages import Labels

    nodes = run(host, Talker, Listener)
    talker, listener = nodes
    talker.labels.publish(Labels(1, 'eo', ((0, 'person'),), 0.3))
    with subprocess.Popen([sys.executable, '-c', LISTENER], stdout=subprocess.PIPE, text=True, env=os.environ) as child:
        wait_until(lambda: talker.results.outside_subscribers == 1, 20.0)
        while child.poll() is None:
            talker.results.publish(detections(77))
            time.sleep(0.05)
        assert child.stdout.read().split() == ['77', 'person', 'person']
    assert listener.got
    wait_until(lambda: talker.results.outside_subscribers == 0)


def test_subscriber_changes_to_dds_and_back_with_the_local_publisher(host):
    nodes = run(host, Listener, Talker)
    listener, talker = nodes
    done = threading.Event()
    for _ in range(20):
        wait_until(lambda: listener.detections.is_local)
        host.call_soon(lambda: (talker.trigger_deactivate(), done.set()))
        assert done.wait(5.0)
        done.clear()
        wait_until(lambda: not listener.detections.is_local)
        host.call_soon(lambda: (talker.trigger_activate(), done.set()))
        assert done.wait(5.0)
        done.clear()
    assert host.crash is None


def test_live_parameter_changes_and_a_fixed_one_is_refused(host):
    from rclpy.parameter import Parameter

    nodes = run(host, Talker)
    (talker,) = nodes
    assert talker.set_parameters([Parameter('gain', value=1.5)])[0].successful
    assert talker.parameters.gain == 1.5
    fixed = talker.set_parameters_atomically([Parameter('fixed', value=4)])  # as rclpy's services ask
    assert fixed.reason == (
        'Parameter `fixed` cannot change while the node runs: set it in the parameter file and restart.'
    )
    assert talker.parameters.fixed == 3
