# SPDX-License-Identifier: Apache-2.0
"""Where one target is and how it moves: interacting Singer models on azimuth and tilt, with real time steps.

It works on bearings, so the gimbal's own motion is not in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import wrap_angle
from gremsy_tracker.pointing.interacting_models import Mixture, Models
from gremsy_tracker.tracker_parameters import TrackerParameters

Array = NDArray[np.float64]

# A new target's rate is unknown by about this: 6 degrees per second, a person walking by 10 m away.
_FIRST_RATE_STD_RAD_S = 0.1
# Innovations beyond so many standard deviations are another object's, or a torn box.
_GATE_SIGMA = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class BearingEstimate:
    """A target at one time: (2,) azimuth and tilt each.

    Attributes:
        stamp_ns: that time.
        bearing_rad, rate_rad_s, acceleration_rad_s2: the estimate.
        std_rad: of the bearing.
    """

    stamp_ns: int
    bearing_rad: Array
    rate_rad_s: Array
    acceleration_rad_s2: Array
    std_rad: Array


class BearingFilter:
    """One target's filter.

    Attributes:
        rejected: measurements that lay outside the gate, in all.
        restarts: how often the filter began anew because of them.
    """

    def __init__(self, parameters: TrackerParameters) -> None:
        self.rejected = 0
        self.restarts = 0
        self._elsewhere: list[tuple[int, Array, Array]] = []
        self._stamp_ns: int | None = None
        self.parameters = parameters
        self._mixture = Mixture.start(self._models, np.zeros(2), np.zeros(2), 0.0)

    @property
    def parameters(self) -> TrackerParameters:
        """What it was built with, or set to since."""
        return self._parameters

    @parameters.setter
    def parameters(self, parameters: TrackerParameters) -> None:
        self._parameters = parameters
        self._models = Models(
            (parameters.calm_acceleration_rad_s2, parameters.target_acceleration_rad_s2),
            (parameters.calm_stay_s, parameters.manoeuvre_stay_s),
            parameters.manoeuvre_time_s,
        )

    @property
    def stamp_ns(self) -> int | None:
        """Stamp of the newest measurement that was used, None when there is no target."""
        return self._stamp_ns

    @property
    def rate_std_rad_s(self) -> Array:
        """(2,) standard deviation of the rates after the newest measurement."""
        return np.sqrt(self._mixture.rate_variance())

    @property
    def model_weights(self) -> Array:
        """(2, 2) how far the calm and the manoeuvring model (rows) are believed, by axis."""
        return self._mixture.weights.copy()

    def clear(self) -> None:
        """Forget the target."""
        self._stamp_ns = None
        self._elsewhere.clear()

    def start(self, stamp_ns: int, bearing_rad: Array, noise_rad: Array) -> None:
        """A new target: seen there, at rest as far as is known."""
        self._stamp_ns = stamp_ns
        self._mixture = Mixture.start(
            self._models, np.asarray(bearing_rad, dtype=np.float64), noise_rad, _FIRST_RATE_STD_RAD_S
        )
        self._elsewhere.clear()

    def update(self, stamp_ns: int, bearing_rad: Array, noise_rad: Array) -> bool:
        """Take a measurement newer than the last; False when it is outside the gate and was not used.

        When `jump_sightings` in a row are outside and agree with each other, the filter begins anew with them.
        """
        if self._stamp_ns is None:
            self.start(stamp_ns, bearing_rad, noise_rad)
            return True
        if stamp_ns <= self._stamp_ns:
            return False
        if not self.consistent(stamp_ns, bearing_rad, noise_rad):
            self.rejected += 1
            return self._jumped(stamp_ns, bearing_rad, noise_rad)
        self._elsewhere.clear()
        self._take(stamp_ns, self._stamp_ns, bearing_rad, noise_rad)
        return True

    def consistent(self, stamp_ns: int, bearings_rad: Array, noises_rad: Array) -> NDArray[np.bool_]:
        """(...) whether measurements (..., 2) could be this target's: both axes within five standard deviations."""
        if self._stamp_ns is None:
            return np.ones(bearings_rad.shape[:-1], dtype=np.bool_)
        dt_s = max(0.0, (stamp_ns - self._stamp_ns) * 1e-9)
        innovation = wrap_angle(bearings_rad - self._mixture.mean_at(dt_s, self._models)[:, 0])
        variance = self._mixture.bearing_variance_at(dt_s, self._models) + noises_rad**2
        return np.asarray((innovation**2 <= _GATE_SIGMA**2 * variance).all(axis=-1))

    def at(self, stamp_ns: int) -> BearingEstimate | None:
        """The estimate carried on (or back) to a time; None when there is no target."""
        if self._stamp_ns is None:
            return None
        dt_s = (stamp_ns - self._stamp_ns) * 1e-9
        bearing, rate, acceleration = self._mixture.mean_at(dt_s, self._models).T
        std = np.sqrt(self._mixture.bearing_variance_at(dt_s, self._models))
        return BearingEstimate(stamp_ns, wrap_angle(bearing), rate, acceleration, std)

    def _take(self, stamp_ns: int, before_ns: int, bearing_rad: Array, noise_rad: Array) -> None:
        dt_s = (stamp_ns - before_ns) * 1e-9
        ahead = self._mixture.mixed(dt_s, self._models).carried_on(dt_s, self._models)
        self._mixture = ahead.corrected(wrap_angle(bearing_rad - ahead.means[..., 0]), noise_rad)
        limit = self._parameters.max_target_rate_rad_s
        np.clip(self._mixture.means[..., 1], -limit, limit, out=self._mixture.means[..., 1])
        self._stamp_ns = stamp_ns

    def _jumped(self, stamp_ns: int, bearing_rad: Array, noise_rad: Array) -> bool:
        """One more sighting elsewhere; True when they are enough to believe them."""
        if self._elsewhere:
            last_ns, last_rad, _ = self._elsewhere[-1]
            moved = self._parameters.max_target_rate_rad_s * (stamp_ns - last_ns) * 1e-9
            reach = _GATE_SIGMA * math.sqrt(2.0) * noise_rad + moved
            if not (np.abs(wrap_angle(bearing_rad - last_rad)) <= reach).all():
                self._elsewhere.clear()
        self._elsewhere.append((stamp_ns, np.array(bearing_rad, dtype=np.float64), noise_rad))
        if len(self._elsewhere) < self._parameters.jump_sightings:
            return False
        self.restarts += 1
        sightings = self._elsewhere.copy()
        self.start(*sightings[0])
        for (before_ns, _, _), (at_ns, bearing, noise) in pairwise(sightings):
            self._take(at_ns, before_ns, bearing, noise)
        return True
