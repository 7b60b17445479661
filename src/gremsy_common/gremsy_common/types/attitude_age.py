# SPDX-License-Identifier: Apache-2.0
"""How much too late a gimbal's attitudes are stamped, as the tracker's pictures say (`gimbal/attitude_age`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from gremsy_common.parameters.parameter_fields import Span, param
from gremsy_common.types.json_message import JsonMessage

# Nobody looks for more (`attitude_age_learner`).
_LONGEST_S = 1.0


@dataclass(frozen=True, slots=True)
class AttitudeAge(JsonMessage):
    """One estimate, of its own evidence: two of them share none."""

    DECLARES: ClassVar[str] = 'Attitude age'
    ORIGIN: ClassVar[str] = '`gimbal/attitude_age` must come from the tracker'

    late_s: float = param(
        doc='attitudes were measured so long before the pictures of their stamp; negative for pictures that are '
        'stamped later than the attitudes',
        span=Span(-_LONGEST_S, _LONGEST_S, 's'),
    )
    std_s: float = param(doc='its standard deviation', span=Span(0.0, _LONGEST_S, 's'))
    pictures: int = param(doc='how many pairs of pictures say so', span=Span(0))
    since_ns: int = param(doc='stamp of the first of them', span=Span(0, unit='ns'))


def together(ages: list[AttitudeAge]) -> AttitudeAge:
    """Of one or more estimates, each weighted by the inverse of its variance."""
    # Stamps come in whole milliseconds: none is better known than this.
    weights = [1.0 / max(each.std_s, 1e-3) ** 2 for each in ages]
    total = sum(weights)
    late_s = sum(each.late_s * weight for each, weight in zip(ages, weights, strict=True)) / total
    return AttitudeAge(
        late_s, math.sqrt(1.0 / total), sum(each.pictures for each in ages), min(each.since_ns for each in ages)
    )
