# SPDX-License-Identifier: Apache-2.0
"""Suppression equals the plain sequential rule, box by box, on seeded scenes of every density."""

import numpy as np
import pytest

from gremsy_common.boxes import intersection_over_union
from gremsy_detector.decode.candidates import suppress


def overlap(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union > 0 else 0.0


def one_by_one(boxes, scores, classes, iou):
    kept = []
    for index in sorted(range(len(boxes)), key=lambda each: -scores[each]):
        if all(classes[index] != classes[each] or overlap(boxes[index], boxes[each]) <= iou for each in kept):
            kept.append(index)
    return kept


def scene(count, objects, seed, class_count=3):
    """Boxes jittered about a few objects, as the anchors of a dense network are."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 400, (objects, 2))[rng.integers(0, objects, count)] + rng.normal(0, 8, (count, 2))
    half = rng.uniform(10, 40, (count, 2))
    boxes = np.concatenate([centres - half, centres + half], axis=1).astype(np.float32)
    return boxes, rng.random(count).astype(np.float32), rng.integers(0, class_count, count)


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize(('count', 'objects'), [(1, 1), (40, 5), (255, 3), (257, 20), (700, 60)])
@pytest.mark.parametrize('iou', [0.1, 0.5, 0.9])
def test_suppression_equals_the_sequential_rule(seed, count, objects, iou):
    boxes, scores, classes = scene(count, objects, seed)
    kept = suppress(boxes, scores, classes, iou=iou, max_boxes=count)
    assert kept.tolist() == one_by_one(boxes, scores, classes, iou)


def test_a_chain_of_suppressions_frees_every_second_box():
    """Each box overlaps its neighbour only: the first suppresses the second, which then cannot suppress the third."""
    boxes = np.array([[4.0 * index, 0, 4.0 * index + 10, 10] for index in range(9)], dtype=np.float32)
    scores = np.linspace(0.9, 0.1, 9).astype(np.float32)
    kept = suppress(boxes, scores, np.zeros(9, dtype=np.intp), iou=0.3, max_boxes=9)
    assert kept.tolist() == [0, 2, 4, 6, 8]


def test_boxes_of_different_classes_stay_together():
    boxes = np.array([[0, 0, 10, 10]] * 3, dtype=np.float32)
    kept = suppress(boxes, np.array([0.5, 0.9, 0.7], np.float32), np.array([0, 1, 0]), iou=0.5, max_boxes=9)
    assert kept.tolist() == [1, 2]


def test_classes_stay_apart_where_boxes_begin_left_of_the_image():
    """Each class is laid beside the one before: a box at -600 must not come to lie upon one of that class."""
    boxes = np.array([[0, 0, 10, 10], [590, 0, 600, 10], [-600, 0, -590, 10], [-10, 0, 0, 10]], dtype=np.float32)
    for shift in (0.0, -5000.0, 5000.0):
        kept = suppress(boxes + np.float32(shift), np.linspace(0.9, 0.6, 4), np.arange(4), iou=0.01, max_boxes=9)
        assert kept.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(('iou', 'kept'), [(0.32, [0]), (1 / 3, [0, 1])], ids=['just_above', 'just_at'])
def test_an_overlap_at_the_limit_is_let_stay(iou, kept):
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10]], dtype=np.float64)  # 50 of 150
    answer = suppress(boxes, np.array([0.9, 0.8]), np.zeros(2, dtype=np.intp), iou=iou, max_boxes=9)
    assert answer.tolist() == kept


def test_of_equal_scores_the_earlier_box_stays():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10]], dtype=np.float32)
    kept = suppress(boxes, np.array([0.5, 0.5], np.float32), np.zeros(2, dtype=np.intp), iou=0.5, max_boxes=9)
    assert kept.tolist() == [0]


@pytest.mark.parametrize('max_boxes', [1, 7, 300])
def test_the_best_boxes_stay_when_the_count_is_limited(max_boxes):
    boxes, scores, classes = scene(900, 400, seed=1)
    kept = suppress(boxes, scores, classes, iou=0.5, max_boxes=max_boxes)
    assert kept.tolist() == one_by_one(boxes, scores, classes, 0.5)[:max_boxes]


def test_nothing_gives_nothing():
    none = suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.intp), iou=0.5, max_boxes=9)
    assert none.tolist() == []


def test_boxes_without_area_overlap_nothing():
    flat = np.array([[5, 5, 5, 9], [5, 5, 5, 9], [9, 9, 5, 5]], dtype=np.float32)
    np.testing.assert_array_equal(intersection_over_union(flat, flat), np.zeros((3, 3)))
