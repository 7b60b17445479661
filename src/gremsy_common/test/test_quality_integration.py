# SPDX-License-Identifier: Apache-2.0
"""Who gets images from whom: REP-2003's qualities, a user's overrides, and who is shut out is counted and said."""

from dataclasses import dataclass

import pytest

rclpy = pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

import numpy as np
from rclpy.qos import QoSDurabilityPolicy, QoSReliabilityPolicy

from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_fields import NodeParameters
from gremsy_common.ros import topics
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.types.frame import Frame

pytestmark = pytest.mark.integration

SUBSCRIBER = """
from sensor_msgs.msg import Image
got = []
qos = QoSProfile(
    depth=1,
    reliability=QoSReliabilityPolicy[sys.argv[1].split('_with_')[0].upper()],
    durability=QoSDurabilityPolicy[sys.argv[1].split('_with_')[1].upper()],
)
node.create_subscription(Image, 'image_raw', got.append, qos)
while spin_some():
    if got:
        print(got[0].encoding, got[0].width, bytes(got[0].data[:3]).hex(), flush=True)
        break
"""
DEFAULT_SUBSCRIBER = """
from sensor_msgs.msg import Image
got = []
node.create_subscription(Image, 'image_raw', got.append, 10)
while spin_some() and not got:
    pass
print(got[0].encoding, got[0].width, bytes(got[0].data[:3]).hex(), flush=True)
"""


@dataclass(frozen=True)
class NoParameters(NodeParameters):
    pass


class Camera(SuiteNode[NoParameters]):
    node_name = 'camera'
    parameters_type = NoParameters

    def activate(self):
        self.images = self.publisher(topics.IMAGE_RAW)
        self.every(0.03, self.send)

    def send(self):
        self.images.publish(Frame(np.full((4, 6, 3), 7, np.uint8), self.now_ns(), 'eo'))


class Viewer(SuiteNode[NoParameters]):
    node_name = 'viewer'
    parameters_type = NoParameters

    def activate(self):
        self.images = self.subscription(topics.IMAGE_RAW, lambda frame: None)


def warnings_of(node):
    _, warnings = node._links.report(node._publishers_made, node._subscriptions_made)
    return warnings


def test_a_default_subscriber_of_a_foreign_node_gets_images(host, foreign):
    """create_subscription(Image, name, callback, 10) asks for reliable: REP-2003's way round for publishers."""
    host.run(Camera)
    assert foreign(DEFAULT_SUBSCRIBER).line() == 'bgr8 6 070707'


def test_publishers_of_images_are_reliable_and_their_subscriptions_here_best_effort(host, until):
    camera, viewer = host.run(Camera, Viewer)
    (offered,) = camera.get_publishers_info_by_topic('image_raw')
    assert (offered.qos_profile.reliability, offered.qos_profile.durability) == (
        QoSReliabilityPolicy.RELIABLE,
        QoSDurabilityPolicy.VOLATILE,
    )
    assert viewer.images.asked.reliability == QoSReliabilityPolicy.BEST_EFFORT
    for topic in (topics.DETECTIONS, topics.TRACKS, topics.GIMBAL_SETPOINT):
        assert topic.quality.offered().reliability == QoSReliabilityPolicy.RELIABLE
        assert topic.quality.asked().reliability == QoSReliabilityPolicy.RELIABLE


PARAMETERS = """
/**:
  ros__parameters:
    qos_overrides./robot/eo/image_raw.publisher.reliability: best_effort
    qos_overrides./robot/eo/image_raw.subscription.reliability: reliable
    qos_overrides./robot/eo/image_raw.subscription.depth: 3
"""


@pytest.fixture
def overrides(tmp_path, request):
    """A parameter file as a user writes it."""
    path = tmp_path / 'overrides.yaml'
    path.write_text(request.param)
    return ['--ros-args', '-r', '__ns:=/robot/eo', '--params-file', str(path)]


