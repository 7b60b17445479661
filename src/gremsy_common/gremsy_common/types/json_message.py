# SPDX-License-Identifier: Apache-2.0
"""Messages that the driver and the tracker send each other as JSON: the fields of one dataclass, all and no others."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, ClassVar, TypeVar, cast

from gremsy_common.parameters.parameter_fields import ParameterError, check_values, from_values, specs_of

M = TypeVar('M', bound='JsonMessage')


class JsonMessage:
    """The base of a frozen dataclass whose fields are made with `param`: what they may be is declared there."""

    __slots__ = ()
    DECLARES: ClassVar[str]
    """What the message is, to begin a sentence with."""
    ORIGIN: ClassVar[str]
    """Which topic must come from whom."""

    def __post_init__(self) -> None:
        """Raises ParameterError for a value that its field may not have."""
        check_values(self)

    def to_json(self) -> str:
        """For the topic."""
        return json.dumps(asdict(cast('Any', self)))

    @classmethod
    def from_json(cls: type[M], text: str) -> M:
        """The inverse of `to_json`; nothing may be missing and nothing may be added.

        Raises:
            ParameterError: with a sentence on what is wrong.
        """
        what = f'The {cls.DECLARES.lower()}'
        try:
            content: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ParameterError(f'{what} is not JSON ({error}): {cls.ORIGIN}.') from error
        names = [spec.name for spec in specs_of(cls)]
        if not isinstance(content, dict) or sorted(content) != sorted(names):
            has = ', '.join(sorted(content)) if isinstance(content, dict) else type(content).__name__
            raise ParameterError(
                f'{what} must have the fields {", ".join(names)}, but has {has or "none"}: '
                'run the driver and the tracker from the same version of the suite.'
            )
        return from_values(cls, content)
