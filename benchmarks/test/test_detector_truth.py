# SPDX-License-Identifier: Apache-2.0
"""Right and wrong boxes on cases counted by hand, and on seeded crowds against an independent count."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.detector.detector_truth import Tally, right_boxes, tallies
from benchmarks.reference.reference_tracks import PeopleInFrame, ReferenceTracks
from gremsy_common.types.detections import Detections
from gremsy_detector.detector import DetectionResult, DetectionTimes

PEOPLE = np.array([[0.0, 0, 10, 20], [40, 0, 50, 20]])


def found(*rows: tuple[list[float], float, str]) -> Detections:
    boxes = np.array([row[0] for row in rows], dtype=np.float64).reshape(-1, 4)
    return Detections(0, 'eo', boxes, np.array([row[1] for row in rows]), np.array([row[2] for row in rows], np.str_))


def test_a_box_is_right_from_half_an_overlap_on() -> None:
    # 10x20 against 10x10 within it: an overlap of exactly a half; one row less is too little.
    assert right_boxes(np.array([[0.0, 0, 10, 10]]), np.array([0.9]), PEOPLE) == 1
    assert right_boxes(np.array([[0.0, 0, 10, 9]]), np.array([0.9]), PEOPLE) == 0


def test_a_person_is_found_once_and_the_better_scored_box_has_the_first_choice() -> None:
    twice = np.array([[0.0, 0, 10, 20], [0, 0, 10, 19]])
    assert right_boxes(twice, np.array([0.6, 0.9]), PEOPLE) == 1
    # The better box may be either person; what it leaves is the other box's.
    side_by_side = np.array([[0.0, 0, 10, 20], [2, 0, 12, 20]])
    assert right_boxes(np.array([[1.0, 0, 11, 20], [2, 0, 12, 20]]), np.array([0.9, 0.8]), side_by_side) == 2


@pytest.mark.parametrize(('boxes', 'people'), [(0, 0), (0, 2), (2, 0)])
def test_where_there_is_nobody_or_no_box_nothing_is_right(boxes: int, people: int) -> None:
    assert right_boxes(PEOPLE[:boxes], np.ones(boxes), PEOPLE[:people]) == 0
    tally = Tally()
    tally.add(found(*[(box.tolist(), 0.9, 'person') for box in PEOPLE[:boxes]]), PEOPLE[:people])
    assert tally.precision == (0.0 if boxes else None)
    assert tally.recall == (0.0 if people else None)


def test_other_classes_are_counted_apart() -> None:
    tally = Tally()
    tally.add(found(([0, 0, 10, 20], 0.9, 'person'), ([40, 0, 50, 20], 0.9, 'dog')), PEOPLE)
    tally.add(found(([90, 90, 99, 99], 0.9, 'person')), PEOPLE)
    assert (tally.frames, tally.people, tally.boxes, tally.right) == (2, 4, 2, 1)
    assert (tally.precision, tally.recall) == (0.5, 0.25)
    assert tally.others == {'dog': 1}


def test_of_people_far_apart_as_many_are_found_as_were_drawn() -> None:
    random = np.random.default_rng(4)
    for _ in range(50):
        count = int(random.integers(1, 12))
        corners = np.column_stack([np.arange(count) * 50.0, random.uniform(0, 400, count)])
        people = np.concatenate([corners, corners + random.uniform(15, 30, (count, 2))], axis=1)
        seen = random.random(count) < 0.7
        wrong = np.array([[x, 900.0, x + 20, 950] for x in random.uniform(0, 600, random.integers(0, 5))]).reshape(
            -1, 4
        )
        shaken = people[seen] + random.uniform(-1, 1, (int(seen.sum()), 4))
        boxes = np.concatenate([shaken, wrong])
        order = random.permutation(len(boxes))
        assert right_boxes(boxes[order], random.random(len(boxes)), people) == int(seen.sum())


def test_what_is_reported_and_the_candidates_are_told_apart_by_frame() -> None:
    people = PeopleInFrame(np.array([1, 2]), PEOPLE, np.array([True, True]))
    sure = found(([0, 0, 10, 20], 0.9, 'person'))
    both = found(([0, 0, 10, 20], 0.9, 'person'), ([40, 0, 50, 20], 0.3, 'person'), ([5, 5, 9, 9], 0.3, 'kite'))
    looks = [
        (7, DetectionResult(sure, both, DetectionTimes(0, 0, 0))),
        (8, DetectionResult(sure, sure, DetectionTimes(0, 0, 0))),
    ]
    reported, candidates = tallies(looks, ReferenceTracks({}, {7: people}))
    # Nobody is in frame 8.
    assert (reported.precision, reported.recall) == (0.5, 0.5)
    assert (candidates.boxes, candidates.right, candidates.people) == (3, 2, 2)
