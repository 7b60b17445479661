# SPDX-License-Identifier: Apache-2.0
"""Parameters of a node as ROS sends them <-> Setting."""

from __future__ import annotations

import math
import re
from typing import Any

import yaml
from rcl_interfaces.msg import ParameterDescriptor, ParameterType, ParameterValue

from gremsy_common.parameters.parameter_declaration import AT_START_WORDS, DEFAULT_WORDS
from gremsy_web.robot.robot_commands import LiveSetting, SettingValue

# Type, what it is called here, the field of ParameterValue.
_KINDS = {
    ParameterType.PARAMETER_BOOL: ('bool', 'bool_value'),
    ParameterType.PARAMETER_INTEGER: ('int', 'integer_value'),
    ParameterType.PARAMETER_DOUBLE: ('float', 'double_value'),
    ParameterType.PARAMETER_STRING: ('str', 'string_value'),
    ParameterType.PARAMETER_BOOL_ARRAY: ('bool list', 'bool_array_value'),
    ParameterType.PARAMETER_INTEGER_ARRAY: ('int list', 'integer_array_value'),
    ParameterType.PARAMETER_DOUBLE_ARRAY: ('float list', 'double_array_value'),
    ParameterType.PARAMETER_STRING_ARRAY: ('str list', 'string_array_value'),
}


# A side without limit is declared as infinity, or as the largest integer.
_NO_LIMIT = 2.0**62
# As our nodes describe them (`gremsy_common.parameters.parameter_declaration`); others' descriptions stay as they are.
_UNIT = re.compile(r'(.*\S) \[([^\[\]]+)\]', re.DOTALL)
_CHOICES = 'one of '


def setting_of(descriptor: ParameterDescriptor, value: ParameterValue) -> LiveSetting:
    """One that is not set has the type of its declaration, and no value."""
    given = value.type if value.type in _KINDS else descriptor.type
    kind, field = _KINDS.get(given, ('str', 'string_value'))
    ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
    low, high = (ranges[0].from_value, ranges[0].to_value) if ranges else (None, None)
    described = _UNIT.fullmatch(descriptor.description)
    lines = descriptor.additional_constraints.splitlines()
    default = next((line.removeprefix(DEFAULT_WORDS) for line in lines if line.startswith(DEFAULT_WORDS)), None)
    choices = next((line.removeprefix(_CHOICES).split(', ') for line in lines if line.startswith(_CHOICES)), ())
    elsewhere = (AT_START_WORDS, DEFAULT_WORDS, _CHOICES)
    return LiveSetting(
        descriptor.name,
        kind,
        _plain(getattr(value, field)) if value.type in _KINDS else None,
        described[1] if described else descriptor.description,
        '\n'.join(line for line in lines if not line.startswith(elsewhere)),
        bool(descriptor.read_only) or AT_START_WORDS in lines,
        _limit(low),
        _limit(high),
        described[2] if described else '',
        tuple(choices),
        None if default is None else _default(default),
    )


def value_message(value: SettingValue) -> ParameterValue:
    """By the Python type; the node refuses one that its parameter cannot have."""
    of = value[0] if isinstance(value, list) and value else value
    if isinstance(of, bool):
        name = 'bool'
    elif isinstance(of, int):
        name = 'int'
    elif isinstance(of, float):
        name = 'float'
    else:
        name = 'str'
    if isinstance(value, list):
        name = f'{name if value else "str"} list'
    kind, field = next((kind, each[1]) for kind, each in _KINDS.items() if each[0] == name)
    message = ParameterValue(type=kind)
    setattr(message, field, value)
    return message


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
