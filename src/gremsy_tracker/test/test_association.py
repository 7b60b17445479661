# SPDX-License-Identifier: Apache-2.0
"""Overlaps and assignment against the definitions."""

from __future__ import annotations

import itertools

import numpy as np

from gremsy_tracker.association import assign, duplicates, overlaps
from gremsy_tracker.box_filter import BoxStates


def test_overlaps_are_intersection_over_union() -> None:
    a = np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    b = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [100, 100, 101, 101]])
    assert np.allclose(overlaps(a, b), [[1.0, 50 / 150, 0.0], [0.0, 0.0, 0.0]])


def test_the_assignment_is_the_best_of_all_permutations() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        similarity = random.uniform(0.3, 1.0, (4, 4))
        rows, columns = assign(similarity, 0.2)
        best = max(sum(similarity[i, p[i]] for i in range(4)) for p in itertools.permutations(range(4)))
        assert np.isclose(similarity[rows, columns].sum(), best)


def test_a_pair_below_the_least_similarity_is_left_apart() -> None:
    rows, columns = assign(np.array([[0.9, 0.0], [0.0, 0.1]]), 0.2)
    assert (rows.tolist(), columns.tolist()) == ([0], [0])


def test_of_duplicates_the_best_score_stays_and_of_equal_ones_the_first() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 10.5], [0, 0, 10, 10]])
    assert duplicates(boxes, np.array([0, 0, 1]), np.array([0.5, 0.5, 0.9]), 0.6).tolist() == [False, True, False]


def test_a_box_filter_learns_the_velocity_in_pixels_per_second_whatever_the_steps() -> None:
    random = np.random.default_rng(5)
    states = BoxStates.begin(np.array([[0.0, 0, 60, 150]]))
    at = 0.0
    for step in random.uniform(0.02, 0.15, 60):
        at += step
        states.predict(step)
        states.update(np.array([0]), np.array([[80 * at, 0, 80 * at + 60, 150]]))
    assert np.allclose(states.velocity[0], [80, 0, 0, 0], atol=1.0)


def test_predicting_in_two_steps_is_predicting_in_one() -> None:
    one, two = (BoxStates.begin(np.array([[0.0, 0, 60, 150]])) for _ in range(2))
    one.predict(0.3)
    two.predict(0.1)
    two.predict(0.2)
    for name in ('position_variance', 'covariance', 'velocity_variance'):
        assert np.allclose(getattr(one, name), getattr(two, name))
