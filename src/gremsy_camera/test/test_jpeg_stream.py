# SPDX-License-Identifier: Apache-2.0
"""Pictures found in what real cameras send. The heads are quoted from the sources that are named beside them."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gremsy_camera.http_stream.jpeg_stream import JpegStream, NoPictures


def jpeg(index, width=32, height=24, **flags):
    image = np.full((height, width, 3), 8 * index % 256, np.uint8)
    image[::3] = 255 - image[::3]
    done, data = cv2.imencode('.jpg', image, [number for pair in flags.items() for number in (FLAGS[pair[0]], pair[1])])
    assert done
    return data.tobytes()


FLAGS = {'progressive': cv2.IMWRITE_JPEG_PROGRESSIVE, 'restart': cv2.IMWRITE_JPEG_RST_INTERVAL}
PICTURES = [jpeg(index) for index in range(4)]


def axis(pictures):
    """Axis, VAPIX Video Streaming API, 2.6.4.1 'Motion JPEG Video Response'."""
    for picture in pictures:
        yield (
            b'--myboundary\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n' % len(picture) + picture + b'\r\n'
        )


def axis_without_length(pictures):
    """The same, 250S manual 5.2.7, where the length is optional."""
    for picture in pictures:
        yield b'--myboundary\r\nContent-Type: image/jpeg\r\n\r\n' + picture + b'\r\n'


def mjpg_streamer(pictures):
    """jacksonliam/mjpg-streamer, plugins/output_http/httpd.c, send_stream: the boundary comes after the picture."""
    yield b'--boundarydonotcross\r\n'
    for index, picture in enumerate(pictures):
        head = b'Content-Type: image/jpeg\r\nContent-Length: %d\r\nX-Timestamp: %d.%06d\r\n\r\n'
        yield head % (len(picture), 2122192 + index, 753042) + picture + b'\r\n--boundarydonotcross\r\n'


def esp32(pictures):
    """espressif/arduino-esp32, CameraWebServer's app_httpd.cpp, _STREAM_BOUNDARY and _STREAM_PART."""
    for index, picture in enumerate(pictures):
        yield b'\r\n--123456789000000000000987654321\r\n'
        head = b'Content-Type: image/jpeg\r\nContent-Length: %d\r\nX-Timestamp: %d.%06d\r\n\r\n'
        yield head % (len(picture), 2122192 + index, 753042)
        yield picture


def tasmota(pictures):
    """arendst/Tasmota, issue 12376: no boundary before the first picture."""
    for picture in pictures:
        yield b'Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n' % len(picture) + picture
        yield b'\r\n--e8b8c539-047d-4777-a985-fbba6edff11e\r\n'


def motion(pictures):
    """Motion-Project/motion, src/webu_stream.cpp, mjpeg_one_img: the length is padded with spaces."""
    for picture in pictures:
        yield b'--BoundaryString\r\nContent-type: image/jpeg\r\nContent-Length: %9d\r\n\r\n' % len(picture)
        yield picture + b'\r\n'


def webcam_xp(pictures):
    """jacksonliam/mjpg-streamer, send_stream_wxp: no multipart at all, 50 bytes with a number before each picture."""
    for picture in pictures:
        yield (b'mjpeg %07d12345' % len(picture)).ljust(50, b'\0') + picture


def axxon(pictures):
    """docs.axxonsoft.com, Intellect's HTTP API: other kinds of parts among the pictures, header names of its own."""
    yield b'--videoframe\r\nContent-Type: text/xml\r\nContent-Length: 138 \r\n\r\n'
    yield b'<video_in>\r\n<sessionid>FC126734</sessionid>\r\n'
    for picture in pictures:
        yield b'--videoframe\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\nX-Width: 320\r\n' % len(picture)
        yield b'X-Time: 2013-03-15T10:51:44.314+04:00\r\nX-Timestamp: 0.000\r\n\r\n' + picture


def dlink(pictures):
    """legege/node-mjpeg-proxy, pull request 5, defvol/Paparazzo.js, 11: fields of its own, other order; LF alone."""
    for picture in pictures:
        yield b'\n--myboundary\nContent-length: %d\nX-Status: 0\nX-Tags: \nContent-type: image/jpeg\n\n' % len(picture)
        yield picture


