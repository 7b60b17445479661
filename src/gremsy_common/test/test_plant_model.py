# SPDX-License-Identifier: Apache-2.0
"""The plant model goes over the topic unchanged, and nonsense is refused with a sentence."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_common.types.plant_model import SOURCES, PlantModel

GOOD = {'delay_s': 0.15, 'lag_s': 0.1, 'dead_zone_rad_s': 0.035, 'source': 'calibrated'}


@given(st.floats(0.0, 2.0), st.floats(0.0, 2.0), st.floats(0.0, 0.5), st.sampled_from(SOURCES))
def test_the_round_trip_is_exact(delay_s: float, lag_s: float, dead_zone_rad_s: float, source: str) -> None:
    model = PlantModel(delay_s, lag_s, dead_zone_rad_s, source)
    assert PlantModel.from_json(model.to_json()) == model


def test_the_topic_has_exactly_the_four_fields_of_the_contract() -> None:
    assert json.loads(PlantModel(0.15, 0.1, 0.035, 'calibrated').to_json()) == GOOD


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        ({'delay_s': 150.0}, 'Plant model `delay_s` is 150, out of its range: use 0 .. 2 s.'),
        ({'lag_s': -0.1}, 'Plant model `lag_s` is -0.1, out of its range: use 0 .. 2 s.'),
        ({'lag_s': math.nan}, 'Plant model `lag_s` is nan, out of its range: use 0 .. 2 s.'),
        ({'dead_zone_rad_s': 2.0}, 'Plant model `dead_zone_rad_s` is 2, out of its range: use 0 .. 0.5 rad/s.'),
        ({'delay_s': '0.1'}, "Plant model `delay_s` is '0.1': use a number."),
        ({'delay_s': True}, 'Plant model `delay_s` is True: use a number.'),
        ({'delay_s': None}, 'Plant model `delay_s` is None: use a number.'),
        (
            {'source': 'guessed'},
            "Plant model `source` is 'guessed': use one of default, parameters, calibrated.",
        ),
        (
            {'source': ['default']},
            "Plant model `source` is ['default']: use a text.",
        ),
        (
            {'gain': 1.0},
            'The plant model must have the fields delay_s, lag_s, dead_zone_rad_s, source, but has dead_zone_rad_s, '
            'delay_s, gain, lag_s, source: run the driver and the tracker from the same version of the suite.',
        ),
    ],
)
def test_nonsense_is_refused_with_a_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ParameterError) as caught:
        PlantModel.from_json(json.dumps(GOOD | change))
    assert str(caught.value) == sentence


@pytest.mark.parametrize('name', list(GOOD))
def test_a_missing_field_is_refused(name: str) -> None:
    text = json.dumps({key: value for key, value in GOOD.items() if key != name})
    with pytest.raises(ParameterError, match='must have the fields'):
        PlantModel.from_json(text)


@pytest.mark.parametrize(('text', 'has'), [('[]', 'list'), ('3', 'int'), ('null', 'NoneType'), ('{}', 'none')])
def test_another_kind_of_json_is_refused(text: str, has: str) -> None:
    with pytest.raises(ParameterError, match=f'but has {has}: run the driver'):
        PlantModel.from_json(text)


@given(st.text())
@example('[' * 100_000)
@example('NaN')
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match=r'^The plant model '):
        PlantModel.from_json(text)
