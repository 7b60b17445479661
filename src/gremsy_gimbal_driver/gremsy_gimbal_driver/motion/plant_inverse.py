# SPDX-License-Identifier: Apache-2.0
"""From a true rate to the command that gives it: sign, gain against zoom, dead zone (design.md section 6).

Neutral by default: the command is the true rate. The values for one gimbal come from its calibration. Rates below the
dead zone are made of pulses just above it, as many as give the mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gremsy_common.parameters.parameter_fields import Span, param
from gremsy_gimbal_driver.motion.motion_output import Pair

# A dead zone is only known to some per cent; a pulse on its very edge might not move the gimbal at all.
_ABOVE = 1.05
# A pulse may end slightly early, so that a writer that wakes early does not wait for the next write.
_SLACK_S = 1e-3


@dataclass(frozen=True)
class MeasuredPlant:
    """What this gimbal makes of a command, as parameters; neutral until `~/calibrate` has measured it."""

    azimuth_sign: int = param(1, '-1 for an azimuth axis that turns the wrong way.', Span(-1, 1))
    tilt_sign: int = param(1, '-1 for a tilt axis that turns the wrong way.', Span(-1, 1))
    dead_zone_rad_s: float = param(0.0, 'The gimbal ignores rate commands below this.', Span(0.0, 0.5, 'rad/s'))
    rate_gain_zooms: tuple[float, ...] = param(
        (), 'Zoom factors of `rate_gains`, ascending; empty if the gain does not depend on the zoom.', Span(1.0, 1000.0)
    )
    rate_gains: tuple[float, ...] = param(
        (), 'Achieved over commanded rate at each of `rate_gain_zooms`.', Span(0.001, 10.0)
    )
    plant_delay_s: float = param(
        0.02, 'Delay from a command to the first motion; the tracker compensates for it.', Span(0.0, 2.0, 's')
    )
    plant_lag_s: float = param(
        0.06, 'Time constant of the rate loop; the tracker compensates for it.', Span(0.0, 2.0, 's')
    )

    def rate_gain(self, zoom: float) -> float:
        """Achieved over commanded rate, linear between the table's points in the logarithms of both, flat outside."""
        if not self.rate_gains:
            return 1.0
        # In this order NaN counts as the widest zoom.
        zoom = max(self.rate_gain_zooms[0], zoom)
        return math.exp(np.interp(math.log(zoom), np.log(self.rate_gain_zooms), np.log(self.rate_gains)))

    def nearest_command(self, true_rates_rad_s: Pair, zoom: float = 1.0) -> Pair:
        """Commanded azimuth and tilt rates for these true ones; in the dead zone the nearer of its edge and zero."""
        gain = self.rate_gain(zoom)
        azimuth, tilt = (self._out_of_dead_zone(rate / gain) for rate in true_rates_rad_s)
        return self.azimuth_sign * azimuth, self.tilt_sign * tilt

    def _out_of_dead_zone(self, rate_rad_s: float) -> float:
        if abs(rate_rad_s) >= self.dead_zone_rad_s:
            return rate_rad_s
        if abs(rate_rad_s) < 0.5 * self.dead_zone_rad_s:
            return 0.0
        return math.copysign(self.dead_zone_rad_s * (1.0 + 1e-6), rate_rad_s)


class PlantInverse:
    """Commands for a stream of true rates, with pulses in the dead zone; give it the time between them.

    A first-order sigma-delta on a grid of pulses: what was commanded too little or too much is made up by the next
    pulse, so that the camera is never further from where it should be than half a pulse turns it: 0.04 degrees at
    2 deg/s.

    Args:
        plant: sign, gain and dead zone.
        pulse_s: the shortest pulse and the shortest pause; 40 ms is the interval at which commands are repeated.
    """

    def __init__(self, plant: MeasuredPlant, pulse_s: float) -> None:
        self.plant = plant
        self._axes = (_Axis(plant.dead_zone_rad_s, pulse_s), _Axis(plant.dead_zone_rad_s, pulse_s))

    def command(self, true_rates_rad_s: Pair, zoom: float, elapsed_s: float) -> Pair:
        """Azimuth and tilt to command now, `elapsed_s` after the last ones."""
        gain = self.plant.rate_gain(zoom)
        azimuth, tilt = (
            axis.command(rate / gain, elapsed_s) for axis, rate in zip(self._axes, true_rates_rad_s, strict=True)
        )
        return self.plant.azimuth_sign * azimuth, self.plant.tilt_sign * tilt

    def reset(self) -> None:
        """The gimbal was commanded to stand still: no rotation is owed any more."""
        for axis in self._axes:
            axis.reset()


class _Axis:
    def __init__(self, dead_zone_rad_s: float, pulse_s: float) -> None:
        self._dead_zone_rad_s = dead_zone_rad_s
        self._pulse_s = pulse_s
        self.reset()

    def reset(self) -> None:
        self._owed_rad = 0.0
        self._true_rad_s = 0.0
        self._commanded_rad_s = 0.0
        self._age_s = math.inf

    def command(self, rate_rad_s: float, elapsed_s: float) -> float:
        if math.isinf(self._age_s):
            self._age_s = self._pulse_s
        else:
            self._owed_rad += (self._true_rad_s - self._commanded_rad_s) * elapsed_s
            self._age_s += elapsed_s
        self._true_rad_s = rate_rad_s
        if abs(rate_rad_s) >= self._dead_zone_rad_s:
            # The gimbal follows this by itself. What is still owed is at most half a pulse, and old.
            self._owed_rad = 0.0
            self._age_s = self._pulse_s
            self._commanded_rad_s = rate_rad_s
        elif self._age_s >= self._pulse_s - _SLACK_S:
            self._age_s = 0.0
            self._commanded_rad_s = self._pulse(rate_rad_s + self._owed_rad / self._pulse_s)
        return self._commanded_rad_s

    def _pulse(self, rate_rad_s: float) -> float:
        """The nearest of: a pulse one way, none, a pulse the other way."""
        pulse = self._dead_zone_rad_s * _ABOVE
        return math.copysign(pulse, rate_rad_s) if abs(rate_rad_s) > 0.5 * pulse else 0.0
