# SPDX-License-Identifier: Apache-2.0
"""Where one target is and how it moves: interacting Singer models on azimuth and tilt, with real time steps.

It works on bearings, so the gimbal's own motion is not in it.

Several Singer models of the same axes at once, each believed as far as it explains what is seen.

One model has to choose: smooth for a target that walks on, or quick for one that turns. The interacting multiple model
(Blom & Bar-Shalom, IEEE TAC 33, 1988) runs a calm one and a manoeuvring one and weighs them by what they see.

Arrays are (model, axis, ...); the axes do not act on each other, and each has its own weights.

How a target that accelerates moves on: Singer's model of one axis, (bearing, rate, acceleration).

The acceleration is a first-order process, a' = -a / tau + white noise, with the standing deviation sigma (Singer, IEEE
AES 6, 1970): it lasts for about tau, so that a turn is carried on into the future, but not for ever. With sigma near
zero it is a constant velocity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import Array, wrap_angle
from gremsy_tracker.tracker_parameters import TrackerParameters

# Gauss and Legendre's five points on 0..1: exact for polynomials of the ninth degree; the integrand is smooth, and a
# weighted sum of outer products cannot lose its sign, as the closed form does at tau = 1000 time steps.
_POINTS, _WEIGHTS = ((each + shift) / 2 for each, shift in zip(np.polynomial.legendre.leggauss(5), (1, 0), strict=True))


@lru_cache(maxsize=8)  # one image asks several times for the same step
def transition(dt_s: float, tau_s: float | tuple[float, ...]) -> Array:
    """(..., 3, 3) from now to `dt_s` later, for time constants (...); a negative time goes back."""
    tau = np.asarray(tau_s, dtype=np.float64)
    step = np.zeros((*tau.shape, 3, 3))
    step[..., 0, 0] = step[..., 1, 1] = 1.0
    step[..., 0, 1] = dt_s
    step[..., 2] = _response(dt_s / tau, tau)
    return _read_only(step)


@lru_cache(maxsize=8)
def process_noise(dt_s: float, tau_s: float | tuple[float, ...]) -> Array:
    """(..., 3, 3) covariance that the unit white noise (sigma 1) adds in `dt_s`, for time constants (...).

    Times sigma^2 for another sigma.
    """
    tau = np.asarray(tau_s, dtype=np.float64)[..., None]
    response = _response(dt_s * _POINTS / tau, tau)
    return _read_only((response * (2.0 * dt_s / tau * _WEIGHTS)[..., None]).swapaxes(-1, -2) @ response)


def _response(ratio: Array, tau_s: Array) -> Array:
    """(..., 3) bearing, rate and acceleration to which an acceleration of 1 leads in `ratio` (...) time constants."""
    decay = np.expm1(-ratio)
    response = np.empty((*ratio.shape, 3))
    response[..., 0] = tau_s * tau_s * (decay + ratio)
    response[..., 1] = -tau_s * decay
    response[..., 2] = 1.0 + decay
    return response


def _read_only(matrix: Array) -> Array:
    matrix.flags.writeable = False
    return matrix


# A model that explains nothing is kept this likely, so that it can come back.
_LEAST_WEIGHT = 1e-6


@dataclass(frozen=True)
class Models:
    """What the models are.

    Attributes:
        accelerations_rad_s2: standing deviation sigma of each, calm first.
        stays_s: how long a target keeps to each, on average.
        taus_s: how long an acceleration lasts in each.
        starts: how likely a target that changes changes to each, beside the others; empty for all alike.
    """

    accelerations_rad_s2: tuple[float, ...]
    stays_s: tuple[float, ...]
    taus_s: tuple[float, ...]
    starts: tuple[float, ...] = ()

    def transitions(self, dt_s: float) -> Array:
        """(M, 3, 3) of each from now to `dt_s` later (earlier, if negative)."""
        return transition(dt_s, self.taus_s)

    def noises(self, dt_s: float) -> Array:
        """(M, 3, 3) covariance that each adds in a step of `dt_s`, forwards or backwards."""
        return self.variances[:, None, None] * process_noise(abs(dt_s), self.taus_s)

    def changes(self, dt_s: float) -> Array:
        """(M, M) how likely a target of one (row) is of another (column) `dt_s` later."""
        stay = np.exp(self._leaving_per_s * dt_s)
        changes = (1.0 - stay)[:, None] * self._changed
        np.fill_diagonal(changes, stay)
        return changes

    @cached_property
    def variances(self) -> Array:
        """(M,) of the accelerations."""
        return np.square(self.accelerations_rad_s2)

    @cached_property
    def likely_starts(self) -> Array:
        """(M,) how likely a target begins as one of each, all together 1."""
        starts = np.array(self.starts) if self.starts else np.ones(len(self.stays_s))
        return np.asarray(starts / starts.sum())

    @cached_property
    def _changed(self) -> Array:
        """(M, M) how likely one that changes from one (row) changes to another (column)."""
        others = np.where(np.eye(len(self.stays_s), dtype=np.bool_), 0.0, self.likely_starts)
        return np.asarray(others / others.sum(axis=1, keepdims=True))

    @cached_property
    def _leaving_per_s(self) -> Array:
        return -1.0 / np.array(self.stays_s)


@dataclass(slots=True, eq=False)
class Mixture:
    """`weights` (M, A), `means` (M, A, 3), `covariances` (M, A, 3, 3)."""

    weights: Array
    means: Array
    covariances: Array

    @classmethod
    def start(cls, models: Models, bearing_rad: Array, noise_rad: Array, rate_std_rad_s: float) -> Mixture:
        """A target seen there (A,), at rest as far as is known, and as likely of each model as targets begin it."""
        count, axes = len(models.accelerations_rad_s2), len(bearing_rad)
        means = np.zeros((count, axes, 3))
        means[..., 0] = bearing_rad
        covariances = np.zeros((count, axes, 3, 3))
        covariances[..., 0, 0] = noise_rad**2
        covariances[..., 1, 1] = rate_std_rad_s**2
        covariances[..., 2, 2] = models.variances[:, None]
        return cls(np.repeat(models.likely_starts[:, None], axes, axis=1), means, covariances)

    def carried_on(self, dt_s: float, models: Models) -> Mixture:
        """Each model by itself to `dt_s` later (earlier, if negative: then the noise grows backwards)."""
        step = models.transitions(dt_s)
        turned = step.transpose(0, 2, 1)
        covariances = step[:, None] @ self.covariances @ turned[:, None] + models.noises(dt_s)[:, None]
        return Mixture(self.weights, self.means @ turned, covariances)

    def mixed(self, dt_s: float, models: Models) -> Mixture:
        """Before the next sighting, `dt_s` later: each model takes up those targets that may have changed to it."""
        count = len(self.weights)
        if count == 1:
            return self
        joint = models.changes(dt_s)[:, :, None] * self.weights[:, None, :]  # (from, to, axis)
        weights = joint.sum(axis=0)
        share = joint / weights
        means = (share[..., None] * self.means[:, None]).sum(axis=0)
        off = self.means[:, None] - means[None]
        spread = self.covariances[:, None] + off[..., :, None] * off[..., None, :]
        return Mixture(weights, means, (share[..., None, None] * spread).sum(axis=0))

    def corrected(self, innovation_of: Array, noise_rad: Array) -> Mixture:
        """With innovations (M, A) of each model's bearing, whose measurement has the noise (A,)."""
        variance = self.covariances[..., 0, 0] + noise_rad**2
        gain = self.covariances[..., 0] / variance[..., None]
        means = self.means + gain * innovation_of[..., None]
        covariances = self.covariances - gain[..., :, None] * self.covariances[..., 0, None, :]
        # In logarithms, from the likeliest: five sigma of the calm model alone would be 4e-6.
        log_likelihood = -0.5 * (innovation_of**2 / variance + np.log(variance))
        weights = self.weights * np.exp(log_likelihood - log_likelihood.max(axis=0))
        weights = np.maximum(weights / weights.sum(axis=0), _LEAST_WEIGHT)
        return Mixture(weights / weights.sum(axis=0), means, covariances)

    def mean_at(self, dt_s: float, models: Models) -> Array:
        """(A, 3) of all models together, `dt_s` later or earlier."""
        ahead = self.means @ models.transitions(dt_s).transpose(0, 2, 1)
        return np.asarray((self.weights[..., None] * ahead).sum(axis=0))

    def rate_variance(self) -> Array:
        """(A,) of all models together."""
        off = self.means[..., 1] - (self.weights * self.means[..., 1]).sum(axis=0)
        return np.asarray((self.weights * (self.covariances[..., 1, 1] + off**2)).sum(axis=0))

    def bearing_variance_at(self, dt_s: float, models: Models) -> Array:
        """(A,) of all models together, `dt_s` later or earlier."""
        rows = models.transitions(dt_s)[:, None, 0, :]  # (M, 1, 3)
        bearings = (self.means * rows).sum(axis=-1)
        noises = models.noises(dt_s)[:, None, 0, 0]
        variances = ((self.covariances @ rows[..., None])[..., 0] * rows).sum(axis=-1) + noises
        off = bearings - (self.weights * bearings).sum(axis=0)
        return np.asarray((self.weights * (variances + off**2)).sum(axis=0))


