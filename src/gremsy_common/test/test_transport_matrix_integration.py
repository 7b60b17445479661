# SPDX-License-Identifier: Apache-2.0
"""Whoever comes, goes, dies or starts again, in this process and outside: the others get their frames."""

import os
import re
import signal
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

import numpy as np

from gremsy_common.dds_settings import memory_for_images
from gremsy_common.parameters.parameter_fields import NodeParameters
from gremsy_common.ros import topics
from gremsy_common.ros.messages.image_wire_messages import image_wire
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.timing.worker import LatestSlot
from gremsy_common.types.frame import Frame, lock_read_only

pytestmark = pytest.mark.integration

PROFILE = str(Path(__file__).parents[2] / 'gremsy_bringup' / 'config' / 'fastdds_shm.xml')
VIEWER = """
from sensor_msgs.msg import Image
def see(message):
    print(message.encoding, message.width, message.height, message.step, bytes(message.data[-2:]).hex(), flush=True)
node.create_subscription(Image, 'image_raw', see, QoSProfile(depth=1, reliability=QoSReliabilityPolicy[{!r}]))
while spin_some():
    pass
"""
BIG_CAMERA = """
from sensor_msgs.msg import Image
camera = node.create_publisher(Image, 'image_raw', 1)
message = Image(height=1080, width=1920, encoding='bgr8', step=5760)
message.data.frombytes(bytes(message.height * message.step))
while spin_some():
    message.header.stamp = node.get_clock().now().to_msg()
    camera.publish(message)
"""


@dataclass(frozen=True)
class NoParameters(NodeParameters):
    pass


class Camera(SuiteNode[NoParameters]):
    """200 small frames a second, from a thread as a camera's."""

    node_name = 'camera'
    parameters_type = NoParameters
    picture = lock_read_only(np.full((4, 6, 3), 7, np.uint8))
    encoding = 'bgr8'
    period_s = 0.005

    def __init__(self, host):
        super().__init__(host)
        self.newest = None
        self.took_s = []

    def activate(self):
        self.images = self.publisher(topics.IMAGE_RAW)
        self.worker('source', self.send)

    def send(self):
        time.sleep(self.period_s)
        self.newest = Frame(self.picture, self.now_ns(), 'eo', self.encoding)
        begin_s = time.perf_counter()
        self.images.publish(self.newest)
        self.took_s.append(time.perf_counter() - begin_s)


class FullHdCamera(Camera):
    picture = lock_read_only(np.full((1080, 1920, 3), 7, np.uint8))
    period_s = 0.033


class Viewer(SuiteNode[NoParameters]):
    node_name = 'viewer'
    parameters_type = NoParameters

    def activate(self):
        self.count = 0
        self.last = None
        self.frames = self.subscription(topics.IMAGE_RAW, self.see)

    def see(self, frame):
        self.count += 1
        self.last = frame


class OtherViewer(Viewer):
    node_name = 'other_viewer'


class BrokenViewer(Viewer):
    node_name = 'broken_viewer'

    def see(self, frame):
        raise RuntimeError('broken')


class SlowViewer(SuiteNode[NoParameters]):
    node_name = 'slow_viewer'
    parameters_type = NoParameters

    def activate(self):
        self.slot = LatestSlot()
        self.frames = self.subscription(topics.IMAGE_RAW, self.slot.put)


def comes_more(until, node, by=5):
    """More frames arrive, all by reference."""
    before = node.count
    until(lambda: node.count > before + by)
    assert node.frames.is_local
    assert node.last.image is Camera.picture or node.last.image is FullHdCamera.picture


# In one process.


def test_all_subscribers_get_the_very_frame(host, until):
    camera, first, second = host.run(Camera, Viewer, OtherViewer)
    comes_more(until, first)
    comes_more(until, second)
    assert camera.count_subscribers('image_raw') == 0
    host.on_executor(camera.trigger_deactivate)
    assert first.last is second.last is camera.newest


def test_one_that_breaks_at_every_frame_takes_nothing_from_the_others(host, until):
    _, broken, viewer = host.run(Camera, BrokenViewer, Viewer)
    comes_more(until, viewer)
    assert broken.diagnostics.last_error == 'The callback of /image_raw failed: RuntimeError: broken'


