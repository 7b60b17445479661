# SPDX-License-Identifier: Apache-2.0
"""I420 against the equations of BT.601 (ITU-R BT.601-7, 8-bit, limited range)."""

import numpy as np
import pytest

from gremsy_common.picture.i420_planes import even_size, i420_planes, narrowed


@pytest.mark.parametrize('colour', [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (90, 40, 200)])
def test_colours_are_bt_601_of_limited_range(colour):
    blue, green, red = (value / 255 for value in colour)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    expected = (16 + 219 * luma, 128 + 224 * (blue - luma) / 1.772, 128 + 224 * (red - luma) / 1.402)
    planes = i420_planes(np.full((4, 8, 3), colour, np.uint8))
    assert planes.shape == (6, 8)
    flat = planes.ravel()
    assert (flat[0], flat[32], flat[40]) == pytest.approx(expected, abs=1.5)


def test_grey_is_the_same_as_that_colour_and_has_no_tint():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    planes = i420_planes(levels)
    assert (planes[16:] == 128).all()
    assert np.abs(planes[:16].astype(int) - i420_planes(np.dstack([levels] * 3))[:16]).max() <= 1


@pytest.mark.parametrize('shape', [(5, 7, 3), (5, 7)])
def test_an_odd_row_and_column_are_left_out(shape):
    assert even_size(7, 5) == (6, 4)
    picture = np.full(shape, 100, np.uint8)
    picture[4:], picture[:, 6:] = 0, 0
    planes = i420_planes(picture)
    assert planes.shape == (6, 6) and np.ptp(planes[:4]) == 0


@pytest.mark.parametrize(
    ('shape', 'widest_px', 'expected'),
    [
        ((2160, 3840, 3), 1920, (1080, 1920, 3)),
        ((480, 640), 320, (240, 320)),
        ((480, 640), 640, (480, 640)),
        ((480, 640), 0, (480, 640)),
        ((2, 4000), 100, (2, 100)),
    ],
)
def test_what_is_too_wide_is_made_smaller_in_its_shape(shape, widest_px, expected):
    assert narrowed(np.full(shape, 7, np.uint8), widest_px).shape == expected
