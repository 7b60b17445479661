# SPDX-License-Identifier: Apache-2.0
"""The mixture against one Kalman filter, and what it makes of a turn."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gremsy_tracker.pointing.bearing_filter import Mixture, Models, process_noise, transition

Array = NDArray[np.float64]

NOISE = np.array([0.001, 0.002])
ONE = Models((0.15,), (1.0,), (0.6,))
EQUAL = Models((0.15, 0.15, 0.15), (5.0, 1.0, 2.0), (0.6,) * 3)
TWO = Models((0.0015, 0.15), (8.0, 3.0), (0.6, 0.6))


def follow(models: Models, seen: Array, times_s: Array) -> Mixture:
    mixture = Mixture.start(models, seen[0], NOISE, 0.1)
    for before_s, at_s, bearing in zip(times_s[:-1], times_s[1:], seen[1:], strict=True):
        ahead = mixture.mixed(at_s - before_s, models).carried_on(at_s - before_s, models)
        mixture = ahead.corrected(bearing - ahead.means[..., 0], NOISE)
    return mixture


def measurements(seed: int, count: int = 120) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    times = np.cumsum(random.uniform(0.02, 0.06, count))
    path = np.stack([0.1 * np.sin(times), 0.02 * times], axis=1)
    return path + random.normal(0.0, 1.0, path.shape) * NOISE, times


def kalman(seen: Array, times_s: Array, sigma: float, noise: float) -> tuple[Array, Array]:
    """One axis by the textbook, with Joseph's form."""
    mean, covariance = np.array([seen[0], 0.0, 0.0]), np.diag([noise**2, 0.1**2, sigma**2])
    h = np.array([[1.0, 0.0, 0.0]])
    for dt, z in zip(np.diff(times_s), seen[1:], strict=True):
        step = transition(dt, 0.6)
        mean, covariance = step @ mean, step @ covariance @ step.T + sigma**2 * process_noise(dt, 0.6)
        gain = covariance @ h.T / (h @ covariance @ h.T + noise**2)
        mean = mean + (gain * (z - mean[0])).ravel()
        keep = np.eye(3) - gain @ h
        covariance = keep @ covariance @ keep.T + noise**2 * gain @ gain.T
    return mean, covariance


@pytest.mark.parametrize('models', [ONE, EQUAL])
def test_one_model_and_equal_models_are_a_kalman_filter(models: Models) -> None:
    seen, times = measurements(1)
    mixture = follow(models, seen, times)
    for axis in (0, 1):
        mean, covariance = kalman(seen[:, axis], times, 0.15, float(NOISE[axis]))
        assert np.allclose(mixture.mean_at(0.0, models)[axis], mean, rtol=1e-9, atol=1e-12)
        assert np.allclose(mixture.covariances[:, axis], covariance, rtol=1e-7, atol=1e-14)


def test_its_variance_settles_where_the_riccati_equation_says() -> None:
    times = np.arange(600) / 30
    mixture = follow(ONE, np.zeros((600, 2)), times)
    step, noise = transition(1 / 30, 0.6), 0.15**2 * process_noise(1 / 30, 0.6)
    covariance = np.eye(3)
    for _ in range(3000):
        ahead = step @ covariance @ step.T + noise
        gain = ahead[:, 0] / (ahead[0, 0] + NOISE[0] ** 2)
        covariance = ahead - np.outer(gain, ahead[0])
    assert np.allclose(mixture.covariances[0, 0], covariance, rtol=1e-6)


def test_each_model_goes_on_in_its_own_time_and_begins_as_likely_as_it_says() -> None:
    models = Models((0.1, 0.1, 0.1), (1.0, 2.0, 4.0), (0.3, 0.6, 5.0), (1.0, 0.2, 0.05))
    mixture = Mixture(np.full((3, 2), 1 / 3), np.tile([0.0, 0.0, 0.3], (3, 2, 1)), np.zeros((3, 2, 3, 3)))
    ahead = mixture.carried_on(0.5, models)
    for number, tau_s in enumerate(models.taus_s):
        assert np.allclose(ahead.means[number, 0], transition(0.5, tau_s) @ [0.0, 0.0, 0.3])
    assert np.allclose(mixture.mean_at(0.5, models), ahead.mean_at(0.0, models))
    changes = models.changes(0.1)
    assert np.allclose(changes.sum(axis=1), 1.0)
    assert np.allclose(np.diag(changes), np.exp(-0.1 / np.array(models.stays_s)))
    assert changes[0, 1] / changes[0, 2] == pytest.approx(4.0)


def test_a_known_acceleration_is_carried_on_as_it_dies_down() -> None:
    mixture = Mixture(np.ones((1, 2)), np.tile([0.1, 0.2, 0.3], (1, 2, 1)), np.zeros((1, 2, 3, 3)))
    later = mixture.mean_at(0.5, ONE)[0]
    # a(t) = a e^(-t / tau), integrated twice on a fine grid.
    t = np.linspace(0.0, 0.5, 200_001)
    acceleration = 0.3 * np.exp(-t / 0.6)
    dt = t[1]
    rate = 0.2 + np.concatenate([[0.0], np.cumsum((acceleration[1:] + acceleration[:-1]) / 2 * dt)])
    bearing = 0.1 + float(((rate[1:] + rate[:-1]) / 2 * dt).sum())
    assert np.allclose(later, [bearing, rate[-1], acceleration[-1]], rtol=1e-6)


def test_a_steady_target_is_believed_calm_and_a_turning_one_not() -> None:
    times = np.arange(300) / 30
    random = np.random.default_rng(3)
    path = np.stack([0.05 * times, np.where(times < 9.5, 0.0, 0.5 * 0.4 * (times - 9.5) ** 2)], axis=1)
    mixture = follow(TWO, path + random.normal(0.0, 1.0, path.shape) * NOISE, times)
    assert mixture.weights[0, 0] > 0.8
    assert mixture.weights[1, 1] > 0.8


def test_weights_stay_a_distribution_whatever_is_seen() -> None:
    random = np.random.default_rng(5)
    mixture = Mixture.start(TWO, np.zeros(2), NOISE, 0.1)
    for size in 10.0 ** random.uniform(-6, 0, 200):
        mixture = mixture.mixed(0.03, TWO).carried_on(0.03, TWO)
        mixture = mixture.corrected(size - mixture.means[..., 0], NOISE)
        assert np.allclose(mixture.weights.sum(axis=0), 1.0)
        assert (mixture.weights > 0.0).all()
        assert np.isfinite(mixture.means).all()


def test_the_spread_between_models_is_part_of_the_uncertainty() -> None:
    means = np.zeros((2, 2, 3))
    means[1, :, 0] = 0.02
    mixture = Mixture(np.full((2, 2), 0.5), means, np.zeros((2, 2, 3, 3)))
    assert np.allclose(mixture.bearing_variance_at(0.0, TWO), 0.01**2)
