# SPDX-License-Identifier: Apache-2.0
"""The gimbal as seen from the wire: how a rate command becomes motion (design.md section 7).

One class for the simulated payload and for every benchmark, so that what is tuned on one holds on the other. Per axis:

    rate command -> pure delay -> gain (falls with zoom) -> dead zone -> rate limit -> first-order lag -> angle
                                                                       (its slope limited: acceleration)

Axes are the last dimension, (azimuth, tilt) as in `gremsy_common.rotations`: azimuth left +, tilt down +. Any shape
may stand before it, so that a benchmark runs many seeds and gains at once.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

STEP_S = 1e-3
"""Inner step. Times are cut to whole steps, so the motion does not depend on how often `advance` is called."""

# A time within a millionth of a step of a grid point counts as on it: 0.020 / 0.001 is not 20 in binary.
_GRID_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class PlantParameters:
    """What one gimbal does with a rate command.

    Attributes:
        delay_s: nothing happens for so long after a command.
        lag_s: time constant of the rate loop.
        dead_zone_rad_s: smaller commands are ignored, larger ones taken whole (gimbal.md 1.9).
        max_rate_rad_s, max_acceleration_rad_s2: per axis.
        rate_gain_by_zoom: (zoom factor, achieved rate / commanded rate) pairs, zoom ascending; empty for 1 throughout.
        tilt_limits_rad: mechanical stops, up and down (tilt is positive down).
        azimuth_limit_rad: mechanical stop on either side.
    """

    delay_s: float
    lag_s: float
    dead_zone_rad_s: float = 0.0
    max_rate_rad_s: float = math.radians(60.0)
    max_acceleration_rad_s2: float = math.radians(400.0)
    rate_gain_by_zoom: tuple[tuple[float, float], ...] = ()
    tilt_limits_rad: tuple[float, float] = (math.radians(-90.0), math.radians(120.0))
    azimuth_limit_rad: float = math.radians(320.0)

    def rate_gain(self, zoom: float) -> float:
        """Achieved over commanded rate at this zoom factor, interpolated in the logarithms of both."""
        if not self.rate_gain_by_zoom:
            return 1.0
        zooms, gains = zip(*self.rate_gain_by_zoom, strict=True)
        return float(np.exp(np.interp(math.log(zoom), np.log(zooms), np.log(gains))))


IDEAL = PlantParameters(delay_s=0.020, lag_s=0.060)
GREMSY = PlantParameters(delay_s=0.150, lag_s=0.100, dead_zone_rad_s=math.radians(2.0))
"""250 ms from command to motion and a dead zone of 2 deg/s were measured on a VIO (gimbal.md 1.9)."""

ZOOM_RATE_GAIN = ((1.0, 1.04), (3.12, 0.148), (6.29, 0.061), (17.78, 0.032))
"""Achieved over commanded rate against the EO zoom factor, measured on a VIO (gimbal.md 1.9)."""


class Plant:
    """Two axes (times any batch shape) of one gimbal, from `start_s` on, at rest at the given angles."""

    def __init__(
        self,
        parameters: PlantParameters = IDEAL,
        *,
        start_s: float = 0.0,
        shape: tuple[int, ...] = (),
        angles_rad: ArrayLike = (0.0, 0.0),
    ) -> None:
        self.parameters = parameters
        full = (*shape, 2)
        self._integral = np.array(np.broadcast_to(np.asarray(angles_rad, dtype=np.float64), full))
        self._rates = np.zeros(full)
        self._command = np.zeros(full)
        self._command_is_angle = False
        self._target = np.zeros(full)
        self._step = math.floor(start_s / STEP_S + _GRID_SLACK)
        self._waiting: deque[tuple[int, bool, Array]] = deque()
        self._zoom = 1.0
        self._gain = parameters.rate_gain(1.0)
        # The exact share of the remaining difference that a first-order lag covers in one step.
        self._share = np.full(full, 1.0 - math.exp(-STEP_S / parameters.lag_s))
        self._max_change = np.full(full, parameters.max_acceleration_rad_s2 * STEP_S)
        self._min_change = -self._max_change
        self._step_s = np.full(full, STEP_S)
        # Angle loop: 1 / (4 lag) is the fastest gain that does not overshoot behind a first-order lag.
        self._angle_gain_s = 1.0 / (4.0 * parameters.lag_s)
        self._low = np.array([-parameters.azimuth_limit_rad, parameters.tilt_limits_rad[0]])
        self._high = np.array([parameters.azimuth_limit_rad, parameters.tilt_limits_rad[1]])
        self._change = np.zeros(full)
        self._free_steps = 0

    @property
    def time_s(self) -> float:
        """The time that angles and rates belong to: the last whole step."""
        return self._step * STEP_S

    @property
    def angles_rad(self) -> Array:
        """A copy of the true azimuth and tilt, (..., 2)."""
        # Euler's sum of rate times step, less half the last term, is the trapezoidal sum.
        return np.asarray(self._integral - 0.5 * STEP_S * self._rates)

    @property
    def rates_rad_s(self) -> Array:
        """A copy of the true rates, (..., 2)."""
        return self._rates.copy()

    def set_zoom(self, factor: float) -> None:
        """From the next step on, rate commands are scaled as at this zoom."""
        if factor == self._zoom:
            return
        self._zoom, self._gain = factor, self.parameters.rate_gain(factor)
        if not self._command_is_angle:
            self._take_rate(self._command)

    def command(self, stamp_s: float, rates_rad_s: ArrayLike) -> None:
        """A rate command given at that time; it holds until another comes. Give commands in order of time."""
        self._put(stamp_s, False, rates_rad_s)

    def command_angles(self, stamp_s: float, angles_rad: ArrayLike) -> None:
        """Go to these angles within the same limits; the gimbal's own loop, which has no dead zone."""
        self._put(stamp_s, True, angles_rad)

    def advance(self, to_s: float) -> None:
        """Move on by the whole steps that end at or before that time; going back does nothing."""
        last = math.floor(to_s / STEP_S + _GRID_SLACK)
        while self._step < last:
            while self._waiting and self._waiting[0][0] <= self._step:
                _, self._command_is_angle, self._command = self._waiting.popleft()
                if not self._command_is_angle:
                    self._take_rate(self._command)
            self._one_step()
            self._step += 1

    def _put(self, stamp_s: float, is_angle: bool, values: ArrayLike) -> None:
        effective = math.ceil((stamp_s + self.parameters.delay_s) / STEP_S - _GRID_SLACK)
        array = np.array(np.broadcast_to(np.asarray(values, dtype=np.float64), self._integral.shape))
        self._waiting.append((effective, is_angle, array))

    def _take_rate(self, rates_rad_s: Array) -> None:
        limit = self.parameters.max_rate_rad_s
        moving = np.abs(rates_rad_s) >= self.parameters.dead_zone_rad_s
        self._target = np.clip(np.where(moving, rates_rad_s * self._gain, 0.0), -limit, limit)

    def _one_step(self) -> None:
        # In place, ufuncs on arrays only: the payload takes 1000 of these a second, and each costs 1 to 2 us.
        if self._command_is_angle:
            limit = self.parameters.max_rate_rad_s
            self._target = np.clip((self._command - self.angles_rad) * self._angle_gain_s, -limit, limit)
        change = self._change
        np.subtract(self._target, self._rates, out=change)
        np.multiply(change, self._share, out=change)
        np.minimum(change, self._max_change, out=change)
        np.maximum(change, self._min_change, out=change)
        np.add(self._rates, change, out=self._rates)
        np.multiply(self._rates, self._step_s, out=change)
        np.add(self._integral, change, out=self._integral)
        self._free_steps -= 1
        if self._free_steps <= 0:
            self._meet_stops()

    def _meet_stops(self) -> None:
        """End motion into a stop, and count the steps in which none can be reached."""
        low, high = self._low, self._high
        outside = (self._integral < low) | (self._integral > high)
        np.clip(self._integral, low, high, out=self._integral)
        self._rates[outside] = 0.0
        distance = float(np.minimum(self._integral - low, high - self._integral).min())
        self._free_steps = int(distance / (self.parameters.max_rate_rad_s * STEP_S))
