# SPDX-License-Identifier: Apache-2.0
"""Which mode is taken, on what real cameras offer (`recorded_cameras`)."""

from contextlib import closing
from fractions import Fraction

import pytest

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.v4l2.camera_modes import Wanted, choose
from gremsy_camera.v4l2.video_device import VideoDevice

from .recorded_cameras import BCM2835, HELLO_INFRARED, PURETHERMAL, RKISP, WEBCAM, RecordedDevice, RecordedSystem


@pytest.fixture
def chosen(clock):
    def take(recording, **wanted):
        system = RecordedSystem(clock, {'/dev/video0': RecordedDevice(recording)})
        request = Wanted(**wanted)
        with closing(VideoDevice(system, '/dev/video0')) as device:
            return choose('/dev/video0', device.modes(request.width, request.height), request)

    return take


@pytest.mark.parametrize(
    ('recording', 'wanted', 'taken'),
    [
        # Nothing asked for: the largest up to 1080p that gives 30 Hz, which is MJPG's here.
        (WEBCAM, {}, ('MJPG', '1920x1080', 30)),
        # At this size YUYV gives 30 Hz too, and costs no decoding of JPEG.
        (WEBCAM, {'width': 640, 'height': 480}, ('YUYV', '640x480', 30)),
        # Here YUYV gives 10 Hz only.
        (WEBCAM, {'width': 1280, 'height': 720}, ('MJPG', '1280x720', 30)),
        (WEBCAM, {'width': 1280, 'height': 720, 'rate_hz': 10.0}, ('YUYV', '1280x720', 10)),
        (WEBCAM, {'format': 'YUYV'}, ('YUYV', '800x448', 30)),
        (WEBCAM, {'format': 'yuyv', 'width': 1280, 'height': 720}, ('YUYV', '1280x720', 10)),
        (WEBCAM, {'rate_hz': 7.5}, ('MJPG', '1920x1080', 7.5)),
        # Colours before the 160x122 of Y16, whose last lines are no picture.
        (PURETHERMAL, {}, ('UYVY', '160x120', 9)),
        (PURETHERMAL, {'format': 'Y16', 'width': 160, 'height': 120}, ('Y16', '160x120', 9)),
        (HELLO_INFRARED, {}, ('MJPG', '640x360', 15)),
        (HELLO_INFRARED, {'format': 'GREY'}, ('GREY', '640x360', 15)),
    ],
)
def test_the_mode_taken(chosen, recording, wanted, taken):
    choice = chosen(recording, **wanted)
    assert (choice.mode.format, choice.mode.size, float(1 / choice.period)) == pytest.approx(taken)


def test_a_driver_that_takes_any_size_is_asked_for_a_usual_one(chosen):
    choice = chosen(BCM2835)
    assert (choice.mode.format, choice.mode.size, choice.period) == ('YU12', '1920x1080', None)


def test_a_driver_that_takes_any_size_is_asked_for_the_wanted_one(chosen):
    choice = chosen(BCM2835, width=800, height=602, format='YUYV', rate_hz=25.0)
    assert (choice.mode.format, choice.mode.size, choice.period) == ('YUYV', '800x602', Fraction(1, 25))


def test_a_multi_planar_driver_offers_the_same_way(chosen):
    assert chosen(RKISP).mode.format == 'NM12'


def test_a_rate_beside_its_name_is_that_rate(chosen):
    # 30000/1001 Hz is what NTSC's cameras call 30.
    assert chosen(WEBCAM, rate_hz=29.97, width=640, height=480).period == Fraction(1, 30)


@pytest.mark.parametrize(
    ('recording', 'wanted', 'sentence'),
    [
        (
            WEBCAM,
            {'width': 800, 'height': 600},
            'The camera /dev/video0 does not give 800x600: it gives 1920x1080, 1280x720, 960x544, 800x448, 640x480.',
        ),
        (
            WEBCAM,
            {'format': 'YUYV', 'width': 1920, 'height': 1080},
            'The camera /dev/video0 does not give 1920x1080 in YUYV: it gives 1280x720, 960x544, 800x448, 640x480.',
        ),
        (
            WEBCAM,
            {'width': 1280, 'height': 720, 'rate_hz': 60.0},
            'The camera /dev/video0 does not give 60 Hz in that form: it gives 10, 7.5 Hz in YUYV at 1280x720; 30, 20, '
            '15, 10, 7.5 Hz in MJPG at 1280x720.',
        ),
        (WEBCAM, {'format': 'NV12'}, 'The camera /dev/video0 has no format NV12: it has YUYV, MJPG.'),
        (WEBCAM, {'format': 'what'}, 'The camera /dev/video0 has no format what: it has YUYV, MJPG.'),
        (
            PURETHERMAL,
            {'format': 'RGBP'},
            'The format RGBP of the camera /dev/video0 is not decoded here: take one of UYVY, BGR3, GREY, Y16, or read '
            'it with `gst:` and a pipeline that decodes it.',
        ),
    ],
)
def test_what_a_camera_lacks_is_refused_with_what_it_has(chosen, recording, wanted, sentence):
    with pytest.raises(SourceUnusable) as raised:
        chosen(recording, **wanted)
    assert str(raised.value) == sentence


def test_a_camera_of_foreign_formats_only_is_sent_to_a_pipeline(chosen):
    only = BCM2835.__class__(card='x', formats=(('H264', BCM2835.formats[0][1]), ('RGBP', BCM2835.formats[0][1])))
    with pytest.raises(SourceUnusable) as raised:
        chosen(only)
    assert str(raised.value) == (
        'The camera /dev/video0 has only formats that cannot be decoded here, H264, RGBP: read it with `gst:` and a '
        'pipeline that decodes one of them.'
    )


def test_a_camera_without_formats_says_so(chosen):
    with pytest.raises(SourceUnusable) as raised:
        chosen(WEBCAM.__class__(card='grabber'))
    assert str(raised.value) == (
        'The camera /dev/video0 offers no format at all: the device it is connected to may have no signal.'
    )
