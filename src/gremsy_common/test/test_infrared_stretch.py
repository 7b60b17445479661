# SPDX-License-Identifier: Apache-2.0
"""16-bit infrared in 8 bits: what decides the limits, and how they follow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from gremsy_common.picture.infrared_stretch import InfraredStretch

WIDTH, HEIGHT = 48, 32
SECOND_NS = 1_000_000_000


def thermal(scale=10, offset=7000):
    """(H, W) counts: four quarters between 85 and 132 times `scale` above `offset`."""
    image = np.empty((HEIGHT, WIDTH), np.uint16)
    image[: HEIGHT // 2, : WIDTH // 2], image[: HEIGHT // 2, WIDTH // 2 :] = 85, 120
    image[HEIGHT // 2 :, : WIDTH // 2], image[HEIGHT // 2 :, WIDTH // 2 :] = 110, 132
    return (image * scale + offset).astype(np.uint16)


def stretched(stretch, picture, stamp_ns=0):
    return stretch.stretch(picture, stamp_ns)


def test_a_few_dead_or_glowing_pixels_decide_nothing():
    picture = thermal()
    spoiled = picture.copy()
    spoiled[0, :3], spoiled[1, :3] = 0, 65535
    clean, seen = stretched(InfraredStretch(), picture), stretched(InfraredStretch(), spoiled)
    np.testing.assert_array_equal(seen[2:], clean[2:])
    assert (seen[0, :3] == 0).all()
    assert (seen[1, :3] == 255).all()


def test_limits_follow_slowly_and_arrive():
    stretch = InfraredStretch()
    cold, hot = thermal(offset=7000), thermal(offset=7400)
    settled = stretched(stretch, cold).astype(int)
    # One frame later, everything 400 counts warmer: a stretch frame by frame would show no change at all.
    after = stretched(stretch, hot, SECOND_NS // 30).astype(int)
    assert (after - settled).mean() > 30
    flicker = [stretched(stretch, hot, SECOND_NS * number // 30).astype(int) for number in range(2, 92)]
    assert max(np.abs(b - a).max() for a, b in pairwise(flicker)) <= 20
    np.testing.assert_allclose(flicker[-1], settled, atol=2)


@pytest.mark.parametrize('stamp_ns', [-SECOND_NS, 10 * SECOND_NS])
def test_a_restarted_source_begins_anew(stamp_ns):
    stretch = InfraredStretch()
    stretched(stretch, thermal(offset=0))
    seen = stretched(stretch, thermal(offset=30_000), stamp_ns)
    np.testing.assert_array_equal(seen, stretched(InfraredStretch(), thermal(offset=30_000)))


def test_noise_on_a_flat_wall_stays_noise():
    picture = (8000 + np.random.default_rng(1).integers(0, 4, (HEIGHT, WIDTH))).astype(np.uint16)
    seen = stretched(InfraredStretch(), picture)
    assert np.ptp(seen) < 20
    assert 100 < seen.mean() < 155


@pytest.mark.parametrize('value', [0, 65535])
def test_the_ends_of_the_range_are_values_too(value):
    seen = stretched(InfraredStretch(), np.full((HEIGHT, WIDTH), value, np.uint16))
    assert np.ptp(seen) == 0


def test_it_writes_where_it_is_told_else_into_memory_of_the_callers_own():
    stretch, out = InfraredStretch(), np.zeros((HEIGHT, WIDTH), np.uint8)
    assert stretch.stretch(thermal(), 0, out) is out
    first, second = stretch.stretch(thermal(), 0), stretch.stretch(thermal(), 0)
    assert not np.shares_memory(first, second)
    np.testing.assert_array_equal(first, out)


def test_the_limits_are_the_percentiles_that_numpy_finds():
    """Of a ramp of 0..9999 over 100x100 pixels: NumPy's own half percents, to the step of the sample."""
    picture = np.random.default_rng(3).permutation(10_000).reshape(100, 100).astype(np.uint16)
    stretch = InfraredStretch()
    stretch.stretch(picture, 0)
    assert stretch.limits == pytest.approx(np.percentile(picture, (0.5, 99.5)), abs=1.0)


def test_a_source_without_stamps_is_followed_all_the_same():
    stretch = InfraredStretch()
    stretch.stretch(thermal(offset=7000), 0)
    for _ in range(150):
        seen = stretch.stretch(thermal(offset=9000), 0)
    np.testing.assert_allclose(seen.astype(int), InfraredStretch().stretch(thermal(offset=9000), 0), atol=2)


@pytest.mark.parametrize(
    'view', ['other byte order', 'mirrored', 'upside down', 'turned', 'padded rows', 'odd address']
)
def test_a_view_of_other_memory_is_stretched_as_its_copy(view):
    picture = np.random.default_rng(2).integers(7000, 7900, (HEIGHT, WIDTH)).astype(np.uint16)
    seen = {
        'other byte order': lambda: picture.astype(picture.dtype.newbyteorder()),
        'mirrored': lambda: picture[:, ::-1],
        'upside down': lambda: picture[::-1],
        'turned': lambda: picture.T,
        'padded rows': lambda: picture[:, :30],
        'odd address': lambda: np.ndarray(picture.shape, np.uint16, b'\0' + picture.tobytes(), offset=1),
    }[view]()
    plain = np.array(seen, np.uint16, order='C')
    np.testing.assert_array_equal(InfraredStretch().stretch(seen, 0), InfraredStretch().stretch(plain, 0))


@pytest.mark.parametrize('size', [(1, 1), (1, 640), (3, 2), (513, 639)])
def test_any_size_is_stretched(size):
    assert InfraredStretch().stretch(np.full(size, 9000, np.uint16), 0).tolist() == np.full(size, 128).tolist()
