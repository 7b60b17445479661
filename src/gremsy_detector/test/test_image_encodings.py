# SPDX-License-Identifier: Apache-2.0
"""Whatever encoding a camera sends, the network sees the same scene."""

import re
import tracemalloc
from dataclasses import replace

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from gremsy_common.ros import topics
from gremsy_common.ros.messages.image_messages import frame_as_sent
from gremsy_common.types.frame import Frame
from gremsy_common.types.pixel_layout import PIXEL_LAYOUTS
from gremsy_detector.backends.backend_registry import choose_backend
from gremsy_detector.detector import Detector
from gremsy_detector.errors import FrameError
from gremsy_detector.image.network_input import NetworkInput, PictureReader
from gremsy_detector.image.tiling import Tiling
from gremsy_detector.model.default_model import default_model_path
from gremsy_detector.model.model_description import InputDescription, ResizeMode
from gremsy_detector.selection import Selection

WIDTH, HEIGHT = 48, 32
SECOND_NS = 1_000_000_000


def scene():
    """(H, W, 3) BGR: four quarters, red, green, blue and grey, so that a swapped channel or half is seen."""
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    image[: HEIGHT // 2, : WIDTH // 2] = (20, 30, 200)
    image[: HEIGHT // 2, WIDTH // 2 :] = (30, 180, 40)
    image[HEIGHT // 2 :, : WIDTH // 2] = (210, 60, 50)
    image[HEIGHT // 2 :, WIDTH // 2 :] = (128, 128, 128)
    return image


def luma_and_colour(bgr):
    """Full-size Y, and U and V of every second pixel of every second row."""
    planes = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
    y, size = planes[:HEIGHT], (HEIGHT // 2, WIDTH // 2)
    u, v = planes[HEIGHT:].reshape(2, *size)
    return y, u, v


def packed(bgr, *, luma_first):
    y, u, v = luma_and_colour(bgr)
    image = np.empty((HEIGHT, WIDTH, 2), np.uint8)
    at_y, at_colour = (0, 1) if luma_first else (1, 0)
    image[..., at_y] = y
    image[:, 0::2, at_colour] = u.repeat(2, axis=0)
    image[:, 1::2, at_colour] = v.repeat(2, axis=0)
    return image


def semi_planar(bgr, *, u_first):
    y, u, v = luma_and_colour(bgr)
    colour = np.stack([u, v] if u_first else [v, u], axis=-1).reshape(HEIGHT // 2, WIDTH)
    return np.concatenate([y, colour])


def mosaic(bgr, pattern):
    """The colour filter array that reads `pattern` in its first 2x2 pixels, row by row."""
    channel = {'b': 0, 'g': 1, 'r': 2}
    image = np.empty((HEIGHT, WIDTH), np.uint8)
    for place, colour in enumerate(pattern):
        y, x = divmod(place, 2)
        image[y::2, x::2] = bgr[y::2, x::2, channel[colour]]
    return image


COLOUR_SOURCES = {
    'bgr8': scene,
    '8UC3': scene,
    'rgb8': lambda: scene()[..., ::-1].copy(),
    'bgra8': lambda: cv2.cvtColor(scene(), cv2.COLOR_BGR2BGRA),
    'rgba8': lambda: cv2.cvtColor(scene(), cv2.COLOR_BGR2RGBA),
    'yuv422': lambda: packed(scene(), luma_first=False),
    'uyvy': lambda: packed(scene(), luma_first=False),
    'yuv422_yuy2': lambda: packed(scene(), luma_first=True),
    'yuyv': lambda: packed(scene(), luma_first=True),
    'nv12': lambda: semi_planar(scene(), u_first=True),
    'nv21': lambda: semi_planar(scene(), u_first=False),
    'bayer_rggb8': lambda: mosaic(scene(), 'rggb'),
    'bayer_bggr8': lambda: mosaic(scene(), 'bggr'),
    'bayer_gbrg8': lambda: mosaic(scene(), 'gbrg'),
    'bayer_grbg8': lambda: mosaic(scene(), 'grbg'),
}


def grey():
    return cv2.cvtColor(scene(), cv2.COLOR_BGR2GRAY)


def thermal(scale=10, offset=7000):
    return (grey().astype(np.uint16) * scale + offset).astype(np.uint16)


GREY_SOURCES = {'mono8': grey, '8UC1': grey, 'mono16': thermal, '16UC1': thermal}
SOURCES = COLOUR_SOURCES | GREY_SOURCES
FORMS = [
    InputDescription('images', WIDTH, HEIGHT, 'float32', False, False, ResizeMode.STRETCH),
    InputDescription('images', WIDTH, HEIGHT, 'uint8', False, True, ResizeMode.STRETCH),
    InputDescription('images', WIDTH, HEIGHT, 'uint8', True, False, ResizeMode.STRETCH),
    InputDescription('images', WIDTH, HEIGHT, 'uint8', True, True, ResizeMode.STRETCH),
]


def as_bgr(network_input, described):
    """What the network sees, (H, W, 3) BGR 0..255."""
    image = network_input.tensor[0]
    image = image if described.channels_last else image.transpose(1, 2, 0)
    image = image * 255 if image.dtype == np.float32 else image
    return (image if described.bgr else image[..., ::-1]).astype(np.float64)


def quarters(bgr):
    """The colour in the middle of each quarter."""
    return bgr[HEIGHT // 4 :: HEIGHT // 2, WIDTH // 4 :: WIDTH // 2]


def message_of(image, encoding, *, padding=0, big_endian=False, height=HEIGHT):
    """A sensor_msgs/Image with `padding` bytes of rubbish at the end of each row."""
    stored = image.astype(image.dtype.newbyteorder('>' if big_endian else '<'))
    rows = stored.reshape(len(image), -1).view(np.uint8)
    rows = np.concatenate([rows, np.full((len(rows), padding), 255, np.uint8)], axis=1)
    message = Image(header=Header(stamp=Time(sec=3, nanosec=5), frame_id='eo'), encoding=encoding)
    message.height, message.width, message.step = height, image.shape[1], rows.shape[1]
    message.is_bigendian = int(big_endian)
    message.data.frombytes(rows.tobytes())
    return message


def seen_in(frame, described=FORMS[0]):
    network_input = NetworkInput(described)
    network_input.fill(frame)
    return as_bgr(network_input, described)


def test_every_encoding_that_is_laid_out_is_read_and_tested():
    assert set(PIXEL_LAYOUTS) == set(SOURCES)


@pytest.mark.parametrize('described', FORMS, ids=str)
@pytest.mark.parametrize('encoding', COLOUR_SOURCES)
def test_a_colour_encoding_shows_the_scene_in_its_colours(encoding, described):
    frame = Frame(COLOUR_SOURCES[encoding](), 0, 'eo', encoding)
    # Limited-range YUV keeps 8 bits of 220 values: three steps of rounding there and back.
    np.testing.assert_allclose(quarters(seen_in(frame, described)), quarters(scene()), atol=4)


@pytest.mark.parametrize('described', FORMS, ids=str)
@pytest.mark.parametrize('encoding', ['mono8', '8UC1'])
def test_a_grey_encoding_shows_the_same_grey_in_every_channel(encoding, described):
    seen = seen_in(Frame(grey(), 0, 'eo', encoding), described)
    np.testing.assert_allclose(seen, grey()[..., None].repeat(3, axis=2), atol=1e-4)


@pytest.mark.parametrize('described', FORMS, ids=str)
@pytest.mark.parametrize('encoding', ['mono16', '16UC1'])
def test_infrared_uses_the_whole_range_of_grey(encoding, described):
    seen = seen_in(Frame(thermal(), 0, 'eo', encoding), described)
    values = np.unique(grey()).astype(np.float64)
    expected = np.round((grey() - values[0]) / (values[-1] - values[0]) * 255)
    np.testing.assert_allclose(seen, expected[..., None].repeat(3, axis=2), atol=1.001)


@pytest.mark.parametrize('padding', [0, 3, 6])
@pytest.mark.parametrize('big_endian', [False, True])
@pytest.mark.parametrize('encoding', SOURCES)
def test_a_message_is_seen_as_its_frame_whatever_its_step_and_byte_order(encoding, big_endian, padding):
    image = SOURCES[encoding]()
    frame = frame_as_sent(message_of(image, encoding, padding=padding, big_endian=big_endian))
    assert (frame.stamp_ns, frame.frame_id, frame.encoding) == (3 * SECOND_NS + 5, 'eo', encoding)
    np.testing.assert_array_equal(seen_in(frame), seen_in(Frame(image, frame.stamp_ns, 'eo', encoding)))


@pytest.mark.parametrize('encoding', SOURCES)
def test_a_message_is_not_copied_and_cannot_be_written_through(encoding):
    message = message_of(SOURCES[encoding](), encoding)
    image = topics.IMAGE_RAW_AS_SENT.from_message(message).image
    assert np.shares_memory(image, np.frombuffer(message.data, np.uint8))
    assert not image.flags.writeable


@pytest.mark.parametrize('encoding', SOURCES)
@pytest.mark.parametrize('view', ['mirrored', 'upside down', 'turned', 'one row repeated'])
def test_a_view_of_other_memory_is_seen_as_its_copy(encoding, view):
    image = SOURCES[encoding]()
    image = {
        'mirrored': image[:, ::-1],
        'upside down': image[::-1],
        'turned': image.swapaxes(0, 1)[: image.shape[1] // 6 * 6, : image.shape[0] // 2 * 2],
        'one row repeated': np.broadcast_to(image[:1], image.shape),
    }[view]
    np.testing.assert_array_equal(
        seen_in(Frame(image, 0, 'eo', encoding)), seen_in(Frame(image.copy(), 0, 'eo', encoding))
    )


@pytest.mark.parametrize('encoding', SOURCES)
def test_a_window_cut_out_anywhere_shows_that_part_of_the_scene(encoding):
    network_input = NetworkInput(FORMS[0])
    frame = network_input.cuttable(Frame(SOURCES[encoding](), 5, 'eo', encoding))
    assert (frame.width, frame.height, frame.stamp_ns, frame.frame_id) == (WIDTH, HEIGHT, 5, 'eo')
    # From an odd pixel of an odd row on: the lower right quarter and a strip of each other one.
    window = replace(frame, image=frame.image[HEIGHT // 2 - 3 :, WIDTH // 2 - 3 :])
    network_input.fill(window)
    seen = as_bgr(network_input, FORMS[0])[[1, -8], :][:, [1, -8]]
    whole = seen_in(Frame(SOURCES[encoding](), 5, 'eo', encoding))
    np.testing.assert_allclose(seen, quarters(whole), atol=1.001)


def test_windows_of_infrared_share_one_stretch():
    network_input = NetworkInput(FORMS[0])
    frame = network_input.cuttable(Frame(thermal(), 5, 'eo', '16UC1'))
    dark, bright = frame.image[: HEIGHT // 2, : WIDTH // 2], frame.image[HEIGHT // 2 :, : WIDTH // 2]
    assert np.ptp(dark) == np.ptp(bright) == 0  # each alone would be grey
    assert dark[0, 0] != bright[0, 0]
    assert (frame.image.min(), frame.image.max()) == (0, 255)


@pytest.mark.parametrize('encoding', ['nv12', 'yuyv', 'bayer_rggb8', '16UC1'])
def test_tiles_of_any_encoding_find_what_tiles_of_its_8_bit_picture_find(encoding, footage_image):
    image = footage_image(30)
    if encoding == 'nv12':
        i420 = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
        height, width = image.shape[:2]
        colour = i420[height:].reshape(2, -1).T.reshape(height // 2, width)
        source = np.concatenate([i420[:height], colour])
    elif encoding == 'yuyv':
        source = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_YUY2)
    elif encoding == '16UC1':
        source = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint16) * 12 + 7000
    else:
        source = np.empty(image.shape[:2], np.uint8)
        source[0::2, 0::2], source[0::2, 1::2] = image[0::2, 0::2, 2], image[0::2, 1::2, 1]
        source[1::2, 0::2], source[1::2, 1::2] = image[1::2, 0::2, 1], image[1::2, 1::2, 0]
    frame = Frame(source, 5, 'eo', encoding)
    plain = NetworkInput(FORMS[0]).cuttable(frame)
    path = default_model_path()
    detector = Detector(choose_backend(path)(path), Selection(tiling=Tiling(2, 1)))
    detector.open()
    found = detector.detect(frame).detections
    expected = detector.detect(replace(plain, image=plain.image.copy())).detections
    detector.close()
    assert len(found) > 3
    assert (found.boxes_px <= [768, 576, 768, 576]).all()
    np.testing.assert_array_equal(found.boxes_px, expected.boxes_px)


def test_what_can_be_cut_is_handed_back_as_it_is():
    frame = Frame(scene(), 0, 'eo')
    assert NetworkInput(FORMS[0]).cuttable(frame) is frame


def test_windows_of_two_sizes_in_turn_allocate_nothing():
    network_input = NetworkInput(InputDescription('images', 320, 320, 'float32', False, False, ResizeMode.LETTERBOX))
    frames = [Frame(np.full((height, 640, 3), 9, np.uint8), 0, 'eo') for height in (360, 480)]
    for frame in frames:
        network_input.fill(frame)
    tracemalloc.start()
    for frame in frames:
        network_input.fill(frame)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 57_600  # the smallest image buffer here has 320x180 bytes


def test_a_source_that_changes_its_size_for_ever_does_not_fill_the_memory():
    network_input = NetworkInput(InputDescription('images', 256, 256, 'float32', False, False, ResizeMode.LETTERBOX))
    network_input.fill(Frame(np.full((256, 256, 3), 9, np.uint8), 0, 'eo'))
    tracemalloc.start()
    for height in range(20, 256):
        network_input.fill(Frame(np.full((height, 256, 3), 9, np.uint8), 0, 'eo'))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 40 * 256 * 256 * 3


@pytest.mark.parametrize('encoding', ['nv12', 'nv21'])
def test_boxes_of_a_planar_picture_are_placed_in_the_picture_without_its_colour_rows(encoding):
    network_input = NetworkInput(InputDescription('images', 64, 64, 'float32', False, False, ResizeMode.LETTERBOX))
    placement = network_input.fill(Frame(SOURCES[encoding](), 0, 'eo', encoding))
    assert (placement.source_width_px, placement.source_height_px) == (WIDTH, HEIGHT)


def test_encodings_may_change_from_frame_to_frame():
    network_input = NetworkInput(FORMS[0])
    for encoding in [*COLOUR_SOURCES, *reversed(COLOUR_SOURCES)]:
        network_input.fill(Frame(COLOUR_SOURCES[encoding](), 0, 'eo', encoding))
        np.testing.assert_allclose(quarters(as_bgr(network_input, FORMS[0])), quarters(scene()), atol=4)


@pytest.mark.parametrize('encoding', ['nv12', 'bayer_rggb8', 'yuyv'])
def test_converted_frames_share_one_buffer(encoding):
    reader = PictureReader()
    frame = Frame(SOURCES[encoding](), 0, 'eo', encoding)
    assert np.shares_memory(reader.read(frame).pixels, reader.read(frame).pixels)


@pytest.mark.parametrize('encoding', SOURCES)
@pytest.mark.parametrize(('width', 'height'), [(1, 1), (2, 2), (3, 3), (7680, 4320)])
def test_tiny_and_huge_images_are_seen_or_refused(encoding, width, height):
    layout = PIXEL_LAYOUTS[encoding]
    image = np.full((layout.rows(height), width, layout.channels), 90, layout.dtype)
    frame = Frame(image[..., 0] if layout.channels == 1 else image, 0, 'eo', encoding)
    odd = width % 2 and (layout.even_width or layout.even_height)
    tiny = width < 3 and encoding.startswith('bayer')
    if odd or tiny:
        with pytest.raises(FrameError, match=rf'{encoding}.*: (check its publisher|publish it as bgr8)'):
            seen_in(frame)
    else:
        seen = seen_in(frame)
        assert seen.shape == (HEIGHT, WIDTH, 3)
        assert np.ptp(seen, axis=(0, 1)).max() < 1e-3  # an even picture stays even


@pytest.mark.parametrize(
    ('image', 'encoding', 'sentence'),
    [
        (
            np.zeros((4, 4), np.uint8),
            'mono16',
            "An image from 'eo' says mono16 but is uint8 [4, 4]: check its publisher.",
        ),
        (
            np.zeros((4, 4, 3), np.uint8),
            'bgra8',
            "An image from 'eo' says bgra8 but is uint8 [4, 4, 3]: check its publisher.",
        ),
        (
            np.zeros((4, 4), np.float64),
            '16UC1',
            "An image from 'eo' says 16UC1 but is float64 [4, 4]: check its publisher.",
        ),
        (
            np.zeros((4, 5, 2), np.uint8),
            'yuv422',
            "An image from 'eo' is 5x4 px, and yuv422 needs an even width: publish it as bgr8, or in another size.",
        ),
        (
            np.zeros((4, 4), np.uint8),
            'nv12',
            "An image from 'eo' says nv12 but has 4 rows, which is not the picture's height and half of it: "
            'check its publisher.',
        ),
        (
            np.zeros((9, 3), np.uint8),
            'nv21',
            "An image from 'eo' is 3x6 px, and nv21 needs an even width and height: "
            'publish it as bgr8, or in another size.',
        ),
        (
            np.zeros((2, 2), np.uint8),
            'bayer_rggb8',
            "An image from 'eo' is 2x2 px, and bayer_rggb8 needs 3x3 at least: check its publisher.",
        ),
    ],
)
def test_an_image_that_is_not_what_it_says_is_refused(image, encoding, sentence):
    with pytest.raises(FrameError) as refused:
        NetworkInput(FORMS[0]).fill(Frame(image, 0, 'eo', encoding))
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        ({'encoding': 'yuv444'}, "the encoding 'yuv444' is unknown: publish one of bgr8, rgb8, bgra8, rgba8, mono8, "),
        ({'width': 0}, 'the image is 0x32 px: it has no pixels, so check its publisher.'),
        ({'step': 100}, '4608 bytes with a step of 100 are not a 48x32 bgr8 image: check its publisher.'),
        ({'height': 33}, '4608 bytes with a step of 144 are not a 48x33 bgr8 image: check its publisher.'),
        ({'encoding': 'bgra8'}, '4608 bytes with a step of 144 are not a 48x32 bgra8 image: check its publisher.'),
        (
            {'width': 2**32 - 1},
            '4608 bytes with a step of 144 are not a 4294967295x32 bgr8 image: check its publisher.',
        ),
    ],
)
def test_a_message_that_does_not_fit_together_is_refused(change, sentence):
    message = message_of(scene(), 'bgr8')
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ValueError, match=re.escape(sentence)) as refused:
        frame_as_sent(message)
    assert str(refused.value).startswith(sentence)
