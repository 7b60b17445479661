# SPDX-License-Identifier: Apache-2.0
"""What the calibration may do: its bounds, in one value object."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

Pair = tuple[float, float]

# A travel is crossed in no less than this, so that a gimbal that answers after half a second can still be turned back.
_LEAST_CROSSING_S = 1.5


class Axis(IntEnum):
    """Index into every pair of azimuth and tilt."""

    AZIMUTH = 0
    TILT = 1

    @property
    def word(self) -> str:
        """As it is said."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class CalibrationSettings:
    """Bounds of one calibration.

    Attributes:
        travel_rad: neither axis leaves its starting angle by more.
        max_rate_rad_s: the largest rate that is commanded.
        zooms: magnifications to measure the rate gain at, ascending, the widest first; empty leaves the zoom alone.
        azimuth_limits_rad, tilt_limits_rad: the driver's soft limits; the travel must fit between them.
        attitude_timeout_s: without telemetry for so long, it ends.
        repeat_interval_s: how soon the driver writes a command again, `MotionSettings.repeat_interval_s`.
        time_limit_s: it ends after this, ...
        time_limit_per_zoom_s: ... and so much for each zoom.
    """

    travel_rad: float = math.radians(12.0)
    max_rate_rad_s: float = math.radians(8.0)
    zooms: tuple[float, ...] = ()
    azimuth_limits_rad: Pair = (-3.0, 3.0)
    tilt_limits_rad: Pair = (math.radians(-45.0), math.radians(90.0))
    attitude_timeout_s: float = 1.0
    repeat_interval_s: float = 0.040
    time_limit_s: float = 100.0
    time_limit_per_zoom_s: float = 40.0

    def __post_init__(self) -> None:
        """Raises ValueError for bounds that no calibration can keep."""
        for name, low_deg, high_deg, unit in (('travel_rad', 3, 30, 'rad'), ('max_rate_rad_s', 1, 20, 'rad/s')):
            value, low, high = getattr(self, name), math.radians(low_deg), math.radians(high_deg)
            if not low * (1 - 1e-9) <= value <= high * (1 + 1e-9):
                raise ValueError(f'The calibration setting {name} is {value:g}: use {low:.3f} .. {high:.3f} {unit}.')
        if any(not math.isfinite(zoom) or zoom < 1.0 for zoom in self.zooms) or any(
            high <= low for low, high in pairwise(self.zooms)
        ):
            raise ValueError(f'The calibration setting zooms is {list(self.zooms)}: use ascending factors from 1 up.')

    @property
    def rate_rad_s(self) -> float:
        """The rate of the main steps: slower where the travel is short."""
        return min(self.max_rate_rad_s, self.travel_rad / _LEAST_CROSSING_S)

    def limits_rad(self, axis: Axis) -> Pair:
        """The soft limits of that axis."""
        return self.azimuth_limits_rad if axis is Axis.AZIMUTH else self.tilt_limits_rad

    @property
    def deadline_s(self) -> float:
        """The longest it may take."""
        return self.time_limit_s + self.time_limit_per_zoom_s * len(self.zooms)
