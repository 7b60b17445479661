# SPDX-License-Identifier: Apache-2.0
"""What the gimbal makes of a rate command, as the driver publishes it (`gimbal/plant`) and the tracker compensates it.

A delay, then a first-order lag. The dead zone is the driver's to undo; it is published so that the tracker knows the
smallest rate it can have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gremsy_common.parameters.parameter_fields import Span, param
from gremsy_common.types.json_message import JsonMessage

SOURCES = ('default', 'parameters', 'calibrated')
"""Where the values come from: nobody said anything, somebody set them, the calibration measured them."""


@dataclass(frozen=True, slots=True)
class PlantModel(JsonMessage):
    """One gimbal's answer to a rate command.

    The ranges end where the driver's own parameters do; beyond is a value in another unit, ms or deg/s.
    """

    DECLARES: ClassVar[str] = 'Plant model'
    ORIGIN: ClassVar[str] = '`gimbal/plant` must come from the gimbal driver'

    delay_s: float = param(doc='from writing a command to its first motion', span=Span(0.0, 2.0, 's'))
    lag_s: float = param(doc='time constant with which the rate is then taken up', span=Span(0.0, 2.0, 's'))
    dead_zone_rad_s: float = param(doc='the gimbal ignores smaller commands', span=Span(0.0, 0.5, 'rad/s'))
    source: str = param(doc='where the values come from', choices=SOURCES)
