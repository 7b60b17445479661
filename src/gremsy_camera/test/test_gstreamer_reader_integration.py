# SPDX-License-Identifier: Apache-2.0
"""The GStreamer reader against GStreamer's own RTSP server in a process of its own, and against bare sockets."""

import gc
import socket
import threading
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from gremsy_camera.errors import SourceError, SourceUnusable
from gremsy_camera.gstreamer import gst_decoders
from gremsy_camera.gstreamer.gst_decoders import GstDecoder
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.live.live_reader import TimeBase
from gremsy_camera.streams.gstreamer_reader import create, why_not
from gremsy_camera.streams.stream_address import StreamAddress
from gremsy_camera.trial import burned_clock

from .reader_steps import live_context, opening, read

pytest_plugins = ['gremsy_camera.trial.pytest_camera', 'gremsy_camera.trial.pytest_gstreamer']
pytestmark = [pytest.mark.integration, pytest.mark.usefixtures('gstreamer')]

SMALL = {'width': 320, 'height': 240}


class Tap:
    """Takes what comes while it is wanted."""

    def __init__(self):
        self.wanted = False
        self.taken = []

    def put(self, video, packet):
        self.taken.append((video, packet))


def patiently(open_reader):
    """A busy machine may take longer than a reader waits for a camera to start."""

    def attempt():
        for _ in range(3):
            try:
                return open_reader()
            except SourceError as error:
                if 'within 5 s' not in str(error):
                    raise
        return open_reader()

    return attempt


@pytest.fixture
def make_reader():
    made = []

    def make(uri, tap=None, patient=True, **options):
        address = StreamAddress.of(uri, 'source')
        reader = create(address, live_context(tap=tap, **options))
        made.append(reader)
        if patient:
            reader.open = patiently(reader.open)
        return reader

    yield make
    for reader in made:
        reader.close()


