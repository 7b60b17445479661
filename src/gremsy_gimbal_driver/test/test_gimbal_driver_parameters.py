# SPDX-License-Identifier: Apache-2.0
"""Parameters: every combination that contradicts itself is refused in one sentence; what is derived of them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gremsy_common.parameters.parameter_fields import ParameterError, from_values
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.motion.plant_inverse import MeasuredPlant


@pytest.mark.parametrize(
    ('values', 'sentence'),
    [
        ({'azimuth_sign': 0}, 'Parameter `azimuth_sign` is 0: use 1 or -1.'),
        ({'v1_yaw_sign': 0}, 'Parameter `v1_yaw_sign` is 0: use 1 or -1.'),
        ({'protocol': 'v3'}, "Parameter `protocol` is 'v3': use one of auto, v2, v1."),
        (
            {'gimbal_component_id': 154},
            'Parameters `gimbal_system_id` (0) and `gimbal_component_id` (154) belong together: '
            'give both, or 0 for both to learn them.',
        ),
        (
            {'gimbal_system_id': 1, 'gimbal_component_id': 100},
            'Parameter `gimbal_component_id` is 100, which is no gimbal: use 154, 171 to 175, or 0 to learn it.',
        ),
        (
            {'rate_gain_zooms': [1.0, 2.0], 'rate_gains': [1.0]},
            'Parameter `rate_gains` has 1 values and `rate_gain_zooms` 2: give one gain for each zoom.',
        ),
        (
            {'rate_gain_zooms': [2.0, 1.0], 'rate_gains': [1.0, 1.0]},
            'Parameter `rate_gain_zooms` does not ascend: sort it, with its `rate_gains`.',
        ),
        (
            {'mode': 'free'},
            "Parameter `mode` is 'free': use one of follow, lock, mapping.",
        ),
        (
            {'imu_axes': ['forward', 'left']},
            "Parameter `imu_axes` is ['forward', 'left']: use three of forward, back, left, right, up, down.",
        ),
        (
            {'imu_axes': ['forward', 'right', 'up']},
            "Parameter `imu_axes` is ['forward', 'right', 'up']: no sensor has such axes: use three at right angles, "
            'of which z is up where x is forward and y left.',
        ),
        (
            {'encoder_zeros': [0.0]},
            'Parameter `encoder_zeros` has 1 values: give yaw, roll, pitch.',
        ),
        (
            {'encoder_signs': [1.0, 0.5, 1.0]},
            'Parameter `encoder_signs` is [1.0, 0.5, 1.0]: use 1 or -1 for each of yaw, roll, pitch.',
        ),
        (
            {'calibration_zooms': [4.0, 1.0]},
            'Parameter `calibration_zooms` does not ascend: sort it.',
        ),
        (
            {'time_to_live_s': 0.0},
            'Parameter `time_to_live_s` is 0, out of its range: use 0.05 .. 2 s.',
        ),
    ],
)
def test_a_contradiction_is_refused_in_one_sentence(values, sentence):
    with pytest.raises(ParameterError) as refused:
        from_values(GimbalDriverParameters, values)
    assert str(refused.value) == sentence


def test_parameters_reach_the_core():
    values = {'gimbal_system_id': 4, 'gimbal_component_id': 171, 'rate_gain_zooms': [1.0, 4.0], 'rate_gains': [1, 0.25]}
    parameters = replace(from_values(GimbalDriverParameters, values), frame_prefix='robot/')
    assert parameters.pinned_gimbal == Sender(4, 171)
    assert parameters.level_frame == 'robot/gimbal_level'
    assert parameters.rate_gain(2.0) == pytest.approx(0.5)


@pytest.mark.parametrize('zoom', [math.nan, -1.0, 0.0, 0.5])
def test_a_zoom_that_no_lens_has_counts_as_the_widest(zoom):
    assert MeasuredPlant(rate_gain_zooms=(1.0, 4.0), rate_gains=(0.9, 0.25)).rate_gain(zoom) == pytest.approx(0.9)
