# SPDX-License-Identifier: Apache-2.0
"""Everything that is answered with an error, in one form: a sentence, and the field that it is about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gremsy_common.errors import SuiteError


class ApiError(SuiteError):
    """An answer that is an error; its sentence names the thing and the way out.

    Attributes:
        status: of HTTP.
        field: of the request, that the sentence is about.
    """

    def __init__(self, status: int, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.field = field


class LeaseRefused(ApiError):
    """The controls are another's, or the lease is over."""

    def __init__(self, sentence: str) -> None:
        super().__init__(409, sentence, 'lease')


def error_body(sentence: str, field: str | None = None) -> bytes:
    """As every error is answered."""
    return json.dumps({'error': sentence, 'field': field}, ensure_ascii=False).encode(errors='backslashreplace')


def sentence_of(errors: Sequence[Any]) -> tuple[str, str | None]:
    """The first of pydantic's complaints, as a sentence and a field.

    The value itself is not shown: it may be a secret, or a megabyte.
    """
    first = errors[0] if errors else {}
    kind = str(first.get('type', ''))
    place = [str(part) for part in first.get('loc', ()) if part not in ('body', 'query', 'path')]
    if kind == 'json_invalid':
        why = str(first.get('ctx', {}).get('error', 'it is broken'))
        return f'The body is not JSON: {why}.', None
    field = '.'.join(place) or None
    shown = f'`{field}`' if field else 'The body'
    if kind == 'missing':
        return (f'{shown} is missing.' if field else 'The body is missing: send a JSON object.'), field
    if kind == 'extra_forbidden':
        return f'There is no field {shown} here: /docs lists the fields.', field
    if kind == 'value_error':
        return f'{first.get("ctx", {}).get("error", first.get("msg", ""))}', field
    if kind in ('model_attributes_type', 'dict_type'):
        return f'{shown} must be a JSON object.', field
    what = str(first.get('msg', 'it cannot be used')).rstrip('.')
    return f'{shown} cannot be used: {what[:1].lower()}{what[1:]}.', field
