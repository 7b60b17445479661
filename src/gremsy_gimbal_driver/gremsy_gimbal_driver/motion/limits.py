# SPDX-License-Identifier: Apache-2.0
"""Limits on angle, rate and acceleration, per axis, on true rates (before the plant's inverse).

The camera may look where our soft limits, the device's own and its RC_LIM parameters all allow it (gimbal.md 1.8).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gremsy_gimbal_driver.motion.motion_output import Pair
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters
from gremsy_gimbal_driver.motion.notices import Notices

AXES = ('azimuth', 'tilt')
Range = tuple[float, float]

_SOFT = 'the soft limits'
_TURN = 2.0 * math.pi
# Near a soft limit the rate towards it is at most the distance times this.
_LIMIT_GAIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of an axis, and who set it."""

    angle_rad: float
    by: str


class AngleLimits:
    """The intersection of everybody's limits, level frame, tilt positive down."""

    def __init__(self, parameters: MotionParameters) -> None:
        self._ranges: dict[str, tuple[Range | None, Range | None]] = {_SOFT: parameters.limits_rad}
        self._bounds = self._ends(0), self._ends(1)

    @property
    def ranges(self) -> tuple[Range, Range]:
        """Low and high of azimuth and tilt; low above high where nothing is left."""
        (azimuth_low, azimuth_high), (tilt_low, tilt_high) = self._bounds
        return (azimuth_low.angle_rad, azimuth_high.angle_rad), (tilt_low.angle_rad, tilt_high.angle_rad)

    def set(self, by: str, azimuth_rad: Range | None, tilt_rad: Range | None) -> str | None:
        """Take the limits from `by` in place of its earlier ones; None leaves an axis free.

        Returns:
            What is wrong with them; such a range is ignored. A device that knows none sends NaN or 0 .. 0.
        """
        wrong = []
        taken: list[Range | None] = []
        for axis, given in zip(AXES, (azimuth_rad, tilt_rad), strict=True):
            usable = given is not None and all(map(math.isfinite, given)) and given[0] < given[1]
            taken.append(given if usable else None)
            if given is not None and not usable:
                wrong.append(f'{axis} {given[0]:g} .. {given[1]:g} rad')
        self._ranges[by] = (taken[0], taken[1])
        self._bounds = self._ends(0), self._ends(1)
        return f'The limits from {by} make no sense and are left out: {", ".join(wrong)}.' if wrong else None

    def empty_axis(self) -> str | None:
        """The axis on which the limits leave no angle at all."""
        for axis, (low, high) in zip(AXES, self.ranges, strict=True):
            if low > high:
                return axis
        return None

    def clamp(self, axis: int, angle_rad: float) -> tuple[float, Bound | None]:
        """The nearest allowed angle of that axis, and the bound that lies between, if one does."""
        low, high = self._bounds[axis]
        if angle_rad > high.angle_rad:
            return high.angle_rad, high
        return (low.angle_rad, low) if angle_rad < low.angle_rad else (angle_rad, None)

    def nearest_turn(self, azimuth_rad: float, near_rad: float) -> float:
        """Of all azimuths that look the same way, the allowed one nearest to where the camera is; else as given."""
        low, high = self.ranges[0]
        # A pan of +-320 degrees holds two turns of one bearing (gimbal.md 1.8): never more than one away each way.
        base = azimuth_rad + _TURN * round((near_rad - azimuth_rad) / _TURN)
        allowed = [each for each in (base - _TURN, base, base + _TURN) if low <= each <= high]
        return min(allowed, key=lambda each: abs(each - near_rad), default=azimuth_rad)

    def sentence(self, axis: str) -> str:
        """States that motion is cut off there."""
        low, high = self.ranges[AXES.index(axis)]
        return f'The {axis} is at its limit ({low:g} .. {high:g} rad): motion beyond it is cut off.'

    def _ends(self, axis: int) -> tuple[Bound, Bound]:
        given = [(limits, by) for by, each in self._ranges.items() if (limits := each[axis]) is not None]
        lows, highs = ([Bound(limits[end], by) for limits, by in given] for end in (0, 1))
        return max(lows, key=lambda each: each.angle_rad), min(highs, key=lambda each: each.angle_rad)


class RateLimiter:
    """How fast it may turn now; reports what it cuts, and remembers the last commanded rates, whose change is limited.

    Attributes:
        ramping: whether the acceleration limit still held the rate back.
    """

    def __init__(self, parameters: MotionParameters, limits: AngleLimits, notices: Notices) -> None:
        self._parameters = parameters
        self._limits = limits
        self._notices = notices
        self.ramping = False
        self.rates_rad_s: Pair = (0.0, 0.0)
        """As commanded last; whoever commands otherwise, by angles or a stop, sets them."""

    def limit(self, wanted_rad_s: Pair, angles_rad: Pair, elapsed_s: float) -> Pair:
        """Limit the wanted rates, `elapsed_s` after the last ones were commanded, with the camera at these angles."""
        self.ramping = cut = False
        largest = self._parameters.max_rate_rad_s
        change = self._parameters.max_acceleration_rad_s2 * elapsed_s
        result = []
        for wanted, angle, last, axis, (low, high) in zip(
            wanted_rad_s, angles_rad, self.rates_rad_s, AXES, self._limits.ranges, strict=True
        ):
            rate = min(max(wanted, -largest), largest)
            cut |= rate != wanted
            ramped = min(max(rate, last - change), last + change)
            self.ramping |= ramped != rate
            # Towards a limit no faster than the remaining angle allows; beyond it only back. After the ramp, so that an
            # acceleration limit cannot carry the camera over an angle limit.
            upper = max(0.0, (high - angle) * _LIMIT_GAIN_S)
            lower = min(0.0, (low - angle) * _LIMIT_GAIN_S)
            safe = min(max(ramped, lower), upper)
            self._notices.check(f'{axis}_limit', '' if safe == ramped else self._limits.sentence(axis))
            result.append(safe)
        beyond = f'A rate command is beyond `max_rate_rad_s` ({largest:g} rad/s) and is cut to it.' if cut else ''
        self._notices.check('rate', beyond)
        self.rates_rad_s = (result[0], result[1])
        return self.rates_rad_s
