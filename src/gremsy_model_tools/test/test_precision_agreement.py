# SPDX-License-Identifier: Apache-2.0
"""Mean average precision of one model's boxes against another's: known cases, and a plain re-implementation."""

import numpy as np
import pytest

from gremsy_common.types.detections import Detections
from gremsy_model_tools.precision.agreement import IOU_LEVELS, agreement, average_precision, match


def result(*rows):
    """Rows of x_min, y_min, x_max, y_max, score, label."""
    boxes = np.array([row[:4] for row in rows], dtype=np.float64).reshape(-1, 4)
    return Detections(0, 'eo', boxes, np.array([row[4] for row in rows]), np.array([row[5] for row in rows], dtype=str))


def compare(truth, candidate, least_boxes=1):
    return agreement(truth, candidate, confidence=0.25, least_boxes=least_boxes)


BOX = (0, 0, 10, 10)


def test_a_model_agrees_with_itself_wholly():
    truth = [result((*BOX, 0.9, 'person'), (20, 20, 40, 40, 0.3, 'dog')), result()]
    measured = compare(truth, truth)
    assert (measured.map50_95, measured.map50, measured.images) == (1.0, 1.0, 2)
    assert [(each.name, each.truth_boxes, each.ap50) for each in measured.classes] == [
        ('dog', 1, 1.0),
        ('person', 1, 1.0),
    ]


def test_what_scores_below_the_threshold_in_the_truth_is_not_asked_for():
    measured = compare([result((*BOX, 0.9, 'a'), (50, 50, 60, 60, 0.2, 'a'))], [result((*BOX, 0.9, 'a'))])
    assert measured.map50_95 == 1.0


def test_a_box_that_slipped_below_the_threshold_is_found_late_not_lost():
    truth = [result((*BOX, 0.9, 'a'), (50, 50, 60, 60, 0.26, 'a'))]
    assert compare(truth, [result((*BOX, 0.9, 'a'), (50, 50, 60, 60, 0.24, 'a'))]).map50_95 == 1.0


def test_a_lost_box_costs_its_recall():
    truth = [result((*BOX, 0.9, 'a'), (50, 50, 60, 60, 0.8, 'a'))]
    # Recall 0 to .5 has precision 1: 51 of 101 points.
    assert compare(truth, [result((*BOX, 0.9, 'a'))]).map50 == pytest.approx(51 / 101)


def test_a_better_scored_false_box_costs_precision_and_a_worse_scored_one_none():
    truth = [result((*BOX, 0.9, 'a'))]
    false = (50, 50, 60, 60)
    assert compare(truth, [result((*BOX, 0.8, 'a'), (*false, 0.9, 'a'))]).map50 == pytest.approx(0.5)
    assert compare(truth, [result((*BOX, 0.8, 'a'), (*false, 0.7, 'a'))]).map50 == 1.0


def test_a_second_box_on_one_object_is_false():
    truth = [result((*BOX, 0.9, 'a'), (50, 50, 60, 60, 0.9, 'a'))]
    found = [result((*BOX, 0.9, 'a'), (*BOX, 0.8, 'a'), (50, 50, 60, 60, 0.7, 'a'))]
    # One hit at precision 1, the next at 2/3.
    assert compare(truth, found).map50 == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_a_shifted_box_counts_at_the_overlaps_it_reaches():
    # 10x10 shifted by 2: overlap 80 of 120, .667: the levels .50, .55, .60 and .65.
    measured = compare([result((*BOX, 0.9, 'a'))], [result((2, 0, 12, 10, 0.9, 'a'))])
    assert (measured.map50, measured.map50_95) == (1.0, pytest.approx(0.4))


def test_an_overlap_of_exactly_a_half_counts():
    measured = compare([result((0, 0, 10, 10, 0.9, 'a'))], [result((0, 0, 10, 5, 0.9, 'a'))])
    assert (measured.map50, measured.map50_95) == (1.0, pytest.approx(0.1))


def test_a_class_that_only_the_candidate_sees_pulls_the_mean_down():
    measured = compare([result((*BOX, 0.9, 'a'))], [result((*BOX, 0.9, 'a'), (*BOX, 0.9, 'ghost'))])
    assert measured.map50 == 0.5
    assert [(each.name, each.candidate_boxes, each.ap50) for each in measured.classes] == [
        ('a', 1, 1.0),
        ('ghost', 1, 0.0),
    ]


def test_a_rare_class_is_told_but_does_not_count():
    truth = [result((*BOX, 0.9, 'a'), (20, 20, 30, 30, 0.9, 'rare')), result((*BOX, 0.9, 'a'))]
    measured = compare(truth, [result((*BOX, 0.9, 'a')), result((*BOX, 0.9, 'a'))], least_boxes=2)
    assert measured.map50 == 1.0
    assert [(each.name, each.counted) for each in measured.classes] == [('a', True), ('rare', False)]
    assert measured.counted_boxes == 2


def test_boxes_of_another_image_or_class_are_no_match():
    assert compare([result((*BOX, 0.9, 'a')), result()], [result(), result((*BOX, 0.9, 'a'))]).map50 == 0.0
    assert compare([result((*BOX, 0.9, 'a'))], [result((*BOX, 0.9, 'b'))]).map50 == 0.0


def test_nothing_to_see_is_no_agreement_and_no_crash():
    measured = compare([result(), result()], [result(), result()])
    assert (measured.map50_95, measured.classes, measured.counted_boxes) == (0.0, (), 0)
    assert compare([], []).images == 0


def test_results_of_different_images_are_refused():
    with pytest.raises(ValueError, match='2 images of the truth and 1 of the candidate'):
        compare([result(), result()], [result()])


def plain_hits(overlap, level):
    """Greedy matching of one image as it is written in a textbook."""
    taken, hits = set(), []
    for row in overlap:
        best = (
            max((value, -column) for column, value in enumerate(row) if column not in taken)
            if len(taken) < len(row)
            else (-1, 0)
        )
        hits.append(best[0] >= level)
        if hits[-1]:
            taken.add(-best[1])
    return hits


def plain_precision(hits, truth_boxes):
    """The 101-point mean, point by point."""
    points = []
    for recall in np.linspace(0, 1, 101):
        best, found = 0.0, 0
        for rank, hit in enumerate(hits, start=1):
            found += hit
            if found / truth_boxes >= recall - 1e-9:
                best = max(best, found / rank)
        points.append(best)
    return float(np.mean(points))


@pytest.mark.parametrize('seed', range(8))
def test_it_equals_the_plain_way_on_random_overlaps(seed):
    random = np.random.default_rng(seed)
    overlaps = random.random((4, 7, 5)) * (random.random((4, 7, 5)) > 0.5)
    hits = match(overlaps, IOU_LEVELS)
    scores = random.random(28)
    order = np.argsort(-scores, kind='stable')
    for number, level in enumerate(IOU_LEVELS):
        expected = [plain_hits(overlap, level) for overlap in overlaps]
        np.testing.assert_array_equal(hits[number], expected)
        flat = np.array(expected).ravel()
        found = average_precision(hits[:, np.ones((4, 7), bool)], scores, 20)[number]
        assert found == pytest.approx(plain_precision(flat[order], 20))
