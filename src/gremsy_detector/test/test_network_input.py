# SPDX-License-Identifier: Apache-2.0
"""Every kind of input tensor is filled with the same image, and nothing of the last image stays."""

import tracemalloc

import cv2
import numpy as np
import pytest

from gremsy_common.types.frame import Frame
from gremsy_detector.errors import FrameError
from gremsy_detector.image.network_input import NetworkInput
from gremsy_detector.model.model_description import InputDescription, ResizeMode


def description(dtype='float32', channels_last=False, bgr=False, resize=ResizeMode.LETTERBOX, side=(96, 64)):
    return InputDescription('images', side[0], side[1], dtype, channels_last, bgr, resize)


def picture(width=120, height=90, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def as_rgb_unit(network_input, described):
    """The tensor as (H, W, 3) RGB in 0..1."""
    image = network_input.tensor[0].astype(np.float64)
    image = image if described.channels_last else image.transpose(1, 2, 0)
    image = image[..., ::-1] if described.bgr else image
    return image / 255 if network_input.tensor.dtype == np.uint8 else image


@pytest.mark.parametrize(
    'described',
    [
        description(),
        description('float16'),
        description('uint8'),
        description('uint8', bgr=True),
        description('uint8', channels_last=True),
        description('uint8', channels_last=True, bgr=True),
        description(resize=ResizeMode.STRETCH),
    ],
    ids=str,
)
@pytest.mark.parametrize('encoding', ['bgr8', 'rgb8', 'mono8'])
def test_every_tensor_form_holds_the_resized_image(described, encoding, make_frame):
    image = picture()[..., 0] if encoding == 'mono8' else picture()
    network_input = NetworkInput(described)
    placement = network_input.fill(make_frame(image, encoding=encoding))
    resized = cv2.resize(image, (placement.width_px, placement.height_px))
    expected = np.full((64, 96, 3), 114, np.uint8)
    rows = slice(placement.y_px, placement.y_px + placement.height_px)
    columns = slice(placement.x_px, placement.x_px + placement.width_px)
    expected[rows, columns] = resized[..., None] if encoding == 'mono8' else resized
    expected = expected[..., ::-1] if encoding == 'bgr8' else expected
    # float16 has 11 bits: half a step of 1/2048 below 1.
    np.testing.assert_allclose(as_rgb_unit(network_input, described), expected / 255, atol=3e-4)


@pytest.mark.parametrize('channels_last', [False, True])
def test_a_source_of_another_shape_leaves_nothing_of_the_last_one(channels_last, make_frame):
    described = description('uint8', channels_last=channels_last)
    used, fresh = NetworkInput(described), NetworkInput(described)
    used.fill(make_frame(picture(120, 90)))
    used.fill(make_frame(picture(90, 120)[..., 0], encoding='mono8'))
    for each in (used, fresh):
        each.fill(make_frame(picture(30, 120)))
    np.testing.assert_array_equal(used.tensor, fresh.tensor)


def test_the_tensor_stays_the_same_array(make_frame):
    network_input = NetworkInput(description())
    tensor = network_input.tensor
    network_input.fill(make_frame(picture()))
    assert network_input.tensor is tensor
    assert tensor.flags.c_contiguous


def test_an_image_with_padded_rows_is_read_without_its_padding(make_frame):
    padded = np.zeros((90, 130, 3), np.uint8)
    padded[:, :120] = picture()
    plain, strided = NetworkInput(description()), NetworkInput(description())
    plain.fill(make_frame(picture()))
    strided.fill(make_frame(padded[:, :120]))
    np.testing.assert_array_equal(plain.tensor, strided.tensor)


def test_every_value_is_that_of_a_division_by_255(make_frame):
    image = np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(3).reshape(16, 16, 3)
    network_input = NetworkInput(description(side=(16, 16)))
    network_input.fill(make_frame(image))
    expected = np.arange(256).reshape(16, 16) / 255
    assert np.abs(network_input.tensor[0] - expected).max() < 1e-7
    np.testing.assert_array_equal(
        network_input.tensor[0, 0], np.arange(256, dtype=np.float32).reshape(16, 16) / np.float32(255)
    )


IMAGENET = {'mean': (103.53, 116.28, 123.675), 'std': (57.375, 57.12, 58.395)}


@pytest.mark.parametrize('dtype', ['float32', 'float16'])
@pytest.mark.parametrize('encoding', ['bgr8', 'rgb8', 'mono8'])
@pytest.mark.parametrize(
    'scaled', [IMAGENET, {'mean': (0.0, 0.0, 0.0), 'std': (1.0, 1.0, 1.0)}], ids=['mean', '0..255']
)
def test_mean_and_scale_are_those_of_the_model_channel_by_channel(dtype, encoding, scaled, make_frame):
    described = InputDescription('images', 64, 64, dtype, False, True, ResizeMode.TOP_LEFT, **scaled)
    image = picture(64, 32)[..., 0] if encoding == 'mono8' else picture(64, 32)
    network_input = NetworkInput(described)
    network_input.fill(make_frame(image, encoding=encoding))
    expected = np.full((64, 64, 3), 114.0, np.float32)
    expected[:32] = image[..., None] if encoding == 'mono8' else image[..., ::-1] if encoding == 'rgb8' else image
    expected = (expected - np.float32(scaled['mean'])) / np.float32(scaled['std'])
    np.testing.assert_array_equal(network_input.tensor[0], expected.transpose(2, 0, 1).astype(dtype))


def test_padding_is_grey_whatever_was_there_before(make_frame):
    tensor = np.full((1, 3, 64, 96), np.nan, np.float32)
    network_input = NetworkInput(description(), tensor)
    placement = network_input.fill(make_frame(picture(90, 90)))
    outside = np.delete(tensor, np.s_[placement.x_px : placement.x_px + placement.width_px], axis=3)
    np.testing.assert_array_equal(outside, np.float32(114) / np.float32(255))


def test_another_image_of_the_same_size_and_encoding_allocates_nothing(make_frame):
    network_input = NetworkInput(description('float32', side=(320, 320)))
    frames = [make_frame(picture(640, 360, seed)) for seed in (1, 2)]
    network_input.fill(frames[0])
    tracemalloc.start()
    network_input.fill(frames[1])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The smallest image buffer here is 57 600 bytes; views and NumPy's own casting buffer of 8192 numbers stay below.
    assert peak < 57_600


@pytest.mark.parametrize(('width', 'height'), [(1, 1), (1, 3000), (3000, 1), (7680, 4320)])
def test_any_size_of_image_fits(width, height, make_frame):
    NetworkInput(description()).fill(make_frame(width=width, height=height))


@pytest.mark.parametrize(
    ('frame', 'sentence'),
    [
        (
            Frame(np.zeros((4, 4), np.float32), 0, 'eo', '32FC1'),
            "Images from 'eo' are encoded as '32FC1': publish them as bgr8, rgb8, bgra8, rgba8, mono8, mono16, 8UC1, "
            '8UC3, 16UC1, yuv422, uyvy, yuv422_yuy2, yuyv, nv12, nv21, bayer_rggb8, bayer_bggr8, bayer_gbrg8, '
            'bayer_grbg8.',
        ),
        (
            Frame(np.zeros((4, 4), np.uint8), 0, 'eo', 'bgr8'),
            "An image from 'eo' says bgr8 but is uint8 [4, 4]: check its publisher.",
        ),
        (
            Frame(np.zeros((4, 4, 3), np.uint16), 0, 'eo', 'bgr8'),
            "An image from 'eo' says bgr8 but is uint16 [4, 4, 3]: check its publisher.",
        ),
        (
            Frame(np.zeros((0, 4, 3), np.uint8), 0, 'eo', 'bgr8'),
            "An image from 'eo' says bgr8 but is uint8 [0, 4, 3]: check its publisher.",
        ),
    ],
)
def test_an_image_that_is_not_what_it_says_is_refused(frame, sentence):
    with pytest.raises(FrameError) as refused:
        NetworkInput(description()).fill(frame)
    assert str(refused.value) == sentence
