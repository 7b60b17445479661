# SPDX-License-Identifier: Apache-2.0
"""Limits: everybody's hold, each from both sides, and nonsense is left out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_gimbal_driver.motion.angle_path import AngleProfile
from gremsy_gimbal_driver.motion.limits import AngleLimits
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters
from src.gremsy_gimbal_driver.test.motion_bench import Bench

SETTINGS = MotionParameters(azimuth_min_rad=-3.0, azimuth_max_rad=3.0, tilt_min_rad=-0.8, tilt_max_rad=1.6)


def test_the_narrowest_bound_of_each_end_holds_and_knows_whose_it_is():
    limits = AngleLimits(SETTINGS)
    assert limits.set('device information', (-2.0, 5.0), (-2.0, 1.0)) is None
    assert limits.set('RC_LIM', None, (-0.5, 2.0)) is None
    assert limits.ranges == ((-2.0, 3.0), (-0.5, 1.0))
    assert limits.clamp(0, -2.5)[1].by == 'device information'
    assert limits.clamp(0, 3.5)[1].by == 'the soft limits'
    assert limits.clamp(1, -0.6) == (-0.5, limits.clamp(1, -9.0)[1])
    assert limits.clamp(1, -0.6)[1].by == 'RC_LIM'


@pytest.mark.parametrize(('angle', 'allowed'), [(2.999, 2.999), (3.0, 3.0), (3.001, 3.0), (-3.001, -3.0)])
def test_a_limit_holds_from_both_sides(angle, allowed):
    assert AngleLimits(SETTINGS).clamp(0, angle)[0] == allowed


def test_new_limits_of_one_origin_replace_its_old_ones():
    limits = AngleLimits(SETTINGS)
    limits.set('RC_LIM', (-1.0, 1.0), None)
    limits.set('RC_LIM', (-2.0, 2.0), None)
    assert limits.ranges[0] == (-2.0, 2.0)


@pytest.mark.parametrize('nonsense', [(0.0, 0.0), (1.0, -1.0), (math.nan, 1.0), (-math.inf, math.inf)])
def test_nonsense_from_a_device_is_said_and_left_out(nonsense):
    bench = Bench()
    bench.motion.device_limits('device information', nonsense, (-0.1, 0.1))
    low, high = nonsense
    assert bench.said == [
        f'The limits from device information make no sense and are left out: azimuth {low:g} .. {high:g} rad.'
    ]


def test_device_limits_hold_for_rates():
    bench = Bench()
    bench.motion.device_limits('RC_LIM', None, (-0.5, 0.2))
    bench.angles = (0.0, 0.25)
    bench.armed()
    bench.offer(0.0, 0.3)
    bench.run(20)
    assert bench.written[-1][1] == (0.0, 0.0)
    assert bench.said == ['The tilt is at its limit (-0.5 .. 0.2 rad): motion beyond it is cut off.']


def test_limits_without_an_angle_between_let_nothing_move_there():
    limits = AngleLimits(SETTINGS)
    limits.set('RC_LIM', None, (1.7, 1.9))
    assert limits.empty_axis() == 'tilt'
    bench = Bench(tilt_min_rad=-0.8, tilt_max_rad=1.6)
    bench.motion.device_limits('RC_LIM', None, (1.7, 1.9))
    bench.angles = (0.0, 1.65)
    bench.armed()
    for rate in (0.3, -0.3):
        bench.offer(0.0, rate)
        bench.run(bench.now_ms + 40)
        assert bench.written[-1][1] == (0.0, 0.0)


@pytest.mark.parametrize(
    ('azimuth', 'near', 'expected'),
    [
        (3.0, -3.0, 3.0 - 2 * math.pi),
        (-3.0, 3.0, 2 * math.pi - 3.0),
        (0.5, 0.4, 0.5),
        (0.5, 5.0, 0.5),  # 6.78 is nearer and not allowed
    ],
)
def test_of_all_turns_the_nearest_allowed_one_is_taken(azimuth, near, expected):
    limits = AngleLimits(MotionParameters(azimuth_min_rad=-5.5, azimuth_max_rad=5.5))
    assert limits.nearest_turn(azimuth, near) == pytest.approx(expected)


def test_a_bearing_that_no_turn_allows_is_left_as_it_is():
    assert AngleLimits(MotionParameters(azimuth_min_rad=-1.0, azimuth_max_rad=1.0)).nearest_turn(2.0, 0.0) == 2.0


@pytest.mark.parametrize('seed', range(20))
def test_an_angle_profile_keeps_every_limit_on_every_step_and_arrives(seed):
    random = np.random.default_rng(seed)
    settings = MotionParameters(
        azimuth_min_rad=-2.0,
        azimuth_max_rad=2.0,
        max_rate_rad_s=float(random.uniform(0.05, 2.0)),
        max_acceleration_rad_s2=float(random.uniform(0.2, 10.0)),
    )
    profile = AngleProfile(settings, AngleLimits(settings))
    start = (float(random.uniform(-2, 2)), float(random.uniform(-0.7, 1.5)))
    profile.start(start, (0.0, 0.0))
    before, rate_before = start, (0.0, 0.0)
    for leg in range(4):
        target = (float(random.uniform(-2, 2)), float(random.uniform(-0.7, 1.5)))
        for _ in range(20_000 if leg == 3 else int(random.integers(1, 60))):
            elapsed_s = float(random.choice([0.010, 0.013, 0.040]))
            angles = profile.advance(target, before, elapsed_s)
            for axis, (low, high) in enumerate(((-2.0, 2.0), settings.limits_rad[1])):
                rate = profile.rates_rad_s[axis]
                assert low - 1e-12 <= angles[axis] <= high + 1e-12
                assert abs(rate) <= settings.max_rate_rad_s + 1e-12
                at_limit = angles[axis] in (low, high)
                change = settings.max_acceleration_rad_s2 * elapsed_s
                assert at_limit or abs(rate - rate_before[axis]) <= change + 1e-12
                assert at_limit or angles[axis] == pytest.approx(before[axis] + rate * elapsed_s, abs=1e-12)
            before, rate_before = angles, profile.rates_rad_s
            if max(abs(a - b) for a, b in zip(angles, target, strict=True)) < 1e-6:
                break
    assert before == pytest.approx(target, abs=1e-5)


def test_an_angle_profile_does_not_overshoot_from_rest():
    settings = MotionParameters(max_rate_rad_s=1.0, max_acceleration_rad_s2=1.0)
    profile = AngleProfile(settings, AngleLimits(settings))
    angles = (0.0, 0.0)
    highest = 0.0
    for step in range(400):
        angles = profile.advance((0.7, 0.0), angles, (0.04, 0.01)[step % 2])
        highest = max(highest, angles[0])
    assert highest <= 0.7 + 1e-9
    assert angles[0] == pytest.approx(0.7, abs=1e-6)
