# SPDX-License-Identifier: Apache-2.0
"""Where one target is and how it moves: a constant-velocity Kalman filter on azimuth and tilt, with real time steps.

White acceleration drives each axis by itself (Bar-Shalom, Li & Kirubarajan, 2001, section 6.2.2). It works on bearings,
so the gimbal's own motion is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gremsy_common.rotations import wrap_angle
from gremsy_tracker.tracker_parameters import TrackerParameters

Array = NDArray[np.float64]

# A new target's rate is unknown by about this: 6 degrees per second, a person walking by 10 m away.
_FIRST_RATE_STD_RAD_S = 0.1
# Innovations beyond so many standard deviations are another object's, or a torn box.
_GATE_SIGMA = 5.0
# So many in a row, and it is the estimate that is wrong.
_REJECTIONS_TO_RESTART = 5


@dataclass(frozen=True, slots=True, eq=False)
class BearingEstimate:
    """A target's (2,) azimuth and tilt, their rates and the bearing's standard deviations, at one time; rad, rad/s."""

    stamp_ns: int
    bearing_rad: Array
    rate_rad_s: Array
    std_rad: Array


class BearingFilter:
    """One target's filter.

    Attributes:
        rejected: measurements that lay outside the gate, in all.
        restarts: how often the filter began anew because of them.
    """

    def __init__(self, parameters: TrackerParameters) -> None:
        self.parameters = parameters
        self.rejected = 0
        self.restarts = 0
        self._rejected_in_a_row = 0
        self._stamp_ns: int | None = None
        self._bearing = np.zeros(2)
        self._rate = np.zeros(2)
        self._p, self._c, self._v = np.zeros(2), np.zeros(2), np.zeros(2)

    @property
    def stamp_ns(self) -> int | None:
        """Stamp of the newest measurement that was used, None when there is no target."""
        return self._stamp_ns

    def clear(self) -> None:
        """Forget the target."""
        self._stamp_ns = None
        self._rejected_in_a_row = 0

    def start(self, stamp_ns: int, bearing_rad: Array, noise_rad: Array) -> None:
        """A new target: seen there, at rest as far as is known."""
        self._stamp_ns = stamp_ns
        self._bearing = np.array(bearing_rad, dtype=np.float64)
        self._rate = np.zeros(2)
        self._p = np.array(noise_rad, dtype=np.float64) ** 2
        self._c = np.zeros(2)
        self._v = np.full(2, _FIRST_RATE_STD_RAD_S**2)
        self._rejected_in_a_row = 0

    def update(self, stamp_ns: int, bearing_rad: Array, noise_rad: Array) -> bool:
        """Take a measurement newer than the last; False when it is outside the gate and was not used.

        The fifth in a row outside restarts the filter there.
        """
        if self._stamp_ns is None:
            self.start(stamp_ns, bearing_rad, noise_rad)
            return True
        if stamp_ns <= self._stamp_ns:
            return False
        if not self.consistent(stamp_ns, bearing_rad, noise_rad):
            self.rejected += 1
            self._rejected_in_a_row += 1
            if self._rejected_in_a_row < _REJECTIONS_TO_RESTART:
                return False
            self.restarts += 1
            self.start(stamp_ns, bearing_rad, noise_rad)
            return True
        self._rejected_in_a_row = 0
        dt_s = (stamp_ns - self._stamp_ns) * 1e-9
        p, c, v = self._variances(dt_s)
        innovation = wrap_angle(bearing_rad - (self._bearing + self._rate * dt_s))
        innovation_variance = p + noise_rad**2
        gain, rate_gain = p / innovation_variance, c / innovation_variance
        self._bearing = wrap_angle(self._bearing + self._rate * dt_s + gain * innovation)
        limit = self.parameters.max_target_rate_rad_s
        self._rate = np.clip(self._rate + rate_gain * innovation, -limit, limit)
        self._p, self._c, self._v = p * (1.0 - gain), c * (1.0 - gain), v - rate_gain * c
        self._stamp_ns = stamp_ns
        return True

    def consistent(self, stamp_ns: int, bearings_rad: Array, noises_rad: Array) -> NDArray[np.bool_]:
        """(...) whether measurements (..., 2) could be this target's: both axes within five standard deviations."""
        if self._stamp_ns is None:
            return np.ones(bearings_rad.shape[:-1], dtype=np.bool_)
        dt_s = max(0.0, (stamp_ns - self._stamp_ns) * 1e-9)
        innovation = wrap_angle(bearings_rad - (self._bearing + self._rate * dt_s))
        variance = self._variances(dt_s)[0] + noises_rad**2
        return np.asarray((innovation**2 <= _GATE_SIGMA**2 * variance).all(axis=-1))

    def at(self, stamp_ns: int) -> BearingEstimate | None:
        """The estimate carried on (or back) to a time; None when there is no target."""
        if self._stamp_ns is None:
            return None
        dt_s = (stamp_ns - self._stamp_ns) * 1e-9
        variance = self._variances(abs(dt_s))[0]
        return BearingEstimate(
            stamp_ns, wrap_angle(self._bearing + self._rate * dt_s), self._rate.copy(), np.sqrt(variance)
        )

    def _variances(self, dt_s: float) -> tuple[Array, Array, Array]:
        density = self.parameters.target_acceleration_rad_s2**2
        p = self._p + 2 * dt_s * self._c + dt_s**2 * self._v + density * dt_s**3 / 3
        c = self._c + dt_s * self._v + density * dt_s**2 / 2
        return p, c, self._v + density * dt_s
