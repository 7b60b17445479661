# SPDX-License-Identifier: Apache-2.0
"""The plant's inner steps, twice: on plain floats for one gimbal, on arrays for a batch. Both give the same bits.

One gimbal on arrays costs 10 us a step, of which a simulated minute has 60 000; on plain floats it costs 1 us.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gremsy_gimbal_sim.plant.plant import PlantParameters

Array = NDArray[np.float64]

STEP_S = 1e-3
"""Inner step. Times are cut to whole steps, so the motion does not depend on how often `advance` is called."""


class PlantAxes:
    """What one step needs to know."""

    def __init__(self, parameters: PlantParameters) -> None:
        """An overshoot p has the damping z = -ln p / sqrt(pi^2 + ln^2 p), and the natural frequency is 2 z / lag.

        Behind a ramp of commands the rate then stays back by the lag, whatever the order.
        """
        lag_s = parameters.lag_s
        self._max_rate_rad_s = parameters.max_rate_rad_s
        # Of the remaining difference, what a first-order lag covers in one step, exactly; and the most in one step.
        self._share = 1.0 - math.exp(-STEP_S / lag_s)
        self._max_change_rad_s = parameters.max_acceleration_rad_s2 * STEP_S
        # The fastest of an angle loop that does not overshoot behind a first-order lag, 1/s.
        self._angle_gain_s = 1.0 / (4.0 * lag_s)
        # Of a servo of second order, what one step adds to the rate's change for each rad/s that the rate is short of
        # its target, and takes from it; None and 0 for the first-order lag.
        self._spring: float | None = None
        self._damping = 0.0
        if parameters.overshoot > 0.0:
            logarithm = math.log(parameters.overshoot)
            ratio = -logarithm / math.hypot(math.pi, logarithm)
            natural = 2.0 * ratio / lag_s
            self._spring, self._damping = (natural * STEP_S) ** 2, 2.0 * ratio * natural * STEP_S


class ScalarAxes(PlantAxes):
    """Two axes, (2,)."""

    def __init__(self, parameters: PlantParameters, angles_rad: Array) -> None:
        super().__init__(parameters)
        self._integral: list[float] = angles_rad.tolist()
        self._rates = [0.0, 0.0]
        self._changes = [0.0, 0.0]
        self._low, self._high = [-math.inf] * 2, [math.inf] * 2

    def run(self, steps: int, target_rad_s: Array, goal_rad: Array | None) -> None:
        """Step towards the target rates or, where there is a goal, towards those angles, axis after axis."""
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
        share, most, gain = self._share, self._max_change_rad_s, self._angle_gain_s
        spring, damping, limit = self._spring, self._damping, self._max_rate_rad_s
        goal, half = target, 0.5 * STEP_S
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


class BatchAxes(PlantAxes):
    """Any shape before the two axes; in place, ufuncs on arrays only, since each of them costs 1 to 2 us."""

    def __init__(self, parameters: PlantParameters, angles_rad: Array) -> None:
        super().__init__(parameters)
        shape = angles_rad.shape
        self._integral = angles_rad.copy()
        self._rates = np.zeros(shape)
        self._change, self._damped, self._moved = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self._shares = np.full(shape, self._share)
        self._max_change = np.full(shape, self._max_change_rad_s)
        self._min_change = -self._max_change
        self._step_s = np.full(shape, STEP_S)
        self._low, self._high = np.full(2, -np.inf), np.full(2, np.inf)
        self._free_steps = 0

    def run(self, steps: int, target_rad_s: Array, goal_rad: Array | None) -> None:
        """All axes at once."""
        limit, target = self._max_rate_rad_s, target_rad_s
        for _ in range(steps):
            if goal_rad is not None:
                target = np.clip((goal_rad - self.angles()) * self._angle_gain_s, -limit, limit)
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
        change = self._change
        if self._spring is None:
            np.subtract(target, self._rates, out=change)
            np.multiply(change, self._shares, out=change)
        else:
            np.multiply(change, self._damping, out=self._damped)
            change += (target - self._rates) * self._spring - self._damped
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
        fastest_rad_s = self._max_rate_rad_s * (1.0 if self._spring is None else 2.0)
        self._free_steps = int(distance / (fastest_rad_s * STEP_S))
