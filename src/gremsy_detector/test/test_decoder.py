# SPDX-License-Identifier: Apache-2.0
"""The same boxes come out of every layout; thresholds, filters and broken numbers are handled the same way."""

import numpy as np
import pytest

from gremsy_detector.decoder import DecodeSettings, decode
from gremsy_detector.model_description import Layout

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
WITH_SUPPRESSION = [Layout.DENSE, Layout.TRANSPOSED]


def tensor(rows, layout, anchors=50):
    """An output of that layout that holds the rows among anchors that see nothing."""
    rows = np.asarray(rows, dtype=np.float32).reshape(-1, 6)
    if layout is Layout.END_TO_END:
        return np.concatenate([rows, np.zeros((anchors - len(rows), 6), np.float32)])[None]
    dense = np.full((4 + NC, anchors), 0.01, dtype=np.float32)
    for column, row in zip(range(3, anchors, 7), rows, strict=False):
        dense[:4, column] = [(row[0] + row[2]) / 2, (row[1] + row[3]) / 2, row[2] - row[0], row[3] - row[1]]
        dense[4 + int(row[5]), column] = row[4]
    return dense[None] if layout is Layout.DENSE else np.ascontiguousarray(dense.T)[None]


def rows_of(found):
    return np.concatenate([found.boxes_network_px, found.scores[:, None], found.classes[:, None]], axis=1)


@pytest.mark.parametrize('layout', WITH_SUPPRESSION)
def test_boxes_come_out_sub_pixel_best_first_and_without_duplicates(layout):
    found = decode(tensor(BOXES, layout), layout, NC, ALL)
    np.testing.assert_allclose(rows_of(found), BOXES[[0, 3, 2]], atol=1e-4)


def test_an_end_to_end_output_is_taken_as_it_is():
    found = decode(tensor(BOXES[::-1], Layout.END_TO_END), Layout.END_TO_END, NC, ALL)
    np.testing.assert_allclose(rows_of(found), BOXES[[0, 1, 3, 2]])


@pytest.mark.parametrize('layout', LAYOUTS)
def test_only_wanted_classes_are_reported(layout):
    wanted = DecodeSettings(0.1, 0.5, 100, np.array([False, True, True]))
    found = decode(tensor(BOXES, layout), layout, NC, wanted)
    np.testing.assert_allclose(rows_of(found), BOXES[[3, 4]], atol=1e-4)


@pytest.mark.parametrize('layout', WITH_SUPPRESSION)
def test_an_unwanted_class_does_not_pass_its_box_on_to_the_runner_up(layout):
    output = tensor(BOXES[:1], Layout.DENSE)
    output[0, 4 + 1] = output[0, 4] * 0.9  # every anchor: nearly as much a 1 as a 0
    output = output if layout is Layout.DENSE else output.transpose(0, 2, 1)
    wanted = DecodeSettings(0.25, 0.5, 100, np.array([False, True, False]))
    assert len(decode(output, layout, NC, wanted).scores) == 0


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize(('score', 'count'), [(0.2500, 0), (0.2501, 1)], ids=['just_at', 'just_above'])
def test_a_box_must_score_more_than_the_threshold(layout, score, count):
    row = BOXES[0].copy()
    row[4] = score
    assert len(decode(tensor(row, layout), layout, NC, ALL).scores) == count


@pytest.mark.parametrize('layout', LAYOUTS)
def test_the_best_boxes_stay_when_the_count_is_limited(layout):
    found = decode(tensor(BOXES, layout), layout, NC, DecodeSettings(0.1, 1.0, 2))
    np.testing.assert_allclose(found.scores, [0.9, 0.8])


@pytest.mark.parametrize('layout', LAYOUTS)
def test_an_empty_scene_gives_no_boxes(layout):
    found = decode(tensor([], layout), layout, NC, ALL)
    assert rows_of(found).shape == (0, 6)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('number', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('place', [0, 2, 4])
def test_a_box_with_a_broken_number_is_left_out_and_the_others_stay(layout, number, place):
    rows = np.stack([BOXES[2], BOXES[0]])
    output = tensor(rows, layout)
    if layout is Layout.DENSE:
        output[0, place, 3] = number
    else:
        output[0, 3 if layout is Layout.TRANSPOSED else 0, place] = number
    found = decode(output, layout, NC, ALL)
    if number == np.inf and place == 4 and layout is Layout.END_TO_END:
        assert found.scores.tolist() == [1.0, np.float32(0.9)]  # a certain box is still a box
    else:
        np.testing.assert_allclose(rows_of(found), BOXES[[0]], atol=1e-4)


@pytest.mark.parametrize('number', [-1, NC, 1e30, np.nan])
def test_an_end_to_end_box_of_an_unknown_class_is_left_out(number):
    row = BOXES[0].copy()
    row[5] = number
    assert len(decode(tensor(row, Layout.END_TO_END), Layout.END_TO_END, NC, ALL).scores) == 0


@pytest.mark.parametrize('layout', LAYOUTS)
def test_a_float16_output_is_read_too(layout):
    found = decode(tensor(BOXES[2:3], layout).astype(np.float16), layout, NC, ALL)
    np.testing.assert_allclose(rows_of(found), BOXES[[2]], rtol=1e-3)


def test_the_dense_and_the_transposed_form_of_a_random_output_agree():
    rng = np.random.default_rng(3)
    dense = rng.random((1, 4 + NC, 2000), dtype=np.float32)
    dense[:, :4] *= 100
    settings = DecodeSettings(0.9, 0.3, 500)
    a = decode(dense, Layout.DENSE, NC, settings)
    b = decode(np.ascontiguousarray(dense.transpose(0, 2, 1)), Layout.TRANSPOSED, NC, settings)
    np.testing.assert_array_equal(rows_of(a), rows_of(b))
    assert len(a.scores) > 50
