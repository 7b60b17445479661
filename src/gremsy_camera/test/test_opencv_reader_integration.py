# SPDX-License-Identifier: Apache-2.0
"""OpenCV's FFmpeg against GStreamer's own RTSP server in a process of its own."""

import gc
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from gremsy_camera.errors import SourceError, SourceRefused, SourceUnusable
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.streams import opencv_reader
from gremsy_camera.streams.opencv_reader import create, why_not
from gremsy_camera.streams.stream_address import StreamAddress
from gremsy_camera.trial import burned_clock
from gremsy_common.installing import pip_install

from .reader_steps import live_context, opening, read

pytest_plugins = ['gremsy_camera.trial.pytest_camera']
pytestmark = pytest.mark.integration

SMALL = {'width': 320, 'height': 240}
OPTIONS = 'OPENCV_FFMPEG_CAPTURE_OPTIONS'


@pytest.fixture
def make_reader(said):
    made = []

    def make(uri, **options):
        address = StreamAddress.of(uri, 'source')
        made.append(create(address, live_context(said, **options)))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


@pytest.mark.parametrize('transport', ['auto', 'udp'])
@pytest.mark.parametrize(('codec', 'name'), [('h264', 'H.264'), ('h265', 'H.265'), ('mjpeg', 'MJPEG')])
def test_pictures_come_in_order_and_tell_no_time(run_camera, make_reader, codec, name, transport):
    reader = make_reader(run_camera(codec=codec, **SMALL).uri, transport=transport)
    info = reader.open()
    details = dict(info.details)
    assert (info.width, info.height, details['codec']) == (320, 240, name)
    assert details['transport'] == {'auto': 'tcp', 'udp': 'udp'}[transport]
    pictures = read(reader, 10)
    drawn = [burned_clock.read(image) for _, image in pictures]
    seen = [each for each in drawn if each is not None]
    # UDP loses packets even within one machine, and FFmpeg shows the damage.
    assert seen == sorted(set(seen)) and len(seen) >= (10 if transport == 'auto' else 1)
    assert all(picture.capture is None and picture.encoding == 'bgr8' for picture, _ in pictures)


def test_a_picture_comes_with_the_next_ones_first_packet(run_camera, make_reader):
    reader = make_reader(run_camera(**SMALL).uri)
    reader.open()
    read(reader, 20)
    ages_ms = []
    for _ in range(30):
        [(_, image)] = read(reader, 1)
        ages_ms.append(time.time() * 1e3 - burned_clock.read(image) / 1e3)
    # FFmpeg's RTSP hands a picture over with the first packet of the next one: a period, and no more than that.
    assert np.median(ages_ms) < 2 * 1000 / 30 + 50


def test_reading_before_open_is_an_error_that_says_so(make_reader):
    with pytest.raises(SourceError) as raised:
        make_reader('rtsp://camera.invalid/eo').read(0.1)
    assert str(raised.value) == 'The camera rtsp://camera.invalid/eo is not open: call `open` first.'


@pytest.mark.parametrize('method', ['basic', 'digest'])
def test_credentials_are_given_and_shown_nowhere(run_camera, make_reader, method, said, capfd):
    camera = run_camera(user='operator', password='to/p@se:cret', authentication=method, **SMALL)
    reader = make_reader(camera.uri)
    info = reader.open()
    read(reader, 2)
    wrong = opening(make_reader(f'rtsp://operator:wrong-secret@{camera.address}'))
    assert isinstance(wrong, SourceRefused)
    assert str(wrong) == (
        f'The camera rtsp://{camera.address} cannot be opened: it requires a valid user name and password (401): '
        'check those in `source`.'
    )
    written = ''.join([*capfd.readouterr(), str(info), str(said.sentences), str(wrong)])
    assert 'cret' not in written


# OpenCV's FFmpeg has its word on faults for the whole process, from its first use on: asked in one of its own.
ALONE = """
import sys, time
from gremsy_camera.errors import SourceError
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.footage.pacing import SystemClock
from gremsy_camera.sources.source import SourceContext
from gremsy_camera.streams.opencv_reader import create
from gremsy_camera.streams.stream_address import StreamAddress
context = SourceContext('eo', 0.0, AtEnd.LOOP, SystemClock(), print)
reader = create(StreamAddress.of(sys.argv[1], 'source'), context)
until = time.monotonic() + float(sys.argv[2])
try:
    reader.open()
    print('open', flush=True)
    sys.stdin.readline()
    while time.monotonic() < until:
        reader.read(0.2)
except SourceError as error:
    print(error)
reader.close()
"""


