# SPDX-License-Identifier: Apache-2.0
"""What the gimbal makes of a rate command, as the driver publishes it (`gimbal/plant`) and the tracker compensates it.

A delay, then a first-order lag. The dead zone is the driver's to undo; it is told so that the tracker knows the
smallest rate it can have.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields

from gremsy_common.errors import SuiteError
from gremsy_common.types.json_fields import json_fields

SOURCES = ('default', 'parameters', 'calibrated')
"""Where the values come from: nobody said anything, somebody set them, the calibration measured them."""

# The driver's own parameters end there; beyond it is a value in another unit, ms or deg/s.
_RANGES = (('delay_s', 's', 2.0), ('lag_s', 's', 2.0), ('dead_zone_rad_s', 'rad/s', 0.5))


class PlantModelError(SuiteError, ValueError):
    """A text or a value that is no plant model; the sentence names the field."""


@dataclass(frozen=True, slots=True)
class PlantModel:
    """One gimbal's answer to a rate command.

    Attributes:
        delay_s: from writing a command to its first motion.
        lag_s: time constant with which the rate is then taken up.
        dead_zone_rad_s: the gimbal ignores smaller commands.
        source: one of `SOURCES`.
    """

    delay_s: float
    lag_s: float
    dead_zone_rad_s: float
    source: str

    def __post_init__(self) -> None:
        """Raises PlantModelError for what no gimbal can be."""
        for name, unit, high in _RANGES:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise PlantModelError(f'The plant model has {value!r} for `{name}`: use a number in {unit}.')
            if not (math.isfinite(value) and 0.0 <= value <= high):
                raise PlantModelError(f'The plant model has {value:g} for `{name}`: use 0 .. {high:g} {unit}.')
        if self.source not in SOURCES:
            raise PlantModelError(f'The plant model has {self.source!r} for `source`: use one of {", ".join(SOURCES)}.')

    def to_json(self) -> str:
        """For the latched topic."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PlantModel:
        """The inverse of `to_json`; nothing may be missing and nothing may be added.

        Raises:
            PlantModelError: with a sentence on what is wrong.
        """
        names = [each.name for each in fields(cls)]
        origin = '`gimbal/plant` must come from the gimbal driver'
        return cls(**json_fields(text, names, PlantModelError, 'The plant model', origin))