def answering(status_line):
    """A server that answers every request with that line; its port."""
    server = socket.create_server(('127.0.0.1', 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                request = connection.recv(4096).decode()
                number = next((line for line in request.split('\r\n') if line.lower().startswith('cseq')), 'CSeq: 1')
                connection.sendall(f'{status_line}\r\n{number}\r\n\r\n'.encode())
                with suppress(OSError):
                    connection.recv(4096)

    threading.Thread(target=serve, daemon=True).start()
    return server


def test_making_a_reader_touches_nothing_and_reading_before_open_says_so(make_reader):
    reader = make_reader('rtsp://camera.invalid/eo')
    with pytest.raises(SourceError) as raised:
        reader.read(0.0)
    assert str(raised.value) == 'The camera rtsp://camera.invalid/eo is not open: call `open` first.'


@pytest.mark.parametrize(
    ('codec', 'name', 'decoder'),
    [('h264', 'H.264', 'software (avdec_h264)'), ('h265', 'H.265', 'software (avdec_h265)'), ('mjpeg', 'MJPEG', None)],
)
def test_pictures_come_in_order_each_with_its_time(run_camera, make_reader, codec, name, decoder):
    reader = make_reader(run_camera(codec=codec, **SMALL).uri, decoder='software')
    info = reader.open()
    details = dict(info.details)
    assert (info.width, info.height, details['codec'], details['transport']) == (320, 240, name, 'tcp')
    assert details['decoder'] == (decoder or 'software (OpenCV, used pictures only)')
    pictures = read(reader, 20)
    drawn = [burned_clock.read(image) for _, image in pictures]
    assert all(earlier < later for earlier, later in pairwise(drawn))
    for picture, image in pictures:
        assert (picture.encoding, picture.width, picture.height) == ('bgr8', 320, 240)
        assert image.shape == (240, 320, 3) and image.dtype == np.uint8
        assert picture.arrived_ns < time.monotonic_ns()
    # RTP's clock is that of the pictures: a tick is 11 us.
    positions = np.array([picture.position_ns for picture, _ in pictures])
    assert np.abs(np.diff(positions) / 1000 - np.diff(drawn)).max() < 5_000
    # A busy machine may be late to read; nothing else was lost.
    assert set(reader.counts()) <= {'pictures overtaken before they were read'}


@pytest.mark.parametrize('transport', ['tcp', 'udp'])
@pytest.mark.parametrize('offset_s', [0.0, -86_400.0 * 365, 3600.5])
def test_the_capture_time_is_that_of_the_cameras_clock(run_camera, make_reader, transport, offset_s):
    camera = run_camera(clock_offset_s=offset_s, report_every_s=0.5, **SMALL)
    reader = make_reader(camera.uri, transport=transport)
    assert dict(reader.open().details)['transport'] == transport
    deadline = time.monotonic() + 15
    errors_ms = []
    while len(errors_ms) < 30 and time.monotonic() < deadline:
        picture = reader.read(0.5)
        if picture is None or picture.capture is None:
            continue
        assert (picture.capture.base, picture.capture.origin) == (TimeBase.CAMERA, 'RTCP sender reports')
        drawn_us = burned_clock.read(picture.pixels())
        # UDP loses packets even within one machine, and what refers to a lost picture is smeared.
        if drawn_us is None:
            assert transport == 'udp'
            continue
        errors_ms.append((picture.capture.time_ns / 1e9 - offset_s - drawn_us / 1e6) * 1e3)
    assert len(errors_ms) == 30
    # The server stamps when it pushes the drawn picture; a busy machine may take a while between the two.
    assert -1.0 < np.median(errors_ms) < 20.0


def test_a_camera_that_sends_no_reports_tells_no_capture_time(run_camera, make_reader):
    reader = make_reader(run_camera(reports=False, **SMALL).uri)
    reader.open()
    assert all(picture.capture is None for picture, _ in read(reader, 60))


def test_b_frames_come_in_the_order_of_their_times_and_are_named(run_camera, make_reader):
    reader = make_reader(run_camera(codec='h264-b', **SMALL).uri)
    reader.open()
    pictures = read(reader, 30)
    drawn = [burned_clock.read(image) for _, image in pictures]
    assert drawn == sorted(drawn)
    positions = np.array([picture.position_ns for picture, _ in pictures])
    # The encoder gives its first picture another time.
    assert np.abs(np.diff(positions) / 1000 - np.diff(drawn))[1:].max() < 5_000
    assert dict(reader.info.details)['delay'] == (
        'B-frames hold pictures back: switch them off in the camera, or set it to the baseline profile'
    )


@pytest.mark.parametrize('method', ['basic', 'digest'])
def test_credentials_are_given_and_shown_nowhere(run_camera, make_reader, method):
    camera = run_camera(user='operator', password='to/p@se:cret', authentication=method, **SMALL)
    reader = make_reader(camera.uri)
    info = reader.open()
    assert 'cret' not in str(info)
    read(reader, 2)
    for uri in (f'rtsp://{camera.address}', f'rtsp://operator:wrong-secret@{camera.address}'):
        assert str(opening(make_reader(uri))) == (
            f'The camera rtsp://{camera.address} cannot be opened: it requires a valid user name and password (401): '
            'check those in `source`.'
        )


def test_a_path_that_is_not_there(run_camera, make_reader):
    camera = run_camera(**SMALL)
    uri = camera.uri.replace('/eo', '/none')
    assert str(opening(make_reader(uri))) == (
        f'The camera {uri} cannot be opened: it has no such stream (404): check the path in `source`.'
    )


def test_audio_only(run_camera, make_reader):
    uri = run_camera(codec='audio').uri
    assert str(opening(make_reader(uri))) == (
        f'The camera {uri} sends no video but audio: check the path, or switch its video on.'
    )


@pytest.mark.parametrize(
    ('status', 'why'),
    [
        ('503 Service Unavailable', 'it accepts no more readers now (503): close another one, or read from the server '
         'that has it (`via`)'),
        ('453 Not Enough Bandwidth', 'it has no bandwidth left for one more reader (453): close another one'),
        ('500 Internal Server Error', 'it answers 500'),
        ('461 Unsupported Transport', 'it does not support this transport (461): set `transport` to another'),
    ],
)  # fmt: skip
def test_what_a_camera_refuses_with_is_explained(make_reader, status, why):
    with answering(f'RTSP/1.0 {status}') as server:
        uri = f'rtsp://127.0.0.1:{server.getsockname()[1]}/eo'
        assert str(opening(make_reader(uri))) == f'The camera {uri} cannot be opened: {why}.'


def test_a_port_on_which_nothing_listens(make_reader):
    with socket.socket() as bound:
        bound.bind(('127.0.0.1', 0))
        port = bound.getsockname()[1]
        assert str(opening(make_reader(f'rtsp://user:secret@127.0.0.1:{port}/eo'))) == (
            f'The camera rtsp://127.0.0.1:{port}/eo cannot be opened: nothing listens on port {port} of 127.0.0.1: '
            'check that the camera has started and the port is right.'
        )


def test_a_name_that_nobody_knows(make_reader):
    assert str(opening(make_reader('rtsp://camera.invalid/eo'))) == (
        'The camera rtsp://camera.invalid/eo cannot be opened: the name camera.invalid is not known: check it and the '
        'DNS server, or write the IP address.'
    )


def test_a_server_of_something_else(make_reader):
    with answering('SSH-2.0-OpenSSH_9.2') as server:
        uri = f'rtsp://127.0.0.1:{server.getsockname()[1]}/eo'
        assert str(opening(make_reader(uri))) == (
            f'The camera {uri} cannot be opened: it does not speak RTSP on this port: check the port.'
        )


def test_an_encrypted_connection_to_a_port_without_encryption(run_camera, make_reader):
    uri = run_camera(**SMALL).uri.replace('rtsp:', 'rtsps:')
    assert str(opening(make_reader(uri))) == (
        f'The camera {uri} cannot be opened: no encrypted connection can be made: check that the camera speaks rtsps '
        'on this port, else use rtsp.'
    )


def test_a_time_code_in_the_video_is_not_for_this_reader():
    assert why_not(LiveParameters()) is None
    assert why_not(LiveParameters(stamps='sei')) == (
        'GStreamer does not pass on time codes of the video: set `stamps` to auto, or `reader` to pyav.'
    )


def test_a_camera_that_hangs_is_given_up(run_camera, make_reader):
    camera = run_camera(**SMALL)
    camera.hang()
    before = time.monotonic()
    error = opening(make_reader(camera.uri, patient=False))
    camera.wake()
    assert time.monotonic() - before < 10.0
    assert str(error) == (
        f'The camera {camera.uri} cannot be opened: it accepts the connection and does not answer within 5 s.'
    )


def test_a_stall_is_none_and_the_stream_goes_on_after_it(run_camera, make_reader):
    camera = run_camera(**SMALL)
    reader = make_reader(camera.uri)
    reader.open()
    read(reader, 5)
    camera.stall()
    while reader.read(0.3) is not None:
        pass
    camera.go_on()
    read(reader, 5)


def test_a_camera_that_is_switched_off_breaks_the_reader_which_opens_again(run_camera, make_reader):
    camera = run_camera(**SMALL)
    reader = make_reader(camera.uri)
    reader.open()
    read(reader, 5)
    camera.stop()
    with pytest.raises(SourceError) as raised:
        read(reader, 1000)
    assert str(raised.value).startswith(
        (f'The stream of the camera {camera.uri} broke: ', f'The camera {camera.uri} ended its stream.')
    )
    reader.close()
    camera.start()
    reader.open()
    read(reader, 5)


def test_a_size_that_changes_on_the_way_is_told_with_the_picture(run_camera, make_reader):
    camera = run_camera(**SMALL)
    reader = make_reader(camera.uri)
    reader.open()
    read(reader, 5)
    camera.resize(480, 272)
    for _ in range(200):
        picture = reader.read(0.5)
        if picture is not None and picture.width == 480:
            break
    assert picture.pixels().shape == (272, 480, 3)
    assert (reader.info.width, reader.info.height) == (480, 272)


@pytest.mark.parametrize('size', [(16, 16), (130, 128), (240, 426), (322, 242)], ids=str)
def test_any_size_comes_as_it_is(run_camera, make_reader, size):
    width, height = size
    reader = make_reader(run_camera(width=width, height=height).uri)
    info = reader.open()
    assert (info.width, info.height) == size
    assert read(reader, 3)[-1][1].shape == (height, width, 3)


def test_lost_packets_are_counted_and_the_stream_goes_on(run_camera, make_reader):
    camera = run_camera(loss_percent=1.0, gop=10, noise=4, **SMALL)
    reader = make_reader(camera.uri, transport='udp', max_delay_ms=20.0)
    reader.open()
    pictures = read(reader, 60)
    counts = reader.counts()
    assert counts['packets lost'] > 0 and counts['pictures damaged by loss'] > 0
    # What is shown is whole; what refers to a picture that is missing may not be.
    assert sum(burned_clock.read(image) is not None for _, image in pictures) > 20


@pytest.mark.parametrize('codec', ['h264', 'h265'])
def test_a_damaged_stream_raises_nothing_but_our_errors(run_camera, make_reader, codec):
    camera = run_camera(codec=codec, seed=7, **SMALL)
    reader = make_reader(camera.uri)
    reader.open()
    read(reader, 5)
    camera.corrupt(60.0)
    deadline = time.monotonic() + 4.0
    while time.monotonic() < deadline:
        try:
            picture = reader.read(0.2)
            if picture is not None:
                picture.pixels()
        except SourceError:
            continue
    camera.corrupt(0.0)
    reader.close()
    reader.open()
    read(reader, 5)


def test_pictures_that_come_in_bursts_keep_their_times(run_camera, make_reader):
    """A camera that stands still for a while sends what it missed at once, as a radio link does."""
    camera = run_camera(gop=10, report_every_s=0.3, **SMALL)
    reader = make_reader(camera.uri)
    reader.open()
    read(reader, 30)
    pictures = []
    for _ in range(5):
        camera.hang()
        time.sleep(0.4)
        camera.wake()
        pictures += [picture for picture, _ in read(reader, 15)]
    positions = [picture.position_ns for picture in pictures]
    assert None not in positions and positions == sorted(set(positions))
    assert all(picture.capture is not None for picture in pictures)


def test_the_stream_as_it_came_goes_to_the_tap_while_it_is_wanted(run_camera, make_reader):
    tap = Tap()
    reader = make_reader(run_camera(gop=10, **SMALL).uri, tap=tap)
    reader.open()
    read(reader, 5)
    assert tap.taken == []
    tap.wanted = True
    positions = {picture.position_ns for picture, _ in read(reader, 30)}
    while not tap.taken or max(positions) < tap.taken[0][1].pts_ns + 20 / 30 * 1e9:
        positions |= {picture.position_ns for picture, _ in read(reader, 1)}
    video, packet = tap.taken[0]
    # By which a picture's capture time finds its packet; what was decoded before the tap was wanted waits in a queue.
    tapped = {position for position in positions if position >= packet.pts_ns}
    assert len(tapped) > 10 and tapped <= {each.pts_ns for _, each in tap.taken}
    assert (video.codec, video.width, video.height) == ('h264', 320, 240)
    assert all(each.data.startswith(b'\x00\x00\x00\x01') for _, each in tap.taken)
    keys = [each for _, each in tap.taken if each.key]
    # The sequence parameter set is NAL type 7 of H.264 (table 7-1): who begins at a key frame has it.
    assert keys and all(b'\x00\x00\x00\x01\x67' in each.data for each in keys)
    steps_ms = np.diff([each.pts_ns for _, each in tap.taken]) / 1e6
    assert np.median(steps_ms) == pytest.approx(1000 / 30, abs=5)
    assert abs(packet.stamp_ns - time.time_ns()) < 10_000_000_000


def test_a_motion_jpeg_goes_to_the_tap_picture_by_picture(run_camera, make_reader):
    tap = Tap()
    tap.wanted = True
    reader = make_reader(run_camera(codec='mjpeg', **SMALL).uri, tap=tap)
    reader.open()
    read(reader, 5)
    assert {video.codec for video, _ in tap.taken} == {'mjpeg'}
    assert all(each.key and each.data[:2] == b'\xff\xd8' for _, each in tap.taken)


def test_hardware_alone_is_refused_where_there_is_none(run_camera, make_reader, gstreamer):
    if any(gstreamer.has(each) for each in ('nvv4l2decoder', 'nvh264dec', 'vah264dec', 'vaapih264dec', 'v4l2h264dec')):
        pytest.skip('this machine has a hardware decoder')
    error = opening(make_reader(run_camera(**SMALL).uri, decoder='hardware'))
    assert isinstance(error, SourceUnusable)
    assert str(error) == (
        'GStreamer has no decoder for H.264 in hardware that works here (nvv4l2decoder is not installed, nvh264dec is '
        'not installed, vah264dec is not installed, vaapih264dec is not installed, v4l2h264dec is not installed): '
        'set `decoder` to auto.'
    )


@pytest.fixture
def decoders(monkeypatch):
    """Has the choice begin with these instead of this machine's own."""

    def put_first(*first):
        known = gst_decoders._DECODERS
        monkeypatch.setattr(gst_decoders, '_DECODERS', {**known, 'H264': (*first, *known['H264'])})

    return put_first


def test_a_decoder_that_fails_on_the_stream_is_followed_by_the_next(run_camera, make_reader, decoders):
    # A decoder in everything but that it fails on the first picture.
    decoders(GstDecoder('identity', 'made to fail', True, {'error-after': 1}))
    reader = make_reader(run_camera(gop=5, **SMALL).uri)
    reader.open()
    read(reader, 5)
    details = dict(reader.info.details)
    assert details['decoder'] == 'software (avdec_h264)'
    assert details['decoders passed over'].startswith('identity failed on this stream: ')


def resources():
    gc.collect()
    return tuple(sum(1 for _ in Path('/proc/self', kind).iterdir()) for kind in ('task', 'fd'))


def reopen(reader, times):
    for _ in range(times):
        reader.open()
        read(reader, 1)
        reader.close()


def test_opening_again_leaves_nothing_behind(run_camera, make_reader):
    reader = make_reader(run_camera(gop=1, **SMALL).uri)
    reopen(reader, 5)
    threads, descriptors = resources()
    reopen(reader, 10)
    assert resources()[0] <= threads + 1 and resources()[1] <= descriptors + 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_opening_again_two_hundred_times_leaves_nothing_behind(run_camera, make_reader):
    reader = make_reader(run_camera(gop=1, **SMALL).uri)
    reopen(reader, 20)
    threads, descriptors = resources()
    reopen(reader, 200)
    assert resources()[0] <= threads + 1 and resources()[1] <= descriptors + 1
