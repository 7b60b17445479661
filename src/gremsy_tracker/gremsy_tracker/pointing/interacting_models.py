# SPDX-License-Identifier: Apache-2.0
"""Several Singer models of the same axes at once, each believed as far as it explains what is seen.

One model has to choose: smooth for a target that walks on, or quick for one that turns. The interacting multiple model
(Blom & Bar-Shalom, IEEE TAC 33, 1988) runs a calm one and a manoeuvring one and weighs them by what they see.

Arrays are (model, axis, ...); the axes do not act on each other, and each has its own weights.

How a target that accelerates moves on: Singer's model of one axis, (bearing, rate, acceleration).

The acceleration is a first-order process, a' = -a / tau + white noise, with the standing deviation sigma (Singer, IEEE
AES 6, 1970): it lasts for about tau, so that a turn is carried on into the future, but not for ever. With sigma near
zero it is a constant velocity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

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

    def mean(self) -> Array:
        """(A, 3) of all models together."""
        return np.asarray((self.weights[..., None] * self.means).sum(axis=0))

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
