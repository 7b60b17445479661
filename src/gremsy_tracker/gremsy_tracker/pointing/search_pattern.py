# SPDX-License-Identifier: Apache-2.0
"""Where to look for a target that was lost: on a spiral out from where it should be, at a steady rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gremsy_common.geometry import Array

# Turns lie this share of the field of view apart: what is at one turn's edge is well inside at the next.
_TURN_SHARE = 0.6
# Targets go about on the ground: the spiral is wider than high, like the picture.
_TILT_SHARE = 0.6
# The zenith and the nadir are no place to look from a spiral in azimuth and tilt.
_STEEPEST_RAD = math.radians(80.0)


@dataclass(frozen=True, slots=True, eq=False)
class SpiralSearch:
    """One search: an Archimedean spiral r = b angle, with angle = sqrt(1 + 2 v t / b) - 1.

    Its speed b sqrt(1 + angle^2) angle' is then between v / sqrt(2) and v at all times (and less in tilt).

    Attributes:
        centre_rad: (2,) azimuth and tilt to start from.
        rate_rad_s: v, no axis is turned faster.
        radius_rad: where it ends.
        field_rad: the field of view's width, zoom included.
    """

    centre_rad: Array
    rate_rad_s: float
    radius_rad: float
    field_rad: float

    @property
    def duration_s(self) -> float:
        """How long it takes to the radius."""
        growth = self._growth_rad
        return ((self.radius_rad / growth + 1.0) ** 2 - 1.0) * growth / (2.0 * self.rate_rad_s)

    def at(self, since_s: float) -> tuple[Array, Array] | None:
        """(2,) bearing and (2,) rate at that time since the start; None when the search is over."""
        if since_s >= self.duration_s:
            return None
        growth = self._growth_rad
        root = math.sqrt(1.0 + 2.0 * self.rate_rad_s * max(since_s, 0.0) / growth)
        angle, turning = root - 1.0, self.rate_rad_s / (growth * root)
        cos, sin = math.cos(angle), math.sin(angle)
        shape = np.array([1.0, _TILT_SHARE])
        bearing = self.centre_rad + growth * angle * np.array([cos, sin]) * shape
        rate = growth * turning * np.array([cos - angle * sin, sin + angle * cos]) * shape
        if abs(bearing[1]) > _STEEPEST_RAD:
            bearing[1], rate[1] = math.copysign(_STEEPEST_RAD, bearing[1]), 0.0
        return bearing, rate

    @property
    def _growth_rad(self) -> float:
        """b: how much the radius grows for each radian turned."""
        return _TURN_SHARE * self.field_rad / (2.0 * math.pi)
