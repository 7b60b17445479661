# SPDX-License-Identifier: Apache-2.0
"""A foreign camera's images come into the process once and go on by reference, under the foreign camera's own name."""

from dataclasses import dataclass

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from gremsy_common.parameters.parameter_fields import NodeParameters
from gremsy_common.ros import topics
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.ros.transport.endpoints import TopicPublisher

pytestmark = pytest.mark.integration

FOREIGN_CAMERA = """
from sensor_msgs.msg import Image
camera = node.create_publisher(Image, 'image_raw', 1)
number = 0
while spin_some():
    number += 1
    message = Image(height=4, width=6, encoding='bgr8', step=18, data=bytes([number % 256] * 72))
    message.header.stamp.sec = number
    camera.publish(message)
"""


@dataclass(frozen=True)
class NoParameters(NodeParameters):
    pass


class Bridge(SuiteNode[NoParameters]):
    node_name = 'bridge'
    parameters_type = NoParameters

    def activate(self):
        self.handed_on = []
        self.inside = self.publisher(topics.IMAGE_RAW, local_only=True)
        self.outside = self.subscription(topics.IMAGE_RAW_AS_SENT, self.hand_on, outside_only=True)

    def hand_on(self, frame):
        self.handed_on.append(frame)
        self.inside.publish(frame)


class Consumer(SuiteNode[NoParameters]):
    node_name = 'consumer'
    parameters_type = NoParameters

    def activate(self):
        self.got = []
        self.frames = self.subscription(topics.IMAGE_RAW, self.got.append)


class OtherConsumer(Consumer):
    node_name = 'other_consumer'


@pytest.mark.parametrize(
    'order', [(Bridge, Consumer, OtherConsumer), (Consumer, OtherConsumer, Bridge)], ids=['bridge first', 'bridge last']
)
def test_a_foreign_cameras_frames_go_to_all_nodes_of_the_process_by_reference(host, foreign, until, order):
    nodes = host.run(*order)
    bridge = next(node for node in nodes if isinstance(node, Bridge))
    consumers = [node for node in nodes if isinstance(node, Consumer)]
    foreign(FOREIGN_CAMERA)
    until(lambda: all(len(node.got) > 3 for node in consumers))
    for node in consumers:
        assert node.frames.is_local
        assert all(any(frame is handed for handed in bridge.handed_on) for frame in node.got[1:])
    assert not bridge.outside.is_local
    # One subscription of the process and the foreign publisher are all that DDS has of the topic.
    until(lambda: bridge.count_subscribers('image_raw') == 1)
    assert bridge.count_publishers('image_raw') == 1
    assert bridge.inside.rivals == 0
    assert [each.ignored_publishers for each in (bridge.outside, *(node.frames for node in consumers))] == [0, 0, 0]
    assert bridge.inside.outside_subscribers == 0
    assert bridge.inside.local_subscribers == 2


def test_nobody_outside_gets_from_a_publisher_that_is_local_only(host, until):
    bridge, consumer = host.run(Bridge, Consumer)
    assert bridge.count_publishers('image_raw') == 0
    until(lambda: consumer.frames.is_local)
    assert bridge.inside.watched
    host.call_soon(lambda: bridge.trigger_deactivate())
    until(lambda: not consumer.frames.is_local)


def test_a_latched_topic_cannot_be_local_only(host):
    (consumer,) = host.run(Consumer)
    with pytest.raises(TypeError) as refused:
        TopicPublisher(consumer, NodeHost().bus, topics.LABEL_INFO, print, local_only=True)
    assert str(refused.value) == 'The latched topic label_info always goes over DDS: it cannot be `local_only`.'
