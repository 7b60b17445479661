# SPDX-License-Identifier: Apache-2.0
"""Parameters declared once, in one frozen dataclass per node; launch arguments and the simulator's options, too.

A field made with `param` carries its description, unit and range; the ROS declaration (`parameter_declaration`), the
YAML template and the README table (`parameter_docs`) all come from it, and what a command line gives is read by it
(`parameter_texts`). A dataclass that declares something else than parameters says so by `DECLARES`, and by `ALL_NAMES`
where its names are to be found.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from gremsy_common.errors import SuiteError, did_you_mean
from gremsy_common.parameters.parameter_forms import TextForm, complaint

P = TypeVar('P')
_KEY = 'gremsy.parameter'
_PARAMETER = 'Parameter'
_LONGEST_SHOWN = 100
_KIND_TEXTS = {bool: 'true or false', int: 'a whole number', float: 'a number', str: 'a text'}


class ParameterError(SuiteError, ValueError):
    """A parameter has a value that it may not have; the text names the parameter and the way out."""


@dataclass(frozen=True, slots=True)
class ParameterMeta:
    """What is declared of one parameter beside its name, type and default."""

    doc: str
    unit: str = ''
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False
    form: TextForm = TextForm.FREE
    example: str = ''

    @property
    def notes(self) -> tuple[str, ...]:
        """Unit and range, as far as there are any."""
        return tuple(part for part in (self.unit, self.range_text) if part)

    @property
    def range_text(self) -> str:
        """`0.0 .. 1.0`, `one of a, b`, or empty."""
        if self.choices:
            return 'one of ' + ', '.join(self.choices)
        # A whole number whole: 4294967295, not 4.29497e+09.
        ends = (end or 0.0 for end in (self.low, self.high))
        low, high = (f'{end:.0f}' if end == int(end) else f'{end:g}' for end in ends)
        if self.low is None:
            return '' if self.high is None else f'{high} or less'
        return f'{low} or more' if self.high is None else f'{low} .. {high}'


@dataclass(frozen=True, slots=True)
class Span:
    """From where to where a number may be; None for no end."""

    low: float | None = None
    high: float | None = None
    unit: str = ''


_ANYTHING = Span()


def param(
    default: Any = dataclasses.MISSING,
    doc: str = '',
    span: Span = _ANYTHING,
    *,
    choices: tuple[str, ...] = (),
    live: bool = False,
    form: TextForm = TextForm.FREE,
    example: str = '',
) -> Any:
    """A dataclass field that is a node parameter.

    `example` is shown to those who give a value of another type.
    """
    meta = ParameterMeta(doc, span.unit, span.low, span.high, choices, live, form, example)
    return dataclasses.field(default=default, metadata={_KEY: meta})


live_param = partial(param, live=True)
"""A field that is a node parameter which may be changed while the node runs."""


@dataclass(frozen=True)
class NodeParameters:
    """The parameters that every node of the suite has; a node's own dataclass inherits from this one."""

    autostart: bool = param(True, 'Configure and activate at start; false leaves both to a lifecycle manager.')
    log_level: str = live_param(
        'default',
        'Lowest level that this node logs; `default` is that of its process. At debug it logs what it does with '
        'each image.',
        choices=('default', 'debug', 'info', 'warn', 'error', 'fatal'),
    )
    trace_dir: str = param(
        '',
        "Folder for a trace of every frame's way through this node (one JSON object per line); empty for none.",
        form=TextForm.PATH,
    )


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One parameter.

    Attributes:
        name: of a field of a field with the field's before it, as `plant.delay_s`.
        type: of a ROS parameter bool, int, float, str, tuple[str, ...] or tuple[float, ...]; of what only command lines
            give also `T | None`, tuples of a fixed length or of pairs, and a dataclass of parameters.
        default: MISSING of dataclasses for none.
        meta: what else is declared of it.
        what: the word for it in a refusal.
    """

    name: str
    type: Any
    default: Any
    meta: ParameterMeta
    what: str = _PARAMETER

    @property
    def kind_text(self) -> str:
        """`a number`, `true or false`: what it is to be given."""
        if inner := self.inner():
            return f'its fields one by one, as {inner[0].name}'
        if type(None) in get_args(self.type):
            return f'{_KIND_TEXTS[get_args(self.type)[0]]}, or none'
        if get_origin(self.type) is not tuple:
            return _KIND_TEXTS[self.type] + (f', as {self.meta.example}' if self.meta.example else '')
        element, *rest = get_args(self.type)
        if get_origin(element) is tuple:
            return 'pairs like 1:1.04,3.12:0.148'
        return f'a list of {element.__name__}' if rest == [...] else f'{1 + len(rest)} numbers with commas between'

    def inner(self) -> tuple[ParameterSpec, ...]:
        """Of a field that is a dataclass of parameters itself, those; empty for any other."""
        if not dataclasses.is_dataclass(self.type):
            return ()
        specs = specs_of(cast('type[Any]', self.type))
        return tuple(replace(spec, name=f'{self.name}.{spec.name}', what=self.what) for spec in specs)


def specs_of(parameters: type[Any]) -> tuple[ParameterSpec, ...]:
    """The parameters a frozen dataclass declares, in order."""
    return _specs_of(cast('Hashable', parameters))


@functools.cache
def _specs_of(parameters: Any) -> tuple[ParameterSpec, ...]:
    # Type hints take longer to evaluate than all else that a change of a live parameter needs.
    hints = get_type_hints(parameters)
    what = getattr(parameters, 'DECLARES', _PARAMETER)
    return tuple(
        ParameterSpec(field.name, hints[field.name], field.default, field.metadata[_KEY], what)
        for field in dataclasses.fields(parameters)
    )


def coerce(spec: ParameterSpec, value: Any) -> Any:
    """The value in the spec's own type, checked against its range.

    An integer is taken where a float is meant (YAML users write `2` for `2.0`); nothing else is converted.

    Raises:
        ParameterError: naming the parameter, the value and what is allowed.
    """
    inner = spec.inner()
    if inner:
        for each in inner:
            coerce(each, getattr(value, each.name.rpartition('.')[2]))
        return value
    value = _of_type(spec, spec.type, value)
    meta = spec.meta
    if meta.choices and value not in meta.choices:
        raise ParameterError(f"{spec.what} `{spec.name}` is '{_shown(value)}': use {meta.range_text}.")
    for each in _leaves(value):
        if isinstance(each, str):
            _check_text(spec, each)
        elif isinstance(each, int | float) and not isinstance(each, bool):
            _check_number(spec, each)
    return value


def check_values(declared: Any) -> None:
    """Raise the ParameterError of the first value of a dataclass of parameters that it may not have."""
    for spec in specs_of(type(declared)):
        coerce(spec, getattr(declared, spec.name))


def from_values(parameters: type[P], values: Mapping[str, Any]) -> P:
    """Build the dataclass from raw values, every one checked, then the class's own `check` of combinations.

    Raises:
        ParameterError: for the first value that is wrong, or a name that is not a parameter.
    """
    specs = {spec.name: spec for spec in specs_of(parameters)}
    refuse_unknown(parameters, values, specs)
    built = parameters(**{name: coerce(specs[name], value) for name, value in values.items()})
    check = getattr(built, 'check', None)
    if check is not None:
        check()
    return built


def refuse_unknown(parameters: type[Any], names: Collection[str], known: Collection[str]) -> None:
    """Raise the ParameterError of the first name that is not known."""
    unknown = sorted(set(names) - set(known))
    if unknown:
        what = specs_of(parameters)[0].what.lower()
        otherwise = getattr(parameters, 'ALL_NAMES', f'the {what}s are {", ".join(known)}.')
        raise ParameterError(f'There is no {what} `{unknown[0]}`: {did_you_mean(unknown[0], known, otherwise)}')


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for each in value:
            yield from _leaves(each)
    else:
        yield value


def _check_text(spec: ParameterSpec, text: str) -> None:
    wrong = complaint(spec.meta.form, text)
    if wrong:
        raise ParameterError(f"{spec.what} `{spec.name}` is '{_shown(text)}', which {wrong}.")


def _check_number(spec: ParameterSpec, number: float) -> None:
    meta = spec.meta
    below = meta.low is not None and number < meta.low
    above = meta.high is not None and number > meta.high
    # ROS has no integer beyond 64 bits.
    endless = abs(number) >= 2**63 if isinstance(number, int) else not math.isfinite(number)
    if below or above or endless:
        unit = f' {meta.unit}' if meta.unit else ''
        allowed = f'{meta.range_text}{unit}' if meta.range_text else f'a finite number{unit}'
        shown = _shown(number) if isinstance(number, int) else f'{number:g}'
        raise ParameterError(f'{spec.what} `{spec.name}` is {shown}, out of its range: use {allowed}.')


def _shown(value: Any) -> str:
    """On one line, and not without end."""
    text = str(value)
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= _LONGEST_SHOWN else f'{text[:_LONGEST_SHOWN]} ...'


def _of_type(spec: ParameterSpec, wanted: Any, value: Any) -> Any:
    arguments = get_args(wanted)
    if type(None) in arguments:
        return value if value is None else _of_type(spec, arguments[0], value)
    if get_origin(wanted) is tuple:
        if isinstance(value, str) or not hasattr(value, '__iter__'):
            raise wrong_kind(spec, value)
        if arguments[-1] is ...:
            # [''] is how ROS's users empty a list, since `[]` has no type.
            given = () if list(value) == [''] else tuple(value)
            return tuple(_of_type(spec, arguments[0], each) for each in given)
        if len(value) != len(arguments):
            raise wrong_kind(spec, value)
        return tuple(_of_type(spec, kind, each) for kind, each in zip(arguments, value, strict=True))
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) < 2**63 else math.inf if value > 0 else -math.inf
    if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
        raise wrong_kind(replace(spec, type=wanted), value)
    return value


def wrong_kind(spec: ParameterSpec, value: Any) -> ParameterError:
    """The refusal of what is of another type."""
    return ParameterError(f'{spec.what} `{spec.name}` is {_shown(repr(value))}: use {spec.kind_text}.')
