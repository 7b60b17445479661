# SPDX-License-Identifier: Apache-2.0
"""What a node's descriptors say of its parameters, as the page's settings are made of it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

pytest.importorskip('rcl_interfaces', reason='the workspace is not built: run ./gremsy setup')

from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor, ParameterType, ParameterValue

from gremsy_common.parameters.parameter_declaration import descriptor
from gremsy_common.parameters.parameter_fields import Span, live_param, param, specs_of
from gremsy_web.ros.setting_messages import parameter_message, setting_of


@dataclass(frozen=True)
class Example:
    gain: float = live_param(1.5, 'Proportional gain [per second].', Span(0.0, unit='1/s'))
    mode: str = live_param('follow', 'Which.', choices=('follow', 'lock'))
    names: tuple[str, ...] = param((), 'Names.')
    tiny: float = param(1e-7, 'Little.')
    on: bool = param(False, 'Whether.')


def settings(**values):
    told = {}
    for spec in specs_of(Example):
        value = values.get(spec.name, spec.default)
        message = parameter_message(spec.name, list(value) if value == () else value)
        told[spec.name] = setting_of(descriptor(spec), message.value)
    return told


def test_a_setting_has_all_that_its_declaration_says():
    told = settings(gain=2.0)
    gain = told['gain']
    assert (gain.description, gain.unit) == ('Proportional gain [per second].', '1/s')
    assert (gain.value, gain.default, gain.low, gain.high, gain.constraints) == (2.0, 1.5, 0.0, None, '0 or more')
    assert not gain.read_only
    assert (told['mode'].choices, told['mode'].default, told['mode'].constraints) == (['follow', 'lock'], 'follow', '')
    assert told['names'].read_only and told['names'].default == [] and told['names'].type == 'str list'
    assert told['tiny'].default == 1e-7
    assert told['on'].default is False


def test_what_other_nodes_say_stays_as_it_is():
    described = ParameterDescriptor(
        name='period',
        type=ParameterType.PARAMETER_DOUBLE,
        description='How often',
        additional_constraints='a prime number\nand odd',
        read_only=True,
        floating_point_range=[FloatingPointRange(from_value=1.0, to_value=9.0)],
    )
    told = setting_of(described, ParameterValue(type=ParameterType.PARAMETER_NOT_SET))
    assert (told.name, told.type, told.value, told.default) == ('period', 'float', None, None)
    assert (told.description, told.unit, told.constraints) == ('How often', '', 'a prime number\nand odd')
    assert (told.read_only, told.low, told.high, told.choices) == (True, 1.0, 9.0, [])
