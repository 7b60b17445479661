# SPDX-License-Identifier: Apache-2.0
"""Another driver's camera without ROS: which topics are its own, what is known of it, and what is said of it."""

from dataclasses import replace

import numpy as np
import pytest

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.external.foreign_frames import Arrival, ForeignFrames
from gremsy_camera.external.foreign_problems import image_topics, worst_problem
from gremsy_camera.external.foreign_watch import (
    ExternalTopics,
    ForeignPublisher,
    ForeignState,
    ForeignWatch,
    Senders,
    Transport,
    external_topics,
)
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.footage.pacing import SystemClock
from gremsy_camera.sources import create_source, parse_uri
from gremsy_camera.sources.source import SourceContext
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.frame import Frame

MS, S = 1_000_000, 1_000_000_000
NAMES = ExternalTopics('/r/eo/image_raw', '/r/eo/image_raw/compressed', '/r/eo/camera_info')
RAW = ForeignPublisher('/usb_cam', 'sensor_msgs/msg/Image', 'reliable')
JPEG = ForeignPublisher('/usb_cam', 'sensor_msgs/msg/CompressedImage', 'reliable')
INFO = ForeignPublisher('/usb_cam', 'sensor_msgs/msg/CameraInfo', 'reliable')
LENS = CameraModel(640, 480, 500.0, 500.0, 320.0, 240.0)


@pytest.mark.parametrize(
    ('text', 'topics'),
    [
        ('external', ExternalTopics('image_raw', 'image_raw/compressed', 'camera_info')),
        ('external:', ExternalTopics('image_raw', 'image_raw/compressed', 'camera_info')),
        (
            'external:/usb_cam/image_raw',
            ExternalTopics('/usb_cam/image_raw', '/usb_cam/image_raw/compressed', '/usb_cam/camera_info'),
        ),
        (
            'external:///usb_cam/image_raw',
            ExternalTopics('/usb_cam/image_raw', '/usb_cam/image_raw/compressed', '/usb_cam/camera_info'),
        ),
        ('external:/image', ExternalTopics('/image', '/image/compressed', '/camera_info')),
        ('external:image', ExternalTopics('image', 'image/compressed', 'camera_info')),
        (
            'external:color/image_raw?info=/calibrated',
            ExternalTopics('color/image_raw', 'color/image_raw/compressed', '/calibrated'),
        ),
        (
            'external:/cam/image_raw/compressed',
            ExternalTopics('/cam/image_raw', '/cam/image_raw/compressed', '/cam/camera_info', Transport.COMPRESSED),
        ),
        (
            'external:?transport=raw',
            ExternalTopics('image_raw', 'image_raw/compressed', 'camera_info', Transport.RAW),
        ),
    ],
)
def test_the_topics_that_are_not_named_lie_where_image_transport_has_them(text, topics):
    assert external_topics(parse_uri(text)) == topics


@pytest.mark.parametrize(
    ('text', 'sentence'),
    [
        (
            'external:/usb cam',
            "`source` external:/usb cam names the topic '/usb cam', which is no ROS name: use letters, digits and _, "
            'with single / between its parts, none of which begins with a digit, as in robot/eo.',
        ),
        (
            'external:?transport=theora',
            "`source` external:?transport=theora asks for the transport 'theora': use auto, raw, compressed.",
        ),
        ('external:?qos=1', "`source` external:?qos=1 has no option 'qos': its options are info, transport."),
        (
            'external',
            '`source` external is what another driver publishes, which only the camera node can take: run it, or look '
            'at the topic with `ros2 topic hz`.',
        ),
    ],
)
def test_what_cannot_be_a_camera_says_so(text, sentence, said):
    with pytest.raises(SourceUnusable) as refused:
        create_source(text, SourceContext('o', 0.0, AtEnd.LOOP, SystemClock(), said))
    assert str(refused.value) == sentence


def frame(stamp_ns=5, width=640, height=480, frame_id='usb_cam', encoding='rgb8'):
    return Frame(np.zeros((height, width, 3), np.uint8), stamp_ns, frame_id, encoding)


