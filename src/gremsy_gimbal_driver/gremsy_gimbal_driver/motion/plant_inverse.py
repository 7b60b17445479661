# SPDX-License-Identifier: Apache-2.0
"""A true rate to the command that makes this gimbal turn so: sign, gain against zoom, dead zone (design.md section 6).

Neutral by default: the command is the true rate. The values for one gimbal come from its calibration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class PlantInverse:
    """The inverse of one gimbal's static behaviour.

    Attributes:
        azimuth_sign, tilt_sign: -1 for an axis that runs the other way than MAVLink says.
        dead_zone_rad_s: the gimbal ignores smaller commands.
        rate_gain_by_zoom: (zoom factor, achieved rate / commanded rate), zoom ascending; empty for 1 throughout.
    """

    azimuth_sign: int = 1
    tilt_sign: int = 1
    dead_zone_rad_s: float = 0.0
    rate_gain_by_zoom: tuple[tuple[float, float], ...] = ()

    def rate_gain(self, zoom: float) -> float:
        """Achieved over commanded rate, linear between the table's points in the logarithms of both, flat outside."""
        table = self.rate_gain_by_zoom
        if not table:
            return 1.0
        if zoom <= table[0][0]:
            return table[0][1]
        for (zoom_a, gain_a), (zoom_b, gain_b) in pairwise(table):
            if zoom <= zoom_b:
                share = math.log(zoom / zoom_a) / math.log(zoom_b / zoom_a)
                return math.exp(math.log(gain_a) + share * math.log(gain_b / gain_a))
        return table[-1][1]

    def command(self, azimuth_rate_rad_s: float, tilt_rate_rad_s: float, zoom: float = 1.0) -> tuple[float, float]:
        """Commanded azimuth and tilt rates for these true ones."""
        gain = self.rate_gain(zoom)
        return (
            self.azimuth_sign * self._out_of_dead_zone(azimuth_rate_rad_s / gain),
            self.tilt_sign * self._out_of_dead_zone(tilt_rate_rad_s / gain),
        )

    def _out_of_dead_zone(self, rate_rad_s: float) -> float:
        """The nearer of zero and the smallest rate that moves the gimbal, which is the best one command can do."""
        if abs(rate_rad_s) >= self.dead_zone_rad_s:
            return rate_rad_s
        if abs(rate_rad_s) < 0.5 * self.dead_zone_rad_s:
            return 0.0
        return math.copysign(self.dead_zone_rad_s * (1.0 + 1e-6), rate_rad_s)
