# SPDX-License-Identifier: Apache-2.0
"""`gst:` with real pipelines."""

import gc
import re
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gremsy_camera.errors import SourceEnded, SourceError, SourceUnusable
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.footage.pacing import SystemClock
from gremsy_camera.gstreamer.pipeline_reader import PipelineReader, fill_in_pipeline
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.live.live_reader import TimeBase
from gremsy_camera.sources import create_source
from gremsy_camera.sources.source import SourceContext
from gremsy_camera.trial import burned_clock

from .reader_steps import live_context, opening, read

pytest_plugins = ['gremsy_camera.trial.pytest_camera', 'gremsy_camera.trial.pytest_gstreamer']
pytestmark = pytest.mark.usefixtures('gstreamer')

LIVE = 'videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=30/1'


@pytest.fixture
def make_reader():
    made = []

    def make(description, at_end=AtEnd.LOOP):
        made.append(PipelineReader(description, live_context(at_end=at_end)))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


@pytest.fixture
def make_source(said):
    made = []

    def make(text, at_end=AtEnd.LOOP, **options):
        context = SourceContext('eo', 0.0, at_end, SystemClock(), said, LiveParameters(**options))
        made.append(create_source(text, context))
        return made[-1]

    yield make
    for source in made:
        source.close()


@pytest.mark.parametrize(
    'end', ['', ' !', ' ! appsink', ' ! tee name=t t. ! queue ! appsink name=gremsy t. ! queue ! fakesink name=b']
)
def test_a_pipeline_gives_its_pictures(make_reader, end):
    reader = make_reader(f'videotestsrc is-live=true pattern=red ! video/x-raw,width=64,height=48,framerate=25/1{end}')
    info = reader.open()
    assert (info.width, info.height, info.rate_hz) == (64, 48, 25.0)
    for picture, image in read(reader, 5):
        assert picture.encoding == 'bgr8' and image.shape == (48, 64, 3)
        np.testing.assert_allclose(image.reshape(-1, 3), np.tile((0, 0, 255), (64 * 48, 1)), atol=6)


@pytest.mark.parametrize(
    ('wanted', 'encoding', 'shape', 'kind'),
    [
        ('video/x-raw,format=GRAY8,width=63,height=47', 'mono8', (47, 63), np.uint8),
        ('video/x-raw,format=GRAY16_LE,width=63,height=47', 'mono16', (47, 63), np.uint16),
        ('video/x-raw,format=GRAY16_BE,width=64,height=48', 'mono16', (48, 64), np.uint16),
        ('video/x-raw,format=Y42B,width=64,height=48', 'bgr8', (48, 64, 3), np.uint8),
        ('video/x-raw,format=P010_10LE,width=64,height=48', 'bgr8', (48, 64, 3), np.uint8),
        ('video/x-raw,format=NV12,width=1,height=1', 'bgr8', (1, 1, 3), np.uint8),
        ('video/x-raw,format=I420,width=2160,height=3840,framerate=5/1', 'bgr8', (3840, 2160, 3), np.uint8),
        ('video/x-raw,format=NV12,width=7680,height=4320,framerate=5/1', 'bgr8', (4320, 7680, 3), np.uint8),
        ('video/x-raw,width=64,height=48,framerate=240/1', 'bgr8', (48, 64, 3), np.uint8),
        ('video/x-raw,width=64,height=48,framerate=7/1', 'bgr8', (48, 64, 3), np.uint8),
    ],
)
def test_every_format_size_and_rate(make_reader, wanted, encoding, shape, kind):
    reader = make_reader(f'videotestsrc is-live=true ! {wanted}')
    reader.open()
    picture, image = read(reader, 2)[-1]
    assert (picture.encoding, image.shape, image.dtype) == (encoding, shape, kind)


def test_a_pipeline_of_jpegs_is_decoded_here(make_reader):
    reader = make_reader(f'{LIVE} ! jpegenc')
    assert dict(reader.open().details)['format'] == 'JPEG'
    assert read(reader, 3)[-1][1].shape == (48, 64, 3)


def test_the_capture_time_is_the_buffers_by_the_pipelines_clock(make_reader):
    # x264's look-ahead and B-frames hold pictures back for many periods; their times stay those of the source.
    quick = make_reader('videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=30/1')
    slow = make_reader(
        'videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=30/1 '
        '! x264enc rc-lookahead=20 bframes=3 sliced-threads=true ! avdec_h264'
    )
    delays_s = []
    for reader in (quick, slow):
        reader.open()
        pictures = [picture for picture, _ in read(reader, 40)][10:]
        assert {(each.capture.base, each.capture.origin) for each in pictures} == {
            (TimeBase.MONOTONIC, "GStreamer's buffer time")
        }
        captures = np.array([each.capture.time_ns for each in pictures]) / 1e9
        np.testing.assert_allclose(np.diff(captures), 1 / 30, atol=1e-6)
        delays_s.append(np.median([each.arrived_ns / 1e9 for each in pictures] - captures))
    # 20 pictures of look-ahead are 667 ms.
    assert 0.0 <= delays_s[0] < 0.4 and 0.5 < delays_s[1] - delays_s[0] < 2.0


