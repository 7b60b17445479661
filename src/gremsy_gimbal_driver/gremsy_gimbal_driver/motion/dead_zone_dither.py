# SPDX-License-Identifier: Apache-2.0
"""Slow rates for a gimbal that ignores slow commands: pulses just above its dead zone, as many as make the mean.

A first-order sigma-delta on a grid of pulses: what was commanded too little or too much is made up by the next pulse,
so that the camera is never further from where it should be than half a pulse turns it: 0.04 degrees at 2 deg/s.
"""

from __future__ import annotations

import math

from gremsy_gimbal_driver.motion.motion_output import Pair
from gremsy_gimbal_driver.motion.plant_inverse import PlantInverse

# A dead zone is only known to some per cent; a pulse on its very edge might not move the gimbal at all.
_ABOVE = 1.05
# A pulse may end a little early, so that a writer that wakes early does not wait for the write after.
_SLACK_S = 1e-3


class DeadZoneDither:
    """Commands for a stream of wishes; give it the time between them.

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
