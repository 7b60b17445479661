# SPDX-License-Identifier: Apache-2.0
"""Box filters learn how noisy their boxes are."""

from __future__ import annotations

import numpy as np
import pytest

from gremsy_tracker.tracking.box_filter import BoxStates

NOISE_PX = np.array([6.0, 5.0, 12.0, 10.0])


def learnt(spread: float, *, correlation: float = 0.6, count: int = 20) -> np.ndarray:
    """(count,) noise ratios of as many filters, of boxes 100 x 250 px whose errors are `spread` times the believed."""
    random = np.random.default_rng(6)
    states, error = BoxStates.empty(), np.zeros((count, 4))
    variance = np.tile(NOISE_PX**2, (count, 1))
    for picture in range(150):
        fresh = random.normal(0.0, 1.0, (count, 4)) * NOISE_PX * spread
        error = fresh if picture == 0 else correlation * error + np.sqrt(1 - correlation**2) * fresh
        centre = np.array([300.0 + 2.0 * picture, 300.0]) + error[:, :2]
        half = (np.array([100.0, 250.0]) + error[:, 2:]) / 2
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        if picture == 0:
            states = BoxStates.begin(boxes, variance)
        else:
            states.predict(1 / 30)
            states.update(np.arange(count), boxes, variance)
    return states.noise_ratio[:, 0]


@pytest.mark.parametrize('spread', [0.3, 0.4, 0.5])
def test_four_times_the_variance_of_correlated_errors_is_learnt(spread: float) -> None:
    """(1 + r) / (1 - r) of it, with the r = 0.6 of real detectors."""
    assert np.median(learnt(spread)) == pytest.approx(4 * spread**2, rel=0.5)


def test_smooth_boxes_get_little_noise() -> None:
    assert learnt(0.0).max() < 0.3


def test_boxes_as_noisy_as_believed_get_more_up_to_a_limit() -> None:
    ratios = learnt(1.0)
    assert np.median(ratios) > 1.5
    assert ratios.max() <= 2.0


def test_a_filter_alone_does_what_it_does_among_others() -> None:
    random = np.random.default_rng(1)
    low = random.uniform(0, 300, (5, 2))
    boxes = np.concatenate([low, low + np.array([40.0, 90.0])], axis=1)
    variance = np.tile(NOISE_PX**2, (5, 1))
    together, alone = BoxStates.begin(boxes, variance), BoxStates.begin(boxes[2:3], variance[2:3])
    for _ in range(10):
        boxes = boxes + random.normal(1.0, 4.0, boxes.shape)
        order = random.permutation(5)
        together.predict(0.1)
        together.update(order, boxes[order], variance[order])
        alone.predict(0.1)
        alone.update(np.array([0]), boxes[2:3], variance[2:3])
    assert together.kept[:, 2] == pytest.approx(alone.kept[:, 0])
