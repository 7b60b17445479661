# SPDX-License-Identifier: Apache-2.0
"""Frozen pictures against living ones of a still scene, as drawn and as x264 makes them."""

from fractions import Fraction

import numpy as np
import pytest

from gremsy_camera.live.live_source import FrozenPicture

RATE_HZ, GOP = 20, 20
PERIOD_NS = 1_000_000_000 // RATE_HZ


@pytest.fixture
def generator():
    return np.random.default_rng(2)


def noisy(generator, base, sigma):
    return np.clip(np.rint(base + generator.normal(0, sigma, base.shape)), 0, 255).astype(np.uint8)


def found_at_s(images, after_s):
    """When it is first held for frozen; None where it never is."""
    frozen = FrozenPicture(after_s)
    seen = [frozen.see(image, index * PERIOD_NS) for index, image in enumerate(images)]
    return seen.index(True) / RATE_HZ if True in seen else None


@pytest.mark.parametrize('sigma', [0.5, 1.0, 3.0])
def test_a_still_scene_with_a_sensors_noise_is_not_frozen(generator, sigma):
    base = generator.uniform(40, 200, (90, 160, 3))
    assert found_at_s((noisy(generator, base, sigma) for _ in range(120)), 1.0) is None


def test_a_picture_that_is_the_same_but_for_its_key_frames_is_frozen(generator):
    base = generator.uniform(40, 200, (90, 160, 3))
    same = [noisy(generator, base, 1.0) for _ in range(2)]
    assert found_at_s((same[index // 15 % 2] for index in range(40)), 1.0) == 1.0


@pytest.mark.parametrize('period', [2, 3])
@pytest.mark.parametrize('every', [1, 4, 8])
def test_an_encoder_that_goes_round_and_round_over_one_picture_is_frozen(generator, period, every):
    """As x264 was seen to: two pixels flip for ever, and three pictures of each GOP differ in 1 % of them.

    `every`: of the pictures one of so many is used, as on a machine that is busy.
    """
    still = generator.integers(40, 200, (120, 160, 3), np.uint8)

    def picture(index):
        image = still.copy()
        if index % period == 0:
            image[60, 80:82] += 1
        if index % GOP < 3:
            image.reshape(-1, 3)[index % GOP :: 100] += 1
        return image

    frozen = FrozenPicture(1.5)
    assert any(frozen.see(picture(index), index * PERIOD_NS) for index in range(0, 80, every))


def through_x264(images, kbps):
    """The green of each picture as a camera's encoder and our decoder leave it, with a rate as cameras hold it."""
    av = pytest.importorskip('av')
    height, width = images[0].shape
    encoder, decoder = av.CodecContext.create('libx264', 'w'), av.CodecContext.create('h264', 'r')
    encoder.width, encoder.height, encoder.pix_fmt = width, height, 'yuv420p'
    encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, RATE_HZ), Fraction(RATE_HZ), kbps * 1000
    rate = f'vbv-maxrate={kbps}:vbv-bufsize={kbps * 6 // 10}'
    params = f'{rate}:keyint={GOP}:bframes=0:threads=1'
    encoder.options = {'preset': 'ultrafast', 'tune': 'zerolatency', 'x264-params': params}
    made = []
    for index, luma in enumerate(images):
        grey = np.full((height * 3 // 2, width), 128, np.uint8)
        grey[:height] = luma
        frame = av.VideoFrame.from_ndarray(grey, format='yuv420p')
        frame.pts = index
        made += [each.to_ndarray(format='bgr24') for packet in encoder.encode(frame) for each in decoder.decode(packet)]
    # The decoder holds the last one back.
    assert len(made) >= len(images) - 1
    return made


@pytest.fixture
def scene():
    """A ramp with blots, 320 by 240: something for the encoder to do, and nothing that moves."""
    generator = np.random.default_rng(5)
    blots = generator.normal(0, 25, (15, 20)).repeat(16, axis=0).repeat(16, axis=1)
    return 40 + 160 * np.arange(320) / 320 + blots


@pytest.mark.parametrize('sigma', [0.5, 2.0])
@pytest.mark.parametrize('kbps', [200, 500, 2000])
def test_a_still_scene_that_x264_has_encoded_is_not_frozen(generator, scene, sigma, kbps):
    images = [noisy(generator, scene, sigma) for _ in range(120)]
    assert found_at_s(through_x264(images, kbps), 1.5) is None


@pytest.mark.parametrize('sigma', [0.5, 2.0])
def test_a_frozen_sensor_is_found_behind_x264(generator, scene, sigma):
    moving = [np.roll(noisy(generator, scene, sigma), 4 * index, axis=1) for index in range(20)]
    at_s = found_at_s(through_x264(moving + 120 * moving[-1:], 2000), 1.5)
    assert at_s is not None and at_s >= 20 / RATE_HZ + 1.0


def test_a_time_of_zero_never_finds_a_frozen_picture():
    frozen = FrozenPicture(0.0)
    assert not any(frozen.see(np.zeros((4, 4, 3), np.uint8), index * 1_000_000_000) for index in range(30))
