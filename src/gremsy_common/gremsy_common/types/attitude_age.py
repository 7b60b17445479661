# SPDX-License-Identifier: Apache-2.0
"""How much too late a gimbal's attitudes are stamped, as the tracker's pictures say (`gimbal/attitude_age`)."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields

from gremsy_common.errors import SuiteError
from gremsy_common.types.json_fields import json_fields

# Nobody looks for more (`attitude_age_fit`).
_LONGEST_S = 1.0


class AttitudeAgeError(SuiteError, ValueError):
    """A text that is no such estimate; the sentence says what is wrong."""


@dataclass(frozen=True, slots=True)
class AttitudeAge:
    """One estimate, of its own evidence: two of them share none.

    Attributes:
        late_s: attitudes were measured so long before the pictures of their stamp; negative for pictures that are
            stamped later than the attitudes.
        std_s: its standard deviation.
        pictures: how many pairs of pictures say so.
        since_ns: stamp of the first of them.
    """

    late_s: float
    std_s: float
    pictures: int
    since_ns: int

    def __post_init__(self) -> None:
        """Raises AttitudeAgeError for what is no time."""
        for name in ('late_s', 'std_s'):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LONGEST_S:
                raise AttitudeAgeError(f'The attitude age has {value!r} for `{name}`: use seconds, at most 1.')
        for name in ('pictures', 'since_ns'):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise AttitudeAgeError(f'The attitude age has {value!r} for `{name}`: use a whole number from 0 up.')
        if self.std_s < 0.0:
            raise AttitudeAgeError(f'The attitude age has {self.std_s!r} for `std_s`: use seconds, from 0 up.')

    def to_json(self) -> str:
        """For the topic."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> AttitudeAge:
        """The inverse of `to_json`; nothing may be missing and nothing may be added.

        Raises:
            AttitudeAgeError: with a sentence on what is wrong.
        """
        names = [each.name for each in fields(cls)]
        origin = '`gimbal/attitude_age` must come from the tracker'
        return cls(**json_fields(text, names, AttitudeAgeError, 'The attitude age', origin))


def together(ages: list[AttitudeAge]) -> AttitudeAge:
    """Of one or more estimates, each weighted by the inverse of its variance."""
    # Stamps come in whole milliseconds: none is better known than this.
    weights = [1.0 / max(each.std_s, 1e-3) ** 2 for each in ages]
    total = sum(weights)
    late_s = sum(each.late_s * weight for each, weight in zip(ages, weights, strict=True)) / total
    return AttitudeAge(
        late_s, math.sqrt(1.0 / total), sum(each.pictures for each in ages), min(each.since_ns for each in ages)
    )
