# SPDX-License-Identifier: Apache-2.0
"""What a line of log is made of beside its message: fields for programs, and the form that the environment asks for."""

from __future__ import annotations

import json
import logging
import math
import re
from typing import Any

# Between a message and its fields; terminals show nothing for it (ASCII's unit separator).
_BEFORE_FIELDS = '\x1f'
_FIELD = re.compile(r' ([A-Za-z_]\w*)=')
_TOKEN = re.compile(r'\{(\w+)\}')
# What rcutils writes where this is not set, and the variable, which it reads too.
FORM_VARIABLE = 'RCUTILS_CONSOLE_OUTPUT_FORMAT'
DEFAULT_FORM = '[{severity}] [{time}] [{name}]: {message}'
# The stamp of the image that a line is about, the same from camera to gimbal.
STAMP_FIELD = 'stamp_ns'
# Lists in lists.
_DEEPEST = 4
_DECODER = json.JSONDecoder()
_SEVERITIES = {'WARNING': 'WARN', 'CRITICAL': 'FATAL'}


def with_fields(message: str, /, **fields: Any) -> str:
    """The message with its fields after it, for people (`Image captured. stamp_ns=17`) and for `split_fields`."""
    if not fields:
        return message
    return f'{message}{_BEFORE_FIELDS}{fields_text(fields)}'


def fields_text(fields: dict[str, Any]) -> str:
    """` name=value` for each, the values as JSON; what JSON has no number for (nan) is null."""
    return ''.join(f' {name}={json.dumps(_plain(value), ensure_ascii=False)}' for name, value in fields.items())


def split_fields(text: str) -> tuple[str, dict[str, Any]]:
    """The message and its fields; a text without, or with what `with_fields` would not write, stays whole.

    Anybody's node may log anything: numbers that JSON has not, lists in lists that no depth of the stack is enough for.
    """
    message, found, tail = text.rpartition(_BEFORE_FIELDS)
    if not found:
        return text, {}
    fields: dict[str, Any] = {}
    at = 0
    while at < len(tail):
        name = _FIELD.match(tail, at)
        if name is None:
            return text, {}
        try:
            value, at = _DECODER.raw_decode(tail, name.end())
        except (ValueError, RecursionError):
            return text, {}
        if not _is_plain(value, _DEEPEST):
            return text, {}
        fields[name[1]] = value
    return message, fields


def console_line(form: str, severity: str, name: str, time_ns: int, message: str) -> str:
    """A line in that form of rcutils, for what logs without it; tokens that say where in the code are empty."""
    values = {
        'severity': severity,
        'name': name,
        'message': message,
        'time': f'{time_ns // 10**9}.{time_ns % 10**9:09d}',
        'time_as_nanoseconds': str(time_ns),
        'function_name': '',
        'file_name': '',
        'line_number': '0',
    }
    return _TOKEN.sub(lambda token: values.get(token[1], token[0]), form)


class ConsoleFormatter(logging.Formatter):
    """Python's own log records in the form of the nodes' lines."""

    def __init__(self, form: str, name: str) -> None:
        super().__init__()
        self._form, self._name = form, name

    def format(self, record: logging.LogRecord) -> str:
        """With its traceback, if it has one."""
        severity = _SEVERITIES.get(record.levelname, record.levelname)
        time_ns = int(record.created * 1e6) * 1000
        return console_line(self._form, severity, self._name, time_ns, super().format(record))


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))


def _is_plain(value: Any, depth: int) -> bool:
    if isinstance(value, list):
        return depth > 0 and all(_is_plain(each, depth - 1) for each in value)
    return _is_scalar(value)


def _plain(value: Any) -> Any:
    if _is_scalar(value):
        return value
    if isinstance(value, float):
        return None
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return str(value)
