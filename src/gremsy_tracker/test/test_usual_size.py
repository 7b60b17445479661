# SPDX-License-Identifier: Apache-2.0
"""A box that is suddenly small: what is missing, and where the centre can be."""

from __future__ import annotations

import numpy as np
import pytest

from gremsy_tracker.tracking.usual_size import UsualSize, centre_of_part

FULL = np.array([0.05, 0.15])


def seen(seconds: float, size: np.ndarray = FULL) -> UsualSize:
    usual = UsualSize()
    for step in range(round(seconds * 20) + 1):
        usual.learn(step * 50_000_000, size)
    return usual


def test_of_a_normal_box_and_of_a_first_one_nothing_is_missing() -> None:
    assert UsualSize().missing(FULL).tolist() == [0.0, 0.0]
    assert seen(2.0).missing(FULL * [0.66, 1.0]).tolist() == [0.0, 0.0]
    assert seen(2.0).missing(FULL * [1.0, 0.86]).tolist() == [0.0, 0.0]
    assert seen(2.0).missing(1.5 * FULL).tolist() == [0.0, 0.0]


def test_of_half_a_person_half_is_missing() -> None:
    assert seen(2.0).missing(FULL * [1.0, 0.5]) == pytest.approx([0.0, 0.15 * (0.85 - 0.5)])


def test_of_somebody_who_walks_away_little_is_thought_to_be_missing() -> None:
    usual, most = UsualSize(), 0.0
    for step in range(400):
        size = FULL * 0.96 ** (step * 0.05)  # 1.5 m/s from 37 m
        most = max(most, float((usual.missing(size) / size).max()))
        usual.learn(step * 50_000_000, size)
    assert most < 0.05


def test_who_stays_small_is_small_after_some_seconds() -> None:
    usual, half = seen(2.0), FULL * [1.0, 0.5]
    for step in range(40):
        usual.learn(2_000_000_000 + step * 50_000_000, half)
    assert usual.missing(half)[1] > 0.01
    for step in range(300):
        usual.learn(4_000_000_000 + step * 50_000_000, half)
    assert usual.missing(half)[1] == 0.0


def test_another_target_has_another_size() -> None:
    usual = seen(2.0)
    usual.clear()
    assert usual.missing(FULL * [1.0, 0.2]).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ('predicted', 'centre'),
    [
        ((120.0, 200.0), (120.0, 200.0)),  # where the whole would reach just to the box's lower end
        ((120.0, 190.0), (120.0, 190.0)),  # anywhere between: it says nothing
        ((120.0, 160.0), (120.0, 180.0)),  # too high: its head would be above the box
        ((90.0, 260.0), (120.0, 220.0)),  # too low; and across, where nothing is missing, the box is right
    ],
)
def test_the_centre_is_the_point_nearest_to_the_prediction_that_the_box_allows(
    predicted: tuple[float, float], centre: tuple[float, float]
) -> None:
    box, missing = np.array([100.0, 180.0, 140.0, 220.0]), np.array([0.0, 40.0])
    found, std = centre_of_part(box, missing, np.array(predicted))
    assert found == pytest.approx(centre)
    assert std == pytest.approx([0.0, 40.0 / np.sqrt(12.0)])


def test_who_sinks_behind_a_wall_keeps_his_place() -> None:
    """The box's top stays, its lower end comes up by half: taken at its centre, he would rise by a quarter."""
    usual, predicted = seen(2.0), np.array([320.0, 240.0])
    for part in np.linspace(1.0, 0.4, 10):
        box = np.array([295.0, 165.0, 345.0, 165.0 + 150.0 * part])
        missing = usual.missing((box[2:] - box[:2]) / 1000.0) * 1000.0
        if missing.any():
            centre, _ = centre_of_part(box, missing, predicted)
            # The share that boxes change by anyway is not made up for.
            assert centre[1] == pytest.approx(240.0, abs=150.0 * 0.15 / 2 + 0.1)
