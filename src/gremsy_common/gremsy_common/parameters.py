# SPDX-License-Identifier: Apache-2.0
"""Parameters declared once, in one frozen dataclass per node.

A field made with `param` carries its description, unit and range; the ROS declaration (`parameter_declaration`), the
YAML template and the README table (`parameter_docs`) all come from it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from gremsy_common.errors import SuiteError

P = TypeVar('P')
_KEY = 'gremsy.parameter'


class ParameterError(SuiteError, ValueError):
    """A parameter has a value that it may not have; the text names the parameter and the way out."""


@dataclass(frozen=True, slots=True)
class ParameterMeta:
    """What is said about one parameter beside its name, type and default."""

    doc: str
    unit: str = ''
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False

    @property
    def range_text(self) -> str:
        """`0.0 .. 1.0`, `one of a, b`, or empty."""
        if self.choices:
            return 'one of ' + ', '.join(self.choices)
        if self.low is None and self.high is None:
            return ''
        if self.high is None:
            return f'{self.low:g} or more'
        if self.low is None:
            return f'{self.high:g} or less'
        return f'{self.low:g} .. {self.high:g}'


def param(
    default: Any,
    *,
    doc: str,
    unit: str = '',
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    live: bool = False,
) -> Any:
    """A dataclass field that is a node parameter; `live` ones may be changed while the node runs."""
    meta = ParameterMeta(doc, unit, low, high, choices, live)
    return dataclasses.field(default=default, metadata={_KEY: meta})


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One parameter; `type` is bool, int, float, str, tuple[str, ...] or tuple[float, ...]."""

    name: str
    type: Any
    default: Any
    meta: ParameterMeta


def specs_of(parameters: type[Any]) -> tuple[ParameterSpec, ...]:
    """The parameters a frozen dataclass declares, in order."""
    hints = get_type_hints(parameters)
    return tuple(
        ParameterSpec(field.name, hints[field.name], field.default, field.metadata[_KEY])
        for field in dataclasses.fields(parameters)
    )


def coerce(spec: ParameterSpec, value: Any) -> Any:
    """The value in the spec's own type, checked against its range.

    An integer is taken where a float is meant (YAML users write `2` for `2.0`); nothing else is converted.

    Raises:
        ParameterError: naming the parameter, the value and what is allowed.
    """
    value = _of_type(spec, value)
    meta = spec.meta
    if meta.choices and value not in meta.choices:
        raise ParameterError(f"Parameter `{spec.name}` is '{value}': use {meta.range_text}.")
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, bool) or not isinstance(number, int | float):
            continue
        below = meta.low is not None and number < meta.low
        above = meta.high is not None and number > meta.high
        if not math.isfinite(number) or below or above:
            unit = f' {meta.unit}' if meta.unit else ''
            allowed = f'{meta.range_text}{unit}' if meta.range_text else f'a finite number{unit}'
            raise ParameterError(f'Parameter `{spec.name}` is {number:g}, out of its range: use {allowed}.')
    return value


def from_values(parameters: type[P], values: Mapping[str, Any]) -> P:
    """Build the dataclass from raw values, every one checked, then the class's own `check` of combinations.

    Raises:
        ParameterError: for the first value that is wrong, or a name that is not a parameter.
    """
    specs = {spec.name: spec for spec in specs_of(parameters)}
    unknown = sorted(set(values) - set(specs))
    if unknown:
        raise ParameterError(f'There is no parameter `{unknown[0]}`: the parameters are {", ".join(specs)}.')
    built = parameters(**{name: coerce(specs[name], value) for name, value in values.items()})
    check = getattr(built, 'check', None)
    if check is not None:
        check()
    return built


def _of_type(spec: ParameterSpec, value: Any) -> Any:
    wanted = spec.type
    if get_origin(wanted) is tuple:
        element = get_args(wanted)[0]
        if isinstance(value, str) or not hasattr(value, '__iter__'):
            raise ParameterError(f'Parameter `{spec.name}` is {value!r}: use a list of {element.__name__}.')
        item = dataclasses.replace(spec, type=element)
        return tuple(_of_type(item, each) for each in value)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
        raise ParameterError(f'Parameter `{spec.name}` is {value!r}: use a value of type {wanted.__name__}.')
    return value
