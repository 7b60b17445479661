# SPDX-License-Identifier: Apache-2.0
import numpy as np

from benchmarks.reference.rts_smoother import MotionModel, smooth

RNG = np.random.default_rng(5)


def test_without_acceleration_the_smoother_is_the_straight_line_of_least_squares():
    model = MotionModel(np.array([2.0, 3.0]), np.zeros(2), first_speed_sigma=1e5)
    frame = np.arange(30)
    measured = np.stack([5.0 + 1.5 * frame, 80.0 - 0.7 * frame], axis=1) + RNG.normal(0, 2, (30, 2))
    line = np.stack([np.polyval(np.polyfit(frame, column, 1), frame) for column in measured.T], axis=1)
    np.testing.assert_allclose(smooth(measured, model), line, atol=1e-4)


def test_with_acceleration_and_gaps_it_is_the_most_likely_path():
    density, sigma, speed_sigma = 0.8, 2.0, 10.0
    measured = np.cumsum(RNG.normal(2, 1, 12)) + RNG.normal(0, sigma, 12)
    measured[[4, 5, 9]] = np.nan
    model = MotionModel(np.array([sigma]), np.array([density]), speed_sigma)
    np.testing.assert_allclose(
        smooth(measured[:, None], model)[:, 0], most_likely_path(measured, density, sigma, speed_sigma), atol=1e-8
    )


def most_likely_path(measured, density, sigma, speed_sigma):
    """The same estimate from one dense weighted least-squares problem over all positions and speeds."""
    count = len(measured)
    rows, right = [], []

    def add(weights, value, scale):
        row = np.zeros(2 * count)
        for index, weight in weights.items():
            row[index] = weight
        rows.append(row / scale)
        right.append(value / scale)

    for k, value in enumerate(measured):
        if not np.isnan(value):
            add({2 * k: 1.0}, value, sigma)
    add({1: 1.0}, 0.0, speed_sigma)
    whiten = np.linalg.inv(np.linalg.cholesky(density * np.array([[1 / 3, 1 / 2], [1 / 2, 1.0]])))
    for k in range(count - 1):
        step = np.zeros((2, 2 * count))
        step[:, 2 * k + 2 : 2 * k + 4] = np.eye(2)
        step[:, 2 * k : 2 * k + 2] = -np.array([[1.0, 1.0], [0.0, 1.0]])
        rows.extend(whiten @ step)
        right.extend([0.0, 0.0])
    return np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)[0][::2]


def test_smoothing_brings_noisy_positions_nearer_to_the_truth():
    frame = np.arange(200)
    truth = 400 + 100 * np.sin(frame / 30)
    measured = truth + RNG.normal(0, 2.5, 200)
    smoothed = smooth(measured[:, None], MotionModel(np.array([2.5]), np.array([0.1])))[:, 0]
    assert np.std(smoothed - truth) < 0.6 * np.std(measured - truth)