# A new target's rate is unknown by about this: 6 degrees per second, a person walking by 10 m away.
_FIRST_RATE_STD_RAD_S = 0.1
# Innovations beyond so many standard deviations are another object's, or a torn box.
_GATE_SIGMA = 5.0
# Beside the calm and the manoeuvring target that the parameters describe, there is one that swings on, as on a sine,
# whose acceleration lasts, and one that turns round within half a second. Accelerations are so many times the
# manoeuvring one's; chosen on other seeds than the benchmark reports.
_SWING_TIMES, _SWING_STAY_S, _SWING_LASTS_S = 2.0, 6.5, 5.0
_TURN_TIMES, _TURN_STAY_S, _TURN_LASTS_S = 8.0, 1.4, 0.3
# How likely a target that changes its ways begins each.
_STARTS = (1.0, 1.0, 0.04, 0.005)
# A target that comes back after the camera has given up following it has the rate that it had when it left only so
# far: e^(-t / this). Where it was is of no use: between there and here it may have done anything.
_RATE_FORGOTTEN_S = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class BearingMotion:
    """A target, or the gimbal's optical axis, at one time: (2,) azimuth and tilt each.

    Attributes:
        stamp_ns: that time.
        bearing_rad, rate_rad_s, acceleration_rad_s2: the estimate.
    """

    stamp_ns: int
    bearing_rad: Array
    rate_rad_s: Array
    acceleration_rad_s2: Array = field(default_factory=lambda: np.zeros(2))


