# SPDX-License-Identifier: Apache-2.0
"""The plant's inner steps, twice: on plain floats for one gimbal, on arrays for a batch. Both give the same bits.

One gimbal on arrays costs 10 us a step, of which a simulated minute has 60 000; on plain floats it costs 1 us.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEP_S = 1e-3
"""Inner step. Times are cut to whole steps, so the motion does not depend on how often `advance` is called."""


@dataclass(frozen=True, slots=True)
class AxisConstants:
    """What one step needs to know.

    Attributes:
        share: of the remaining difference that a first-order lag covers in one step, exactly.
        max_change_rad_s: of the rate in one step.
        max_rate_rad_s: of either axis.
        angle_gain_s: of the angle loop, 1/s.
        spring, damping: of a servo of second order, what one step adds to the rate's change for each rad/s that the
            rate is short of its target, and takes from it; None and 0 for the first-order lag.
    """

    share: float
    max_change_rad_s: float
    max_rate_rad_s: float
    angle_gain_s: float
    spring: float | None = None
    damping: float = 0.0

    @classmethod
    def of(
        cls, lag_s: float, max_rate_rad_s: float, max_acceleration_rad_s2: float, overshoot: float = 0.0
    ) -> AxisConstants:
        """1 / (4 lag) is the fastest gain of an angle loop that does not overshoot behind a first-order lag.

        An overshoot p has the damping z = -ln p / sqrt(pi^2 + ln^2 p), and the natural frequency is 2 z / lag: behind
        a ramp of commands the rate then stays back by the lag, whatever the order.
        """
        spring, damping = None, 0.0
        if overshoot > 0.0:
            logarithm = math.log(overshoot)
            ratio = -logarithm / math.hypot(math.pi, logarithm)
            natural = 2.0 * ratio / lag_s
            spring, damping = (natural * STEP_S) ** 2, 2.0 * ratio * natural * STEP_S
        return cls(
            share=1.0 - math.exp(-STEP_S / lag_s),
            max_change_rad_s=max_acceleration_rad_s2 * STEP_S,
            max_rate_rad_s=max_rate_rad_s,
            angle_gain_s=1.0 / (4.0 * lag_s),
            spring=spring,
            damping=damping,
        )


class Axes(Protocol):
    """Angles and rates of all axes, (..., 2), and the stops."""

    def run(self, steps: int, target_rad_s: Array, goal_rad: Array | None) -> None:
        """Step towards the target rates or, where there is a goal, towards those angles."""

    def angles(self) -> Array:
        """A copy, rad."""

    def rates(self) -> Array:
        """A copy, rad/s."""

    def displace(self, delta_rad: Array) -> None:
        """Shift the angles as far as the stops, whatever the rates."""

    def set_stops(self, low_rad: Array, high_rad: Array) -> None:
        """Where motion ends from now on."""


class ScalarAxes:
    """Two axes, (2,)."""

    def __init__(self, constants: AxisConstants, angles_rad: Array) -> None:
        self._constants = constants
        self._integral: list[float] = angles_rad.tolist()
        self._rates = [0.0, 0.0]
        self._changes = [0.0, 0.0]
        self._low, self._high = [-math.inf] * 2, [math.inf] * 2

    def run(self, steps: int, target_rad_s: Array, goal_rad: Array | None) -> None:
        """Axis after axis: they do not act on each other."""
        for axis, target in enumerate((target_rad_s if goal_rad is None else goal_rad).tolist()):
            self._run_axis(axis, steps, target, goal_rad is not None)

    def angles(self) -> Array:
        """Euler's sum of rate times step, less half the last term, is the trapezoidal sum."""
        half = 0.5 * STEP_S
        return np.array([self._integral[0] - half * self._rates[0], self._integral[1] - half * self._rates[1]])

    def rates(self) -> Array:
        """A copy."""
        return np.array(self._rates)

    def displace(self, delta_rad: Array) -> None:
        """Shift, but not through a stop."""
        self._integral = [
            min(max(angle + delta, low), high)
            for angle, delta, low, high in zip(self._integral, delta_rad.tolist(), self._low, self._high, strict=True)
        ]

    def set_stops(self, low_rad: Array, high_rad: Array) -> None:
        """Checked in every step."""
        self._low, self._high = low_rad.tolist(), high_rad.tolist()

    def _run_axis(self, axis: int, steps: int, target: float, is_angle: bool) -> None:
        """Towards a rate or towards an angle, which asks for another rate in every step."""
        rate, integral, change = self._rates[axis], self._integral[axis], self._changes[axis]
        low, high = self._low[axis], self._high[axis]
        if not is_angle and rate == 0.0 and target == 0.0 and change == 0.0 and low <= integral <= high:
            return
        constants, half = self._constants, 0.5 * STEP_S
        share, most, gain = constants.share, constants.max_change_rad_s, constants.angle_gain_s
        spring, damping, limit = constants.spring, constants.damping, constants.max_rate_rad_s
        goal = target
        for _ in range(steps):
            if is_angle:
                target = (goal - (integral - half * rate)) * gain
                if target > limit:
                    target = limit
                elif target < -limit:
                    target = -limit
            if spring is None:
                change = (target - rate) * share
            else:
                change += (target - rate) * spring - change * damping
            if change > most:
                change = most
            elif change < -most:
                change = -most
            rate += change
            integral += rate * STEP_S
            if not low <= integral <= high:
                integral = low if integral < low else high
                rate = change = 0.0
        self._rates[axis], self._integral[axis] = rate, integral
        self._changes[axis] = 0.0 if spring is None else change


