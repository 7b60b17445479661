# SPDX-License-Identifier: Apache-2.0
"""Messages as plain values, as YAML shows them, and plain values into messages: by the fields that every one names."""

from __future__ import annotations

import array
import importlib
import time
from typing import Any

import numpy as np
from rosidl_parser.definition import AbstractNestedType, NamespacedType

from gremsy_common.errors import SuiteError


class FieldError(SuiteError):
    """A message has no such field, or the value does not fit it."""


def plain(value: Any, longest: int | None = None) -> Any:
    """A message, or what stands in its fields, as dict, list, str, int, float and bool.

    Args:
        value: a message of any type, or a value out of one.
        longest: of longer lists only so much is shown, and then `...`. Texts stay whole: they are sentences and JSON.

    >>> from geometry_msgs.msg import Point
    >>> plain(Point(x=1.0))
    {'x': 1.0, 'y': 0.0, 'z': 0.0}
    """
    if isinstance(value, np.generic):
        return value.item()  # first: numpy's float64 is a float, which YAML does not know
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, bytes):
        return value.decode('latin-1')  # `byte` is one octet, as ros2 shows it
    if isinstance(value, str):
        return value
    if hasattr(value, 'get_fields_and_field_types'):
        return {name: plain(getattr(value, name), longest) for name in value.get_fields_and_field_types()}
    shown = [plain(each, longest) for each in (value if longest is None else value[:longest])]
    return shown if longest is None or len(value) <= longest else [*shown, f'... {len(value)} in all']


def fill(message: Any, values: Any, where: str = '') -> None:
    """Set the fields that `values` names; the others keep their defaults.

    As ros2's: `now` for a time and `auto` for a header are the time of this call.

    Args:
        message: of any type; changed in place.
        values: by field, as YAML has them.
        where: the place of `message` in the whole, for the error's sentence.

    Raises:
        FieldError: no such field, or a value that it cannot have.
    """
    kinds = dict(zip(message.get_fields_and_field_types(), message.SLOT_TYPES, strict=True))
    if not isinstance(values, dict):
        example = ', '.join(f'{name}: ...' for name in kinds)
        raise FieldError(f'{where or "The message"} needs its fields by name, as in "{{{example}}}", not {values!r}.')
    for name, value in values.items():
        path = f'{where}.{name}' if where else str(name)
        if name not in kinds:
            raise FieldError(f'There is no field "{path}": {where or "the message"} has {", ".join(kinds)}.')
        _set(message, name, kinds[name], value, path)


def _set(message: Any, name: str, kind: Any, value: Any, path: str) -> None:
    if hasattr(message, '_check_fields'):
        # From Jazzy on, a setter looks at nothing without it, and what does not fit ends the process when it is sent.
        message._check_fields = True  # noqa: SLF001
    before = getattr(message, name)
    if hasattr(before, 'get_fields_and_field_types'):
        stamp = before if hasattr(before, 'nanosec') else getattr(before, 'stamp', None)
        if value == ('now' if stamp is before else 'auto') and stamp is not None:
            stamp.sec, stamp.nanosec = divmod(time.time_ns(), 10**9)
            return
        fill(before, value, path)
        return
    try:
        setattr(message, name, _fitting(before, kind, value, path))
    except (AssertionError, TypeError, ValueError, OverflowError) as error:
        shape = message.get_fields_and_field_types()[name]
        raise FieldError(f'Field "{path}" is {shape} and cannot be {value!r}.') from error


def _fitting(before: Any, kind: Any, value: Any, path: str) -> Any:
    """In the type that the field's setter asks for: YAML has 1 for 1.0 and lists for arrays."""
    if isinstance(before, array.array):
        return array.array(before.typecode, value)
    if isinstance(before, np.ndarray):
        return np.array(value, dtype=before.dtype)
    if isinstance(kind, AbstractNestedType):
        if not isinstance(value, list):
            raise TypeError(value)
        if isinstance(kind.value_type, NamespacedType):
            return [_filled(kind.value_type, each, f'{path}[{index}]') for index, each in enumerate(value)]
        return value
    if isinstance(before, bool):
        if not isinstance(value, bool):
            raise TypeError(value)
        return value
    if isinstance(before, bytes):
        return value.encode('latin-1') if isinstance(value, str) else bytes([value])
    if isinstance(before, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _filled(kind: NamespacedType, values: Any, path: str) -> Any:
    made = getattr(importlib.import_module('.'.join(kind.namespaces)), kind.name)()
    fill(made, values, path)
    return made
