# SPDX-License-Identifier: Apache-2.0
"""Parameters of a node as ROS sends them <-> Setting."""

from __future__ import annotations

import math
import re
from typing import Any

import yaml
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterDescriptor, ParameterType, ParameterValue
from rclpy.parameter import Parameter, parameter_value_to_python

from gremsy_common.parameters.parameter_declaration import AT_START_WORDS, DEFAULT_WORDS
from gremsy_web.http.response_bodies import LiveSetting
from gremsy_web.robot.robot_commands import SettingValue

_KINDS = {
    ParameterType.PARAMETER_BOOL: 'bool',
    ParameterType.PARAMETER_INTEGER: 'int',
    ParameterType.PARAMETER_DOUBLE: 'float',
    ParameterType.PARAMETER_STRING: 'str',
    ParameterType.PARAMETER_BOOL_ARRAY: 'bool list',
    ParameterType.PARAMETER_INTEGER_ARRAY: 'int list',
    ParameterType.PARAMETER_DOUBLE_ARRAY: 'float list',
    ParameterType.PARAMETER_STRING_ARRAY: 'str list',
}
# A side without limit is declared as infinity, or as the largest integer.
_NO_LIMIT = 2.0**62
# As our nodes describe them (`gremsy_common.parameters.parameter_declaration`); others' descriptions stay as they are.
_UNIT = re.compile(r'(.*\S) \[([^\[\]]+)\]', re.DOTALL)
_CHOICES = 'one of '


def setting_of(descriptor: ParameterDescriptor, value: ParameterValue) -> LiveSetting:
    """One that is not set has the type of its declaration, and no value."""
    is_set = value.type in _KINDS
    ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
    low, high = (ranges[0].from_value, ranges[0].to_value) if ranges else (None, None)
    described = _UNIT.fullmatch(descriptor.description)
    lines = descriptor.additional_constraints.splitlines()

    def after(words: str) -> str | None:
        return next((line.removeprefix(words) for line in lines if line.startswith(words)), None)

    default, choices = after(DEFAULT_WORDS), after(_CHOICES)
    elsewhere = (AT_START_WORDS, DEFAULT_WORDS, _CHOICES)
    return LiveSetting(
        name=descriptor.name,
        type=_KINDS.get(value.type if is_set else descriptor.type, 'str'),
        value=_plain(parameter_value_to_python(value)) if is_set else None,
        description=described[1] if described else descriptor.description,
        constraints='\n'.join(line for line in lines if not line.startswith(elsewhere)),
        read_only=bool(descriptor.read_only) or AT_START_WORDS in lines,
        low=_limit(low),
        high=_limit(high),
        unit=described[2] if described else '',
        choices=choices.split(', ') if choices else [],
        default=None if default is None else _default(default),
    )


def parameter_message(name: str, value: SettingValue) -> ParameterMessage:
    """By the Python type; the node refuses one that its parameter cannot have."""
    # rclpy takes an empty list for one of bytes.
    kind = Parameter.Type.STRING_ARRAY if value == [] else Parameter.Type.from_parameter_value(value)
    return Parameter(name, kind, value).to_parameter_msg()


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return [_plain(each) for each in value]


def _default(text: str) -> SettingValue | None:
    try:
        value: Any = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    return _plain(value) if isinstance(value, (bool, int, float, str, list)) else None


def _limit(value: float | None) -> float | None:
    """None for a side without one."""
    return None if value is None or not abs(value) < _NO_LIMIT else value
