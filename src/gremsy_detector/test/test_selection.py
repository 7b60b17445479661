# SPDX-License-Identifier: Apache-2.0
"""Thresholds of classes of their own, and what the node's parameters make of them together."""

import numpy as np
import pytest

from gremsy_common.parameters.parameter_fields import ParameterError, from_values
from gremsy_detector.detector_parameters import DetectorParameters
from gremsy_detector.image.region_of_interest import Region
from gremsy_detector.image.tiling import Tiling
from gremsy_detector.selection import Selection, parse_class_confidence

NAMES = ('person', 'car', 'traffic light')


def test_a_class_without_a_threshold_of_its_own_has_the_common_one():
    selection = Selection(confidence=0.3, class_confidence=(('car', 0.6),))
    np.testing.assert_allclose(selection.thresholds(NAMES, 'm.onnx'), [0.3, 0.6, 0.3], atol=1e-6)
    assert Selection().thresholds(NAMES, 'm.onnx') is None


def test_the_least_threshold_is_that_of_the_classes_that_are_wanted():
    selection = Selection(confidence=0.3, class_confidence=(('car', 0.6), ('person', 0.1)))
    assert selection.least_confidence(NAMES, 'm.onnx') == pytest.approx(0.1)
    assert Selection(confidence=0.3).least_confidence(NAMES, 'm.onnx') == 0.3
    only_cars = Selection(confidence=0.3, classes=('car',), class_confidence=(('car', 0.6),))
    assert only_cars.least_confidence(NAMES, 'm.onnx') == pytest.approx(0.6)


def test_an_unknown_class_is_named_with_its_neighbours():
    with pytest.raises(ParameterError) as refused:
        Selection(class_confidence=(('persom', 0.4),)).check(NAMES, 'm.onnx')
    assert str(refused.value) == (
        "Parameter `class_confidence` has 'persom', which is not a class of m.onnx: did you mean 'person'? "
        '`ros2 run gremsy_model_tools model_info` lists its 3 classes.'
    )


def test_texts_become_thresholds():
    assert parse_class_confidence(['person:0.4', ' traffic light : 1', 'a:b:0']) == (
        ('person', 0.4),
        ('traffic light', 1.0),
        ('a:b', 0.0),
    )


@pytest.mark.parametrize(
    ('texts', 'sentence'),
    [
        (
            ['person'],
            "Parameter `class_confidence` has 'person': write it as name:threshold, person:0.4.",
        ),
        ([':0.4'], "Parameter `class_confidence` has ':0.4': write it as name:threshold, person:0.4."),
        (
            ['person:high'],
            "Parameter `class_confidence` has 'person:high', where 'high' is no number: write it as person:0.4.",
        ),
        (
            ['person:40'],
            "Parameter `class_confidence` has 'person:40', out of its range: use a threshold of 0 .. 1.",
        ),
        (
            ['person:nan'],
            "Parameter `class_confidence` has 'person:nan', out of its range: use a threshold of 0 .. 1.",
        ),
        (
            ['person:0.4', 'person:0.5'],
            "Parameter `class_confidence` has 'person' twice: give each class one threshold.",
        ),
    ],
)
def test_another_text_is_refused(texts, sentence):
    with pytest.raises(ParameterError) as refused:
        parse_class_confidence(texts)
    assert str(refused.value) == sentence


def test_the_parameters_make_one_selection():
    made = from_values(
        DetectorParameters,
        {
            'confidence': 0.2,
            'class_confidence': ('car:0.6',),
            'classes': ('person', 'car'),
            'region_of_interest': (0.0, 0.25, 1.0, 1.0),
            'tiles': (3, 2),
            'tile_overlap': 0.1,
            'tiles_and_whole': False,
        },
    ).selection
    assert made == Selection(
        confidence=0.2,
        iou=0.5,
        max_detections=100,
        classes=('person', 'car'),
        class_confidence=(('car', 0.6),),
        region=Region(0.0, 0.25, 1.0, 1.0),
        tiling=Tiling(3, 2, 0.1, whole_too=False),
    )


@pytest.mark.parametrize(
    ('values', 'name'),
    [
        ({'region_of_interest': (0.5, 0.0, 0.4, 1.0)}, 'region_of_interest'),
        ({'region_of_interest': (0.0, 0.0, 1.0, 1.5)}, 'region_of_interest'),
        ({'region_of_interest': (0.0, 0.0, 1.0)}, 'region_of_interest'),
        ({'tiles': (0, 1)}, 'tiles'),
        ({'tiles': (16, 16)}, 'tiles'),
        ({'tiles': (2.5, 1)}, 'tiles'),
        ({'tile_overlap': 0.9}, 'tile_overlap'),
        ({'class_confidence': ('person',)}, 'class_confidence'),
        ({'precision': 'fp8'}, 'precision'),
        ({'resize': 'crop'}, 'resize'),
        ({'provider': 'tpu'}, 'provider'),
        ({'warm_up_runs': 0}, 'warm_up_runs'),
        ({'failures_before_restart': 0}, 'failures_before_restart'),
        ({'device': -1}, 'device'),
    ],
)
def test_a_wrong_value_is_refused_by_its_name_before_anything_is_loaded(values, name):
    with pytest.raises(ParameterError, match=f'^Parameter `{name}` '):
        from_values(DetectorParameters, values)


def test_an_empty_engine_folder_is_the_back_ends_own_choice_and_a_tilde_the_home_folder(monkeypatch):
    monkeypatch.setenv('HOME', '/home/someone')
    assert DetectorParameters().options.engine_dir is None
    assert str(DetectorParameters(engine_dir='~/engines').options.engine_dir) == '/home/someone/engines'