def wrong_length(pictures):
    for index, picture in enumerate(pictures):
        length = len(picture) + (-100 if index % 2 else 100)
        yield b'--x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n' % length + picture + b'\r\n'


CAMERAS = [axis, axis_without_length, mjpg_streamer, esp32, tasmota, motion, webcam_xp, axxon, dlink, wrong_length]


def fed(data, size):
    stream = JpegStream()
    parts = []
    for at in range(0, len(data), size):
        parts += stream.feed(data[at : at + size], at)
    return parts, stream


@pytest.mark.parametrize('size', [1, 7, 1460, 1 << 20])
@pytest.mark.parametrize('camera', CAMERAS)
def test_every_picture_of_every_camera_comes_whole(camera, size):
    parts, stream = fed(b''.join(camera(PICTURES)), size)
    assert [part.data for part in parts] == PICTURES
    assert {(part.width, part.height) for part in parts} == {(32, 24)} and stream.cut_short == 0


@pytest.mark.parametrize('camera', CAMERAS)
def test_a_picture_is_there_with_its_last_byte(camera):
    data = b''.join(camera(PICTURES[:1]))
    end = data.index(PICTURES[0]) + len(PICTURES[0])
    stream = JpegStream()
    assert stream.feed(data[: end - 1], 1) == []
    assert [part.data for part in stream.feed(data[end - 1 : end], 2)] == PICTURES[:1]


def test_the_headers_before_a_picture_are_its_own():
    parts, _ = fed(b''.join(mjpg_streamer(PICTURES)), 1000)
    assert [part.fields['x-timestamp'] for part in parts] == [f'{2122192 + index}.753042' for index in range(4)]


@pytest.mark.parametrize('flags', [{'progressive': 1}, {'restart': 1}, {'progressive': 1, 'restart': 2}], ids=str)
def test_other_kinds_of_jpeg(flags):
    pictures = [jpeg(index, 320, 240, **flags) for index in range(3)]
    parts, _ = fed(b''.join(axis_without_length(pictures)), 997)
    assert [part.data for part in parts] == pictures and parts[0].width == 320


def test_a_thumbnail_within_a_picture_is_no_picture():
    thumbnail, whole = jpeg(1, 8, 8), jpeg(2)
    # An APP1 segment, as EXIF is one (T.81, B.2.4.6).
    segment = b'\xff\xe1' + (len(thumbnail) + 2).to_bytes(2, 'big') + thumbnail
    picture = whole[:2] + segment + whole[2:]
    parts, stream = fed(picture + picture, 50)
    assert [part.data for part in parts] == [picture, picture] and stream.cut_short == 0


@pytest.mark.parametrize('camera', [axis, axis_without_length])
def test_a_picture_that_breaks_off_is_counted_and_the_next_is_whole(camera):
    large = [jpeg(index, 320, 240) for index in range(4)]
    half = large[1][: len(large[1]) * 2 // 3]
    parts, stream = fed(b''.join(camera([large[0], half, large[2], large[3]])), 64)
    assert [part.data for part in parts] == [large[0], *large[2:]]
    assert stream.cut_short == 1


def test_what_holds_no_jpeg_is_said():
    with pytest.raises(NoPictures, match='there is no JPEG in 1 MB'):
        fed(b'<html>' * 200_000, 65_536)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from(CAMERAS))
def test_damage_breaks_nothing_and_the_stream_recovers(seed, count, camera):
    generator = np.random.default_rng(seed)
    pictures = [jpeg(index) for index in range(12)]
    data = bytearray(b''.join(camera(pictures[:6])))
    for at in generator.integers(0, len(data), count):
        data[at] = generator.integers(0, 256)
    stream = JpegStream()
    for at in range(0, len(data), 300):
        stream.feed(bytes(data[at : at + 300]), at)
    # A length that damage made may swallow up to 64 KB of what follows.
    following = b''.join(b''.join(camera(pictures[6:])) for _ in range(80))
    parts = stream.feed(following, 0)
    assert [part.data for part in parts[-6:]] == pictures[6:]
