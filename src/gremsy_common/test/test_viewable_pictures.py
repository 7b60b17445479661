# SPDX-License-Identifier: Apache-2.0
"""Frames of every encoding as pictures that can be shown."""

import cv2
import numpy as np
import pytest

from gremsy_common.errors import Unusable
from gremsy_common.picture.viewable_pictures import ViewablePictures
from gremsy_common.types.frame import Frame
from gremsy_common.types.pixel_layout import PIXEL_LAYOUTS

BLUE, GREEN, RED = 40, 120, 200
HEIGHT, WIDTH = 8, 12
# ITU-R BT.601 in video's limited range, as V4L2 and OpenCV have it, by its own formula.
LUMA = round(16 + 0.257 * RED + 0.504 * GREEN + 0.098 * BLUE)
U = round(128 - 0.148 * RED - 0.291 * GREEN + 0.439 * BLUE)
V = round(128 + 0.439 * RED - 0.368 * GREEN - 0.071 * BLUE)


def flat(*channels):
    return np.tile(np.array(channels, np.uint8), (HEIGHT, WIDTH, 1))


def packed(*four):
    """Two pixels in four bytes."""
    return np.tile(np.array(four, np.uint8).reshape(1, 2, 2), (HEIGHT, WIDTH // 2, 1))


def planar(first, second):
    chroma = np.tile(np.array([first, second], np.uint8), (HEIGHT // 2, WIDTH // 2))
    return np.vstack([np.full((HEIGHT, WIDTH), LUMA, np.uint8), chroma])


def mosaic(pattern):
    values = {'r': RED, 'g': GREEN, 'b': BLUE}
    tile = np.array([values[each] for each in pattern], np.uint8).reshape(2, 2)
    return np.tile(tile, (HEIGHT // 2, WIDTH // 2))


COLOURS = {
    'bgr8': flat(BLUE, GREEN, RED),
    '8UC3': flat(BLUE, GREEN, RED),
    'rgb8': flat(RED, GREEN, BLUE),
    'bgra8': flat(BLUE, GREEN, RED, 255),
    'rgba8': flat(RED, GREEN, BLUE, 255),
    'uyvy': packed(U, LUMA, V, LUMA),
    'yuv422': packed(U, LUMA, V, LUMA),
    'yuyv': packed(LUMA, U, LUMA, V),
    'yuv422_yuy2': packed(LUMA, U, LUMA, V),
    'nv12': planar(U, V),
    'nv21': planar(V, U),
    **{f'bayer_{pattern}8': mosaic(pattern) for pattern in ('rggb', 'bggr', 'gbrg', 'grbg')},
}


def test_every_encoding_that_is_laid_out_is_shown():
    assert set(COLOURS) | {'mono8', '8UC1', 'mono16', '16UC1'} == set(PIXEL_LAYOUTS)


@pytest.mark.parametrize('encoding', COLOURS)
def test_a_colour_is_shown_as_that_colour(encoding):
    sent = Frame(COLOURS[encoding], 7, 'eo', encoding)
    shown = ViewablePictures().of(sent)
    assert (shown.encoding, shown.stamp_ns, shown.frame_id) == ('bgr8', 7, 'eo')
    assert (shown.width, shown.height) == (sent.width, sent.height) == (WIDTH, HEIGHT)
    # 2.5 counts are the rounding of three YUV numbers.
    np.testing.assert_allclose(shown.image.reshape(-1, 3).mean(axis=0), (BLUE, GREEN, RED), atol=2.5)
    assert not shown.image.flags.writeable or shown.image is sent.image


@pytest.mark.parametrize('encoding', ['bgr8', 'mono8'])
def test_what_can_be_shown_is_the_very_frame(encoding):
    sent = Frame(np.zeros((2, 3), np.uint8), 7, 'eo', encoding)
    assert ViewablePictures().of(sent) is sent


def test_opencvs_names_share_the_pixels():
    sent = Frame(np.zeros((2, 3), np.uint8), 7, 'eo', '8UC1')
    shown = ViewablePictures().of(sent)
    assert shown.image is sent.image and shown.encoding == 'mono8'


@pytest.mark.parametrize('order', ['<', '>'])
def test_infrared_has_a_gain_that_follows_from_frame_to_frame(order):
    cold = np.linspace(7000, 7400, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.dtype('u2').newbyteorder(order))
    warmer = (cold + 300).astype(cold.dtype)
    pictures = ViewablePictures()
    first = pictures.of(Frame(cold, 0, 'ir', 'mono16'))
    second = pictures.of(Frame(warmer, 33_000_000, 'ir', 'mono16'))
    assert (first.encoding, first.image.dtype) == ('mono8', np.uint8)
    assert first.image.min() < 5 and first.image.max() > 250
    # A gain of each picture alone would show both alike.
    assert second.image.mean() - first.image.mean() > 50
    np.testing.assert_allclose(ViewablePictures().of(Frame(warmer, 0, 'ir', 'mono16')).image, first.image, atol=2)


@pytest.mark.parametrize(
    ('encoding', 'shape', 'reason', 'text'),
    [
        (
            '32FC1',
            (2, 2),
            'unknown encoding',
            f"the encoding '32FC1' is unknown: publish one of {', '.join(PIXEL_LAYOUTS)}.",
        ),
        (
            'yuyv',
            (2, 5, 2),
            'odd size',
            'the image is 5x2 px, and yuyv shares colour between two pixels: publish it in an even size, or as bgr8.',
        ),
        (
            'nv12',
            (4, 4),
            'odd size',
            'the image is 4x3 px, and nv12 shares colour between two pixels: publish it in an even size, or as bgr8.',
        ),
    ],
    ids=['numbers', 'odd width', 'odd height'],
)
def test_what_cannot_be_shown_says_why(encoding, shape, reason, text):
    with pytest.raises(Unusable) as refused:
        ViewablePictures().of(Frame(np.zeros(shape, np.uint8), 0, 'eo', encoding))
    assert (refused.value.reason, str(refused.value)) == (reason, text)


def test_a_cut_out_of_a_larger_picture_is_shown():
    whole = cv2.cvtColor(COLOURS['bgr8'], cv2.COLOR_BGR2RGB)
    shown = ViewablePictures().of(Frame(whole[2:6, 3:9], 0, 'eo', 'rgb8'))
    assert shown.image.shape == (4, 6, 3) and tuple(shown.image[0, 0]) == (BLUE, GREEN, RED)