def test_a_slow_one_loses_frames_and_its_link_says_how_many(host, until):
    camera, slow = host.run(Camera, SlowViewer)
    until(lambda: slow.slot.dropped > 5)
    assert slow.frames.is_local
    host.on_executor(camera.trigger_deactivate)
    assert slow.frames.statistics.items - slow.frames.dropped == slow.slot.waiting
    rows, _ = slow._links.report((), slow._subscriptions_made)
    row = rows['in /image_raw']
    found = re.fullmatch(
        r'over DDS: (\d+) items, ([\d.]+) Hz, ([\d.]+) ms old \(p99 ([\d.]+)\), (\d+) dropped, 0 lost on the way',
        row,
    )
    assert found is not None, row
    assert 5 < int(found[5]) < int(found[1])
    assert float(found[3]) <= float(found[4]) < 1000.0


@pytest.mark.parametrize('comes_and_goes', [Camera, Viewer])
def test_a_node_that_is_stopped_and_started_while_the_others_run(host, until, comes_and_goes):
    nodes = host.run(Camera, Viewer, OtherViewer)
    node = next(each for each in nodes if type(each) is comes_and_goes)
    for _ in range(15):
        host.on_executor(node.trigger_deactivate)
        host.on_executor(node.trigger_activate)
    until(lambda: nodes[1].frames.is_local)
    comes_more(until, nodes[1])
    comes_more(until, nodes[2])
    assert host.crash is None
    assert not [node.diagnostics.last_error for node in nodes if node.diagnostics.last_error]


def test_a_node_that_is_configured_anew_in_its_process_joins_again(host, until):
    camera, viewer, other = host.run(Camera, Viewer, OtherViewer)
    for node in (camera, viewer):
        for step in ('deactivate', 'cleanup', 'configure', 'activate'):
            host.on_executor(getattr(node, f'trigger_{step}'))
    comes_more(until, viewer)
    comes_more(until, other)


def test_one_that_comes_late_gets_what_comes_from_then_on_and_what_is_latched(host_with, until):
    host = host_with(['--ros-args', '-r', '__ns:=/robot'])

    class Driver(SuiteNode[NoParameters]):
        node_name = 'driver'
        parameters_type = NoParameters

        def activate(self):
            self.goals = self.publisher(topics.GIMBAL_GOAL)
            self.goals.publish('first')
            self.goals.publish('second')

    class Late(Viewer):
        node_name = 'late'

        def activate(self):
            super().activate()
            self.goals = []
            self.subscription(topics.GIMBAL_GOAL, self.goals.append)

    _, _, late = host.run(Camera, Driver, Late)
    host.on_executor(late.trigger_deactivate)
    time.sleep(0.1)
    host.on_executor(late.trigger_activate)
    comes_more(until, late)
    # Both events, although nobody listened when they happened.
    until(lambda: late.goals == ['first', 'second'])


# Beside other processes.


@pytest.mark.parametrize('reliability', ['RELIABLE', 'BEST_EFFORT'])
def test_foreign_subscribers_come_and_go_and_leave_nothing_behind(host, foreign, until, reliability):
    camera, viewer = host.run(Camera, Viewer)
    for number in range(3):
        outside = foreign(VIEWER.format(reliability), name=f'rviz_{number}')
        assert outside.line() == 'bgr8 6 4 18 0707'
        (info,) = camera.get_publishers_info_by_topic('image_raw')
        assert (info.node_name, info.topic_type) == ('camera', 'sensor_msgs/msg/Image')
        outside.end()
        until(lambda: camera.images.outside_subscribers == 0)
        comes_more(until, viewer)
    assert [each.name for each in threading.enumerate()].count('publish /image_raw') == 1
    host.on_executor(camera.trigger_deactivate)
    assert 'publish /image_raw' not in [each.name for each in threading.enumerate()]


@pytest.mark.parametrize(
    'end',
    [
        pytest.param(signal.SIGKILL, id='killed'),
        pytest.param(signal.SIGSTOP, id='frozen', marks=pytest.mark.slow),
    ],
)
def test_a_foreign_subscriber_that_dies_or_freezes_is_not_felt(host, foreign, until, end):
    camera, viewer = host.run(FullHdCamera, Viewer)
    rows, _ = camera._links.report(camera._publishers_made, ())
    assert 'memory for images' not in rows
    outside = foreign(VIEWER.format('RELIABLE'))
    assert outside.line() == 'bgr8 1920 1080 5760 0707'
    outside.process.send_signal(end)
    before, camera.took_s = viewer.count, []
    until(lambda: viewer.count > before + 60)
    # A writer that waits for a reader that is gone does so for 0.1 s with each frame.
    assert np.median(camera.took_s) < 0.05
    rows, _ = camera._links.report(camera._publishers_made, ())
    found = rows['memory for images']
    assert found == memory_for_images(os.environ).sentence
    other = foreign(VIEWER.format('RELIABLE'))
    assert other.line() == 'bgr8 1920 1080 5760 0707'


