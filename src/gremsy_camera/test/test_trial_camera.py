# SPDX-License-Identifier: Apache-2.0
"""The trial camera against OpenCV's FFmpeg, which shares no line with it; the drawn clock against this machine's."""

import os
import time

import cv2
import numpy as np
import pytest

from gremsy_camera.trial import burned_clock

pytest_plugins = ['gremsy_camera.trial.pytest_camera']


def picture(width, height, time_us):
    luma = bytearray(width * height)
    burned_clock.draw(luma, width, time_us)
    return np.frombuffer(luma, dtype=np.uint8).reshape(height, width)


@pytest.mark.parametrize('time_us', [0, 1, 1_795_984_797_866_066, 2**52 - 1])
def test_the_drawn_time_is_read_back(time_us):
    assert burned_clock.read(picture(130, 128, time_us)) == time_us


def test_the_drawn_time_survives_a_hard_jpeg():
    image = cv2.cvtColor(picture(160, 128, 1_795_984_797_866_066), cv2.COLOR_GRAY2BGR)
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 10])
    assert burned_clock.read(cv2.imdecode(data, cv2.IMREAD_COLOR)) == 1_795_984_797_866_066


def test_a_damaged_picture_tells_no_time():
    image = picture(160, 128, 1_795_984_797_866_066).copy()
    image[:16, :16] = 255 - image[:16, :16]
    assert burned_clock.read(image) is None


def test_a_picture_without_room_tells_no_time():
    assert burned_clock.read(np.zeros((127, 640), dtype=np.uint8)) is None


def times_seen(uri, count):
    capture = cv2.VideoCapture(uri, cv2.CAP_FFMPEG)
    times = []
    for _ in range(count):
        ok, image = capture.read()
        if not ok:
            break
        times.append((burned_clock.read(image), time.time_ns() // 1000))
    capture.release()
    return times


@pytest.mark.parametrize('codec', ['h264', 'h264-b', 'h265', 'mjpeg'])
def test_a_foreign_reader_sees_the_time_in_every_codec(run_camera, codec, monkeypatch):
    monkeypatch.setitem(os.environ, 'OPENCV_FFMPEG_CAPTURE_OPTIONS', 'rtsp_transport;tcp')
    times = times_seen(run_camera(codec=codec).uri, 40)
    assert len(times) == 40 and all(drawn is not None for drawn, _ in times)
    assert all(0 < read - drawn < 10_000_000 for drawn, read in times)
    # One picture a period of 33333 us, but where the camera itself was late.
    steps = np.diff([drawn for drawn, _ in times])
    assert np.median(steps) == pytest.approx(33_333, abs=2_000)


@pytest.mark.parametrize('method', ['basic', 'digest'])
def test_credentials_are_asked_for(run_camera, method, monkeypatch):
    monkeypatch.setitem(os.environ, 'OPENCV_FFMPEG_CAPTURE_OPTIONS', 'rtsp_transport;tcp')
    camera = run_camera(user='operator', password='top:secret', authentication=method, width=160, height=128)
    assert len(times_seen(camera.uri, 3)) == 3
    assert times_seen(f'rtsp://{camera.address}', 3) == []


def test_a_camera_that_is_switched_off_and_on_again_serves_on_the_same_port(run_camera, monkeypatch):
    monkeypatch.setitem(os.environ, 'OPENCV_FFMPEG_CAPTURE_OPTIONS', 'rtsp_transport;tcp')
    camera = run_camera(width=160, height=128)
    assert len(times_seen(camera.uri, 3)) == 3
    camera.restart()
    assert len(times_seen(camera.uri, 3)) == 3
