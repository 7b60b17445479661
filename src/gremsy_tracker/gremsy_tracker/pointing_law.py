# SPDX-License-Identifier: Apache-2.0
"""From a predicted target and a predicted gimbal to the rate to ask for, within limits.

Asked for u, the gimbal's rate follows with the lag T: T w' + w = u. With the error e taken where the gimbal would come
to rest relative to the target if it were asked for the target's rate v from now on, e + (v - w) T, the law
u = v + k (e + (v - w) T) gives T e'' + (1 + k T) e' + k e = 0 = (T s + 1)(s + k): no overshoot at any gain k.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gremsy_common.rotations import wrap_angle
from gremsy_tracker.tracker_parameters import TrackerParameters

Array = NDArray[np.float64]

# Limits of a setpoint are kept against the previous one; after a longer pause the gimbal is at rest again.
_PAUSE_S = 0.5


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
        *,
        target_bearing_rad: Array,
        target_rate_rad_s: Array,
        gimbal_bearing_rad: Array,
    ) -> Array:
        """(2,) azimuth and tilt rate to ask for now.

        Args:
            now_ns: for the acceleration limit.
            target_bearing_rad: (2,) predicted to now + plant delay + plant lag.
            target_rate_rad_s: (2,) predicted to the same time.
            gimbal_bearing_rad: (2,) predicted to now + plant delay and carried on by its rate for the plant lag.
        """
        error = wrap_angle(target_bearing_rad - gimbal_bearing_rad)
        beyond = np.sign(error) * np.maximum(np.abs(error) - self.parameters.deadband_rad, 0.0)
        return self._limited(
            now_ns, target_rate_rad_s + self.parameters.gain_per_s * beyond, self.parameters.max_rate_rad_s
        )

    def home(self, now_ns: int, gimbal_bearing_rad: Array) -> Array:
        """(2,) rate that returns to bearing (0, 0) at no more than the home rate, both axes arriving together."""
        wished = -self.parameters.gain_per_s * wrap_angle(gimbal_bearing_rad)
        fastest = float(np.abs(wished).max())
        slow_down = min(1.0, self.parameters.home_rate_rad_s / fastest) if fastest > 0.0 else 1.0
        return self._limited(now_ns, wished * slow_down, self.parameters.max_rate_rad_s)

    def _limited(self, now_ns: int, wished: Array, max_rate: float) -> Array:
        wished = np.clip(wished, -max_rate, max_rate)
        since_s = _PAUSE_S if self._previous_ns is None else (now_ns - self._previous_ns) * 1e-9
        if not 0.0 <= since_s < _PAUSE_S:
            self._previous = np.zeros(2)
        # The first setpoint may step as far as one 50 Hz tick allows.
        step = self.parameters.max_acceleration_rad_s2 * (since_s if 0.0 <= since_s < _PAUSE_S else 0.02)
        limited = np.clip(wished, self._previous - step, self._previous + step)
        self._previous, self._previous_ns = limited, now_ns
        return np.asarray(limited)