@pytest.mark.parametrize(
    ('given', 'sent', 'frame_id'),
    [('', 'usb_cam', 'usb_cam'), ('', '', 'robot/eo_optical_frame'), ('mine', 'usb_cam', 'mine')],
    ids=['as sent', 'none sent', 'set'],
)
def test_a_frame_goes_on_as_it_is_unless_it_must_lie_elsewhere(given, sent, frame_id):
    frames, came = ForeignFrames(given, 'robot/eo_optical_frame'), frame(frame_id=sent)
    placed = frames.placed(came)
    assert placed.frame_id == frame_id and placed.image is came.image
    assert (placed is came) == (frame_id == sent)


def test_an_image_has_the_intrinsics_of_its_stamp_whichever_comes_first():
    frames = ForeignFrames('', 'o')
    assert frames.model_for(frame(stamp_ns=1)) is None
    frames.offer_model(1, LENS)
    zoomed = LENS.zoomed(2.0)
    frames.offer_model(2, zoomed)
    assert frames.model_for(frame(stamp_ns=1)) is LENS
    assert frames.model_for(frame(stamp_ns=2)) is zoomed
    # Its own has not come yet.
    assert frames.model_for(frame(stamp_ns=3)) is zoomed
    for stamp_ns in range(10, 200):
        frames.offer_model(stamp_ns, LENS)
    assert frames.model_for(frame(stamp_ns=2)) is LENS
    frames.forget_models()
    assert frames.model_for(frame(stamp_ns=199)) is None


def test_intrinsics_of_another_size_are_carried_over_and_of_another_aspect_are_not():
    frames = ForeignFrames('', 'o')
    frames.offer_model(1, LENS)
    half = frames.model_for(frame(width=320, height=240))
    assert (half.width, half.focal_x_px, half.centre_y_px) == (320, 250.0, 120.0)
    # As drivers round it.
    assert frames.model_for(frame(width=427, height=320)).width == 427
    assert frames.model_for(frame(width=640, height=360)) is None
    frames.offer_model(2, replace(LENS, focal_x_px=0.0, focal_y_px=0.0))
    assert frames.model_for(frame(stamp_ns=2)) is None


