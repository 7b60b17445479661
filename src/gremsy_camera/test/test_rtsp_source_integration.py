# SPDX-License-Identifier: Apache-2.0
"""RTSP sources against the trial camera: GStreamer's server, whose clock and whose picture's clock are the truth."""

import itertools
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gremsy_camera.errors import SourceError, SourceRefused, SourceUnusable
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.footage.pacing import SystemClock
from gremsy_camera.live.encoded_video import NO_TAP
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.source_feed import FeedState, SourceFeed
from gremsy_camera.sources import create_source
from gremsy_camera.sources.source import SourceContext
from gremsy_camera.trial import burned_clock
from gremsy_camera.trial.trial_camera import make_certificate

pytestmark = pytest.mark.integration
pytest_plugins = ['gremsy_camera.trial.pytest_camera']

SMALL = {'width': 160, 'height': 128}


class Tap:
    """Keeps every packet."""

    def __init__(self):
        self.wanted = True
        self.packets = []
        self.stamps = []

    def stamped(self, *stamp):
        self.stamps.append(stamp)

    def put(self, video, packet):
        self.packets.append((video, packet))


@pytest.fixture
def open_source(said):
    made = []

    def make(uri, rate_hz=0.0, tap=NO_TAP, **options):
        # A loaded machine holds the camera's process up for longer than the default.
        live = LiveParameters(**{'reader': 'pyav', 'stall_after_s': 3.0, **options})
        context = SourceContext('eo', rate_hz, AtEnd.LOOP, SystemClock(), said, live, tap)
        made.append(create_source(uri, context))
        return made[-1]

    yield make
    for source in made:
        source.close()


def frames_of(source, count, timeout_s=20.0):
    frames, until = [], time.monotonic() + timeout_s
    while len(frames) < count and time.monotonic() < until:
        captured = source.read(0.2)
        if captured is not None:
            frames.append(captured)
    assert len(frames) == count
    return frames


def error_of(action):
    with pytest.raises(SourceError) as raised:
        action()
    return raised.value


def errors_ms(frames, skip):
    """Stamp minus the time that stands in the picture, of the frames after the first ones."""
    found = []
    for captured in frames[skip:]:
        drawn_us = burned_clock.read(captured.frame.image)
        assert drawn_us is not None
        found.append(captured.frame.stamp_ns / 1e6 - drawn_us / 1e3)
    return np.array(found)


def stamped_by_camera(source, count):
    """Frames from the twentieth on whose stamp is the camera's: until then stamps may wait, as arrivals were later."""
    until_s = time.monotonic() + 30.0
    while time.monotonic() < until_s:
        captured = source.read(0.2)
        if captured is not None and captured.info is not None and captured.info.stamp_source.startswith('RTCP'):
            return [captured, *frames_of(source, count + 20)]
    raise AssertionError('no sender report came')


def last_info(frames):
    return [captured.info for captured in frames if captured.info is not None][-1]


@pytest.mark.parametrize('transport', ['tcp', 'udp'])
@pytest.mark.parametrize('codec', ['h264', 'h265', 'mjpeg'])
def test_stamps_are_the_times_of_capture_that_stand_in_the_pictures(run_camera, open_source, codec, transport):
    # Small and slow enough for software's H.265 on a loaded machine: pictures that are late by a second are another's.
    camera = run_camera(codec=codec, report_every_s=0.3, width=320, height=240, rate_hz=15.0)
    source = open_source(camera.uri, transport=transport)
    assert source.open().stamp_source == 'not known before the first picture'
    frames = stamped_by_camera(source, 45)
    info = last_info(frames)
    assert info.stamp_source == "RTCP sender reports, the camera's clock used as it is"
    assert (info.width, info.height) == (320, 240)
    assert np.percentile(np.abs(errors_ms(frames, 20)), 95) <= 2.0
    stamps = [captured.frame.stamp_ns for captured in frames]
    assert np.all(np.diff(stamps) > 0)


