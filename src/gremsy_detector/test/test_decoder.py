# SPDX-License-Identifier: Apache-2.0
"""The same boxes come out of every layout; thresholds, filters and broken numbers are handled the same way."""

import numpy as np
import pytest

from gremsy_detector.decode.decoder import DecodeSettings, decode
from gremsy_detector.model.known_layouts import MANY_BOXES, Layout, OutputDescription

NC = 3
ALL = DecodeSettings(confidence=0.25, iou=0.5, max_detections=100)
# x_min, y_min, x_max, y_max, score, class: two that overlap, one alone, one of another class, one below the threshold.
BOXES = np.array(
    [
        [10.25, 20.5, 50.75, 80.5, 0.90, 0],
        [12.0, 21.0, 51.0, 80.0, 0.80, 0],
        [200.0, 30.0, 240.0, 90.0, 0.60, 0],
        [11.0, 20.0, 50.0, 80.0, 0.70, 2],
        [300.0, 300.0, 310.0, 310.0, 0.20, 1],
    ],
    dtype=np.float32,
)
LAYOUTS = list(Layout)
ENDED = [Layout.END_TO_END, Layout.TOP_QUERIES, Layout.DETS_LABELS, Layout.BOXES_SCORES_LABELS, Layout.BEST_BOXES]
ON_GRID = [Layout.YOLOX, Layout.NANODET_PLUS]
IN_FRACTIONS = [Layout.QUERIES, Layout.TOP_QUERIES, Layout.TWO_OUTPUTS]
WITH_SUPPRESSION = [*MANY_BOXES, Layout.BEST_BOXES]
WITHOUT_SUPPRESSION = [layout for layout in Layout if layout not in WITH_SUPPRESSION]
WIDTH, HEIGHT = 640, 512
STRIDES = (8, 16, 32, 64)
CELLS = [(stride, x, y) for stride in STRIDES for y in range(HEIGHT // stride) for x in range(WIDTH // stride)]
BINS = 8


def description(layout, classes=NC, **changes):
    indices = {
        Layout.TWO_OUTPUTS: {'boxes_index': 0, 'scores_index': 1},
        Layout.DETS_LABELS: {'boxes_index': 0, 'labels_index': 1},
        Layout.BOXES_SCORES_LABELS: {'boxes_index': 0, 'scores_index': 1, 'labels_index': 2},
        Layout.YOLOX: {'strides_px': STRIDES},
        Layout.NANODET_PLUS: {'strides_px': STRIDES},
    }
    return OutputDescription(layout, 50, classes, WIDTH, HEIGHT, **(indices.get(layout, {}) | changes))


def centred(rows, fractions):
    least, most = rows[:, :2], rows[:, 2:4]
    boxes = np.concatenate([(least + most) / 2, most - least], axis=1)
    return boxes / np.float32([WIDTH, HEIGHT, WIDTH, HEIGHT]) if fractions else boxes


def answer(rows, layout, anchors=50):
    """What a network of that layout answers that sees the rows, among anchors that see nothing."""
    rows = np.asarray(rows, dtype=np.float32).reshape(-1, 6)
    if layout in ENDED:
        boxes = centred(rows, fractions=True) if layout is Layout.TOP_QUERIES else rows[:, :4]
        rows = np.concatenate([boxes, rows[:, 4:]], axis=1)
        rows = np.concatenate([rows, np.zeros((anchors - len(rows), 6), np.float32)])[None]
        if layout is Layout.DETS_LABELS:
            return [rows[..., :5].copy(), rows[..., 5].copy()]
        if layout is Layout.BOXES_SCORES_LABELS:
            return [rows[..., :4].copy(), rows[..., 4].copy(), rows[..., 5].copy()]
        return [rows]
    if layout in ON_GRID:
        return [on_grid(rows, layout)[None]]
    first_score = 5 if layout is Layout.YOLOX_DECODED else 4
    each = np.full((anchors, first_score + NC), 0.01, dtype=np.float32)
    places = 3 + 7 * np.arange(len(rows))
    each[places, :4] = centred(rows, fractions=layout in IN_FRACTIONS)
    each[places, first_score + rows[:, 5].astype(int)] = rows[:, 4]
    if layout is Layout.YOLOX_DECODED:
        each[places, 4] = 1.0
    if layout is Layout.TWO_OUTPUTS:
        return [each[None, :, :4].copy(), each[None, :, 4:].copy()]
    return [np.ascontiguousarray(each.T)[None] if layout is Layout.DENSE else each[None]]


def on_grid(rows, layout):
    """Each row in a cell of its own whose corner lies well inside it, by the definition of the box's numbers."""
    each = np.full((len(CELLS), (5 if layout is Layout.YOLOX else 4 * BINS) + NC), 0.01, dtype=np.float32)
    taken = set()
    for row in rows:
        index, distances = next(
            (index, distances)
            for index, distances in distances_of(row)
            if index not in taken and distances.min() > 0.1 and distances.max() < BINS - 1.1
        )
        taken.add(index)
        stride, x, y = CELLS[index]
        if layout is Layout.YOLOX:
            cx, cy, w, h = centred(row[None], fractions=False)[0] / stride
            each[index, :5] = cx - x, cy - y, np.log(w), np.log(h), 1.0
            each[index, 5 + int(row[5])] = row[4]
            continue
        each[index, int(row[5])] = row[4]
        for side, distance in enumerate(distances):
            # Two bins share it, so that the mean is the distance; what the others have is nothing.
            lower = int(distance)
            logits = np.full(BINS, -100.0)
            logits[lower : lower + 2] = np.log(np.maximum([lower + 1 - distance, distance - lower], 1e-30))
            each[index, NC + BINS * side : NC + BINS * (side + 1)] = logits
    return each


def distances_of(row):
    """Of every cell, in strides: from its corner to the left, top, right and bottom of the box."""
    for index, (stride, x, y) in enumerate(CELLS):
        corner = np.array([x, y], np.float64)
        yield index, np.concatenate([corner - row[:2] / stride, row[2:4] / stride - corner])


def place_of(outputs, layout):
    """Where the only row is, or the first."""
    if layout in ENDED:
        return 0
    if layout in ON_GRID:
        return int(outputs[0][0, :, 4 if layout is Layout.YOLOX else slice(NC)].reshape(len(CELLS), -1).max(1).argmax())
    return 3


def put(outputs, layout, place, number, row):
    """Spoil one number of a row of class 0: of its box where `place` is below 4, else its score."""
    if layout is Layout.DENSE:
        outputs[0][0, place, row] = number
    elif layout is Layout.BOXES_SCORES_LABELS and place == 4:
        outputs[1][0, row] = number
    elif layout is Layout.TWO_OUTPUTS:
        outputs[place // 4][0, row, place % 4] = number
    elif layout is Layout.NANODET_PLUS:
        outputs[0][0, row, 0 if place == 4 else NC + BINS * place] = number
    else:
        outputs[0][0, row, place] = number


def rows_of(found):
    return np.concatenate([found.boxes_network_px, found.scores[:, None], found.classes[:, None]], axis=1)


@pytest.mark.parametrize('layout', WITH_SUPPRESSION)
def test_boxes_come_out_sub_pixel_best_first_and_without_duplicates(layout):
    found = decode(answer(BOXES, layout), description(layout), ALL)
    np.testing.assert_allclose(rows_of(found), BOXES[[0, 3, 2]], atol=1e-4)


@pytest.mark.parametrize('layout', WITHOUT_SUPPRESSION)
def test_the_boxes_of_a_network_without_duplicates_are_taken_as_they_are(layout):
    found = decode(answer(BOXES[::-1], layout), description(layout), ALL)
    np.testing.assert_allclose(rows_of(found), BOXES[[0, 1, 3, 2]], atol=1e-4)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_only_wanted_classes_are_reported(layout):
    wanted = DecodeSettings(0.1, 0.5, 100, np.array([False, True, True]))
    found = decode(answer(BOXES, layout), description(layout), wanted)
    np.testing.assert_allclose(rows_of(found), BOXES[[3, 4]], atol=1e-4)


@pytest.mark.parametrize('layout', [Layout.DENSE, Layout.TRANSPOSED])
def test_an_unwanted_class_does_not_pass_its_box_on_to_the_runner_up(layout):
    output = answer(BOXES[:1], Layout.DENSE)[0]
    output[0, 4 + 1] = output[0, 4] * 0.9  # every anchor: nearly as much a 1 as a 0
    output = output if layout is Layout.DENSE else output.transpose(0, 2, 1)
    wanted = DecodeSettings(0.25, 0.5, 100, np.array([False, True, False]))
    assert len(decode([output], description(layout), wanted).scores) == 0


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize(('score', 'count'), [(0.2500, 0), (0.2501, 1)], ids=['just_at', 'just_above'])
def test_a_box_must_score_more_than_the_threshold(layout, score, count):
    row = BOXES[0].copy()
    row[4] = score
    assert len(decode(answer(row, layout), description(layout), ALL).scores) == count


@pytest.mark.parametrize('layout', LAYOUTS)
def test_the_best_boxes_stay_when_the_count_is_limited(layout):
    found = decode(answer(BOXES, layout), description(layout), DecodeSettings(0.1, 1.0, 2))
    np.testing.assert_allclose(found.scores, [0.9, 0.8])


@pytest.mark.parametrize('layout', LAYOUTS)
def test_an_empty_scene_gives_no_boxes(layout):
    found = decode(answer([], layout), description(layout), ALL)
    assert rows_of(found).shape == (0, 6)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('number', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('place', [0, 2, 4])
def test_a_box_with_a_broken_number_is_left_out_and_the_others_stay(layout, number, place):
    outputs = answer(np.stack([BOXES[2], BOXES[0]]), layout)
    put(outputs, layout, place, number, place_of(answer(BOXES[2:3], layout), layout))
    found = decode(outputs, description(layout), ALL)
    if number == np.inf and place == 4 and layout in ENDED:
        assert found.scores.tolist() == [1.0, np.float32(0.9)]  # a certain box is still a box
    else:
        np.testing.assert_allclose(rows_of(found), BOXES[[0]], atol=1e-4)


@pytest.mark.parametrize('layout', ENDED)
@pytest.mark.parametrize('number', [-1, NC, 1e30, np.nan])
def test_an_end_to_end_box_of_an_unknown_class_is_left_out(layout, number):
    row = BOXES[0].copy()
    row[5] = number
    assert len(decode(answer(row, layout), description(layout), ALL).scores) == 0


@pytest.mark.parametrize('layout', LAYOUTS)
def test_a_float16_output_is_read_too(layout):
    halves = [each.astype(np.float16) for each in answer(BOXES[2:3], layout)]
    found = decode(halves, description(layout), ALL)
    np.testing.assert_allclose(rows_of(found), BOXES[[2]], rtol=4e-3)


def test_the_dense_and_the_transposed_form_of_a_random_output_agree():
    rng = np.random.default_rng(3)
    dense = rng.random((1, 4 + NC, 2000), dtype=np.float32)
    dense[:, :4] *= 100
    settings = DecodeSettings(0.9, 0.3, 500)
    a = decode([dense], description(Layout.DENSE), settings)
    b = decode([np.ascontiguousarray(dense.transpose(0, 2, 1))], description(Layout.TRANSPOSED), settings)
    np.testing.assert_array_equal(rows_of(a), rows_of(b))
    assert len(a.scores) > 50


@pytest.mark.parametrize('layout', LAYOUTS)
def test_every_class_may_have_a_threshold_of_its_own(layout):
    outputs = answer(BOXES, layout)
    one_each = DecodeSettings(0.99, 0.5, 100, class_confidence=np.float32([0.85, 0.1, 0.75]))
    np.testing.assert_allclose(rows_of(decode(outputs, description(layout), one_each)), BOXES[[0, 4]], atol=1e-4)
    with_filter = DecodeSettings(
        0.99, 0.5, 100, np.array([False, True, True]), class_confidence=np.float32([0.1, 0.5, 0.65])
    )
    np.testing.assert_allclose(rows_of(decode(outputs, description(layout), with_filter)), BOXES[[3]], atol=1e-4)


@pytest.mark.parametrize('layout', [layout for layout in LAYOUTS if layout not in ENDED])
def test_a_class_below_its_threshold_does_not_pass_its_box_on_to_a_runner_up_above_its_own(layout):
    outputs = answer(BOXES[:1], layout)
    if layout is Layout.DENSE:
        outputs[0][0, 4 + 1, 3] = 0.5
    else:
        column = {Layout.TWO_OUTPUTS: 1, Layout.NANODET_PLUS: 1, Layout.YOLOX: 6, Layout.YOLOX_DECODED: 6}.get(
            layout, 5
        )
        outputs[-1][0, place_of(outputs, layout), column] = 0.5
    settings = DecodeSettings(0.25, 0.5, 100, class_confidence=np.float32([0.95, 0.1, 0.1]))
    assert len(decode(outputs, description(layout), settings).scores) == 0


@pytest.mark.parametrize('swapped', [False, True])
@pytest.mark.parametrize('per_class', [None, np.full(NC, 0.25, np.float32)])
def test_logits_are_read_like_scores_in_either_order(swapped, per_class):
    boxes, scores = answer(BOXES, Layout.TWO_OUTPUTS)
    logits = np.log(scores / (1 - scores))
    settings = DecodeSettings(0.25, 0.5, 100, class_confidence=per_class)
    order = {'boxes_index': int(swapped), 'scores_index': int(not swapped), 'logits': True}
    outputs = [logits, boxes] if swapped else [boxes, logits]
    found = decode(outputs, description(Layout.TWO_OUTPUTS, **order), settings)
    np.testing.assert_allclose(rows_of(found), BOXES[[0, 1, 3, 2]], atol=1e-4)


@pytest.mark.parametrize(('confidence', 'count'), [(0.0, 50), (1.0, 0)])
def test_the_ends_of_the_threshold_hold_for_logits_too(confidence, count):
    boxes, _ = answer(BOXES, Layout.TWO_OUTPUTS)
    logits = np.full((1, 50, NC), -100.0, np.float32)
    logits[0, 0] = 1000.0
    found = decode([boxes, logits], description(Layout.TWO_OUTPUTS, logits=True), DecodeSettings(confidence, 0.5, 100))
    assert len(found.scores) == count
    assert np.isfinite(found.scores).all()
