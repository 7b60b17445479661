# SPDX-License-Identifier: Apache-2.0
"""The gimbal as seen from the wire: how a rate command becomes motion (design.md section 7).

One class for the simulated payload and for every benchmark, so that what is tuned on one holds on the other. Per axis:

    rate command -> pure delay -> gain (falls with zoom) -> dead zone -> rate limit -> first-order lag -> angle
                                                                       (its slope limited: acceleration)

A servo that overshoots has a second order in place of the lag.

Axes are the last dimension, (azimuth, tilt) as in `gremsy_common.geometry`: azimuth left +, tilt down +. Any shape
may stand before it, so that a benchmark runs many seeds and gains at once.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gremsy_common.parameters.parameter_fields import Span, param
from gremsy_gimbal_sim.plant.plant_axes import STEP_S, Array, BatchAxes, ScalarAxes

# A time within a millionth of a step of a grid point counts as on it: 0.020 / 0.001 is not 20 in binary.
_GRID_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class PlantParameters:
    """What one gimbal does with a rate command."""

    delay_s: float = param(doc='nothing happens for so long after a command', span=Span(0.0, 10.0, 's'))
    # A lag of one step is the shortest that the plant can have.
    lag_s: float = param(doc='time constant of the rate loop', span=Span(STEP_S, 10.0, 's'))
    dead_zone_rad_s: float = param(
        0.0, 'smaller commands are ignored, larger ones taken whole (gimbal.md 1.9)', Span(0.0, 10.0, 'rad/s')
    )
    max_rate_rad_s: float = param(math.radians(60.0), 'per axis', Span(0.001, 100.0, 'rad/s'))
    max_acceleration_rad_s2: float = param(math.radians(400.0), 'per axis', Span(0.001, 10_000.0, 'rad/s2'))
    rate_gain_by_zoom: tuple[tuple[float, float], ...] = param(
        (), '(zoom factor, achieved rate / commanded rate) pairs, zoom ascending; empty for 1 throughout'
    )
    tilt_limits_rad: tuple[float, float] = param(
        (math.radians(-90.0), math.radians(120.0)),
        'mechanical stops, up and down (tilt is positive down)',
        Span(unit='rad'),
    )
    azimuth_limit_rad: float = param(math.radians(320.0), 'mechanical stop on either side', Span(0.0, 100.0, 'rad'))
    overshoot: float = param(
        0.0, 'share by which the rate overshoots a step, of a servo of second order; 0 for a first-order lag'
    )

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
        self._shape = (*shape, 2)
        self._axes = (BatchAxes if shape else ScalarAxes)(parameters, self._full(angles_rad))
        azimuth, (up, down) = parameters.azimuth_limit_rad, parameters.tilt_limits_rad
        self.set_stops((-azimuth, up), (azimuth, down))
        self._command = np.zeros(self._shape)
        self._command_is_angle = False
        self._target = np.zeros(self._shape)
        self._step = math.floor(start_s / STEP_S + _GRID_SLACK)
        self._waiting: deque[tuple[int, bool, Array]] = deque()
        self._zoom = 1.0
        self._gain = parameters.rate_gain(1.0)

    @property
    def time_s(self) -> float:
        """The time that angles and rates belong to: the last whole step."""
        return self._step * STEP_S

    @property
    def angles_rad(self) -> Array:
        """A copy of the true azimuth and tilt, (..., 2)."""
        return self._axes.angles()

    @property
    def rates_rad_s(self) -> Array:
        """A copy of the true rates, (..., 2)."""
        return self._axes.rates()

    def set_zoom(self, factor: float) -> None:
        """From the next step on, rate commands are scaled as at this zoom."""
        if factor == self._zoom:
            return
        self._zoom, self._gain = factor, self.parameters.rate_gain(factor)
        if not self._command_is_angle:
            self._take_rate(self._command)

    def set_stops(self, low_rad: ArrayLike, high_rad: ArrayLike) -> None:
        """From the next step on, motion ends there; an angle that is beyond them is put onto them."""
        low, high = (np.array(np.broadcast_to(np.asarray(each, dtype=np.float64), 2)) for each in (low_rad, high_rad))
        self._axes.set_stops(low, high)

    def displace(self, delta_rad: ArrayLike) -> None:
        """Shift the angles, and the angles that are commanded, at once.

        For what turns the axes without being motion of the camera: a vehicle that turns under a stabilised camera.
        """
        delta = self._full(delta_rad)
        self._axes.displace(delta)
        if self._command_is_angle:
            self._command = self._command + delta
        self._waiting = deque(
            (step, is_angle, values + delta if is_angle else values) for step, is_angle, values in self._waiting
        )

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
            until = min(last, self._waiting[0][0]) if self._waiting else last
            self._axes.run(until - self._step, self._target, self._command if self._command_is_angle else None)
            self._step = until

    def _put(self, stamp_s: float, is_angle: bool, values: ArrayLike) -> None:
        effective = math.ceil((stamp_s + self.parameters.delay_s) / STEP_S - _GRID_SLACK)
        self._waiting.append((effective, is_angle, self._full(values)))

    def _take_rate(self, rates_rad_s: Array) -> None:
        limit = self.parameters.max_rate_rad_s
        moving = np.abs(rates_rad_s) >= self.parameters.dead_zone_rad_s
        self._target = np.clip(np.where(moving, rates_rad_s * self._gain, 0.0), -limit, limit)

    def _full(self, values: ArrayLike) -> Array:
        return np.array(np.broadcast_to(np.asarray(values, dtype=np.float64), self._shape))
