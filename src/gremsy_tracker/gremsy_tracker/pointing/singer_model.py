# SPDX-License-Identifier: Apache-2.0
"""How a target that accelerates moves on: Singer's model of one axis, (bearing, rate, acceleration).

The acceleration is a first-order process, a' = -a / tau + white noise, with the standing deviation sigma (Singer, IEEE
AES 6, 1970): it lasts for about tau, so that a turn is carried on into the future, but not for ever. With sigma near
zero it is a constant velocity.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Gauss and Legendre's five points on 0..1: exact for polynomials of the ninth degree; the integrand is smooth, and a
# weighted sum of outer products cannot lose its sign, as the closed form does at tau = 1000 time steps.
_POINTS, _WEIGHTS = ((each + shift) / 2 for each, shift in zip(np.polynomial.legendre.leggauss(5), (1, 0), strict=True))


@lru_cache(maxsize=64)  # one image asks several times for the same step, of three time constants
def transition(dt_s: float, tau_s: float) -> Array:
    """(3, 3) from now to `dt_s` later; a negative time goes back."""
    ratio = dt_s / tau_s
    decay = math.expm1(-ratio)
    return _read_only(
        np.array(((1.0, dt_s, tau_s**2 * (decay + ratio)), (0.0, 1.0, -tau_s * decay), (0.0, 0.0, 1.0 + decay)))
    )


@lru_cache(maxsize=64)
def process_noise(dt_s: float, tau_s: float) -> Array:
    """(3, 3) covariance that the unit white noise (sigma 1) adds in `dt_s`; times sigma^2 for another sigma."""
    s = dt_s * _POINTS
    ratio = s / tau_s
    decay = np.expm1(-ratio)
    response = np.array((tau_s**2 * (decay + ratio), -tau_s * decay, 1.0 + decay))
    return _read_only(np.asarray(2.0 / tau_s * dt_s * (response * _WEIGHTS) @ response.T))


def _read_only(matrix: Array) -> Array:
    matrix.flags.writeable = False
    return matrix
