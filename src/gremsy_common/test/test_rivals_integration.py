# SPDX-License-Identifier: Apache-2.0
"""Two publishers of one name: said by the node that publishes, and by the node that hears only one of them."""

from dataclasses import dataclass, replace

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from gremsy_common.parameters.parameter_fields import NodeParameters
from gremsy_common.ros import topics
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.types.frame import Frame
from gremsy_common.types.gimbal_state import PointRequest

pytestmark = pytest.mark.integration

FOREIGN_CAMERA = """
from sensor_msgs.msg import Image
camera = node.create_publisher(Image, 'image_raw', 1)
while spin_some():
    camera.publish(Image(height=1, width=1, encoding='mono8', step=1, data=[9]))
"""
AT_THE_CAMERA = (
    "/image_raw is also published by /their_camera: stop or remap one of them, or let the suite's camera hand on the "
    "other's images (`source: external`)."
)
AT_THE_VIEWER = (
    'What comes from /their_camera on /image_raw is not used, because this process publishes it too: '
    "stop or remap one of them, or let the suite's camera hand on the other's images (`source: external`)."
)


@dataclass(frozen=True)
class NoParameters(NodeParameters):
    pass


class Camera(SuiteNode[NoParameters]):
    node_name = 'camera'
    parameters_type = NoParameters

    def activate(self):
        self.images = self.publisher(topics.IMAGE_RAW)
        self.every(0.03, lambda: self.images.publish(Frame(np.zeros((1, 1), np.uint8), self.now_ns(), 'eo', 'mono8')))


class Viewer(SuiteNode[NoParameters]):
    node_name = 'viewer'
    parameters_type = NoParameters

    def activate(self):
        self.got = []
        self.images = self.subscription(topics.IMAGE_RAW, self.got.append)


class Listener(SuiteNode[NoParameters]):
    node_name = 'listener'
    parameters_type = NoParameters

    def activate(self):
        self.said = {}
        self.create_subscription(DiagnosticArray, '/diagnostics', self.hear, 10)

    def hear(self, array):
        for status in array.status:
            self.said[status.name] = (status.level, status.message)


class Page(SuiteNode[NoParameters]):
    node_name = 'page'
    parameters_type = NoParameters

    def activate(self):
        self.look_at = self.publisher(replace(topics.COMMAND_LOOK_AT, name='cmd/look_at'))


def test_who_else_asks_something_of_a_node_is_a_rival_only_of_who_asks_now(host, foreign, until):
    (page,) = host.run(Page)
    foreign(
        """
from geometry_msgs.msg import PointStamped
asking = node.create_publisher(PointStamped, 'cmd/look_at', 1)
while spin_some():
    pass
""",
        name='user',
    )
    until(lambda: page.look_at.foreign_publisher_names() == ['/user'])
    assert page.look_at.rivals == 0
    page.look_at.publish(PointRequest(page.now_ns(), 'level', (1.0, 0.0, 0.0)))
    assert page.look_at.rivals == 1


def test_a_foreign_camera_beside_our_own_is_said_by_both_ends_once(host, foreign, until, capfd):
    _, viewer, listener = host.run(Camera, Viewer, Listener)
    until(lambda: len(listener.said) >= 2)
    assert listener.said['/viewer'][0] == DiagnosticStatus.OK
    theirs = foreign(FOREIGN_CAMERA, name='their_camera')
    until(lambda: listener.said['/camera'] == (DiagnosticStatus.WARN, AT_THE_CAMERA))
    until(lambda: listener.said['/viewer'] == (DiagnosticStatus.WARN, AT_THE_VIEWER))
    assert {frame.image[0, 0] for frame in viewer.got} == {0}
    logged = ''

    def said():
        nonlocal logged
        logged += capfd.readouterr().err
        return logged.count(AT_THE_CAMERA), logged.count(AT_THE_VIEWER)

    until(lambda: said() == (1, 1))
    theirs.end()
    until(lambda: listener.said['/viewer'][0] == listener.said['/camera'][0] == DiagnosticStatus.OK)
    assert said() == (1, 1)


def test_two_foreign_cameras_on_one_name_are_said_by_who_hears_both(host, foreign, until):
    viewer, listener = host.run(Viewer, Listener)
    foreign(FOREIGN_CAMERA, name='their_camera')
    until(lambda: viewer.got)
    assert viewer.images.mingled == 0
    foreign(FOREIGN_CAMERA, name='another_camera')
    sentence = (
        'Images of /another_camera and /their_camera come in turns on /image_raw: stop or remap all but one of them.'
    )
    until(lambda: listener.said.get('/viewer') == (DiagnosticStatus.WARN, sentence))


def test_one_that_was_killed_and_started_again_is_not_said_as_two_names(host, foreign, until):
    viewer, listener = host.run(Viewer, Listener)
    foreign(FOREIGN_CAMERA, name='their_camera')
    foreign(FOREIGN_CAMERA, name='their_camera')
    sentence = (
        'Images of 2 nodes named /their_camera (one that was killed stays listed for 20 s) come in turns on '
        '/image_raw: stop or remap all but one of them.'
    )
    until(lambda: listener.said.get('/viewer') == (DiagnosticStatus.WARN, sentence))
    assert viewer.images.mingled == 1


def test_our_own_camera_in_another_process_of_the_same_name_is_a_rival_too(host, foreign, until):
    """Two launches of the same system, as on two machines of one network."""
    (camera,) = host.run(Camera)
    foreign(FOREIGN_CAMERA, name='camera')
    until(lambda: camera.images.rivals == 1)
    until(lambda: camera.images.foreign_publisher_names() == ['/camera'])
