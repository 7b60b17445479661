# SPDX-License-Identifier: Apache-2.0
"""Parameters declared once, in one frozen dataclass per node.

A field made with `param` carries its description, unit and range; the ROS declaration (`parameter_declaration`), the
YAML template and the README table (`parameter_docs`) all come from it.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_forms import TextForm, complaint

P = TypeVar('P')
_KEY = 'gremsy.parameter'
_LONGEST_SHOWN = 100


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
    form: TextForm = TextForm.FREE
    example: str = ''

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
    form: TextForm = TextForm.FREE,
    example: str = '',
) -> Any:
    """A dataclass field that is a node parameter; `live` ones may be changed while the node runs.

    `example` is shown to those who give a value of another type.
    """
    meta = ParameterMeta(doc, unit, low, high, choices, live, form, example)
    return dataclasses.field(default=default, metadata={_KEY: meta})


@dataclass(frozen=True)
class NodeParameters:
    """The parameters that every node of the suite has; a node's own dataclass inherits from this one."""

    autostart: bool = param(True, doc='Configure and activate at start; false leaves both to a lifecycle manager.')
    log_level: str = param(
        'default',
        choices=('default', 'debug', 'info', 'warn', 'error', 'fatal'),
        live=True,
        doc="What this node logs, at least; `default` is its process's. At debug it says what it does with each image.",
    )
    trace_dir: str = param(
        '',
        doc="Folder for a trace of every frame's way through this node (one JSON object a line); empty for none.",
        form=TextForm.PATH,
    )


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One parameter; `type` is bool, int, float, str, tuple[str, ...] or tuple[float, ...]."""

    name: str
    type: Any
    default: Any
    meta: ParameterMeta


def specs_of(parameters: type[Any]) -> tuple[ParameterSpec, ...]:
    """The parameters a frozen dataclass declares, in order."""
    return _specs_of(cast('Hashable', parameters))


@functools.cache
def _specs_of(parameters: Any) -> tuple[ParameterSpec, ...]:
    # Type hints take longer to evaluate than all else that a change of a live parameter needs.
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
        raise ParameterError(f"Parameter `{spec.name}` is '{_shown(value)}': use {meta.range_text}.")
    for each in value if isinstance(value, tuple) else (value,):
        if isinstance(each, str):
            _check_text(spec, each)
        elif not isinstance(each, bool):
            _check_number(spec, each)
    return value


def from_values(parameters: type[P], values: Mapping[str, Any]) -> P:
    """Build the dataclass from raw values, every one checked, then the class's own `check` of combinations.

    Raises:
        ParameterError: for the first value that is wrong, or a name that is not a parameter.
    """
    specs = {spec.name: spec for spec in specs_of(parameters)}
    unknown = sorted(set(values) - set(specs))
    if unknown:
        near = get_close_matches(unknown[0], specs, 1)
        way_out = f'did you mean `{near[0]}`?' if near else f'the parameters are {", ".join(specs)}.'
        raise ParameterError(f'There is no parameter `{unknown[0]}`: {way_out}')
    built = parameters(**{name: coerce(specs[name], value) for name, value in values.items()})
    check = getattr(built, 'check', None)
    if check is not None:
        check()
    return built


def _check_text(spec: ParameterSpec, text: str) -> None:
    wrong = complaint(spec.meta.form, text)
    if wrong:
        raise ParameterError(f"Parameter `{spec.name}` is '{_shown(text)}', which {wrong}.")


def _check_number(spec: ParameterSpec, number: float) -> None:
    meta = spec.meta
    below = meta.low is not None and number < meta.low
    above = meta.high is not None and number > meta.high
    # ROS has no integer beyond 64 bits.
    endless = abs(number) >= 2**63 if isinstance(number, int) else not math.isfinite(number)
    if below or above or endless:
        unit = f' {meta.unit}' if meta.unit else ''
        allowed = f'{meta.range_text}{unit}' if meta.range_text else f'a finite number{unit}'
        shown = _shown(number) if isinstance(number, int) and endless else f'{number:g}'
        raise ParameterError(f'Parameter `{spec.name}` is {shown}, out of its range: use {allowed}.')


def _shown(value: Any) -> str:
    """On one line, and not without end."""
    text = str(value)
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= _LONGEST_SHOWN else f'{text[:_LONGEST_SHOWN]} ...'


def _of_type(spec: ParameterSpec, value: Any) -> Any:
    wanted = spec.type
    if get_origin(wanted) is tuple:
        element = get_args(wanted)[0]
        if isinstance(value, str) or not hasattr(value, '__iter__'):
            raise ParameterError(f'Parameter `{spec.name}` is {_shown(repr(value))}: use a list of {element.__name__}.')
        if list(value) == ['']:
            return ()  # how ROS's users empty a list, since `[]` has no type
        item = dataclasses.replace(spec, type=element)
        return tuple(_of_type(item, each) for each in value)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) < 2**63 else math.inf if value > 0 else -math.inf
    if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
        example = f', as {spec.meta.example}' if spec.meta.example else ''
        raise ParameterError(
            f'Parameter `{spec.name}` is {_shown(repr(value))}: use a value of type {wanted.__name__}{example}.'
        )
    return value
