# SPDX-License-Identifier: Apache-2.0
"""A true rate to the command that makes this gimbal turn so: sign, gain against zoom, dead zone (design.md section 6).

Neutral by default: the command is the true rate. The values for one gimbal come from its calibration. Rates slower than
the dead zone are made of pulses just above it, as many as make the mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from gremsy_gimbal_driver.motion.motion_output import Pair

# A dead zone is only known to some per cent; a pulse on its very edge might not move the gimbal at all.
_ABOVE = 1.05
# A pulse may end a little early, so that a writer that wakes early does not wait for the write after.
_SLACK_S = 1e-3


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


class DeadZoneDither:
    """Commands for a stream of wishes; give it the time between them.

    A first-order sigma-delta on a grid of pulses: what was commanded too little or too much is made up by the next
    pulse, so that the camera is never further from where it should be than half a pulse turns it: 0.04 degrees at
    2 deg/s.

    Args:
        inverse: sign, gain and dead zone.
        pulse_s: the shortest pulse and the shortest pause; 40 ms is the interval at which commands are repeated.
    """

    def __init__(self, inverse: PlantInverse, pulse_s: float) -> None:
        self._inverse = inverse
        self._axes = (_Axis(inverse.dead_zone_rad_s, pulse_s), _Axis(inverse.dead_zone_rad_s, pulse_s))

    def command(self, true_rates_rad_s: Pair, zoom: float, elapsed_s: float) -> Pair:
        """Azimuth and tilt to command now, `elapsed_s` after the last ones."""
        gain = self._inverse.rate_gain(zoom)
        azimuth, tilt = (
            axis.command(rate / gain, elapsed_s) for axis, rate in zip(self._axes, true_rates_rad_s, strict=True)
        )
        return self._inverse.azimuth_sign * azimuth, self._inverse.tilt_sign * tilt

    def reset(self) -> None:
        """The gimbal was told to stand still: nothing is owed."""
        for axis in self._axes:
            axis.reset()


class _Axis:
    def __init__(self, dead_zone_rad_s: float, pulse_s: float) -> None:
        self._dead_zone_rad_s = dead_zone_rad_s
        self._pulse_s = pulse_s
        self.reset()

    def reset(self) -> None:
        self._owed_rad = 0.0
        self._wished_rad_s = 0.0
        self._commanded_rad_s = 0.0
        self._age_s = math.inf

    def command(self, rate_rad_s: float, elapsed_s: float) -> float:
        if math.isinf(self._age_s):
            self._age_s = self._pulse_s
        else:
            self._owed_rad += (self._wished_rad_s - self._commanded_rad_s) * elapsed_s
            self._age_s += elapsed_s
        self._wished_rad_s = rate_rad_s
        if abs(rate_rad_s) >= self._dead_zone_rad_s:
            # The gimbal does it by itself. What is owed is no more than half a pulse and long past.
            self._owed_rad = 0.0
            self._age_s = self._pulse_s
            self._commanded_rad_s = rate_rad_s
        elif self._age_s >= self._pulse_s - _SLACK_S:
            self._age_s = 0.0
            self._commanded_rad_s = self._pulse(rate_rad_s + self._owed_rad / self._pulse_s)
        return self._commanded_rad_s

    def _pulse(self, rate_rad_s: float) -> float:
        """The nearest of a pulse either way and none."""
        pulse = self._dead_zone_rad_s * _ABOVE
        return math.copysign(pulse, rate_rad_s) if abs(rate_rad_s) > 0.5 * pulse else 0.0