def test_ffmpegs_own_words_on_a_refusal_and_on_damage_are_kept_out_of_the_log(run_camera):
    camera = run_camera(user='operator', password='to/p@se:cret', codec='h264', seed=7, **SMALL)
    refused = subprocess.run(
        [sys.executable, '-c', ALONE, f'rtsp://operator:wrong-secret@{camera.address}', '1'],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert '(401)' in refused.stdout and 'cret' not in refused.stdout and refused.stderr == ''
    with subprocess.Popen(
        [sys.executable, '-c', ALONE, camera.uri, '4'],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == 'open\n'
        camera.corrupt(60.0)
        _, errors = process.communicate('\n', timeout=60)
    # OpenCV's own word on a stall is let through; FFmpeg's on every damaged block is not.
    assert [line for line in errors.splitlines() if 'Stream timeout triggered' not in line] == []


@pytest.mark.parametrize(
    ('options', 'path', 'why'),
    [
        ({}, '/none', 'cannot be opened: it has no such stream (404): check the path in `source`.'),
        ({'codec': 'audio'}, '/eo', 'sends no video but audio: check the path, or switch its video on.'),
    ],
)
def test_what_it_does_not_open_is_explained_by_the_camera(run_camera, make_reader, options, path, why):
    uri = run_camera(**options).uri.replace('/eo', path)
    assert str(opening(make_reader(uri))) == f'The camera {uri} {why}'


def test_a_port_on_which_nothing_listens(make_reader):
    with socket.socket() as bound:
        bound.bind(('127.0.0.1', 0))
        port = bound.getsockname()[1]
        assert str(opening(make_reader(f'rtsp://user:secret@127.0.0.1:{port}/eo'))) == (
            f'The camera rtsp://127.0.0.1:{port}/eo cannot be opened: nothing listens on port {port} of 127.0.0.1: '
            'check that the camera has started and the port is right.'
        )


def test_a_camera_that_stalls_or_is_switched_off_is_noticed_within_its_time(run_camera, make_reader):
    camera = run_camera(**SMALL)
    reader = make_reader(camera.uri, stall_after_s=1.0)
    for wrong in (camera.stall, camera.stop):
        reader.open()
        read(reader, 5)
        wrong()
        before = time.monotonic()
        with pytest.raises(SourceError) as raised:
            read(reader, 1000)
        assert time.monotonic() - before < 6.0
        assert str(raised.value) == (
            f'The camera {camera.uri} has sent no picture for 1 s, or has ended its stream (OpenCV does not say '
            'which): it is opened again.'
        )
        reader.close()
        if wrong == camera.stall:
            camera.go_on()


def test_another_size_in_mid_stream_is_scaled_to_the_first_by_opencv(run_camera, make_reader):
    camera = run_camera(**SMALL)
    reader = make_reader(camera.uri)
    reader.open()
    read(reader, 5)
    camera.resize(480, 272)
    pictures = read(reader, 60)
    assert {image.shape for _, image in pictures} == {(240, 320, 3)}
    assert burned_clock.read(pictures[-1][1]) is None


@pytest.mark.parametrize('codec', ['h264', 'h265'])
def test_a_damaged_stream_raises_nothing_but_our_errors(run_camera, make_reader, codec):
    camera = run_camera(codec=codec, seed=7, **SMALL)
    reader = make_reader(camera.uri)
    reader.open()
    read(reader, 5)
    camera.corrupt(60.0)
    deadline = time.monotonic() + 3.0
    while time.monotonic() < deadline:
        try:
            reader.read(0.2)
        except SourceError:
            reader.close()
            reader.open()


def test_the_environment_is_left_as_it_was_and_what_is_set_there_is_used(run_camera, make_reader, monkeypatch, said):
    uri = run_camera(**SMALL).uri
    monkeypatch.delenv(OPTIONS, raising=False)
    level = cv2.utils.logging.getLogLevel()
    reader = make_reader(uri)
    reader.open()
    assert OPTIONS not in os.environ and said.sentences == [] and cv2.utils.logging.getLogLevel() == level
    reader.close()
    monkeypatch.setenv(OPTIONS, 'rtsp_transport;tcp')
    reader.open()
    assert os.environ[OPTIONS] == 'rtsp_transport;tcp'
    assert said.sentences == [
        f'{OPTIONS} is set in the environment (rtsp_transport;tcp): the camera {uri} is read with that instead of the '
        'options for low delay.'
    ]


def test_two_that_are_opened_at_once_do_not_mix_their_options(run_camera, make_reader, monkeypatch):
    seen = []
    real = cv2.VideoCapture

    def capture(*arguments):
        before = os.environ[OPTIONS]
        made = real(*arguments)
        seen.append((before, os.environ[OPTIONS]))
        return made

    monkeypatch.setattr(opencv_reader.cv2, 'VideoCapture', capture)
    uri = run_camera(**SMALL).uri
    readers = [make_reader(uri, transport=transport) for transport in ('tcp', 'udp')]
    threads = [threading.Thread(target=reader.open) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(before.partition('|')[0] for before, _ in seen) == ['rtsp_transport;tcp', 'rtsp_transport;udp']
    assert all(before == after for before, after in seen) and OPTIONS not in os.environ


def test_hardware_alone_is_refused_where_there_is_none(run_camera, make_reader):
    uri = run_camera(**SMALL).uri
    error = opening(make_reader(uri, decoder='hardware'))
    assert isinstance(error, SourceUnusable)
    assert str(error) == (
        f"OpenCV's FFmpeg has no hardware decoder for the camera {uri}: set `decoder` to auto, or `reader` to "
        'gstreamer.'
    )


def test_an_opencv_without_ffmpeg_is_told_what_to_install(monkeypatch):
    assert why_not(LiveParameters()) is None
    assert why_not(LiveParameters(stamps='sei')) == (
        "OpenCV's FFmpeg does not pass on time codes: set `stamps` to auto, or `reader` to pyav."
    )
    monkeypatch.setattr(cv2.videoio_registry, 'getStreamBackends', list)
    assert why_not(LiveParameters()) == (
        f'OpenCV {cv2.__version__} was built without FFmpeg: {pip_install("opencv-python-headless")}'
    )


@pytest.mark.parametrize('times', [10, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(600)])], ids=str)
def test_opening_again_leaves_nothing_behind(run_camera, make_reader, times):
    reader = make_reader(run_camera(gop=1, **SMALL).uri)
    for opened in range(times + 4):
        reader.open()
        read(reader, 1)
        reader.close()
        if opened == 3:
            gc.collect()
            before = [sum(1 for _ in Path('/proc/self', kind).iterdir()) for kind in ('task', 'fd')]
    gc.collect()
    after = [sum(1 for _ in Path('/proc/self', kind).iterdir()) for kind in ('task', 'fd')]
    assert all(now <= then + 1 for now, then in zip(after, before, strict=True))