def test_the_clock_of_a_camera_that_is_hours_off_and_drifts_is_mapped(run_camera, open_source):
    """Stamps are late by what the quickest picture so far took, which cannot be known; 5 ms are asked for."""
    camera = run_camera(clock_offset_s=-9000.0, clock_drift_ppm=50.0, report_every_s=0.3, width=320, height=240)
    source = open_source(camera.uri)
    source.open()
    info = last_info(stamped_by_camera(source, 0))
    assert info.stamp_source == "RTCP sender reports, the camera's clock converted to this machine's"
    frames, arrived_ms = [], []
    for _ in range(75):
        frames += frames_of(source, 1)
        arrived_ms.append((time.time_ns() - frames[-1].work_ns) / 1e6)
    errors = errors_ms(frames, 0)
    delays_ms = np.array(arrived_ms) - [burned_clock.read(each.frame.image) / 1e3 for each in frames]
    quickest_ms = np.minimum.accumulate(delays_ms)
    assert np.all(errors <= np.maximum(5.0, quickest_ms + 2.0)) and np.median(errors) > 0.0


def test_b_frames_are_named_as_the_reason_of_delay_and_stamps_are_right(run_camera, open_source):
    source = open_source(run_camera(codec='h264-b', report_every_s=0.3).uri)
    source.open()
    frames = stamped_by_camera(source, 60)
    assert dict(last_info(frames).details)['delay'] == (
        'B-frames hold each picture back by 2, 67 ms: switch them off in the camera, or set it to the baseline profile'
    )
    assert np.percentile(np.abs(errors_ms(frames, 30)), 95) <= 2.0


def test_a_sender_that_stamps_after_its_encoder_is_mended_by_the_offset(run_camera, open_source):
    """Its stamps are late by what its encoder takes: as many ms are taken off as were measured without."""
    camera = run_camera(codec='h264-b', report_every_s=0.3, stamps_after_encoder=True)
    source = open_source(camera.uri)
    source.open()
    late_ms = float(np.median(errors_ms(stamped_by_camera(source, 60), 30)))
    assert late_ms > 100.0
    source.close()
    mended = open_source(camera.uri, stamp_offset_ms=-late_ms)
    mended.open()
    # Its encoder takes some pictures more or less each time that it starts.
    assert abs(np.median(errors_ms(stamped_by_camera(mended, 60), 30))) < late_ms


def test_without_sender_reports_stamps_are_the_arrival_less_the_delay_that_is_told(run_camera, open_source):
    source = open_source(run_camera(reports=False).uri, transport_delay_ms=2.0)
    source.open()
    frames = frames_of(source, 60)
    assert last_info(frames).stamp_source == 'arrival minus 2 ms'
    assert np.percentile(np.abs(errors_ms(frames, 30)), 95) <= 15.0


@pytest.mark.parametrize(('method', 'user', 'password'), [('basic', 'a b', 'p:@/%'), ('digest', 'ab', 'p:@/%ü')])
def test_credentials_in_the_address_from_the_environment_and_from_a_file(
    run_camera, open_source, monkeypatch, tmp_path, method, user, password
):
    camera = run_camera(user=user, password=password, authentication=method, **SMALL)
    monkeypatch.setenv('CAMERA_USER', user)
    secrets = tmp_path / 'secrets'
    secrets.write_text(f'# of the camera\nCAMERA_PASSWORD={password}\n')
    secrets.chmod(0o600)
    for source in (
        open_source(camera.uri),
        open_source(f'rtsp://${{CAMERA_USER}}:${{CAMERA_PASSWORD}}@{camera.address}', secrets_file=str(secrets)),
    ):
        source.open()
        frames_of(source, 2)
        source.close()


