# SPDX-License-Identifier: Apache-2.0
"""Driving to a goal by angle commands: a profile within our rate and acceleration limits.

A gimbal goes to a new angle at its own speed ("180 deg/s, too fast", gimbal.md 1.8). So it only gets the next few
degrees of the way at a time, which also makes a turn over +-pi go the right way round.
"""

from __future__ import annotations

import math

from gremsy_gimbal_driver.motion.limits import AngleLimits
from gremsy_gimbal_driver.motion.motion_output import Pair
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters

# How far the commanded angle may lead the measured one: with 250 ms of lag and the gimbal's own loop, the camera is
# half a second behind. With more lead, a gimbal that obeys late would catch up at its own speed.
_LEAD_S = 0.5


class AngleProfile:
    """The commanded angles: inactive, or moving to a target."""

    def __init__(self, parameters: MotionParameters, limits: AngleLimits) -> None:
        self._parameters = parameters
        self._limits = limits
        self.angles_rad: Pair | None = None
        """As commanded last; None while no angles are commanded."""
        self.rates_rad_s: Pair = (0.0, 0.0)
        """How fast they go."""

    def start(self, angles_rad: Pair, rates_rad_s: Pair) -> None:
        """Start where the camera looks, at the rate that was commanded last."""
        self.angles_rad = angles_rad
        self.rates_rad_s = rates_rad_s

    def reset(self) -> None:
        """Angles are no longer commanded."""
        self.angles_rad = None
        self.rates_rad_s = (0.0, 0.0)

    def stopping_angles(self, angles_rad: Pair) -> Pair:
        """Where each axis comes to rest if it is braked from here on."""
        starts = angles_rad if self.angles_rad is None else self.angles_rad
        azimuth, tilt = (
            start + rate * abs(rate) / (2.0 * self._parameters.max_acceleration_rad_s2)
            for start, rate in zip(starts, self.rates_rad_s, strict=True)
        )
        return azimuth, tilt

    def advance(self, target_rad: Pair, measured_rad: Pair, elapsed_s: float) -> Pair:
        """The angles to command now, `elapsed_s` after the last ones."""
        if self.angles_rad is None:
            self.start(measured_rad, (0.0, 0.0))
        assert self.angles_rad is not None
        states = zip(self._limits.ranges, self.angles_rad, self.rates_rad_s, target_rad, measured_rad, strict=True)
        azimuth, tilt = (self._axis(*state, elapsed_s) for state in states)
        self.angles_rad, self.rates_rad_s = zip(azimuth, tilt, strict=True)
        return self.angles_rad

    def _axis(
        self, limits: Pair, angle: float, rate: float, target: float, measured: float, elapsed_s: float
    ) -> tuple[float, float]:
        parameters = self._parameters
        change = parameters.max_acceleration_rad_s2 * elapsed_s
        left = target - angle
        # The fastest rate after which enough is left to brake: v dt + v^2 / 2a = left.
        brake = -change + math.sqrt(change**2 + 2.0 * parameters.max_acceleration_rad_s2 * abs(left))
        wanted = math.copysign(min(parameters.max_rate_rad_s, brake), left)
        lead = parameters.goal_tolerance_rad + parameters.max_rate_rad_s * _LEAD_S
        if (angle - measured) * math.copysign(1.0, wanted) > lead:
            wanted = 0.0
        rate = min(max(wanted, rate - change), rate + change)
        moved = angle + rate * elapsed_s
        low, high = limits
        # Never over a limit, nor further beyond one; this takes precedence over the acceleration limit.
        allowed = min(max(moved, min(low, angle)), max(high, angle))
        return (allowed, rate) if allowed == moved else (allowed, 0.0)