def test_size_and_encoding_may_change_from_frame_to_frame(host, foreign):
    (camera,) = host.run(Camera)
    outside = foreign(VIEWER.format('RELIABLE'))
    outside.line()
    for picture, encoding, expected in (
        (np.full((1080, 1920, 3), 8, np.uint8), 'bgr8', 'bgr8 1920 1080 5760 0808'),
        (np.full((3, 5), 0x0102, np.uint16), 'mono16', 'mono16 5 3 10 0201'),
        (np.full((1, 1), 9, np.uint8), 'mono8', 'mono8 1 1 1 '),
        (np.full((480, 640, 3), 6, np.uint8)[:, ::2], 'bgr8', 'bgr8 320 480 960 0606'),
    ):
        camera.picture, camera.encoding = lock_read_only(picture), encoding
        deadline = time.monotonic() + 20.0
        while not (line := outside.line()).startswith(expected.strip()):
            assert time.monotonic() < deadline, line


def test_where_the_middleware_reads_other_bytes_images_go_out_as_messages_and_that_is_said(host, foreign, until):
    def upside_down(frame):
        head, pixels = image_wire(frame)
        return head[::-1], pixels

    class Odd(Camera):
        node_name = 'odd'

        def activate(self):
            wire = replace(topics.IMAGE_RAW.wire, write=upside_down)
            self.images = self.publisher(replace(topics.IMAGE_RAW, wire=wire))
            self.worker('source', self.send)

    (camera,) = host.run(Odd)
    assert foreign(VIEWER.format('RELIABLE')).line() == 'bgr8 6 4 18 0707'
    assert camera.diagnostics.last_error == (
        'Subscribers of /image_raw outside this process slow all of its work down (3 ms an image of 1920x1080), since '
        'this middleware writes images in another form than plain CDR: let them take a compressed topic.'
    )
    assert camera.diagnostics.counters['errors'] == 1


def test_a_foreign_camera_that_is_killed_and_started_again_is_heard_again(host, foreign, until):
    (viewer,) = host.run(Viewer)
    for _ in range(2):
        camera = foreign(BIG_CAMERA.replace('1080', '4').replace('1920', '6').replace('5760', '18'))
        before = viewer.count
        until(lambda before=before: viewer.count > before + 3)
        assert viewer.last.image.shape == (4, 6, 3)
        assert not viewer.frames.is_local
        camera.process.kill()


SET_THE_PROFILE = (
    r'set FASTRTPS_DEFAULT_PROFILES_FILE and FASTDDS_DEFAULT_PROFILES_FILE to '
    r"gremsy_bringup's config/fastdds_shm\.xml in the shell that starts it, "
    r'or `qos_overrides\./image_raw\.subscription\.reliability` here to reliable\.'
)
TAKE_LESS = r'take them compressed, or let fewer or smaller ones be published\.'


def reported(viewer):
    return viewer._links.report((), viewer._subscriptions_made)


@pytest.mark.parametrize(
    ('profile', 'remedy'), [('', SET_THE_PROFILE), (PROFILE, TAKE_LESS)], ids=['no profile here', 'profile here']
)
def test_images_lost_between_processes_are_counted_and_said_with_what_to_do(
    host_with, foreign, until, monkeypatch, profile, remedy
):
    """A plain camera with Fast DDS's defaults: its images are larger than the memory it has for them."""
    host = host_with([])
    monkeypatch.setenv('FASTRTPS_DEFAULT_PROFILES_FILE', profile)
    monkeypatch.setenv('FASTDDS_DEFAULT_PROFILES_FILE', profile)
    (viewer,) = host.run(Viewer)
    foreign(BIG_CAMERA, name='their_camera', FASTRTPS_DEFAULT_PROFILES_FILE='', FASTDDS_DEFAULT_PROFILES_FILE='')
    until(lambda: viewer.frames.lost >= 5)
    until(lambda: viewer.frames.foreign_publisher_names() == ['/their_camera'])
    # A report speaks of the losses since the one before, which the node's own timer may have made a moment ago.
    said = {}
    until(lambda: 'lost on /image_raw' in said or said.update(reported(viewer)[1]))
    sentence = said['lost on /image_raw']
    expected = r'\d+ of \d+ images on /image_raw were lost on the way from /their_camera: ' + remedy
    assert re.fullmatch(expected, sentence), sentence
