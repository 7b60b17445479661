# SPDX-License-Identifier: Apache-2.0
"""Pixels against ffmpeg's conversion of the same bytes, where ffmpeg is, and against the standard's equations."""

import shutil
import subprocess

import cv2
import numpy as np
import pytest

from gremsy_camera.v4l2.kernel_video import fourcc
from gremsy_camera.v4l2.pixel_formats import BY_CODE, KINDS, BadPicture, decode, kind_called, whole_jpeg
from gremsy_common.picture.picture_memory import PictureMemory

WIDTH, HEIGHT = 48, 32
# ffmpeg's name of the pixel format, bytes a pixel in the first plane, planes.
RAW = {
    'YUYV': 'yuyv422',
    'UYVY': 'uyvy422',
    'NV12': 'nv12',
    'YU12': 'yuv420p',
    'BGR3': 'bgr24',
    'RGB3': 'rgb24',
}
GREYS = {'GREY': 'gray', 'Y16': 'gray16le', 'Y16-BE': 'gray16be'}


def scene(width=WIDTH, height=HEIGHT):
    """Smooth colours, so that the ways in which converters place half-size colours differ by little."""
    y, x = np.mgrid[0:height, 0:width]
    blue, green, red = 60 + 140 * x / width, 200 - 150 * y / height, 40 + 100 * (x + y) / (width + height)
    return np.stack([blue, green, red], axis=-1).astype(np.uint8)


def ffmpeg(data, size, given, wanted):
    if shutil.which('ffmpeg') is None:
        pytest.skip('needs ffmpeg: apt-get install ffmpeg')
    shape = ['-f', 'rawvideo', '-video_size', f'{size[0]}x{size[1]}', '-pix_fmt']
    command = ['ffmpeg', '-loglevel', 'error', *shape, given, '-i', '-', '-f', 'rawvideo', '-pix_fmt', wanted]
    flags = ['-sws_flags', 'accurate_rnd+full_chroma_int']
    return subprocess.run([*command, *flags, '-'], input=data, capture_output=True, check=True, timeout=30).stdout


def decoded(name, data, width=WIDTH, height=HEIGHT, stride=None):
    kind = kind_called(name)
    stride = stride or kind.pixels.pixel_bytes * width
    return decode([np.frombuffer(data, np.uint8)], kind.layout(width, height, (stride,)), PictureMemory())


@pytest.mark.parametrize('name', RAW)
def test_colours_are_those_that_ffmpeg_sees(name):
    raw = ffmpeg(scene().tobytes(), (WIDTH, HEIGHT), 'bgr24', RAW[name])
    expected = np.frombuffer(ffmpeg(raw, (WIDTH, HEIGHT), RAW[name], 'bgr24'), np.uint8).reshape(HEIGHT, WIDTH, 3)
    ours = decoded(name, raw)
    assert ours.dtype == np.uint8 and ours.shape == (HEIGHT, WIDTH, 3)
    # ffmpeg interpolates colours of half the width, OpenCV repeats them: 140 levels over 48 columns are 6 in two.
    assert np.abs(ours.astype(int) - expected).max() <= 8
    assert np.abs(ours.astype(int) - expected).mean() <= 1.5


@pytest.mark.parametrize('name', GREYS)
def test_greys_are_those_that_ffmpeg_wrote(name):
    wide = name.startswith('Y16')
    values = np.arange(WIDTH * HEIGHT, dtype=np.uint16).reshape(HEIGHT, WIDTH) * (40 if wide else 1)
    given = values if wide else (values % 256).astype(np.uint8)
    raw = ffmpeg(given.tobytes(), (WIDTH, HEIGHT), 'gray16le' if wide else 'gray', GREYS[name])
    image = decoded(name, raw)
    np.testing.assert_array_equal(image, given)
    assert image.dtype == given.dtype


