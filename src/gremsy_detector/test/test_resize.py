# SPDX-License-Identifier: Apache-2.0
"""A box goes into the network's input and comes back to where it was; so does what is painted there."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gremsy_common.types.frame import Frame
from gremsy_detector.image.network_input import NetworkInput
from gremsy_detector.image.resize import Placement, letterbox, resize_into, stretch, top_left
from gremsy_detector.model.model_description import InputDescription, ResizeMode

sides = st.integers(1, 4000)
MODES = {letterbox: ResizeMode.LETTERBOX, stretch: ResizeMode.STRETCH, top_left: ResizeMode.TOP_LEFT}


@settings(deadline=None)
@pytest.mark.parametrize('place', MODES)
@given(width=sides, height=sides, net_width=st.integers(32, 1280), net_height=st.integers(32, 1280), data=st.data())
def test_boxes_come_back_within_a_hundredth_of_a_pixel(place, width, height, net_width, net_height, data):
    placement = place(width, height, net_width, net_height)
    unit = np.array(data.draw(st.lists(st.floats(0, 1), min_size=4, max_size=4)))
    boxes = (unit * [width, height, width, height])[None]
    network = placement.to_network(boxes).astype(np.float32)
    assert np.abs(placement.to_source(network.astype(np.float64)) - boxes).max() < 0.01
    assert (network >= 0).all()
    assert (network <= np.array([net_width, net_height, net_width, net_height])).all()


@pytest.mark.parametrize(
    ('width', 'height', 'side', 'placed'),
    [
        (1920, 1080, 640, (0, 140, 640, 360)),
        (640, 480, 416, (0, 52, 416, 312)),
        (480, 640, 416, (52, 0, 312, 416)),
        (768, 577, 416, (0, 51, 416, 313)),
        (10000, 1, 416, (0, 207, 416, 1)),
    ],
)
def test_letterbox_keeps_the_aspect_ratio_and_centres(width, height, side, placed):
    assert letterbox(width, height, side, side) == Placement(width, height, *placed)


@pytest.mark.parametrize(
    ('width', 'height', 'side', 'placed'),
    [
        (1920, 1080, 640, (640, 360)),
        (480, 640, 416, (312, 416)),
        (768, 577, 416, (416, 312)),  # 312.5 rows: cut off, where the letterbox rounds
        (10000, 1, 416, (416, 1)),
    ],
)
def test_top_left_keeps_the_aspect_ratio_and_cuts_off_to_whole_pixels(width, height, side, placed):
    """The sides by yolox/data/data_augment.py: `int(img.shape[1] * r)` and `int(img.shape[0] * r)`, 1 at least here."""
    assert top_left(width, height, side, side) == Placement(width, height, 0, 0, *placed)


@pytest.mark.parametrize('place', MODES)
@pytest.mark.parametrize(('width', 'height'), [(640, 480), (1920, 1080), (200, 150), (413, 977)])
def test_the_network_sees_each_point_where_the_placement_says(place, width, height):
    """The half pixel: on a ramp, whose brightness is its coordinate, the resized image tells where it was sampled."""
    across = (np.arange(width) + 0.5) / width  # pixel centres lie at +0.5
    down = (np.arange(height) + 0.5) / height
    image = np.empty((height, width, 3), np.uint8)
    image[..., 2] = np.round(across * 255)
    image[..., 1] = np.round(down * 255)[:, None]
    description = InputDescription('images', 416, 416, 'float32', False, False, MODES[place])
    network_input = NetworkInput(description)
    placement = network_input.fill(Frame(image, 0, 'eo'))
    # Without the outermost pixels, where bilinear sampling is clamped.
    x = np.arange(placement.x_px, placement.x_px + placement.width_px)[4:-4]
    y = np.arange(placement.y_px, placement.y_px + placement.height_px)[4:-4]
    corners = np.stack([x[[0, -1]], y[[0, -1]]], axis=1).reshape(1, 4) + 0.5
    source = placement.to_source(corners)[0]
    expected_x, expected_y = np.linspace(source[0], source[2], len(x)), np.linspace(source[1], source[3], len(y))
    seen_x = network_input.tensor[0, 0][y[0], x] * width
    seen_y = network_input.tensor[0, 1][y, x[0]] * height
    # Single pixels are rounded to 1/255 of the image, their mean is not.
    assert abs((seen_x - expected_x).mean()) < 0.15
    assert abs((seen_y - expected_y).mean()) < 0.15


@pytest.mark.parametrize('factor', [1, 2, 3, 4, 5, 7, 9, 11])
@pytest.mark.parametrize('shape', [(36, 64, 3), (36, 64), (13, 17, 4), (1, 1, 3)])
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_whole_factors_are_bilinear_to_the_last_bit(factor, shape, dtype):
    size = (shape[0] * factor, shape[1] * factor, *shape[2:])
    source = np.random.default_rng(factor).integers(0, np.iinfo(dtype).max, size, dtype, endpoint=True)
    target = np.zeros(shape, dtype)
    resize_into(source, target)
    expected = cv2.resize(source, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(target, expected.reshape(shape))


def test_boxes_are_clipped_to_the_source_image():
    placement = letterbox(640, 480, 416, 416)
    clipped = placement.clip_to_source(np.array([[-5.0, -3.0, 700.0, 481.5], [1.5, 2.5, 3.5, 4.5]]))
    np.testing.assert_array_equal(clipped, [[0, 0, 640, 480], [1.5, 2.5, 3.5, 4.5]])
