# SPDX-License-Identifier: Apache-2.0
"""A node's parameter dataclass, declared to ROS: type, description, range, read-only or live."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar, get_args, get_origin

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, ParameterType
from rclpy.node import Node
from rclpy.parameter import Parameter

from gremsy_common.parameters.parameter_docs import yaml_value
from gremsy_common.parameters.parameter_fields import ParameterError, ParameterSpec, coerce, from_values, specs_of

P = TypeVar('P')

DEFAULT_WORDS = 'default: '
AT_START_WORDS = 'set at start only'
AT_REST_ONLY = 'Parameter `{}` cannot change while the node runs: set it in the parameter file and restart.'
# As ParameterType calls them.
_TYPE_NAMES = {bool: 'BOOL', int: 'INTEGER', float: 'DOUBLE', str: 'STRING'}


def declare(node: Node, parameters: type[P]) -> P:
    """Declare every parameter of the dataclass and return it filled with the overrides given at start.

    Raises:
        ParameterError: for the first override of a wrong type, out of range, or in a forbidden combination.
    """
    return from_values(parameters, {spec.name: _declare_one(node, spec) for spec in specs_of(parameters)})


def with_changes(current: P, changes: Sequence[Parameter], *, running: bool = True) -> P:
    """The dataclass with parameters changed, all checked together; of a running node live ones alone.

    Raises:
        ParameterError: for a value that is wrong, or a parameter that cannot change while the node runs.
    """
    specs = {spec.name: spec for spec in specs_of(type(current))}
    values = {name: getattr(current, name) for name in specs}
    for change in changes:
        spec = specs.get(change.name)
        if spec is None:
            continue  # use_sim_time and the like belong to rclpy
        value = coerce(spec, _plain(change.value))
        if running and not spec.meta.live and value != values[change.name]:
            raise ParameterError(AT_REST_ONLY.format(change.name))
        values[change.name] = value
    return from_values(type(current), values)


def to_set(changes: Sequence[Parameter], changed: object) -> list[Parameter]:
    """What rclpy is to set, in the declared types: an empty list has no type of its own, and `2` is not `2.0`.

    Args:
        changes: as they came.
        changed: the dataclass with them.
    """
    specs = {spec.name: spec for spec in specs_of(type(changed))}
    return [
        _typed(specs[change.name], getattr(changed, change.name)) if change.name in specs else change
        for change in changes
    ]


def descriptor(spec: ParameterSpec) -> ParameterDescriptor:
    """What `ros2 param describe` shows; ROS has no field for the default, nor for a range of words."""
    meta = spec.meta
    lines = (meta.range_text, f'{DEFAULT_WORDS}{yaml_value(spec.default)}', '' if meta.live else AT_START_WORDS)
    is_array = get_origin(spec.type) is tuple
    element = get_args(spec.type)[0] if is_array else spec.type
    text = f'{meta.doc} [{meta.unit}]' if meta.unit else meta.doc
    message = ParameterDescriptor(
        name=spec.name,
        type=getattr(ParameterType, f'PARAMETER_{_TYPE_NAMES[element]}{"_ARRAY" if is_array else ""}'),
        description=text,
        additional_constraints='\n'.join(line for line in lines if line),
    )
    if (meta.low is not None or meta.high is not None) and not is_array:
        least, most = (-math.inf, math.inf) if element is float else (-(2**63), 2**63 - 1)
        low, high = (least if meta.low is None else meta.low), (most if meta.high is None else meta.high)
        if element is float:
            message.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
        else:
            message.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return message


def _declare_one(node: Node, spec: ParameterSpec) -> Any:
    # First without a type, to get at whatever the user wrote: rclpy's own refusals do not say what is allowed, and it
    # refuses `2` for `2.0`. Then for good, with the checked value.
    default = list(spec.default) if isinstance(spec.default, tuple) else spec.default
    given = node.declare_parameter(spec.name, default, ParameterDescriptor(dynamic_typing=True)).value
    node.undeclare_parameter(spec.name)
    if given is None and isinstance(spec.default, tuple):
        given = ()  # what rcl makes of `[]` in a parameter file
    value = coerce(spec, _plain(given))
    setting = _typed(spec, value)
    if value == ():
        # An empty list has no type of its own for rclpy.
        node.declare_parameter(spec.name, setting.type_, descriptor(spec), True)
        node.set_parameters([setting])
    else:
        node.declare_parameter(spec.name, setting.value, descriptor(spec), True)
    return value


def _typed(spec: ParameterSpec, value: Any) -> Parameter:
    kind = Parameter.Type(descriptor(spec).type)
    return Parameter(spec.name, kind, list(value) if isinstance(value, tuple) else value)


def _plain(value: Any) -> Any:
    """Arrays, which rclpy gives as list or array.array, as the tuples that the dataclasses hold."""
    if isinstance(value, str | bytes) or not hasattr(value, '__iter__'):
        return value
    return tuple(value)
