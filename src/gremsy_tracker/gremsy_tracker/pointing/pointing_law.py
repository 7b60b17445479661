# SPDX-License-Identifier: Apache-2.0
"""From a predicted target and a predicted gimbal to the rate to ask for, within limits.

Asked for u, the gimbal's rate w follows with the lag T: T w' + w = u. With the error e = target - gimbal at the time at
which u begins to act, and the target's rate v and acceleration a then, the gimbal shall turn at w* = v + f(e), and come
to that rate r times as fast as by itself: T w' = T w*' + r (w* - w), which is asked for by

    u = w + T (a + f'(e) (v - w)) + r (v + f(e) - w).

Where f(e) = k e this gives (s + k)(T s + r) e = 0: no overshoot at any gain k, and no error behind an acceleration. Far
from the target, k e is more than can be braked in time: there f(e) is the rate that a steady braking brings to k e.

A servo of second order, w'' = n^2 (u - w - T w'), whose rate overshoots, is asked for what gives the rate that it is
short of, d = v + f(e) - w, the equation d'' + 2 z p d' + p^2 d = 0, with p somewhat above its natural frequency n:

    u = w + T w' + (f'(e) (a - w') + 2 z p (a + f'(e) (v - w) - w') + p^2 d) / n^2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import Array, wrap_angle
from gremsy_tracker.pointing.bearing_filter import BearingMotion
from gremsy_tracker.pointing.gimbal_predictor import Servo
from gremsy_tracker.tracker_parameters import TrackerParameters

# Limits of a setpoint are kept against the previous one; after a longer pause the gimbal is at rest again.
_PAUSE_S = 0.5
# In the dead zone the driver pulses for 40 ms at a time (`DeadZoneDither`). A target slower than a twentieth of the
# dead zone (0.1 deg/s of 2) cannot be told from one at rest.
_PULSE_S = 0.04
_RESTING_SHARE = 0.05
# Of the acceleration limit, for braking into the target: the lag and the target's own motion need some of it too.
_BRAKING_SHARE = 0.45
# Gain times the gimbal's delay and lag, at most: see the README on what a wrongly known delay does.
_GAIN_TIMES_PLANT = 4.0
# Behind a servo that overshoots, the rate is made to follow with so many times its natural frequency and this damping,
# and the gain is at most this many times that frequency.
_SECOND_ORDER_LEAD = 1.3
_SECOND_ORDER_DAMPING = 1.0
_SECOND_ORDER_GAIN = 0.7


class PointingLaw:
    """Holds the previous setpoint for the acceleration limit; the rest is arithmetic."""

    def __init__(self, parameters: TrackerParameters) -> None:
        self.parameters = parameters
        self._previous = np.zeros(2)
        self._previous_ns: int | None = None

    def rest(self) -> None:
        """The gimbal is not being moved by us: the next setpoint starts from zero."""
        self._previous = np.zeros(2)
        self._previous_ns = None

    def follow(
        self,
        now_ns: int,
        target: BearingMotion,
        gimbal: BearingMotion,
        field_rad: float,
        servo: Servo | None = None,
    ) -> Array:
        """(2,) azimuth and tilt rate to ask for now.

        Args:
            now_ns: for the acceleration limit.
            target: predicted to when a rate that is asked for now begins to act.
            gimbal: predicted to the same time.
            field_rad: width of the field of view, zoom included.
            servo: by which the gimbal takes up a rate; None for one that does not overshoot.
        """
        parameters = self.parameters
        lag_s = parameters.plant_lag_s
        error = wrap_angle(target.bearing_rad - gimbal.bearing_rad)
        closing = target.rate_rad_s - gimbal.rate_rad_s
        beyond = error
        if parameters.deadband_field_share > 0.0:
            beyond = np.sign(error) * np.maximum(np.abs(error) - parameters.deadband_field_share * field_rad, 0.0)
        approach, slope = self._approach(beyond, self._gain(servo))
        if servo is not None and servo.overshoot > 0.0:
            requested = self._asked_of_second_order(target, gimbal, servo, approach, slope)
        else:
            requested = (
                gimbal.rate_rad_s
                + lag_s * (target.acceleration_rad_s2 + slope * closing)
                + parameters.lag_lead * (closing + approach)
            )
        if parameters.plant_dead_zone_rad_s > 0.0:
            requested = np.where(self._at_rest(target.rate_rad_s, error + closing * lag_s), 0.0, requested)
        return self._limited(
            now_ns, requested, min(parameters.max_rate_rad_s, parameters.max_field_rate_per_s * field_rad)
        )

    def home(self, now_ns: int, gimbal: BearingMotion, servo: Servo | None = None) -> Array:
        """(2,) rate that returns to bearing (0, 0) at no more than the home rate, both axes arriving together."""
        at_rest = gimbal.bearing_rad + gimbal.rate_rad_s * self.parameters.plant_lag_s
        requested = -self._gain(servo) * wrap_angle(at_rest)
        fastest = float(np.abs(requested).max())
        slow_down = min(1.0, self.parameters.home_rate_rad_s / fastest) if fastest > 0.0 else 1.0
        return self._limited(now_ns, requested * slow_down, self.parameters.max_rate_rad_s)

    def _at_rest(self, rate_rad_s: Array, error_rad: Array) -> NDArray[np.bool_]:
        """(2,) whether the best is to leave the axis alone: a pulse would carry it further off than it is."""
        dead_zone = self.parameters.plant_dead_zone_rad_s
        slow = np.abs(rate_rad_s) < _RESTING_SHARE * dead_zone
        return np.asarray(slow & (np.abs(error_rad) < dead_zone * _PULSE_S))

    @staticmethod
    def _asked_of_second_order(
        target: BearingMotion, gimbal: BearingMotion, servo: Servo, approach: Array, slope: Array
    ) -> Array:
        """(2,) rate to ask for of a servo that overshoots."""
        natural = servo.natural_rad_s
        placed = _SECOND_ORDER_LEAD * natural
        missing = target.rate_rad_s + approach - gimbal.rate_rad_s
        growing = (
            target.acceleration_rad_s2 + slope * (target.rate_rad_s - gimbal.rate_rad_s) - gimbal.acceleration_rad_s2
        )
        jerk = (
            slope * (target.acceleration_rad_s2 - gimbal.acceleration_rad_s2)
            + 2.0 * _SECOND_ORDER_DAMPING * placed * growing
            + placed**2 * missing
        )
        return np.asarray(gimbal.rate_rad_s + servo.lag_s * gimbal.acceleration_rad_s2 + jerk / natural**2)

    def _approach(self, error_rad: Array, gain: float) -> tuple[Array, Array]:
        """The rate f(e) and its slope: the gain times a small error; of a larger one, an even braking into that."""
        braking = _BRAKING_SHARE * self.parameters.max_acceleration_rad_s2
        linear = braking / gain**2
        size = np.abs(error_rad)
        if float(size.max()) <= linear:
            return gain * error_rad, np.full(2, gain)
        root = np.sqrt(2.0 * braking * np.maximum(size - 0.5 * linear, 0.5 * linear))
        near = size <= linear
        rate = np.where(near, gain * size, root)
        return np.asarray(np.sign(error_rad) * rate), np.where(near, gain, braking / root)

    def _gain(self, servo: Servo | None) -> float:
        """The gain, held back for a slow gimbal: a fast loop needs to know delay and lag better than anyone does."""
        plant_s = self.parameters.plant_delay_s + self.parameters.plant_lag_s
        gain = min(self.parameters.gain_per_s, _GAIN_TIMES_PLANT / max(plant_s, 1e-3))
        if servo is not None and servo.overshoot > 0.0:
            gain = min(gain, _SECOND_ORDER_GAIN * servo.natural_rad_s)
        return gain

    def _limited(self, now_ns: int, requested: Array, max_rate: float) -> Array:
        requested = requested.clip(-max_rate, max_rate)
        since_s = _PAUSE_S if self._previous_ns is None else (now_ns - self._previous_ns) * 1e-9
        if not 0.0 <= since_s < _PAUSE_S:
            self._previous = np.zeros(2)
        # The first setpoint may step as far as one 50 Hz tick allows.
        step = self.parameters.max_acceleration_rad_s2 * (since_s if 0.0 <= since_s < _PAUSE_S else 0.02)
        limited = requested.clip(self._previous - step, self._previous + step)
        self._previous, self._previous_ns = limited, now_ns
        return limited
