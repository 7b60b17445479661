# SPDX-License-Identifier: Apache-2.0
"""A score counts by what is usual for its class."""

from __future__ import annotations

import numpy as np
import pytest

from gremsy_tracker.tracking.multi_object_tracker import UsualScores

PERSON, DOG = 0, 1


def told(usual: UsualScores, classes: list[int], scores: list[float], times: int = 1) -> None:
    for _ in range(times):
        usual.learn(np.array(classes), np.array(scores), np.ones(len(classes), dtype=bool), 0.1)


def test_a_detection_as_sure_as_usual_counts_fully_and_a_surer_one_no_more() -> None:
    usual = UsualScores()
    told(usual, [PERSON], [0.8])
    assert usual.worth(np.array([PERSON] * 3), np.array([0.8, 0.95, 0.72])) == pytest.approx([1.0, 1.0, 0.9**16])


def test_each_class_has_its_own_usual_score() -> None:
    usual = UsualScores()
    told(usual, [PERSON, DOG], [0.9, 0.5])
    assert usual.worth(np.array([PERSON, DOG]), np.array([0.9, 0.5])) == pytest.approx([1.0, 1.0])


def test_the_usual_score_follows_in_the_time_of_the_tracks_that_it_is_of() -> None:
    one, five = UsualScores(), UsualScores()
    for usual, count in ((one, 1), (five, 5)):
        told(usual, [PERSON] * count, [0.9] * count)
        told(usual, [PERSON] * count, [0.6] * count, times=10)
    left = [float(each.worth(np.array([PERSON]), np.array([0.6]))[0]) ** (-1 / 16) * 0.6 for each in (one, five)]
    assert left == pytest.approx([0.6 + 0.3 * np.exp(-1 / 5), 0.6 + 0.3 * np.exp(-5 / 5)])


def test_only_established_tracks_teach_once_there_are_some() -> None:
    usual = UsualScores()
    told(usual, [PERSON], [0.9])
    usual.learn(np.array([PERSON] * 2), np.array([0.5, 0.5]), np.zeros(2, dtype=bool), 10.0)
    assert usual.worth(np.array([PERSON]), np.array([0.9])) == pytest.approx([1.0])