@pytest.mark.parametrize('method', ['basic', 'digest'])
@pytest.mark.parametrize('given', ['', 'operator:wrong@'])
def test_wrong_credentials_are_a_sentence_and_asked_again_rarely(run_camera, open_source, method, given):
    camera = run_camera(user='operator', password='right', authentication=method, **SMALL)
    error = error_of(open_source(f'rtsp://{given}{camera.address}').open)
    assert isinstance(error, SourceRefused) and error.least_pause_s == 10.0
    assert str(error) == (
        f'The camera rtsp://{camera.address} cannot be opened: it requires a valid user name and password (401): '
        'check those in `source`.'
    )


def test_a_stream_that_is_not_there(run_camera, open_source):
    camera = run_camera(**SMALL)
    uri = camera.uri.replace('/eo', '/ir')
    assert str(error_of(open_source(uri).open)) == (
        f'The camera {uri} cannot be opened: it has no such stream (404): check the path in `source`.'
    )


def test_a_camera_that_takes_one_reader_only(run_camera, open_source):
    camera = run_camera(one_session=True, **SMALL)
    first = open_source(camera.uri)
    first.open()
    frames_of(first, 2)
    assert str(error_of(open_source(camera.uri).open)) == (
        f'The camera {camera.uri} cannot be opened: it accepts no more readers now (503): close another one, or read '
        'from the server that has it (`via`).'
    )
    frames_of(first, 2)


def test_a_camera_without_video_and_one_of_a_strange_codec(run_camera, open_source):
    camera = run_camera(codec='audio')
    error = error_of(open_source(camera.uri).open)
    assert isinstance(error, SourceUnusable)
    assert str(error) == f'The camera {camera.uri} sends no video but audio: check the path, or switch its video on.'
    camera = run_camera(codec='vp8', **SMALL)
    assert str(error_of(open_source(camera.uri).open)) == (
        f'The camera {camera.uri} sends VP8, which cannot be decoded here: set it to H.264, H.265 or MJPEG.'
    )


def test_nobody_there_and_a_name_that_is_none(open_source):
    assert str(error_of(open_source('rtsp://127.0.0.1:9/eo').open)) == (
        'The camera rtsp://127.0.0.1:9/eo cannot be opened: nothing listens on port 9 of 127.0.0.1: check that '
        'the camera has started and the port is right.'
    )
    assert str(error_of(open_source('rtsp://no-such-camera.invalid/eo').open)) == (
        'The camera rtsp://no-such-camera.invalid/eo cannot be opened: the name no-such-camera.invalid is not known: '
        'check it and the DNS server, or write the IP address.'
    )


@pytest.mark.parametrize('scheme', ['rtsp', 'rtsps'])
def test_the_other_kind_of_connection(run_camera, open_source, tmp_path, scheme):
    """An encrypting reader at a plain camera, and the other way round: a sentence, soon."""
    certificate = make_certificate(tmp_path)
    if certificate is None:
        pytest.skip('There is no openssl to make a certificate with.')
    camera = run_camera(certificate=str(certificate) if scheme == 'rtsp' else '', **SMALL)
    said = str(error_of(open_source(f'{scheme}://{camera.address}').open))
    assert said.startswith(f'The camera {scheme}://{camera.address} ')


def test_a_stall_is_noticed_and_the_camera_is_read_again_when_it_goes_on(run_camera, open_source, said):
    camera = run_camera(**SMALL)
    source = open_source(camera.uri, stall_after_s=0.8)
    feed = SourceFeed(source, SystemClock(), said)
    feed.open()
    play(feed)
    camera.stall()
    noticed_s = until(feed, lambda: feed.state is FeedState.RETRYING)
    assert noticed_s < 5.0
    assert feed.problem.startswith(f'The camera {camera.uri} has sent no picture for 0.8 s: it is opened again; ')
    camera.go_on()
    assert play(feed) < 10.0
    assert feed.problem == ''
    feed.close()


@pytest.mark.parametrize('hangs', [False, True], ids=['power off', 'hangs'])
def test_a_camera_that_went_is_read_again_when_it_is_back(run_camera, open_source, said, hangs):
    camera = run_camera(**SMALL)
    feed = SourceFeed(open_source(camera.uri), SystemClock(), said)
    feed.open()
    play(feed)
    (camera.hang if hangs else camera.stop)()
    until(feed, lambda: feed.state is FeedState.RETRYING)
    time.sleep(1.0)
    (camera.wake if hangs else camera.start)()
    play(feed)
    assert feed.reopened >= 1
    feed.close()


