# SPDX-License-Identifier: Apache-2.0
"""The bearing filter against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_tracker.bearing_filter import BearingFilter
from gremsy_tracker.tracker_parameters import TrackerParameters

NOISE = np.array([0.005, 0.005])


def ns(seconds: float) -> int:
    return 10**18 + round(seconds * 1e9)


def steady_gain(period_s: float, acceleration: float, noise: float) -> float:
    """Position gain of the discretised white-noise-acceleration filter, from its Riccati equation's fixed point."""
    transition = np.array([[1.0, period_s], [0.0, 1.0]])
    process = acceleration**2 * np.array([[period_s**3 / 3, period_s**2 / 2], [period_s**2 / 2, period_s]])
    covariance = np.eye(2)
    for _ in range(5000):
        predicted = transition @ covariance @ transition.T + process
        gain = predicted[:, 0] / (predicted[0, 0] + noise**2)
        covariance = predicted - np.outer(gain, predicted[0])
    return float(gain[0])


def test_its_variance_settles_where_the_riccati_equation_says() -> None:
    parameters = TrackerParameters(target_acceleration_rad_s2=0.1)
    target = BearingFilter(parameters)
    for i in range(400):
        target.update(ns(i / 15), np.zeros(2), NOISE)
    at = target.stamp_ns
    assert at is not None
    estimate = target.at(at)
    assert estimate is not None
    gain = steady_gain(1 / 15, 0.1, 0.005)
    # After an update the position's variance is gain * noise^2.
    assert np.allclose(estimate.std_rad, math.sqrt(gain) * 0.005, rtol=1e-3)


def test_a_constant_rate_is_learned_exactly_with_uneven_time_steps() -> None:
    random = np.random.default_rng(1)
    target = BearingFilter(TrackerParameters())
    at = 0.0
    for step in random.uniform(0.02, 0.2, 200):
        at += step
        target.update(ns(at), np.array([0.05 * at, -0.02 * at]), NOISE)
    estimate = target.at(ns(at + 0.2))
    assert estimate is not None
    assert np.allclose(estimate.rate_rad_s, [0.05, -0.02], atol=1e-5)
    assert np.allclose(estimate.bearing_rad, [0.05 * (at + 0.2), -0.02 * (at + 0.2)], atol=1e-5)


def test_its_errors_are_as_large_as_it_says() -> None:
    random = np.random.default_rng(7)
    acceleration, noise, period = 0.1, 0.005, 1 / 15
    ratios = []
    for _ in range(60):
        target = BearingFilter(TrackerParameters(target_acceleration_rad_s2=acceleration))
        truth, rate = np.zeros(2), random.normal(0.0, 0.1, 2)
        for i in range(40):
            fine = 20
            for _ in range(fine):
                truth = truth + rate * period / fine
                rate = rate + random.normal(0.0, acceleration * math.sqrt(period / fine), 2)
            target.update(ns(i * period), truth + random.normal(0.0, noise, 2), np.full(2, noise))
        estimate = target.at(ns(39 * period))
        assert estimate is not None
        ratios.extend((estimate.bearing_rad - truth) / estimate.std_rad)
    assert np.std(ratios) == pytest.approx(1.0, abs=0.15)


def test_coasting_grows_the_uncertainty() -> None:
    target = BearingFilter(TrackerParameters())
    for i in range(30):
        target.update(ns(i / 15), np.zeros(2), NOISE)
    spread = [target.at(ns(2.0 + ahead)) for ahead in (0.0, 0.5, 1.0)]
    stds = [float(each.std_rad[0]) for each in spread if each is not None]
    assert stds == sorted(stds)
    assert stds[2] > 3 * stds[0]


def test_it_works_across_the_half_turn() -> None:
    target = BearingFilter(TrackerParameters())
    for i in range(60):
        azimuth = math.pi - 0.1 + 0.05 * i / 15
        target.update(ns(i / 15), np.array([(azimuth + math.pi) % (2 * math.pi) - math.pi, 0.0]), NOISE)
    estimate = target.at(ns(59 / 15))
    assert estimate is not None
    assert estimate.rate_rad_s[0] == pytest.approx(0.05, abs=0.002)
    assert target.rejected == 0


def test_a_measurement_far_off_is_not_used_but_the_fifth_in_a_row_restarts_the_filter() -> None:
    target = BearingFilter(TrackerParameters())
    for i in range(30):
        target.update(ns(i / 15), np.zeros(2), NOISE)
    elsewhere = np.array([0.3, 0.0])
    used = [target.update(ns((30 + i) / 15), elsewhere, NOISE) for i in range(5)]
    assert used == [False, False, False, False, True]
    assert (target.rejected, target.restarts) == (5, 1)
    estimate = target.at(ns(34 / 15))
    assert estimate is not None
    assert np.allclose(estimate.bearing_rad, elsewhere)


def test_no_target_moves_faster_than_the_limit() -> None:
    target = BearingFilter(TrackerParameters(max_target_rate_rad_s=0.1, target_acceleration_rad_s2=5.0))
    for i in range(60):
        target.update(ns(i / 15), np.array([1.0 * i / 15, 0.0]), NOISE)
        estimate = target.at(ns(i / 15))
        assert estimate is not None
        assert abs(estimate.rate_rad_s[0]) <= 0.1


def test_a_measurement_from_before_the_last_is_not_used() -> None:
    target = BearingFilter(TrackerParameters())
    target.update(ns(1.0), np.zeros(2), NOISE)
    assert not target.update(ns(0.9), np.zeros(2), NOISE)
    assert not target.update(ns(1.0), np.zeros(2), NOISE)
