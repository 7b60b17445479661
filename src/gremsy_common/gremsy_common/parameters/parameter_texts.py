# SPDX-License-Identifier: Apache-2.0
"""Declared values as texts: of launch arguments (`name:=value`), of the simulator's options (`NAME=VALUE`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar, get_args, get_origin

from gremsy_common.parameters.parameter_fields import (
    ParameterSpec,
    from_values,
    refuse_unknown,
    specs_of,
    wrong_kind,
)

P = TypeVar('P')

_TRUTHS = {'true': True, '1': True, 'yes': True, 'false': False, '0': False, 'no': False}
_QUOTED_NOTHING = ("''", '""')


def with_texts(current: P, texts: Mapping[str, str]) -> P:
    """The dataclass with some values changed, each from its text; `plant.delay_s` names a field of a field.

    Raises:
        ParameterError: for a name that is not declared, a text that is no value of it, or a value that it may not have.
    """
    kind = type(current)
    known = {each.name: each for spec in specs_of(kind) for each in (spec, *spec.inner())}
    refuse_unknown(kind, texts, known)
    values: dict[str, Any] = {spec.name: getattr(current, spec.name) for spec in specs_of(kind)}
    for name, text in texts.items():
        head, _, inner = name.partition('.')
        value = value_of(known[name], text)
        values[head] = replace(values[head], **{inner: value}) if inner else value
    return from_values(kind, values)


def value_of(spec: ParameterSpec, text: str) -> Any:
    """The text as a value of that type, of whatever range. Raises ParameterError."""
    try:
        return _parsed(spec.type, text)
    except (KeyError, ValueError) as error:
        raise wrong_kind(spec, text) from error


def as_text(value: object) -> str:
    """A value as command lines and launch files write it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return ','.join(f'{each:g}' for each in value) if isinstance(value, tuple) else str(value)


def _parsed(kind: Any, text: str, separators: str = ',:') -> Any:
    parts = get_args(kind)
    if type(None) in parts:
        return None if text.lower() == 'none' else _parsed(parts[0], text)
    if get_origin(kind) is tuple:
        pieces, kinds = text.split(separators[0]), parts
        if parts[-1] is ...:
            pieces = [piece for piece in pieces if piece]
            kinds = (parts[0],) * len(pieces)
        return tuple(_parsed(each, piece, separators[1:]) for each, piece in zip(kinds, pieces, strict=True))
    if kind is bool:
        return _TRUTHS[text.strip().lower()]
    if kind is int:
        return int(text, 0)
    if kind is float:
        return float(text)
    if kind is not str:
        raise ValueError(kind)
    # `ros2 launch` takes no `name:=` without a value, and quotes inside quotes are what people write instead.
    return '' if text in _QUOTED_NOTHING else text
