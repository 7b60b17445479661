# SPDX-License-Identifier: Apache-2.0
"""The decoder reads what Ultralytics' own post-processing reads: v8, v10, 11, 26 and RT-DETR, random weights.

`benchmarks/make_ultralytics_cases.py` wrote the numbers, with Ultralytics 8.4.190.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from gremsy_detector.decode.decoder import DecodeSettings, decode
from gremsy_detector.model.model_description import Layout, ResizeMode, describe
from gremsy_detector.model.model_facts import ModelFacts, TensorFacts

DATA = Path(__file__).parent / 'data'
ABOUT = json.loads((DATA / 'ultralytics_cases.json').read_text(encoding='utf-8'))
with np.load(DATA / 'ultralytics_cases.npz', allow_pickle=False) as stored:
    NUMBERS = {name: stored[name] for name in stored.files}
SETTINGS = DecodeSettings(ABOUT['confidence'], ABOUT['iou'], 300)
LAYOUTS = {
    'v8': Layout.DENSE,
    'v8_dynamic': Layout.DENSE,
    'v10': Layout.END_TO_END,
    '11': Layout.DENSE,
    '26_dense': Layout.DENSE,
    '26': Layout.END_TO_END,
    'rtdetr': Layout.TOP_QUERIES,
}
DENSE = [name for name, layout in LAYOUTS.items() if layout is Layout.DENSE]


def described(name):
    """What the exported file said, and what is read from it with its real answer."""
    case = ABOUT['cases'][name]
    tensors = [tuple(TensorFacts(each, tuple(shape), 'float32') for each, shape in case[key]) for key in
               ('inputs', 'outputs')]  # fmt: skip
    facts = ModelFacts(Path(f'{name}.onnx'), *tensors, case['metadata'])
    return describe(facts, [NUMBERS[f'{name}_raw']])


def assert_same_boxes(found, expected):
    rows = np.concatenate([found.boxes_network_px, found.scores[:, None], found.classes[:, None]], axis=1)
    assert rows.shape == expected.shape
    # Ultralytics leaves end-to-end rows in the network's order, and equal scores in either one.
    rows, expected = (each[np.lexsort((each[:, 0], each[:, 5], -each[:, 4].round(4)))] for each in (rows, expected))
    np.testing.assert_allclose(rows[:, :4], expected[:, :4], atol=0.5)
    np.testing.assert_allclose(rows[:, 4], expected[:, 4], atol=0.01)
    np.testing.assert_array_equal(rows[:, 5], expected[:, 5])


def test_there_are_enough_boxes_of_several_classes_to_compare():
    assert set(ABOUT['cases']) == set(LAYOUTS)
    for name in LAYOUTS:
        expected = NUMBERS[f'{name}_expected']
        assert len(expected) >= 10
        assert len(np.unique(expected[:, 5])) >= 2


@pytest.mark.parametrize('name', list(LAYOUTS))
def test_the_layout_is_told_from_the_exported_file(name):
    model = described(name)
    assert model.layout is LAYOUTS[name]
    assert [model.input.width_px, model.input.height_px] == ABOUT['cases'][name]['size_px']
    assert model.input.resize is (ResizeMode.STRETCH if name == 'rtdetr' else ResizeMode.LETTERBOX)
    assert len(model.class_names) == 5


@pytest.mark.parametrize('name', list(LAYOUTS))
def test_the_boxes_are_those_of_ultralytics(name):
    found = decode([NUMBERS[f'{name}_raw']], described(name).output, SETTINGS)
    assert_same_boxes(found, NUMBERS[f'{name}_expected'])


@pytest.mark.parametrize('name', DENSE)
def test_the_transposed_form_gives_the_same(name):
    output = dataclasses.replace(described(name).output, layout=Layout.TRANSPOSED)
    turned = np.ascontiguousarray(NUMBERS[f'{name}_raw'].transpose(0, 2, 1))
    assert_same_boxes(decode([turned], output, SETTINGS), NUMBERS[f'{name}_expected'])


@pytest.mark.parametrize('name', DENSE)
def test_duplicates_were_there_to_be_suppressed(name):
    everything = decode([NUMBERS[f'{name}_raw']], described(name).output, DecodeSettings(SETTINGS.confidence, 1.0, 300))
    assert len(everything.scores) > len(NUMBERS[f'{name}_expected'])