@dataclass(frozen=True, slots=True, eq=False)
class BearingEstimate(BearingMotion):
    """The same with the standard deviations (2,) of the bearing."""

    std_rad: Array = field(kw_only=True)


class BearingFilter:
    """One target's filter.

    Attributes:
        stamp_ns: of the newest measurement that was used, None when there is no target.
        mixture: how far the calm, manoeuvring, swinging and turning model are believed, and what each estimates.
        rejected: measurements that lay outside the gate, in all.
        restarts: how often the filter restarted because of them.
    """

    def __init__(self, parameters: TrackerParameters) -> None:
        self.rejected = 0
        self.restarts = 0
        self._elsewhere: list[tuple[int, Array, Array]] = []
        self.stamp_ns: int | None = None
        self.reconfigure(parameters)
        self.mixture = Mixture.start(self._models, np.zeros(2), np.zeros(2), 0.0)

    def reconfigure(self, parameters: TrackerParameters) -> None:
        """Use other parameters from now on."""
        self._parameters = parameters
        calm, nimble = parameters.calm_acceleration_rad_s2, parameters.target_acceleration_rad_s2
        lasts_s = parameters.manoeuvre_time_s
        self._models = Models(
            (calm, nimble, _SWING_TIMES * nimble, _TURN_TIMES * nimble),
            (parameters.calm_stay_s, parameters.manoeuvre_stay_s, _SWING_STAY_S, _TURN_STAY_S),
            (lasts_s, lasts_s, _SWING_LASTS_S, _TURN_LASTS_S),
            _STARTS,
        )
        self._expected: tuple[Mixture, float, Array, Array] | None = None

    @property
    def rate_std_rad_s(self) -> Array:
        """(2,) standard deviation of the rates after the newest measurement."""
        return np.sqrt(self.mixture.rate_variance())

    def clear(self) -> None:
        """Forget the target."""
        self.stamp_ns = None
        self._elsewhere.clear()

    def start(self, stamp_ns: int, bearing_rad: Array, noise_rad: Array, rate_rad_s: Array | None = None) -> None:
        """A new target: seen there, at rest as far as is known, unless a rate (2,) is given."""
        self.stamp_ns = stamp_ns
        self.mixture = Mixture.start(
            self._models, np.asarray(bearing_rad, dtype=np.float64), noise_rad, _FIRST_RATE_STD_RAD_S
        )
        if rate_rad_s is not None:
            self.mixture.means[..., 1] = rate_rad_s
        self._elsewhere.clear()

    def update(self, stamp_ns: int, bearing_rad: Array, noise_rad: Array) -> bool:
        """Take a measurement newer than the last; False when it is outside the gate and was not used.

        When `jump_sightings` in a row are outside and agree with each other, the filter restarts from them.
        """
        if self.stamp_ns is None:
            self.start(stamp_ns, bearing_rad, noise_rad)
            return True
        if stamp_ns <= self.stamp_ns:
            return False
        unseen_s = (stamp_ns - self.stamp_ns) * 1e-9
        if unseen_s > self._parameters.coast_s:
            self._come_back(stamp_ns, unseen_s, bearing_rad, noise_rad)
            return True
        ahead = self.mixture.mixed(unseen_s, self._models).carried_on(unseen_s, self._models)
        innovation_of = wrap_angle(bearing_rad - ahead.means[..., 0])
        variance = ahead.covariances[..., 0, 0] + noise_rad**2
        # Whether any model can explain it: one that turns round leaves the gate of all models together.
        if not (innovation_of**2 <= _GATE_SIGMA**2 * variance).any(axis=0).all():
            self.rejected += 1
            return self._jumped(stamp_ns, bearing_rad, noise_rad)
        self._elsewhere.clear()
        self._take(stamp_ns, ahead, innovation_of, noise_rad)
        return True

    def consistent(self, stamp_ns: int, bearings_rad: Array, noises_rad: Array) -> NDArray[np.bool_]:
        """(...) whether measurements (..., 2) could be this target's: both axes within five standard deviations."""
        if self.stamp_ns is None:
            return np.ones(bearings_rad.shape[:-1], dtype=np.bool_)
        mean, variance = self._expectation(max(0.0, (stamp_ns - self.stamp_ns) * 1e-9))
        innovation = wrap_angle(bearings_rad - mean[:, 0])
        return np.asarray((innovation**2 <= _GATE_SIGMA**2 * (variance + noises_rad**2)).all(axis=-1))

    def at(self, stamp_ns: int) -> BearingEstimate | None:
        """The estimate carried on (or back) to a time; None when there is no target."""
        if self.stamp_ns is None:
            return None
        mean, variance = self._expectation((stamp_ns - self.stamp_ns) * 1e-9)
        return BearingEstimate(stamp_ns, wrap_angle(mean[:, 0]), mean[:, 1], mean[:, 2], std_rad=np.sqrt(variance))

    def motion_at(self, stamp_ns: int) -> BearingMotion | None:
        """The same for who need not know how certain it is, in a third of the time."""
        if self.stamp_ns is None:
            return None
        mean = self.mixture.mean_at((stamp_ns - self.stamp_ns) * 1e-9, self._models)
        return BearingMotion(stamp_ns, wrap_angle(mean[:, 0]), mean[:, 1], mean[:, 2])

    def _expectation(self, dt_s: float) -> tuple[Array, Array]:
        """(2, 3) mean and (2,) variance of the bearing; an image's own time is asked for by everybody in turn."""
        if self._expected is None or self._expected[0] is not self.mixture or self._expected[1] != dt_s:
            mean = self.mixture.mean_at(dt_s, self._models)
            variance = self.mixture.bearing_variance_at(dt_s, self._models)
            self._expected = self.mixture, dt_s, mean, variance
        return self._expected[2], self._expected[3]

    def _come_back(self, stamp_ns: int, unseen_s: float, bearing_rad: Array, noise_rad: Array) -> None:
        """A target that was out of view for longer than it is followed unseen.

        Carried on, the old estimate would have an uncertainty in which a bearing 20 degrees away is a rate of 20 deg/s.
        """
        rate = self.mixture.mean_at(0.0, self._models)[:, 1]
        forgotten_s = unseen_s - self._parameters.coast_s
        self.start(stamp_ns, bearing_rad, noise_rad, rate * math.exp(-forgotten_s / _RATE_FORGOTTEN_S))

    def _take(self, stamp_ns: int, ahead: Mixture, innovation_of: Array, noise_rad: Array) -> None:
        self.mixture = ahead.corrected(innovation_of, noise_rad)
        limit = self._parameters.max_target_rate_rad_s
        self.mixture.means[..., 1].clip(-limit, limit, out=self.mixture.means[..., 1])
        self.stamp_ns = stamp_ns

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
            dt_s = (at_ns - before_ns) * 1e-9
            ahead = self.mixture.mixed(dt_s, self._models).carried_on(dt_s, self._models)
            self._take(at_ns, ahead, wrap_angle(bearing - ahead.means[..., 0]), noise)
        return True
