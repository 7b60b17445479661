# SPDX-License-Identifier: Apache-2.0
"""Class names: read as Ultralytics writes them, refused otherwise, looked up with a hint."""

import numpy as np
import pytest

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.model.class_names import class_mask, parse_class_names

NAMES = ('person', 'traffic light', 'Car', 'cart')


def test_names_come_in_the_order_of_their_indices():
    assert parse_class_names("{1: 'car', 0: 'person', 2: \"driver's seat\"}") == ('person', 'car', "driver's seat")


def test_a_list_is_taken_as_well():
    assert parse_class_names("['person', 'car']") == ('person', 'car')


@pytest.mark.parametrize(
    ('text', 'what_is_wrong'),
    [
        ('', 'is not a Python dict or list literal'),
        ("__import__('os').system('true')", 'is not a Python dict or list literal'),
        ('(' * 5000, 'is not a Python dict or list literal'),
        ('{}', 'is not a dict or list with at least one name'),
        ("'person'", 'is not a dict or list with at least one name'),
        ("{'0': 'person'}", 'has an index that is not an integer'),
        ("{True: 'person'}", 'has an index that is not an integer'),
        ("{0: 'person', 2: 'car'}", 'has 2 names whose indices do not run from 0 to 1'),
        ("{0: 'person', 1: 7}", 'has a name that is not a text'),
        ("{0: ' '}", 'has a name that is not a text'),
        ('[' + '0,' * 40000 + ']', 'is 80002 characters long'),
    ],
)
def test_anything_but_a_complete_list_of_names_is_refused(text, what_is_wrong):
    with pytest.raises(ValueError, match=r'is|has') as refused:
        parse_class_names(text)
    assert str(refused.value) == what_is_wrong


def test_no_wanted_class_means_every_class():
    assert class_mask((), NAMES, 'm.onnx') is None


def test_the_mask_marks_the_wanted_classes():
    np.testing.assert_array_equal(class_mask(('Car', 'person'), NAMES, 'm.onnx'), [True, False, True, False])


def test_an_unknown_class_is_named_with_its_nearest_neighbours():
    with pytest.raises(ParameterError) as refused:
        class_mask(('person', 'car'), NAMES, 'm.onnx')
    assert str(refused.value) == (
        "Parameter `classes` has 'car', which is not a class of m.onnx: did you mean 'Car' or 'cart'? "
        '`ros2 run gremsy_model_tools model_info` lists its 4 classes.'
    )


def test_an_unknown_class_that_resembles_nothing_says_so():
    with pytest.raises(ParameterError) as refused:
        class_mask(('zzz',), NAMES, 'm.onnx')
    assert str(refused.value) == (
        "Parameter `classes` has 'zzz', which is not a class of m.onnx: "
        '`ros2 run gremsy_model_tools model_info` lists its 4 classes.'
    )
