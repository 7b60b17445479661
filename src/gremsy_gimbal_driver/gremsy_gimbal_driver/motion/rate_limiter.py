# SPDX-License-Identifier: Apache-2.0
"""Limits on rate, acceleration and angle, per axis, on true rates (before the plant's inverse)."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_gimbal_driver.motion.limits import AXES, AngleLimits
from gremsy_gimbal_driver.motion.motion_output import Pair
from gremsy_gimbal_driver.motion.motion_settings import MotionSettings


@dataclass(frozen=True, slots=True)
class LimitedRates:
    """What may be commanded now.

    Attributes:
        rates_rad_s: azimuth, tilt.
        clamped: which limits took effect, of `rate`, `azimuth_limit`, `tilt_limit`.
        ramping: whether the acceleration limit still holds the rate back.
    """

    rates_rad_s: Pair
    clamped: tuple[str, ...]
    ramping: bool


class RateLimiter:
    """Remembers the last commanded rates for the acceleration limit."""

    def __init__(self, settings: MotionSettings, limits: AngleLimits) -> None:
        self._settings = settings
        self._limits = limits
        self._last: Pair = (0.0, 0.0)

    @property
    def rates_rad_s(self) -> Pair:
        """As commanded last."""
        return self._last

    def resume(self, rates_rad_s: Pair) -> None:
        """The gimbal was told to turn so by other means: by angles, or to stand still."""
        self._last = rates_rad_s

    def limit(self, wanted_rad_s: Pair, angles_rad: Pair, elapsed_s: float) -> LimitedRates:
        """Limit the wanted rates, `elapsed_s` after the last ones were commanded, with the camera at these angles."""
        settings = self._settings
        clamped: list[str] = []
        largest = settings.max_rate_rad_s
        change = settings.max_acceleration_rad_s2 * elapsed_s
        result = []
        ramping = False
        for wanted, angle, last, axis, (low, high) in zip(
            wanted_rad_s, angles_rad, self._last, AXES, self._limits.ranges, strict=True
        ):
            rate = min(max(wanted, -largest), largest)
            if rate != wanted:
                clamped.append('rate')
            ramped = min(max(rate, last - change), last + change)
            ramping = ramping or ramped != rate
            # Towards a limit no faster than what is left allows; beyond it only back. After the ramp, so that an
            # acceleration limit cannot carry the camera over an angle limit.
            upper = max(0.0, (high - angle) * settings.limit_gain_s)
            lower = min(0.0, (low - angle) * settings.limit_gain_s)
            safe = min(max(ramped, lower), upper)
            if safe != ramped:
                clamped.append(f'{axis}_limit')
            result.append(safe)
        self._last = (result[0], result[1])
        return LimitedRates(self._last, tuple(clamped), ramping)