class BatchAxes:
    """Any shape before the two axes; in place, ufuncs on arrays only, since each of them costs 1 to 2 us."""

    def __init__(self, constants: AxisConstants, angles_rad: Array) -> None:
        shape = angles_rad.shape
        self._constants = constants
        self._integral = angles_rad.copy()
        self._rates = np.zeros(shape)
        self._change, self._damped, self._moved = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self._share = np.full(shape, constants.share)
        self._max_change = np.full(shape, constants.max_change_rad_s)
        self._min_change = -self._max_change
        self._step_s = np.full(shape, STEP_S)
        self._low, self._high = np.full(2, -np.inf), np.full(2, np.inf)
        self._free_steps = 0

    def run(self, steps: int, target_rad_s: Array, goal_rad: Array | None) -> None:
        """All axes at once."""
        limit, gain = self._constants.max_rate_rad_s, self._constants.angle_gain_s
        target = target_rad_s
        for _ in range(steps):
            if goal_rad is not None:
                target = np.clip((goal_rad - self.angles()) * gain, -limit, limit)
            self._one_step(target)

    def angles(self) -> Array:
        """As of `ScalarAxes`."""
        return np.asarray(self._integral - 0.5 * STEP_S * self._rates)

    def rates(self) -> Array:
        """A copy."""
        return self._rates.copy()

    def displace(self, delta_rad: Array) -> None:
        """Shift, but not through a stop."""
        self._integral += delta_rad
        np.clip(self._integral, self._low, self._high, out=self._integral)
        self._free_steps = 0

    def set_stops(self, low_rad: Array, high_rad: Array) -> None:
        """Checked in the next step and then where one can be reached."""
        self._low, self._high = low_rad, high_rad
        self._free_steps = 0

    def _one_step(self, target: Array) -> None:
        change, constants = self._change, self._constants
        if constants.spring is None:
            np.subtract(target, self._rates, out=change)
            np.multiply(change, self._share, out=change)
        else:
            np.multiply(change, constants.damping, out=self._damped)
            change += (target - self._rates) * constants.spring - self._damped
        np.minimum(change, self._max_change, out=change)
        np.maximum(change, self._min_change, out=change)
        np.add(self._rates, change, out=self._rates)
        np.multiply(self._rates, self._step_s, out=self._moved)
        np.add(self._integral, self._moved, out=self._integral)
        self._free_steps -= 1
        if self._free_steps <= 0:
            self._meet_stops()

    def _meet_stops(self) -> None:
        """End motion into a stop, and count the steps in which none can be reached."""
        low, high = self._low, self._high
        outside = (self._integral < low) | (self._integral > high)
        np.clip(self._integral, low, high, out=self._integral)
        self._rates[outside] = self._change[outside] = 0.0
        distance = float(np.minimum(self._integral - low, high - self._integral).min())
        fastest_rad_s = self._constants.max_rate_rad_s * (1.0 if self._constants.spring is None else 2.0)
        self._free_steps = int(distance / (fastest_rad_s * STEP_S))