def test_another_size_codec_and_rate_after_a_restart_and_another_size_in_mid_stream(run_camera, open_source, said):
    camera = run_camera(**SMALL)
    feed = SourceFeed(open_source(camera.uri), SystemClock(), said)
    feed.open()
    play(feed)
    camera.resize(320, 240)
    until(feed, lambda: feed.info.width == 320)
    assert (feed.info.height, feed.reopened) == (240, 0)
    camera.restart(type(camera.options)(codec='h265', width=192, height=144, rate_hz=7.0))
    until(feed, lambda: feed.info.width == 192 and abs(feed.info.rate_hz - 7.0) < 1.0)
    assert dict(feed.info.details)['codec'] == 'H.265'
    feed.close()


def play(feed):
    """Seconds until frames come."""
    began = time.monotonic()
    deadline = began + 20.0
    while feed.read(0.1) is None:
        assert time.monotonic() < deadline, feed.problem
    return time.monotonic() - began


def until(feed, condition, timeout_s=20.0):
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout_s, (feed.state, feed.info, feed.problem)
        feed.read(0.05)
    return time.monotonic() - began


def test_a_frozen_camera_is_found_and_comes_back(run_camera, open_source, said):
    camera = run_camera(noise=2, rate_hz=20.0, gop=20, width=320, height=240)
    feed = SourceFeed(open_source(camera.uri, frozen_after_s=1.5), SystemClock(), said)
    feed.open()
    play(feed)
    camera.freeze()
    until(feed, lambda: feed.state is FeedState.RETRYING)
    assert feed.problem.startswith(f'The camera {camera.uri} has sent the same picture for 1.5 s: ')
    camera.thaw()
    play(feed)
    feed.close()


def test_losses_over_udp_are_counted_and_pictures_with_a_hole_are_left_out(run_camera, open_source):
    """1 % of the packets lost, seeded, of some ten a picture; what follows a hole bears traces up to the key frame."""
    camera = run_camera(loss_percent=1.0, gop=10, kbps=2000, noise=4, rate_hz=15.0)
    source = open_source(camera.uri, transport='udp', max_delay_ms=20.0, stall_after_s=3.0)
    source.open()
    frames = frames_of(source, 60)
    counts = source.counts().others
    assert counts['packets lost'] > 0 and counts['pictures damaged by loss'] > 0
    readable = [burned_clock.read(captured.frame.image) for captured in frames]
    assert sum(time_us is not None for time_us in readable) > 20


def test_a_camera_that_refuses_tcp_is_read_over_udp(run_camera, open_source):
    camera = run_camera(protocols='udp', **SMALL)
    source = open_source(camera.uri)
    info = source.open()
    assert dict(info.details)['transport'].startswith('udp, ')
    frames_of(source, 3)
    source.close()
    assert str(error_of(open_source(camera.uri, transport='tcp').open)) == (
        f'The camera {camera.uri} cannot be opened: it does not support this transport (461): set '
        '`transport` to another.'
    )


@pytest.mark.parametrize('codec', ['h264', 'h265', 'mjpeg'])
def test_damaged_pictures_end_in_counts_and_never_in_an_exception(run_camera, open_source, codec):
    camera = run_camera(codec=codec, rate_hz=60.0, noise=3, **SMALL)
    source = open_source(camera.uri)
    source.open()
    frames_of(source, 5)
    camera.corrupt(50.0)
    until_s = time.monotonic() + 4.0
    while time.monotonic() < until_s:
        source.read(0.1)
    camera.corrupt(0.0)
    frames = frames_of(source, 70)
    assert burned_clock.read(frames[-1].frame.image) is not None


