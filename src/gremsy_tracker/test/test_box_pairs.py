# SPDX-License-Identifier: Apache-2.0
"""Overlaps and assignment against the definitions."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gremsy_common.boxes import intersection_over_union
from gremsy_tracker.tracking.box_filter import BoxStates
from gremsy_tracker.tracking.multi_object_tracker import one_to_one, overlapping


def test_overlaps_are_intersection_over_union() -> None:
    a = np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    b = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [100, 100, 101, 101]])
    assert np.allclose(intersection_over_union(a, b), [[1.0, 50 / 150, 0.0], [0.0, 0.0, 0.0]])


@given(
    st.integers(0, 6), st.integers(0, 6), st.integers(0, 10**6), st.floats(0.0, 1.0), st.sampled_from([0.01, 0.2, 0.5])
)
def test_the_choice_is_the_best_of_all_and_uses_no_box_twice(
    count_a: int, count_b: int, seed: int, crowding: float, least: float
) -> None:
    random = np.random.default_rng(seed)
    a, b = (random_boxes(random, count, 10.0 + 200.0 * (1.0 - crowding)) for count in (count_a, count_b))
    pairs = overlapping(a, b, least)
    assert (pairs.overlap >= least).all()
    rows, columns = one_to_one(pairs)
    assert len(set(rows.tolist())) == len(rows) == len(set(columns.tolist()))
    worth = np.zeros((count_a, count_b))
    worth[pairs.rows, pairs.columns] = pairs.overlap
    assert np.isclose(worth[rows, columns].sum(), best_of_all(worth))


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 10**6))
def test_pairs_that_overlap_are_those_of_the_definition_in_order(count_a: int, count_b: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random_boxes(random, count_a, 100.0), random_boxes(random, count_b, 100.0)
    pairs = overlapping(a, b)
    expected = [(i, j, iou(a[i], b[j])) for i in range(count_a) for j in range(count_b) if iou(a[i], b[j]) > 0]
    assert list(zip(pairs.rows.tolist(), pairs.columns.tolist(), strict=True)) == [each[:2] for each in expected]
    assert np.allclose(pairs.overlap, [each[2] for each in expected])


@given(st.integers(1, 20), st.integers(0, 10**6), st.floats(-500.0, 500.0), st.floats(0.1, 10.0))
def test_overlaps_do_not_change_when_everything_is_moved_and_scaled(
    count: int, seed: int, shift: float, scale: float
) -> None:
    boxes = random_boxes(np.random.default_rng(seed), count, 60.0)
    assert np.allclose(
        intersection_over_union(boxes, boxes), intersection_over_union(boxes * scale + shift, boxes * scale + shift)
    )


@given(st.integers(0, 25), st.integers(0, 25), st.integers(0, 10**6))
def test_the_order_of_the_boxes_changes_no_pair_and_no_choice(count_a: int, count_b: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random_boxes(random, count_a, 80.0), random_boxes(random, count_b, 80.0)
    order_a, order_b = random.permutation(count_a), random.permutation(count_b)
    rows, columns = one_to_one(overlapping(a, b, 0.1))
    other_rows, other_columns = one_to_one(overlapping(a[order_a], b[order_b], 0.1))
    # Random overlaps are never equal, so there is one best choice only.
    again = set(zip(order_a[other_rows].tolist(), order_b[other_columns].tolist(), strict=True))
    assert again == set(zip(rows.tolist(), columns.tolist(), strict=True))


@given(st.integers(17, 40), st.integers(0, 10**6))
def test_few_boxes_and_many_are_paired_alike(count: int, seed: int) -> None:
    """Few are computed all, of many those that cannot overlap are left out first."""
    random = np.random.default_rng(seed)
    a, b = random_boxes(random, count, 150.0), random_boxes(random, count, 150.0)
    many = overlapping(a, b)
    few = [overlapping(a[row : row + 1], b) for row in range(count)]
    assert many.rows.tolist() == np.repeat(range(count), [len(each.rows) for each in few]).tolist()
    assert many.columns.tolist() == np.concatenate([each.columns for each in few]).tolist()
    assert np.array_equal(many.overlap, np.concatenate([each.overlap for each in few]))


@given(st.integers(0, 10**6))
def test_two_boxes_are_paired_as_two_among_many(seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random_boxes(random, 12, 40.0), random_boxes(random, 12, 40.0)
    table = intersection_over_union(a, b)
    for i, j in np.ndindex(table.shape):
        pairs = overlapping(a[i : i + 1], b[j : j + 1])
        assert pairs.overlap.tolist() == table[i, j : j + 1][table[i, j : j + 1] > 0].tolist()
        assert pairs.rows.tolist() == pairs.columns.tolist() == [0] * len(pairs.overlap)


def random_boxes(random: np.random.Generator, count: int, extent: float) -> np.ndarray:
    low = random.uniform(0.0, extent, (count, 2))
    return np.concatenate([low, low + random.uniform(1.0, 40.0, (count, 2))], axis=1)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    common = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def best_of_all(worth: np.ndarray) -> float:
    """The greatest sum of a one-to-one choice, by trying every one; leaving a pair out is worth 0."""
    if worth.shape[0] > worth.shape[1]:
        worth = worth.T
    rows, columns = worth.shape
    return max(sum(worth[i, p[i]] for i in range(rows)) for p in itertools.permutations(range(columns), rows))


# Of a box of 60 x 150 px: the squares of 3.6 and 9 px, of half as much again of the size.
VARIANCE = np.array([[12.96, 81.0, 29.16, 182.25]])


def begun(boxes: list[list[float]]) -> BoxStates:
    return BoxStates.begin(np.array(boxes), np.repeat(VARIANCE, len(boxes), axis=0))


def test_a_box_filter_learns_the_velocity_in_pixels_per_second_whatever_the_steps() -> None:
    random = np.random.default_rng(5)
    states = begun([[0.0, 0, 60, 150]])
    at = 0.0
    for step in random.uniform(0.02, 0.15, 60):
        at += step
        states.predict(step)
        states.update(np.array([0]), np.array([[80 * at, 0, 80 * at + 60, 150]]), VARIANCE)
    assert np.allclose(states.velocity[0], [80, 0, 0, 0], atol=1.0)


def test_predicting_in_two_steps_is_predicting_in_one() -> None:
    one, two = (begun([[0.0, 0, 60, 150]]) for _ in range(2))
    one.predict(0.3)
    two.predict(0.1)
    two.predict(0.2)
    for name in ('position_variance', 'covariance', 'velocity_variance'):
        assert np.allclose(getattr(one, name), getattr(two, name))


def test_a_box_filter_corrects_as_the_textbook_filter_does() -> None:
    """Each quantity against the general matrix form (Bar-Shalom, Li & Kirubarajan, 2001, section 5.2.6)."""
    seen = np.array([[112.0, 40, 168, 196]])
    states = begun([[100.0, 50, 160, 200]])
    states.predict(0.1)
    states.noise_ratio[:] = 0.7
    kept = states.kept.copy()
    states.update(np.array([0]), seen, VARIANCE)
    centre_and_size = [140.0, 118.0, 56.0, 156.0]
    for axis, measured in enumerate(centre_and_size):
        mean, before = kept[:2, 0, axis], kept[[[2, 3], [3, 4]], 0, axis]
        noise = 0.7 * VARIANCE[0, axis]
        gain = before[:, 0] / (before[0, 0] + noise)
        assert np.allclose(states.kept[:2, 0, axis], mean + gain * (measured - mean[0]))
        after = (np.eye(2) - np.outer(gain, [1.0, 0.0])) @ before
        assert np.allclose(states.kept[2:5, 0, axis], [after[0, 0], after[0, 1], after[1, 1]])


def test_distances_are_innovations_over_their_standard_deviation_and_shrink_while_nothing_is_seen() -> None:
    states = begun([[0.0, 0, 60, 150], [300, 0, 360, 150]])
    variance = np.repeat(VARIANCE, 2, axis=0)
    moved = np.array([[320.0, 0, 380, 150], [20, 0, 80, 150]])
    sigma = np.sqrt(2 * VARIANCE[0, 0])
    for by_edge in (np.array([True, False]), np.array([False, True])):
        assert np.allclose(states.distances(np.array([1, 0]), moved, variance, by_edge), 20 / sigma)
    states.predict(0.2)
    assert (states.distances(np.array([1, 0]), moved, variance, by_edge) < 0.6 * 20 / sigma).all()


def test_a_box_that_is_cut_off_on_one_side_is_not_far_by_its_edge() -> None:
    states = begun([[0.0, 0, 60, 150]])
    cut, variance = np.array([[0.0, 0, 60, 70], [0, 80, 60, 150], [0, 0, 25, 150]]), np.repeat(VARIANCE, 3, axis=0)
    assert np.allclose(states.distances(np.zeros(3, dtype=np.intp), cut, variance, np.ones(3, dtype=bool)), 0.0)
    assert (states.distances(np.zeros(3, dtype=np.intp), cut, variance, np.zeros(3, dtype=bool)) > 3.0).all()
