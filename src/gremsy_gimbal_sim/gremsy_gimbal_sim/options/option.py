# SPDX-License-Identifier: Apache-2.0
"""One named option of the simulated payload: declared once, with its unit, range and reason; read from text."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_type_hints

from gremsy_common.errors import SuiteError

T = TypeVar('T')
_KEY = 'gremsy.payload_option'
_PAIRS = tuple[tuple[float, float], ...]


class OptionError(SuiteError, ValueError):
    """An option does not exist or cannot have that value; the text names it and the way out."""


@dataclass(frozen=True, slots=True)
class OptionMeta:
    """What is said about an option beside its name, type and default."""

    doc: str
    unit: str = ''
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """`0 .. 1`, `one of a, b`, or empty."""
        if self.choices:
            return 'one of ' + ', '.join(self.choices)
        if self.low is None and self.high is None:
            return ''
        if self.high is None:
            return f'{_short(self.low)} or more'
        if self.low is None:
            return f'{_short(self.high)} or less'
        return f'{_short(self.low)} .. {_short(self.high)}'


def option(
    default: Any,
    doc: str,
    *,
    unit: str = '',
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that is an option of the payload."""
    return dataclasses.field(default=default, metadata={_KEY: OptionMeta(doc, unit, low, high, choices)})


def meta_of(field: dataclasses.Field[Any]) -> OptionMeta:
    """What `option` was told; nothing for a plain field."""
    found = field.metadata.get(_KEY)
    return found if isinstance(found, OptionMeta) else OptionMeta('')


def check(options: Any) -> None:
    """Raises OptionError for the first value that no payload can have."""
    for field in dataclasses.fields(options):
        meta = meta_of(field)
        value = getattr(options, field.name)
        if meta.choices and value not in meta.choices:
            raise OptionError(f"The payload option {field.name} is '{value}': use {meta.allowed}.")
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, bool) or not isinstance(number, int | float):
                continue
            below = meta.low is not None and number < meta.low
            above = meta.high is not None and number > meta.high
            if below or above or not math.isfinite(number):
                allowed = meta.allowed or 'a finite number'
                text = str(number) if isinstance(number, int) else f'{number:g}'
                raise OptionError(f'The payload option {field.name} is {text}: use {allowed}.')


def with_texts(options: T, texts: Mapping[str, str], prefix: str = '') -> T:
    """The options with some changed, each from its text; `plant.delay_s` names a field of a field.

    `prefix` is what stands before these names in what is said about them.

    Raises:
        OptionError: for a name that is no option, or a text that is no value of it.
    """
    own: dict[str, Any] = {}
    nested: dict[str, dict[str, str]] = {}
    hints = get_type_hints(type(options))
    for name, text in texts.items():
        head, dot, rest = name.partition('.')
        if head not in hints or (dot and not dataclasses.is_dataclass(hints[head])):
            raise OptionError(_unknown(name, options, prefix))
        if dot:
            nested.setdefault(head, {})[rest] = text
        else:
            own[name] = value_of(prefix + name, hints[name], text)
    for head, inner in nested.items():
        own[head] = with_texts(getattr(options, head), inner, f'{head}.')
    changed: T = dataclasses.replace(options, **own)  # type: ignore[type-var]
    return changed


def value_of(name: str, kind: Any, text: str) -> Any:
    """The text as a value of that type. Raises OptionError."""
    try:
        if kind == bool | None and text.lower() == 'none':
            return None
        if kind in (bool, bool | None):
            return {'true': True, 'yes': True, '1': True, 'false': False, 'no': False, '0': False}[text.lower()]
        if kind is int:
            return int(text, 0)
        if kind is float:
            return float(text)
        if kind is str:
            return text
        numbers = get_args(kind)
        if kind == _PAIRS:
            pairs = [tuple(float(each) for each in pair.split(':')) for pair in text.split(',') if pair]
            if all(len(pair) == 2 for pair in pairs):
                return tuple(pairs)
        elif numbers and numbers[0] in (int, float):
            values = tuple(numbers[0](each) for each in text.split(','))
            if len(values) == len(numbers):
                return values
    except (KeyError, ValueError):
        pass
    raise OptionError(f"The payload option {name} cannot be '{text}': give {_kind_text(kind)}.")


def _kind_text(kind: Any) -> str:
    plain = {bool: 'true or false', bool | None: 'true, false or none', int: 'a whole number', float: 'a number'}
    if kind in plain:
        return plain[kind]
    if kind == _PAIRS:
        return 'pairs like 1:1.04,3.12:0.148'
    numbers = get_args(kind)
    if numbers and numbers[0] in (int, float):
        return f'{len(numbers)} numbers with commas between'
    return 'its fields one by one, for example with --set plant.delay_s=0.1'


def _short(number: float | None) -> str:
    """Whole numbers whole: 4294967295, not 4.29497e+09."""
    if number is None:
        return ''
    return str(int(number)) if number == int(number) else f'{number:g}'


def _unknown(name: str, options: Any, prefix: str) -> str:
    names = [field.name for field in dataclasses.fields(options)]
    close = difflib.get_close_matches(name, names, n=1)
    way_out = f'did you mean {prefix}{close[0]}?' if close else '--list-options names them all.'
    return f'There is no payload option {prefix}{name}: {way_out}'


def option_lines(options: Any, groups: Sequence[type[Any]]) -> list[str]:
    """Every option with its default, unit and range, by group."""
    lines: list[str] = []
    for group in groups:
        lines += ['', (group.__doc__ or '').splitlines()[0]]
        for field in dataclasses.fields(group):
            meta, default = meta_of(field), getattr(options, field.name)
            if dataclasses.is_dataclass(default):
                names = ', '.join(f'{field.name}.{inner.name}' for inner in dataclasses.fields(default))
                lines.append(f'  {field.name}: {meta.doc} ({names})')
                continue
            text = ','.join(f'{each:g}' for each in default) if isinstance(default, tuple) else str(default)
            known = [each for each in (meta.unit, meta.allowed) if each]
            lines.append(f'  {field.name}={text}  {meta.doc}' + (f' [{"; ".join(known)}]' if known else ''))
    return lines[1:]