def test_pictures_of_odd_and_upright_sizes_and_rates(run_camera, open_source):
    for shown, options in (
        ((90, 162), {'width': 90, 'height': 162}),
        # RTP counts the sides of a JPEG in eights.
        ((104, 80), {'codec': 'mjpeg', 'width': 101, 'height': 77}),
        ((16, 16), {'width': 16, 'height': 16, 'rate_hz': 240.0}),
        ((200, 150), {'width': 200, 'height': 150, 'rate_hz': 7.0}),
    ):
        camera = run_camera(**options)
        source = open_source(camera.uri)
        source.open()
        captured = frames_of(source, 5)[-1]
        assert (captured.frame.width, captured.frame.height) == shown
        source.close()
        camera.stop()


def test_what_the_recorder_gets_can_be_decoded_by_itself(run_camera, open_source):
    """Every packet from a key frame on, with rising times, decoded by a decoder of its own."""
    av = pytest.importorskip('av')
    for codec, name in (('h264', 'h264'), ('h265', 'hevc'), ('mjpeg', 'mjpeg')):
        tap = Tap()
        camera = run_camera(codec=codec, **SMALL)
        source = open_source(camera.uri, tap=tap)
        source.open()
        frames_of(source, 30)
        source.close()
        camera.stop()
        videos = {video.codec for video, _ in tap.packets}
        packets = [packet for _, packet in tap.packets]
        assert videos == {name} and packets[0].key and len(packets) >= 30
        assert all(before.dts_ns < after.dts_ns for before, after in itertools.pairwise(packets))
        assert abs(packets[-1].stamp_ns - time.time_ns()) < 5e9
        decoder = av.CodecContext.create(name, 'r')
        decoded = [frame for packet in packets for frame in decoder.decode(av.Packet(packet.data))]
        assert len(decoded) >= len(packets) - 2
        assert burned_clock.read(decoded[-1].to_ndarray(format='bgr24')) is not None


def open_descriptors():
    return sum(1 for _ in Path('/proc/self/fd').iterdir())


