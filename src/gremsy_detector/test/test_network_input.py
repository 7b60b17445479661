# SPDX-License-Identifier: Apache-2.0
"""Every kind of input tensor is filled with the same image, and nothing of the last image stays."""

import cv2
import numpy as np
import pytest

from gremsy_common.frame import Frame
from gremsy_detector.errors import FrameError
from gremsy_detector.model_description import InputDescription, ResizeMode
from gremsy_detector.network_input import NetworkInput


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


@pytest.mark.parametrize(('width', 'height'), [(1, 1), (1, 3000), (3000, 1), (7680, 4320)])
def test_any_size_of_image_fits(width, height, make_frame):
    NetworkInput(description()).fill(make_frame(width=width, height=height))


@pytest.mark.parametrize(
    ('frame', 'sentence'),
    [
        (
            Frame(np.zeros((4, 4, 2), np.uint8), 0, 'eo', 'yuv422'),
            "Images from 'eo' are encoded as 'yuv422': publish them as bgr8, rgb8, mono8.",
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
