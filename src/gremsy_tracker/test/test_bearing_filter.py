# SPDX-License-Identifier: Apache-2.0
"""The bearing filter against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_tracker.pointing.bearing_filter import BearingFilter, process_noise, transition
from gremsy_tracker.tracker_parameters import TrackerParameters

NOISE = np.array([0.005, 0.005])


def ns(seconds: float) -> int:
    return 10**18 + round(seconds * 1e9)


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


def test_its_errors_are_as_large_as_it_says_of_a_target_as_it_expects() -> None:
    random = np.random.default_rng(7)
    sigma, tau, noise, period = 0.2, 0.6, 0.005, 1 / 15
    parameters = TrackerParameters(
        calm_acceleration_rad_s2=sigma,
        target_acceleration_rad_s2=sigma,
        manoeuvre_time_s=tau,
        max_target_rate_rad_s=6.0,
    )
    step, root = transition(period, tau), np.linalg.cholesky(sigma**2 * process_noise(period, tau))
    ratios = []
    for _ in range(60):
        target = BearingFilter(parameters)
        truth = np.stack([np.zeros(2), random.normal(0.0, 0.1, 2), random.normal(0.0, sigma, 2)], axis=1)
        for i in range(40):
            target.update(ns(i * period), truth[:, 0] + random.normal(0.0, noise, 2), np.full(2, noise))
            ahead = target.at(ns((i + 1) * period))
            truth = truth @ step.T + random.normal(size=(2, 3)) @ root.T
        assert ahead is not None
        ratios.extend((ahead.bearing_rad - truth[:, 0]) / ahead.std_rad)
    assert np.std(ratios) == pytest.approx(1.0, abs=0.15)


def test_what_is_kept_of_an_answer_is_of_that_time_that_measurement_and_those_parameters() -> None:
    target, calmer = BearingFilter(TrackerParameters()), TrackerParameters(target_acceleration_rad_s2=0.05)

    def told(target: BearingFilter) -> list[float]:
        estimate = target.at(ns(0.5))
        assert estimate is not None
        return [*estimate.bearing_rad, *estimate.rate_rad_s, *estimate.std_rad]

    answers = []
    for i in range(3):
        target.update(ns(0.1 * i), np.array([0.02 * i, 0.0]), NOISE)
        answers.append(told(target))
        assert target.at(ns(0.4)) is not None
        assert told(target) == answers[-1]
    target.reconfigure(calmer)
    answers.append(told(target))
    assert len({tuple(each) for each in answers}) == 4
    fresh = BearingFilter(TrackerParameters())
    for i in range(3):
        fresh.update(ns(0.1 * i), np.array([0.02 * i, 0.0]), NOISE)
    fresh.reconfigure(calmer)
    assert told(fresh) == answers[-1]


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


def test_a_sighting_far_off_is_not_used_but_the_third_in_a_row_begins_anew_with_all_of_them() -> None:
    target = BearingFilter(TrackerParameters())
    for i in range(30):
        target.update(ns(i / 15), np.zeros(2), NOISE)
    used = [target.update(ns((30 + i) / 15), np.array([0.3 + 0.01 * i, 0.0]), NOISE) for i in range(3)]
    assert used == [False, False, True]
    assert (target.rejected, target.restarts) == (3, 1)
    estimate = target.at(ns(32 / 15))
    assert estimate is not None
    assert np.allclose(estimate.bearing_rad, [0.32, 0.0], atol=0.004)
    assert estimate.rate_rad_s[0] == pytest.approx(0.15, abs=0.1)


def test_sightings_far_off_that_do_not_agree_are_never_believed() -> None:
    target = BearingFilter(TrackerParameters(max_target_rate_rad_s=0.5))
    for i in range(30):
        target.update(ns(i / 15), np.zeros(2), NOISE)
    used = [target.update(ns((30 + i) / 15), np.array([0.3 * (-1) ** i, 0.0]), NOISE) for i in range(3)]
    assert used == [False] * 3
    assert target.restarts == 0


def test_the_calm_model_is_believed_of_a_steady_target_and_the_other_of_one_that_turns() -> None:
    random = np.random.default_rng(2)
    target = BearingFilter(TrackerParameters())
    noise = np.full(2, 0.001)
    for i in range(200):
        t = i / 30
        bearing = np.array([0.05 * t, 0.0 if t < 6.2 else 0.2 * (t - 6.2) ** 2])
        target.update(ns(t), bearing + random.normal(0.0, noise), noise)
    assert target.mixture.weights[0, 0] > 0.7
    assert target.mixture.weights[0, 1] < 0.1


def test_a_target_that_turns_round_within_half_a_second_is_followed_at_seven_images_a_second() -> None:
    """20 deg/s one way, 80 deg/s^2, 20 deg/s the other: half a second later its new rate is known."""
    random = np.random.default_rng(4)
    target, noise, rate = BearingFilter(TrackerParameters()), np.full(2, 0.001), math.radians(20.0)
    for i in range(43):
        t = i / 7 - 5.0
        turned = rate * t if t < 0 else rate * t - 2.0 * rate * t**2 if t < 0.5 else -rate * (t - 0.5)
        target.update(ns(i / 7), np.array([turned, 0.0]) + random.normal(0.0, noise), noise)
    estimate = target.at(ns(42 / 7))
    assert estimate is not None
    assert target.rejected == 0
    assert estimate.rate_rad_s[0] == pytest.approx(-rate, abs=math.radians(2.0))


@pytest.mark.parametrize('unseen_s', [1.0, 3.0])
def test_a_target_that_comes_back_elsewhere_has_not_the_rate_that_the_way_there_would_take(unseen_s: float) -> None:
    target, noise = BearingFilter(TrackerParameters()), np.full(2, 0.001)
    for i in range(60):
        target.update(ns(i / 30), np.array([0.1 * i / 30, 0.0]), noise)
    at = 59 / 30 + unseen_s
    assert target.update(ns(at), np.array([-0.4, 0.0]), noise)
    estimate = target.at(ns(at + 0.4))
    assert estimate is not None
    kept = 0.1 * math.exp(-(unseen_s - TrackerParameters().coast_s) / 0.5)
    assert estimate.rate_rad_s[0] == pytest.approx(kept, abs=0.002)
    assert estimate.bearing_rad[0] == pytest.approx(-0.4 + 0.4 * kept, abs=0.002)


def test_no_target_moves_faster_than_the_limit() -> None:
    target = BearingFilter(TrackerParameters(max_target_rate_rad_s=0.1, target_acceleration_rad_s2=5.0))
    for i in range(60):
        target.update(ns(i / 15), np.array([1.0 * i / 15, 0.0]), NOISE)
        estimate = target.at(ns(i / 15))
        assert estimate is not None
        assert abs(estimate.rate_rad_s[0]) <= 0.1 + 1e-12


def test_a_measurement_from_before_the_last_is_not_used() -> None:
    target = BearingFilter(TrackerParameters())
    target.update(ns(1.0), np.zeros(2), NOISE)
    assert not target.update(ns(0.9), np.zeros(2), NOISE)
    assert not target.update(ns(1.0), np.zeros(2), NOISE)