class Watched:
    """A watch that is looked at four times a second, as the node does."""

    def __init__(self, wanted=Transport.AUTO, configured=False):
        self.frames = ForeignFrames('', 'o')
        self.now_ns = 100 * S
        self.watch = ForeignWatch(replace(NAMES, transport=wanted), self.frames, configured, self.now_ns)

    def look(self, senders, for_s=1.0, *, images=0.0, infos=0.0, keep=1, lens=LENS, apart_ns=0):
        """Let time go on while images and camera_info come at so many Hz; of images every `keep`-th only."""
        until_ns = self.now_ns + round(for_s * S)
        sent = 0
        while self.now_ns < until_ns:
            self.watch.look(senders, self.now_ns)
            self.watch.take(True, self.now_ns)
            for tick in range(250):
                at_ns = self.now_ns + tick * MS
                for rate, come in ((images, self._image), (infos, self._info)):
                    if rate and (at_ns // MS) % round(1000 / rate) == 0:
                        sent += come == self._image
                        if come == self._info or sent % keep == 0:
                            come(at_ns, lens, apart_ns)
            self.now_ns += 250 * MS
        return worst_problem(self.watch, self.now_ns)

    def _image(self, at_ns, _lens, _apart_ns):
        self.watch.on_image(at_ns, at_ns)
        self.watch.size = (640, 480)

    def _info(self, at_ns, lens, apart_ns):
        self.watch.on_info(at_ns + apart_ns, at_ns)
        self.frames.offer_model(at_ns + apart_ns, lens)


BOTH = Senders((RAW,), (), (INFO,))


def test_a_camera_that_sends_is_well_and_says_how_it_sends():
    watched = Watched()
    assert watched.look(BOTH, 6.0, images=20.0, infos=20.0) is None
    rows = watched.watch.rows(watched.now_ns)
    assert rows['images from'] == rows['camera_info from'] == '/usb_cam (reliable)'
    assert float(rows['images a second']) == pytest.approx(20.0, abs=0.1)
    assert (rows['images missing by their stamps'], rows['camera_info without an image']) == ('0', '0')
    assert (rows['longest pause between images (ms)'], rows['camera_info is stamped']) == ('50', 'as its image')
    assert watched.watch.state(watched.now_ns) is ForeignState.PLAYING


def test_nobody_is_waited_for_a_moment_and_then_said_with_what_there_is():
    watched = Watched()
    assert watched.look(Senders(), 1.0) is None
    assert watched.look(Senders(), 2.0).text == (
        'Nobody publishes /r/eo/image_raw or /r/eo/image_raw/compressed: start the driver of the camera with this '
        'topic, or name its own in `source`: external:/usb_cam/image_raw.'
    )
    watched.watch.elsewhere = ('/a/image_raw', '/b/image')
    assert watched.look(Senders()).text == (
        'Nobody publishes /r/eo/image_raw or /r/eo/image_raw/compressed: name the topic in `source`, as '
        'external:/a/image_raw, of those with images now: /a/image_raw, /b/image.'
    )
    only = Watched(Transport.COMPRESSED)
    assert only.look(Senders((RAW,)), 3.0).text.startswith('Nobody publishes /r/eo/image_raw/compressed: start')


def test_images_of_the_suites_own_cameras_are_no_way_out():
    image, other = ['sensor_msgs/msg/Image'], ['sensor_msgs/msg/CompressedImage']
    topics = {
        '/robot/ir/image_raw': image,
        '/robot/ir/image_mono8': image,
        '/robot/eo/overlay': image,
        '/usb_cam/image_raw': image,
        '/depth/image': image,
        '/usb_cam/image_raw/compressed': other,
    }
    assert image_topics(topics) == ['/depth/image', '/usb_cam/image_raw']


def test_a_publisher_that_sends_nothing_is_named():
    watched = Watched()
    assert watched.look(Senders((RAW,)), 4.0).text == (
        '/usb_cam publishes /r/eo/image_raw, and nothing has come for 4 s: see what its own log says, and whether '
        '`ros2 topic hz /r/eo/image_raw` shows any.'
    )
    assert watched.watch.state(watched.now_ns) is ForeignState.WAITING


def test_a_driver_that_comes_late_has_its_moment_to_begin():
    watched = Watched()
    watched.look(Senders(), 10.0)
    assert watched.look(Senders((RAW,)), 1.5) is None
    assert watched.look(Senders((RAW,)), 1.5).kind == 'silent'


def test_images_that_stop_are_said_while_they_do():
    watched = Watched()
    watched.look(BOTH, 3.0, images=20.0, infos=20.0)
    silent = watched.look(BOTH, 10.0)
    assert silent.kind == 'silent' and watched.watch.state(watched.now_ns) is ForeignState.SILENT
    assert watched.look(BOTH, 1.0, images=20.0, infos=20.0) is None


def test_images_of_which_only_the_camera_info_comes_are_lost_on_the_way():
    problem = Watched().look(BOTH, 4.0, infos=20.0)
    assert problem.text.startswith(
        '/usb_cam publishes /r/eo/image_raw, and none of its images has come for 4 s while its camera_info has, so '
        'they are lost on the way: give the driver '
    )


def test_the_camera_info_of_a_second_driver_is_said_and_not_taken_for_lost_images():
    other = ForeignPublisher('/second', 'sensor_msgs/msg/CameraInfo', 'reliable')
    watched = Watched()
    problem = watched.look(Senders((RAW,), (), (INFO, other)), 6.0, images=20.0, infos=20.0, keep=2)
    assert problem.text == (
        '/second and /usb_cam both publish /r/eo/camera_info, so intrinsics of another camera may be used: put each '
        'into a namespace of its own, or name the right one in `source` as external:TOPIC?info=TOPIC.'
    )
    # A driver that was started again may be there twice for a moment.
    assert watched.look(Senders((RAW,), (), (INFO, INFO)), 6.0, images=20.0, infos=20.0) is None


def test_two_of_three_lost_are_counted_by_camera_info_and_by_stamps():
    watched = Watched()
    problem = watched.look(BOTH, 6.0, images=20.0, infos=20.0, keep=3)
    assert problem.text.startswith(
        '66 of the last 100 images on /r/eo/image_raw did not come, as /r/eo/camera_info tells, so they are lost'
    )
    # Where the middleware counts them, the subscription says it.
    watched.watch.loss_is_reported = True
    assert worst_problem(watched.watch, watched.now_ns) is None
    # Of images that all come at a third of the rate, no stamp tells that there were more.
    assert watched.watch.rows(watched.now_ns)['images missing by their stamps'] == '0'


def test_a_camera_info_with_stamps_of_its_own_is_no_loss():
    watched = Watched()
    assert watched.look(BOTH, 6.0, images=20.0, infos=20.0, apart_ns=7 * MS) is None
    assert watched.watch.rows(watched.now_ns)['camera_info is stamped'] == '7.0 ms from its image'
    slow = Watched()
    assert slow.look(BOTH, 6.0, images=20.0, infos=1.0) is None


def test_a_type_that_is_no_image_is_said():
    odd = ForeignPublisher('/odd', 'std_msgs/msg/String', 'reliable')
    assert Watched().look(Senders((odd,)), 1.0).text == (
        '/odd publishes /r/eo/image_raw as std_msgs/msg/String, and sensor_msgs/msg/Image is needed: name another '
        'topic in `source`.'
    )


def test_compressed_images_are_taken_only_where_there_are_no_others_for_a_while():
    watched = Watched()
    watched.look(Senders((), (JPEG,)), 0.5)
    assert watched.watch.transport is Transport.RAW
    watched.look(Senders((RAW,), (JPEG,)), 2.0)
    assert watched.watch.transport is Transport.RAW
    watched.look(Senders((), (JPEG,)), 1.5)
    assert watched.watch.transport is Transport.COMPRESSED and watched.watch.topic == NAMES.compressed
    # A driver that dies is waited for as it was; one that comes with raw images is taken so.
    watched.look(Senders(), 3.0)
    assert watched.watch.transport is Transport.COMPRESSED
    watched.look(Senders((RAW,), (JPEG,)), 0.5)
    assert watched.watch.transport is Transport.RAW
    forced = Watched(Transport.RAW)
    forced.look(Senders((), (JPEG,)), 5.0)
    assert forced.watch.transport is Transport.RAW


@pytest.mark.parametrize('configured', [False, True], ids=['unknown', 'by parameters'])
def test_a_camera_without_intrinsics_is_said_unless_parameters_have_them(configured):
    watched = Watched(configured=configured)
    problem = watched.look(Senders((RAW,)), 4.0, images=20.0)
    text = (
        'Nobody publishes /r/eo/camera_info, so no gimbal can be pointed by these images: set `calibration_file` or '
        '`horizontal_field_deg`, or have the driver publish it.'
    )
    assert (problem.text if problem else '') == ('' if configured else text)
    assert watched.watch.lens_origin('a guess') == 'a guess'
    # The driver's own come, and are used.
    assert watched.look(BOTH, 4.0, images=20.0, infos=20.0) is None
    assert watched.watch.lens_origin('a guess') == "the driver's"


def test_a_rate_that_cannot_be_had_is_said(said):
    frames = ForeignFrames('', 'o')
    source = create_source('external', SourceContext('o', 5.0, AtEnd.LOOP, SystemClock(), said, foreign=frames))
    source.open()
    assert said.sentences == ['`rate_hz` has no effect with `source` external: the driver of the camera sets the rate.']


def test_the_source_says_its_size_when_it_changes_and_what_it_dropped(said):
    frames = ForeignFrames('', 'o')
    source = create_source('external', SourceContext('o', 0.0, AtEnd.LOOP, SystemClock(), said, foreign=frames))
    source.open()
    assert source.read(0.0) is None
    for width in (640, 320):
        frames.images.put(Arrival(lambda width=width: frame(width=width), 0))
    captured = source.read(0.0)
    assert (captured.info.width, captured.info.details) == (320, (('encoding', 'rgb8'),))
    assert source.counts().others == {'images dropped while busy': 1}
    frames.images.put(Arrival(lambda: frame(width=320), 0))
    assert source.read(0.0).info is None
    frames.images.put(Arrival(lambda: None, 0))
    assert source.read(0.0) is None
    source.close()