@pytest.mark.parametrize('overrides', [PARAMETERS], indirect=True, ids=['file'])
def test_overrides_of_a_parameter_file_are_honoured_on_both_sides(overrides, host_with, foreign, until):
    host = host_with(overrides)
    (camera,) = host.run(Camera)
    (offered,) = camera.get_publishers_info_by_topic('image_raw')
    assert offered.qos_profile.reliability == QoSReliabilityPolicy.BEST_EFFORT
    # A default subscriber asks for more than that now: it is counted, and named with the way out.
    foreign(DEFAULT_SUBSCRIBER.replace("'image_raw'", "'/robot/eo/image_raw'"), name='rviz')
    until(lambda: camera.images.shut_out == 1)
    until(lambda: warnings_of(camera))
    until(
        lambda: (
            warnings_of(camera)['shut out of /robot/eo/image_raw']
            == (
                'Nothing of /robot/eo/image_raw reaches /rviz, because the quality of service asked for there is not '
                'offered: change it there, or set `qos_overrides./robot/eo/image_raw.publisher` here.'
            )
        )
    )


@pytest.mark.parametrize('overrides', [PARAMETERS], indirect=True, ids=['file'])
def test_a_subscription_that_asks_for_more_than_is_offered_says_so(overrides, host_with, foreign, until):
    host = host_with(overrides)
    (viewer,) = host.run(Viewer)
    assert (viewer.images.asked.reliability, viewer.images.asked.depth) == (QoSReliabilityPolicy.RELIABLE, 3)
    foreign(
        """
        from sensor_msgs.msg import Image
        qos = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        camera = node.create_publisher(Image, '/robot/eo/image_raw', qos)
        while spin_some():
            camera.publish(Image())
        """,
        name='their_camera',
    )
    until(lambda: viewer.images.incompatible_qos == 1)
    until(
        lambda: (
            warnings_of(viewer).get('unfit for /robot/eo/image_raw')
            == (
                'Nothing comes from /their_camera on /robot/eo/image_raw, because the quality of service offered there '
                'is less than what is asked for: change it there, or set '
                '`qos_overrides./robot/eo/image_raw.subscription` here.'
            )
        )
    )


@pytest.mark.parametrize(
    ('policy', 'value', 'sentence'),
    [
        ('reliability', 'relaible', "is 'relaible': use reliable or best_effort."),
        ('durability', '3', "is '3': use volatile or transient_local."),
        ('history', 'all', "is 'all': use keep_last or keep_all."),
        ('depth', '0', "is '0': use a whole number from 1."),
        ('depth', 'deep', "is 'deep': use a whole number from 1."),
        ('depth', 'true', "is 'True': use a whole number from 1."),
        ('depth', '1.5', "is '1.5': use a whole number from 1."),
    ],
)
@pytest.mark.parametrize(('side', 'node'), [('publisher', Camera), ('subscription', Viewer)])
def test_an_override_that_is_no_value_ends_the_start_with_a_sentence(host_with, side, node, policy, value, sentence):
    name = f'qos_overrides./image_raw.{side}.{policy}'
    host = host_with(['--ros-args', '-p', f'{name}:={value}'])
    with pytest.raises(SuiteError) as refused:
        host.run(node)
    assert str(refused.value) == f'/{node.node_name}: Parameter `{name}` {sentence}'


def test_an_override_is_declared_read_only_and_stays_through_a_restart(host_with):
    name = 'qos_overrides./image_raw.publisher.durability'
    host = host_with(['--ros-args', '-p', f'{name}:=transient_local'])
    (camera,) = host.run(Camera)
    assert not camera.set_parameters([rclpy.parameter.Parameter(name, value='volatile')])[0].successful
    for _ in range(2):
        (offered,) = camera.get_publishers_info_by_topic('image_raw')
        assert offered.qos_profile.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL
        host.on_executor(camera.trigger_deactivate)
        host.on_executor(camera.trigger_activate)


def test_a_late_subscriber_gets_the_last_image_of_a_publisher_overridden_to_keep_it(host_with, foreign):
    host = host_with(['--ros-args', '-p', 'qos_overrides./image_raw.publisher.durability:=transient_local'])
    (still,) = host.run(Still)
    still.images.publish(Frame(np.full((4, 6), 9, np.uint16), still.now_ns(), 'ir', 'mono16'))
    late = foreign(SUBSCRIBER, name='reliable_with_transient_local')
    assert late.line() == 'mono16 6 090009'


class Still(Camera):
    def activate(self):
        self.images = self.publisher(topics.IMAGE_RAW)
