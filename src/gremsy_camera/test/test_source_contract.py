# SPDX-License-Identifier: Apache-2.0
"""What every source of `gremsy_camera.sources` must do. A new one needs an entry: a URI that works.

`EXAMPLES` are those that play what is there, on a clock that only moves when told; `LIVE` are those of cameras, which
run on the machine's.
"""

import itertools
import threading
import time

import cv2
import numpy as np
import pytest

from gremsy_camera.errors import SourceError
from gremsy_camera.external.foreign_frames import Arrival, ForeignFrames
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.footage.pacing import SystemClock
from gremsy_camera.sources import available_sources, create_source
from gremsy_camera.sources import v4l2 as v4l2_source
from gremsy_camera.sources.source import SourceContext
from gremsy_camera.trial.trial_camera import make_certificate
from gremsy_common.types.frame import Frame, lock_read_only

from .http_camera import MULTIPART, HttpCamera, says, trusted_certificate
from .recorded_cameras import HELLO_INFRARED, RecordedDevice, RecordedSystem

pytest_plugins = ['gremsy_camera.trial.pytest_camera', 'gremsy_camera.trial.pytest_gstreamer']

EXAMPLES = {
    'file': lambda video, ring: str(video),
    'sim': lambda video, ring: f'sim:{video}?ring={ring}',
}


def kernel_camera(request):
    """A recorded device in the kernel's place, at 60 Hz."""
    device = RecordedDevice(HELLO_INFRARED, period_ns=16_666_667)
    system = RecordedSystem(SystemClock(), {'/dev/video0': device})
    request.getfixturevalue('monkeypatch').setattr(v4l2_source, 'VideoSystem', lambda: system)
    return '/dev/video0?format=GREY'


def pipeline(request):
    """GStreamer's test picture, in which something moves."""
    request.getfixturevalue('gstreamer')
    return 'gst: videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=60/1'


def network_camera(request):
    return request.getfixturevalue('run_camera')(width=160, height=128, rate_hz=60.0).uri


def network_camera_that_encrypts(request):
    certificate = make_certificate(request.getfixturevalue('tmp_path'))
    if certificate is None:
        pytest.skip('There is no openssl to make a certificate with.')
    run_camera = request.getfixturevalue('run_camera')
    return run_camera(width=160, height=128, rate_hz=60.0, certificate=str(certificate)).uri


def pictures_over_http(request, context=None):
    """Pushed at 60 Hz for as long as the test lasts, each another."""
    images = (np.full((48, 64, 3), 4 * index % 256, np.uint8) for index in range(600))
    parts = (b'--b\r\nContent-Type: image/jpeg\r\n\r\n' + cv2.imencode('.jpg', image)[1].tobytes() for image in images)
    server = HttpCamera(says(MULTIPART.format('b'), *parts, pause_s=1 / 60), context)
    request.addfinalizer(server.close)
    return server.uri


def pictures_over_https(request):
    certificate = trusted_certificate(request.getfixturevalue('tmp_path'), request.getfixturevalue('monkeypatch'))
    return pictures_over_http(request, certificate)


def another_driver(request):
    """Puts an image as often as a camera at 100 Hz would."""
    frames, ended = request.getfixturevalue('foreign_frames'), threading.Event()

    def put():
        number = 0
        while not ended.wait(0.01):
            number += 1
            image = lock_read_only(np.full((4, 6, 3), number % 256, np.uint8))
            frame = Frame(image, time.time_ns(), '')
            frames.images.put(Arrival(lambda frame=frame: frame, time.monotonic_ns()))

    thread = threading.Thread(target=put)
    thread.start()
    request.addfinalizer(lambda: (ended.set(), thread.join()))
    return 'external'


@pytest.fixture
def foreign_frames():
    return ForeignFrames('', 'robot/eo_optical_frame')


LIVE = {
    'external': another_driver,
    'gst': pipeline,
    'http': pictures_over_http,
    'https': pictures_over_https,
    'rtsp': network_camera,
    'rtsps': network_camera_that_encrypts,
    'v4l2': kernel_camera,
}


def test_every_source_is_held_to_the_contract():
    assert sorted(available_sources()) == sorted([*EXAMPLES, *LIVE]), 'Add a URI that works to EXAMPLES or to LIVE.'


@pytest.fixture(params=sorted(EXAMPLES))
def make_source(request, context, make_video, payload):
    payload.start()
    payload.write()
    uri = EXAMPLES[request.param](make_video(4), payload.ring)

    def make(**options):
        return create_source(uri, context(**options))

    return make


def read_frames(source, count, payload):
    frames = []
    for _ in range(50 * count):
        payload.write()
        captured = source.read(0.2)
        if captured is not None:
            frames.append(captured)
        if len(frames) == count:
            return frames
    raise AssertionError(f'{len(frames)} of {count} frames came')