def test_a_plane_of_one_colour_is_what_the_standard_says():
    # ITU-R BT.601, limited range: Y 81, Cb 90, Cr 240 is the red of the colour bars (255, 0, 0).
    image = decoded('YUYV', bytes((81, 90, 81, 240)) * (WIDTH * HEIGHT // 2))
    assert np.abs(image.astype(int) - np.array([0, 0, 255])).max() <= 1
    # White is 235, black 16.
    assert np.abs(decoded('UYVY', bytes((128, 235, 128, 235)) * (WIDTH * HEIGHT // 2)).astype(int) - 255).max() <= 1
    assert decoded('NV12', bytes((16,)) * WIDTH * HEIGHT + bytes((128,)) * (WIDTH * HEIGHT // 2)).max() <= 1


def padded_lines(data, rows, length, padding):
    lines = np.frombuffer(data, np.uint8).reshape(rows, length)
    return np.pad(lines, ((0, 0), (0, padding)), constant_values=170).tobytes()


@pytest.mark.parametrize('name', ['YUYV', 'UYVY', 'BGR3', 'RGB3', 'GREY', 'Y16', 'Y16-BE', 'NV12'])
def test_what_fills_up_a_line_is_left_out(name):
    kind = kind_called(name)
    length = kind.pixels.pixel_bytes * WIDTH
    rows = HEIGHT * 3 // 2 if name == 'NV12' else HEIGHT
    data = np.random.default_rng(7).integers(16, 235, rows * length, np.uint8).tobytes()
    image = decoded(name, padded_lines(data, rows, length, 32), stride=length + 32)
    np.testing.assert_array_equal(image, decoded(name, data))


def test_three_planes_with_filled_up_lines():
    data = np.random.default_rng(7).integers(16, 235, WIDTH * HEIGHT * 3 // 2, np.uint8)
    luma, colours = data[: WIDTH * HEIGHT], data[WIDTH * HEIGHT :]
    filled = padded_lines(luma, HEIGHT, WIDTH, 16) + padded_lines(colours, HEIGHT, WIDTH // 2, 8)
    np.testing.assert_array_equal(decoded('YU12', filled, stride=WIDTH + 16), decoded('YU12', data.tobytes()))


def test_colours_in_memory_of_their_own_are_the_same_colours():
    data = np.random.default_rng(7).integers(16, 235, WIDTH * HEIGHT * 3 // 2, np.uint8)
    planes = [data[: WIDTH * HEIGHT], data[WIDTH * HEIGHT :]]
    image = decode(planes, kind_called('NV12M').layout(WIDTH, HEIGHT, (WIDTH, WIDTH)), PictureMemory())
    np.testing.assert_array_equal(image, decoded('NV12', data.tobytes()))


def test_an_odd_width_has_half_a_pair_less():
    row = np.random.default_rng(7).integers(16, 235, (5, 24), np.uint8)
    odd = decoded('YUYV', row.tobytes(), 11, 5, stride=24)
    np.testing.assert_array_equal(odd, decoded('YUYV', row.tobytes(), 12, 5)[:, :11])


def test_the_image_is_not_the_buffer():
    for name in ('BGR3', 'GREY', 'Y16'):
        kind = kind_called(name)
        buffer = np.full(WIDTH * HEIGHT * kind.pixels.pixel_bytes, 7, np.uint8)
        image = decode([buffer], kind.layout(WIDTH, HEIGHT, (kind.pixels.pixel_bytes * WIDTH,)), PictureMemory())
        before = image.copy()
        buffer[:] = 9
        np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize('kind', [kind for kind in KINDS if not kind.compressed], ids=lambda kind: kind.name)
def test_the_least_size_is_what_the_decoder_needs(kind):
    stride = kind.pixels.pixel_bytes * WIDTH + 16
    layout = kind.layout(WIDTH, HEIGHT, (stride,) * kind.memories)
    decode([np.zeros(size, np.uint8) for size in kind.size(layout)], layout, PictureMemory())
    with pytest.raises(BadPicture):
        decode([np.zeros(size - 1, np.uint8) for size in kind.size(layout)], layout, PictureMemory())


def jpeg(quality=90):
    ok, data = cv2.imencode('.jpg', scene(), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert ok
    return data.ravel()


def test_a_jpeg_is_what_opencv_makes_of_it():
    np.testing.assert_array_equal(decoded('MJPG', jpeg().tobytes()), cv2.imdecode(jpeg(), cv2.IMREAD_COLOR))


def without_tables(data):
    kept, at = b'\xff\xd8', 2
    while data[at + 1] != 0xDA:
        length = 2 + int.from_bytes(data[at + 2 : at + 4], 'big')
        if data[at + 1] != 0xC4:
            kept += data[at : at + length]
        at += length
    assert len(kept) < at - 400
    return kept + data[at:]


def test_a_jpeg_without_huffman_tables_has_those_of_the_standard():
    data = jpeg().tobytes()
    np.testing.assert_array_equal(decoded('MJPEG', without_tables(data)), decoded('MJPEG', data))


def test_a_jpeg_that_is_kept_is_whole():
    data = jpeg().tobytes()
    assert whole_jpeg(np.frombuffer(data + bytes(4096), np.uint8)) == data
    again = whole_jpeg(np.frombuffer(without_tables(data) + bytes(4096), np.uint8))
    # The same segments, the tables last.
    assert len(again) == len(data) and sorted(again) == sorted(data)
    # From the standard's table K.3 on: luminance, direct current, its sixteen numbers of codes and its values.
    assert b'\xff\xc4' in again and bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, *[0] * 7, *range(12)]) in again
    np.testing.assert_array_equal(decoded('MJPG', again), decoded('MJPG', data))


def test_a_jpeg_is_followed_by_what_fills_up_the_buffer():
    np.testing.assert_array_equal(decoded('MJPG', jpeg().tobytes() + bytes(4096)), decoded('MJPG', jpeg().tobytes()))


@pytest.mark.parametrize(
    ('damage', 'said'),
    [
        (lambda data: data[:-40], 'a JPEG cut short'),
        (lambda data: data[40:], 'no JPEG'),
        (lambda data: bytes(len(data)), 'no JPEG'),
        (lambda data: b'', 'no JPEG'),
        (lambda data: data[:-60] + b'\xff\x12' + data[-58:], 'a JPEG with a gap'),
    ],
    ids=['cut', 'without its head', 'zeros', 'empty', 'with a marker inside'],
)
def test_a_damaged_jpeg_is_no_picture(damage, said):
    with pytest.raises(BadPicture) as raised:
        decoded('MJPG', damage(jpeg().tobytes()))
    assert str(raised.value) == said


def test_no_damage_gets_out_of_the_decoder_as_another_error():
    rng, whole = np.random.default_rng(20260829), jpeg()
    for _ in range(300):
        data = whole.copy()
        for _ in range(rng.integers(1, 20)):
            data[rng.integers(0, data.size)] = rng.integers(0, 256)
        data = data[: rng.integers(1, data.size + 1)] if rng.random() < 0.3 else data
        try:
            image = decoded('MJPG', data.tobytes())
        except BadPicture:
            continue
        assert image.shape == (HEIGHT, WIDTH, 3)


def test_a_jpeg_of_another_size_is_no_picture_of_this_stream():
    with pytest.raises(BadPicture, match='a JPEG of 48x32'):
        decoded('MJPG', jpeg().tobytes(), 64, 32)


@pytest.mark.parametrize(
    ('name', 'found'),
    [
        ('yuyv', 'YUYV'),
        ('MJPEG', 'MJPG'),
        ('y16-be', 'Y16-BE'),
        ('Y16 ', 'Y16'),
        ('NV12M', 'NM12'),
        ('H264', None),
        ('', None),
        ('\u00e9\u4e2d', None),
    ],
)
def test_a_format_is_found_by_the_names_that_people_use(name, found):
    kind = kind_called(name)
    assert (kind and kind.name) == found


def test_every_kind_has_a_number_of_its_own():
    assert len(BY_CODE) == len(KINDS) and fourcc('YUYV') in BY_CODE