def test_a_reference_time_that_an_element_attaches_is_used(make_reader, run_camera, gstreamer):
    if gstreamer.make('rtspsrc').find_property('add-reference-timestamp-meta') is None:
        pytest.skip('no element of this version of GStreamer attaches one')
    camera = run_camera(width=160, height=128, clock_offset_s=-5000.0, report_every_s=0.5)
    reader = make_reader(
        f'rtspsrc location={camera.uri} protocols=tcp latency=50 add-reference-timestamp-meta=true '
        '! rtph264depay ! h264parse ! avdec_h264'
    )
    reader.open()
    deadline = time.monotonic() + 10
    errors_ms = []
    while len(errors_ms) < 10 and time.monotonic() < deadline:
        picture, image = read(reader, 1)[0]
        if picture.capture is not None and picture.capture.base is TimeBase.CAMERA:
            assert picture.capture.origin == "GStreamer's reference time"
            errors_ms.append(picture.capture.time_ns / 1e6 + 5_000_000 - burned_clock.read(image) / 1e3)
    assert len(errors_ms) == 10 and -1.0 < np.median(errors_ms) < 20.0


@pytest.mark.parametrize(
    ('description', 'sentence'),
    [
        ('nonsense', 'no element "nonsense": look with `apt-file search nonsense` or at gstreamer.freedesktop.org for '
         'the plugin that has it.'),
        ('nvarguscamerasrc ! nvvidconv', 'no element "nvarguscamerasrc": sudo apt-get install nvidia-l4t-gstreamer.'),
        ('videotestsrc colour=red', 'no property "colour" in element "videotestsrc": write it as for gst-launch-1.0.'),
        ('videotestsrc ! ! x', 'syntax error: write it as for gst-launch-1.0.'),
        ('videotestsrc ! fakesink', 'could not link fakesink0 to videoconvert0: end it in raw pictures or JPEG, '
         'without a sink of its own.'),
        ('audiotestsrc', 'could not link audiotestsrc0 to videoconvert1: end it in raw pictures or JPEG, without a '
         'sink of its own.'),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_said_in_gstreamers_words(make_reader, description, sentence):
    error = opening(make_reader(description))
    assert isinstance(error, SourceUnusable)
    said = str(error)
    beginning = f'The pipeline `{description}` cannot be made: '
    # The numbers that GStreamer gives to unnamed elements count on over the whole process.
    assert digits_off(said) == digits_off(beginning + sentence)


def digits_off(text):
    return re.sub(r'\d+', '#', text)


def test_two_sinks_without_the_name(make_reader):
    description = 'videotestsrc ! tee name=t t. ! appsink name=a t. ! appsink name=b'
    assert str(opening(make_reader(description))) == (
        f'The pipeline `{description}` has 2 appsinks: give the one to read from the name gremsy '
        '(`appsink name=gremsy`), or leave it out at the end.'
    )


def test_a_pipeline_that_gives_no_picture(make_reader):
    description = 'videotestsrc is-live=true ! valve drop=true'
    assert str(opening(make_reader(description))) == (
        f'The pipeline `{description}` has given no picture within 5 s: try it with gst-launch-1.0 and '
        '`! fakesink silent=false -v` at its end.'
    )


def test_what_breaks_on_opening_names_the_element(make_reader):
    error = opening(make_reader('v4l2src device=/dev/video987'))
    assert not error.permanent
    assert str(error).startswith('The pipeline `v4l2src device=/dev/video987` broke at v4l2src')
    assert '/dev/video987' in str(error) and '.c(' not in str(error)


def test_what_breaks_on_the_way_names_the_element(make_reader):
    reader = make_reader(f'{LIVE} ! identity name=middle error-after=5')
    reader.open()
    with pytest.raises(SourceError) as raised:
        read(reader, 100)
    assert str(raised.value).startswith(f'The pipeline `{LIVE} ! identity name=middle error-after=5` broke at middle: ')


@pytest.mark.parametrize('at_end', [AtEnd.STOP, AtEnd.HOLD])
def test_a_pipeline_that_ends_is_over(make_reader, at_end):
    description = 'videotestsrc num-buffers=3 is-live=true ! video/x-raw,width=64,height=48'
    reader = make_reader(description, at_end)
    reader.open()
    with pytest.raises(SourceEnded) as raised:
        read(reader, 100)
    assert str(raised.value) == (
        f'The pipeline `{description}` ended and `at_end` is `{at_end.value}`: set `at_end` to `loop` to go on.'
    )


def test_a_camera_that_ends_is_started_again(make_reader):
    description = 'videotestsrc num-buffers=3 is-live=true ! video/x-raw,width=64,height=48'
    reader = make_reader(description)
    reader.open()
    with pytest.raises(SourceError) as raised:
        read(reader, 100)
    assert str(raised.value) == f'The pipeline `{description}` ended: it is started again.'


def test_a_file_plays_at_its_own_pace_and_loops(make_reader, make_video, index_of):
    reader = make_reader(f'filesrc location={make_video(6, rate_hz=20.0)} ! avidemux ! jpegdec')
    before = time.monotonic()
    assert reader.open().rate_hz == 20.0
    pictures = read(reader, 12)
    # Twice 6 pictures at 20 Hz; the first of each round comes at once.
    assert time.monotonic() - before > 0.45
    assert reader.counts()['times started again at the end'] >= 1
    assert {index_of(image) for _, image in pictures} <= set(range(6))


def test_a_source_is_read_through_to_its_frames(make_source):
    source = make_source(f'gst: {LIVE}')
    info = source.open()
    assert (info.width, info.height) == (64, 48)
    frames = []
    deadline = time.monotonic() + 10
    while len(frames) < 5 and time.monotonic() < deadline:
        captured = source.read(0.2)
        frames += [captured.frame] if captured else []
    stamps = [frame.stamp_ns for frame in frames]
    assert len(frames) == 5 and stamps == sorted(set(stamps))
    assert abs(stamps[-1] - time.time_ns()) < 2_000_000_000
    assert not frames[0].image.flags.writeable


def test_an_empty_pipeline_is_refused(make_source):
    with pytest.raises(SourceUnusable) as raised:
        make_source('gst: ')
    assert str(raised.value) == '`source` gst:  names no pipeline: write one after it, as `gst: v4l2src`.'


@pytest.mark.parametrize(
    ('text', 'filled'),
    [
        ('rtspsrc location=rtsp://${U}:${P}@host/eo', 'rtspsrc location=rtsp://me:a%20%22b%2F%5Cc@host/eo'),
        ('rtspsrc user-id=${U} user-pw=${P} ! x', r'rtspsrc user-id="me" user-pw="a \"b/\\c" ! x'),
        ('rtspsrc user-pw="${P}"', r'rtspsrc user-pw="a \"b/\\c"'),
    ],
)
def test_secrets_are_filled_in_as_their_place_needs_it(text, filled):
    assert fill_in_pipeline(text, {'U': 'me', 'P': 'a "b/\\c'}) == filled


def test_credentials_reach_the_camera_and_are_shown_nowhere(run_camera, make_source, said, monkeypatch):
    camera = run_camera(width=160, height=128, user='operator', password='hush "word/1')
    monkeypatch.setenv('CAMERA_USER', 'operator')
    monkeypatch.setenv('CAMERA_PASSWORD', 'hush "word/1')
    source = make_source(
        f'gst: rtspsrc location=rtsp://{camera.address} protocols=tcp user-id=${{CAMERA_USER}} '
        'user-pw=${CAMERA_PASSWORD} ! rtph264depay ! h264parse ! avdec_h264'
    )
    info = source.open()
    assert (info.width, info.height) == (160, 128)
    assert 'hush' not in f'{info} {said.sentences}'


def test_a_secret_without_a_value_is_named(make_reader):
    error = opening(make_reader('rtspsrc user-pw=${NO_SUCH_PASSWORD}'))
    assert str(error) == (
        '`source` rtspsrc user-pw=${NO_SUCH_PASSWORD} needs NO_SUCH_PASSWORD, which is neither in the environment nor '
        'in `secrets_file`: set it in one of them.'
    )


def test_credentials_stand_in_no_error(make_reader):
    error = opening(
        make_reader('rtspsrc location=rtsp://user:hunter2@127.0.0.1:1/eo user-pw="hunter2 a/b" ! decodebin')
    )
    assert 'hunter2' not in str(error)


def resources():
    gc.collect()
    return tuple(sum(1 for _ in Path('/proc/self', kind).iterdir()) for kind in ('task', 'fd'))


@pytest.mark.parametrize('times', [15, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(300)])], ids=str)
def test_opening_again_leaves_nothing_behind(make_reader, times):
    reader = make_reader(LIVE)
    for opened in range(times + 5):
        reader.open()
        read(reader, 1)
        reader.close()
        if opened == 4:
            threads, descriptors = resources()
    assert resources()[0] <= threads + 1 and resources()[1] <= descriptors + 1
    assert [thread.name for thread in threading.enumerate() if 'Dummy' in thread.name] == []
