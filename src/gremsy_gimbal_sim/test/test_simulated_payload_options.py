# SPDX-License-Identifier: Apache-2.0
"""Options of the simulated payload: each has one name, a reason, a range and a sentence for what it cannot be."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest

from gremsy_common.parameters.parameter_fields import ParameterError, specs_of
from gremsy_common.parameters.parameter_texts import with_texts
from gremsy_gimbal_sim.options.options import OPTION_GROUPS, PRESETS, PayloadOptions, option_lines
from gremsy_gimbal_sim.plant.plant import IDEAL


def test_every_option_is_in_exactly_one_group_and_says_what_it_is():
    names = [field.name for group in OPTION_GROUPS for field in dataclasses.fields(group)]
    assert len(names) == len(set(names))
    assert set(names) == {field.name for field in dataclasses.fields(PayloadOptions)}
    assert all(spec.meta.doc for group in OPTION_GROUPS for spec in specs_of(group))


def test_the_list_names_every_option_with_its_default():
    lines = option_lines(PayloadOptions(), OPTION_GROUPS)
    names = [line.strip().partition('=')[0].partition(':')[0] for line in lines if line.startswith('  ')]
    assert names == [field.name for group in OPTION_GROUPS for field in dataclasses.fields(group)]
    assert '  lost_byte_share=0.0  share of bytes that are lost [0 .. 1]' in lines
    assert '  soft_tilt_limits_deg=-90,120  RC_LIM_*_TILT: up -, down + [deg]' in lines


@pytest.mark.parametrize(
    ('texts', 'changes'),
    [
        ({'lost_byte_share': '0.1'}, {'lost_byte_share': 0.1}),
        ({'gimbal_component': '0xAC'}, {'gimbal_component': 172}),
        ({'yaw_frame_flags': 'true', 'has_payload': 'no'}, {'yaw_frame_flags': True, 'has_payload': False}),
        ({'protocol': 'v1'}, {'protocol': 'v1'}),
        ({'firmware': '7,8,4'}, {'firmware': (7, 8, 4)}),
        ({'soft_pan_limits_deg': '-90,90'}, {'soft_pan_limits_deg': (-90.0, 90.0)}),
        ({'plant.delay_s': '0.3'}, {'plant': replace(IDEAL, delay_s=0.3)}),
        (
            {'plant.rate_gain_by_zoom': '1:1.04,3.12:0.148', 'plant.lag_s': '0.2'},
            {'plant': replace(IDEAL, rate_gain_by_zoom=((1.0, 1.04), (3.12, 0.148)), lag_s=0.2)},
        ),
    ],
)
def test_texts_become_values_of_their_type(texts, changes):
    assert with_texts(PRESETS['ideal'], texts) == replace(PayloadOptions(), **changes)


@pytest.mark.parametrize(
    ('name', 'text', 'sentence'),
    [
        ('lost_byte_shar', '1', 'There is no payload option `lost_byte_shar`: did you mean `lost_byte_share`?'),
        ('xyz', '1', 'There is no payload option `xyz`: --list-options names them all.'),
        ('system.id', '1', 'There is no payload option `system.id`: did you mean `system`?'),
        ('plant.delay', '1', 'There is no payload option `plant.delay`: did you mean `plant.delay_s`?'),
        ('lost_byte_share', 'a', "Payload option `lost_byte_share` is 'a': use a number."),
        ('system', '1.5', "Payload option `system` is '1.5': use a whole number."),
        ('has_payload', 'maybe', "Payload option `has_payload` is 'maybe': use true or false."),
        ('firmware', '7,9', "Payload option `firmware` is '7,9': use 3 numbers with commas between."),
        ('plant', 'x', "Payload option `plant` is 'x': use its fields one by one, as plant.delay_s."),
        ('lost_byte_share', 'nan', 'Payload option `lost_byte_share` is nan, out of its range: use 0 .. 1.'),
        ('rest_tilt_rad', 'inf', 'Payload option `rest_tilt_rad` is inf, out of its range: use a finite number rad.'),
        ('protocol', 'v3', "Payload option `protocol` is 'v3': use one of both, v1."),
        ('boot_ms', '4294967296', 'Payload option `boot_ms` is 4294967296, out of its range: use 0 .. 4294967295 ms.'),
        (
            'paced_bytes_per_s',
            '-1',
            'Payload option `paced_bytes_per_s` is -1, out of its range: use 0 .. 10000000 B/s.',
        ),
        (
            'soft_pan_limits_deg',
            '-90,,90',
            "Payload option `soft_pan_limits_deg` is '-90,,90': use 2 numbers with commas between.",
        ),
        ('firmware', '7,9,300', 'Payload option `firmware` is 300, out of its range: use 0 .. 255.'),
        ('track_lost_after_s', '-1', 'Payload option `track_lost_after_s` is -1, out of its range: use 0 or more s.'),
        ('plant.lag_s', '0', 'Payload option `plant.lag_s` is 0, out of its range: use 0.001 .. 10 s.'),
        (
            'plant.rate_gain_by_zoom',
            '1:2:3',
            "Payload option `plant.rate_gain_by_zoom` is '1:2:3': use pairs like 1:1.04,3.12:0.148.",
        ),
    ],
)
def test_what_an_option_cannot_be_is_one_sentence(name, text, sentence):
    with pytest.raises(ParameterError) as refused:
        with_texts(PayloadOptions(), {name: text})
    assert str(refused.value) == sentence
