# SPDX-License-Identifier: Apache-2.0
"""Shares of the image become whole pixels of it, whatever its size."""

import numpy as np
import pytest

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_detector.image.region_of_interest import WHOLE_IMAGE, Region, Window


@pytest.mark.parametrize('size', [(1920, 1080), (641, 479), (1, 1), (7680, 4320), (1, 5000)])
def test_the_default_is_the_whole_image(size):
    assert Region.parse((0.0, 0.0, 1.0, 1.0)) == WHOLE_IMAGE
    assert WHOLE_IMAGE.window(*size) == Window(0, 0, *size)


@pytest.mark.parametrize(
    ('shares', 'window'),
    [
        ((0.1, 0.2, 0.9, 0.8), Window(192, 216, 1536, 648)),
        ((0.5, 0.5, 1.0, 1.0), Window(960, 540, 960, 540)),
        ((0.0, 0.0, 1e-9, 1e-9), Window(0, 0, 2, 2)),
        ((0.999999, 0.999999, 1.0, 1.0), Window(1918, 1078, 2, 2)),
    ],
)
def test_a_region_becomes_the_pixels_that_hold_it(shares, window):
    assert Region.parse(shares).window(1920, 1080) == window


def test_rounding_of_binary_shares_adds_no_pixels():
    """0.58 * 100 is 57.99999999999999, and 0.1 * 1920 is 192.00000000000003."""
    assert Region(0.58, 0.0, 1.0, 0.1).window(100, 1920) == Window(58, 0, 42, 192)


@pytest.mark.parametrize('width', [1, 2, 3, 5, 640, 641, 7680])
@pytest.mark.parametrize('shares', [(0.0, 0.3), (0.33, 0.34), (0.5, 1.0), (0.9999, 1.0), (0.7, 0.71)])
def test_a_window_is_never_empty_and_never_outside(width, shares):
    window = Region(shares[0], shares[0], shares[1], shares[1]).window(width, width)
    assert 0 <= window.x_px < width
    assert 1 <= window.width_px <= width - window.x_px
    assert window.x_px % 2 == 0 or width == 1
    assert window.x_px <= shares[0] * width
    assert window.x_px + window.width_px >= min(width, shares[1] * width) - 1e-6


def test_a_frame_is_cut_without_a_copy_under_its_own_stamp():
    image = lock_read_only(np.arange(10 * 20 * 3, dtype=np.uint8).reshape(10, 20, 3))
    cut = Window(4, 2, 6, 5).of(Frame(image, 77, 'eo_optical', 'rgb8'))
    assert (cut.stamp_ns, cut.frame_id, cut.encoding, cut.width, cut.height) == (77, 'eo_optical', 'rgb8', 6, 5)
    np.testing.assert_array_equal(cut.image, image[2:7, 4:10])
    assert np.shares_memory(cut.image, image)
    assert not cut.image.flags.writeable


@pytest.mark.parametrize(
    ('shares', 'sentence'),
    [
        (
            (0.1, 0.2, 0.9),
            (
                'Parameter `region_of_interest` has 3 numbers [0.1, 0.2, 0.9]: '
                'use four, x_min, y_min, x_max, y_max, as shares of the image.'
            ),
        ),
        (
            (0.9, 0.0, 0.1, 1.0),
            (
                'Parameter `region_of_interest` is [0.9, 0, 0.1, 1], which encloses nothing: '
                'use x_min below x_max and y_min below y_max, each 0 .. 1.'
            ),
        ),
    ],
)
def test_what_is_no_region_is_refused(shares, sentence):
    with pytest.raises(ParameterError) as refused:
        Region.parse(shares)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    'shares',
    [(0.5, 0.0, 0.5, 1.0), (0.0, 0.5, 1.0, 0.5), (0.0, 0.0, 1.1, 1.0), (-0.1, 0.0, 1.0, 1.0), (float('nan'), 0, 1, 1)],
)
def test_an_empty_or_outer_region_is_refused(shares):
    with pytest.raises(ParameterError, match='encloses nothing'):
        Region.parse(shares)