def resident_kb():
    return int(Path('/proc/self/statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE') // 1024


@pytest.mark.parametrize('times', [100, pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_restarts_leave_nothing_behind(run_camera, open_source, times):
    camera = run_camera(gop=2, **SMALL)
    holder = open_source(camera.uri)
    holder.open()
    source = open_source(camera.uri)
    for restart in range(times):
        source.open()
        frames_of(source, 1)
        source.close()
        if restart == 20:
            before = (open_descriptors(), threading.active_count(), resident_kb())
    assert open_descriptors() <= before[0]
    assert threading.active_count() <= before[1]
    # 30 MB is a fifth of what the process has, and 15 kB for each of the restarts of the long test.
    assert resident_kb() - before[2] < 30_000


@pytest.fixture
def quick_watch(monkeypatch):
    monkeypatch.setattr('gremsy_camera.streams.stream_choice._EVERY_S', 0.2)


def test_while_the_server_is_away_the_camera_itself_is_read_and_then_the_server_again(
    run_camera, open_source, said, quick_watch
):
    camera, server = run_camera(**SMALL), run_camera(width=192, height=144, path='/cam/eo')
    source = open_source(camera.uri, server_url=server.uri)
    feed = SourceFeed(source, SystemClock(), said)
    feed.open()
    play(feed)
    assert feed.info.width == 192 and dict(feed.info.details)['read from'] == f'the server {server.uri}'
    server.stop()
    # Two seconds are asked for; a loaded machine gets more.
    assert until(feed, lambda: feed.info.width == 160 and feed.state is FeedState.PLAYING) < 6.0
    assert dict(feed.info.details)['read from'] == f'the camera {camera.uri}, since the server {server.uri} is away'
    assert f'The camera {camera.uri} is read directly, since the server {server.uri} is away.' in said.sentences
    server.start()
    until(feed, lambda: feed.info.width == 192 and feed.state is FeedState.PLAYING)
    assert f'The server {server.uri} has the stream again: it is read from there from now on.' in said.sentences
    feed.close()


def test_a_server_that_is_away_at_the_start_costs_no_try_of_its_own(run_camera, open_source, said, quick_watch):
    camera = run_camera(**SMALL)
    source = open_source(camera.uri, server_url='rtsp://127.0.0.1:9/eo')
    assert dict(source.open().details)['read from'].startswith(f'the camera {camera.uri}, since ')
    frames_of(source, 2)
    assert said.sentences[1].startswith('The camera rtsp://127.0.0.1:9/eo cannot be opened: nothing listens on port 9')


@pytest.mark.parametrize('via', ['camera', 'server'])
def test_via_is_obeyed(run_camera, open_source, via):
    camera, server = run_camera(**SMALL), run_camera(width=192, height=144)
    source = open_source(camera.uri, server_url=server.uri, via=via)
    assert source.open().width == {'camera': 160, 'server': 192}[via]
    # Others have the same RTP times at the server only.
    assert [type(each.rtp) for each in frames_of(source, 2)] == 2 * [{'camera': type(None), 'server': int}[via]]
    server.stop()
    if via == 'server':
        error_of(lambda: frames_of(source, 1000))
        assert 'cannot be opened' in str(error_of(source.open))
    else:
        frames_of(source, 20)


def test_via_a_server_that_is_not_named(open_source):
    assert str(error_of(open_source('rtsp://10.1.2.3/eo', via='server').open)) == (
        '`via` is server and `server_url` is empty: write where the server has the stream.'
    )


class MediaMtx:
    """A real MediaMTX that pulls the camera's stream, without its other protocols."""

    def __init__(self, folder, camera_uri):
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
        self.uri = f'rtsp://127.0.0.1:{port}/eo'
        self._folder = folder
        others = ''.join(f'{name}: no\n' for name in ('rtmp', 'hls', 'srt', 'webrtc', 'moq'))
        path = f'  eo:\n    source: {camera_uri}\n    rtspTransport: tcp\n    useAbsoluteTimestamp: yes\n'
        text = f'logLevel: error\nrtspAddress: 127.0.0.1:{port}\nrtspTransports: [tcp]\n{others}paths:\n{path}'
        (folder / 'mediamtx.yml').write_text(text)
        self._process = None

    def start(self):
        self._process = subprocess.Popen(['mediamtx', 'mediamtx.yml'], cwd=self._folder, stdout=subprocess.DEVNULL)

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def media_mtx(tmp_path):
    if shutil.which('mediamtx') is None:
        pytest.skip('There is no mediamtx on PATH: github.com/bluenviron/mediamtx has it.')
    made = []

    def make(camera_uri):
        made.append(MediaMtx(tmp_path, camera_uri))
        made[-1].start()
        return made[-1]

    yield make
    for server in made:
        server.kill()


@pytest.mark.parametrize('one_session', [False, True])
def test_a_real_media_server_and_the_camera_behind_it(run_camera, open_source, said, media_mtx, one_session):
    """Through the server the stamps are the capture's; when it is killed, its session at the camera is ours."""
    camera = run_camera(one_session=one_session, report_every_s=0.3)
    server = media_mtx(camera.uri)
    feed = SourceFeed(open_source(camera.uri, server_url=server.uri, via='server'), SystemClock(), said)
    feed.open()
    until(feed, lambda: feed.state is FeedState.PLAYING, timeout_s=60.0)
    feed.close()
    source = open_source(camera.uri, server_url=server.uri)
    source.open()
    frames = stamped_by_camera(source, 30)
    assert last_info(frames).stamp_source == "RTCP sender reports, the camera's clock used as it is"
    assert np.percentile(np.abs(errors_ms(frames, 20)), 95) <= 2.0
    source.close()
    feed = SourceFeed(source, SystemClock(), said)
    feed.open()
    play(feed)
    server.kill()
    until(feed, lambda: dict(feed.info.details)['read from'].startswith(f'the camera {camera.uri}, since '))
    play(feed)
    feed.close()