def test_making_a_source_touches_nothing(make_source):
    make_source().close()


def test_reading_before_open_is_an_error_that_says_so(make_source):
    with pytest.raises(SourceError, match='call `open` first'):
        make_source().read(0.1)


def test_an_open_source_says_what_it_gives_and_gives_that(make_source, payload):
    source = make_source()
    info = source.open()
    captured = read_frames(source, 1, payload)[0]
    assert (captured.frame.width, captured.frame.height) == (info.width, info.height)
    assert captured.frame.encoding == 'bgr8' and captured.frame.image.dtype == np.uint8
    assert captured.frame.frame_id == 'robot/eo_optical_frame'
    assert info.rate_hz > 0.0 and info.stamp_source
    source.close()


def test_stamps_rise_by_the_period_of_the_rate_asked_for(make_source, payload):
    source = make_source(rate_hz=20.0)
    assert source.open().rate_hz == 20.0
    stamps = [captured.frame.stamp_ns for captured in read_frames(source, 6, payload)]
    np.testing.assert_array_equal(np.diff(stamps), 50_000_000)
    source.close()


def test_frames_are_read_only_and_stay_as_they_were(make_source, payload):
    source = make_source()
    source.open()
    first = read_frames(source, 1, payload)[0].frame.image
    before = first.copy()
    read_frames(source, 8, payload)
    with pytest.raises(ValueError, match='read-only'):
        first[0, 0, 0] = 1
    np.testing.assert_array_equal(first, before)
    source.close()


def test_a_read_takes_no_longer_than_its_timeout_when_nothing_is_due(make_source, payload, clock):
    source = make_source(rate_hz=0.5)
    source.open()
    read_frames(source, 1, payload)
    before = clock.monotonic_ns()
    assert source.read(0.05) is None
    assert clock.monotonic_ns() - before <= 50_000_000
    source.close()


def test_a_footage_that_loops_goes_on_and_counts(make_source, payload):
    source = make_source()
    source.open()
    while source.counts().loops < 2:
        read_frames(source, 1, payload)
    source.close()


def test_a_footage_that_stops_says_so(make_source, payload):
    source = make_source(at_end=AtEnd.STOP)
    source.open()
    with pytest.raises(SourceError, match='ended after 4 frames'):
        read_frames(source, 100, payload)
    source.close()


def test_a_source_opens_again_after_close_and_closes_twice(make_source, payload):
    source = make_source()
    source.open()
    read_frames(source, 2, payload)
    source.close()
    source.close()
    source.open()
    assert read_frames(source, 1, payload)[0].footage_index == 0
    source.close()


@pytest.fixture(params=sorted(LIVE))
def live_source(request, said, foreign_frames):
    uri = LIVE[request.param](request)
    context = SourceContext('robot/eo_optical_frame', 0.0, AtEnd.LOOP, SystemClock(), said, foreign=foreign_frames)
    source = create_source(uri, context)
    yield source
    source.close()


def live_frames(source, count, timeout_s=10.0):
    frames, until = [], time.monotonic() + timeout_s
    while len(frames) < count and time.monotonic() < until:
        captured = source.read(0.2)
        if captured is not None:
            frames.append(captured)
    assert len(frames) == count
    return frames


def test_making_a_live_source_touches_nothing(live_source):
    live_source.close()
    assert live_source.counts().decode_failures == 0


def test_reading_a_live_source_before_open_is_an_error_that_says_so(live_source):
    with pytest.raises(SourceError, match='call `open` first'):
        live_source.read(0.1)


def test_an_open_live_source_says_what_it_gives_and_gives_that(live_source):
    opened = live_source.open()
    captured = live_frames(live_source, 1)[0]
    info = captured.info or opened
    assert (captured.frame.width, captured.frame.height) == (info.width, info.height)
    assert captured.frame.encoding in ('bgr8', 'mono8', 'mono16')
    assert captured.frame.frame_id == 'robot/eo_optical_frame'
    assert info.details and captured.footage_index is None


def test_stamps_of_a_live_source_rise_and_lie_in_the_past(live_source):
    live_source.open()
    stamps = [captured.frame.stamp_ns for captured in live_frames(live_source, 6)]
    assert all(before < after for before, after in itertools.pairwise(stamps))
    assert time.time_ns() - 30_000_000_000 < stamps[-1] <= time.time_ns()


def test_frames_of_a_live_source_are_read_only_and_stay_as_they_were(live_source):
    live_source.open()
    first = live_frames(live_source, 1)[0].frame.image
    before = first.copy()
    live_frames(live_source, 8)
    with pytest.raises(ValueError, match='read-only'):
        first[0, 0] = 1
    np.testing.assert_array_equal(first, before)


def test_a_live_source_opens_again_after_close_and_closes_twice(live_source):
    for _ in range(2):
        live_source.open()
        live_frames(live_source, 2)
        live_source.close()
        live_source.close()
