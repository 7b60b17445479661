# SPDX-License-Identifier: Apache-2.0
"""How a target that accelerates moves on: Singer's model of one axis, (bearing, rate, acceleration).

The acceleration is a first-order process, a' = -a / tau + white noise, with the standing deviation sigma (Singer, IEEE
AES 6, 1970): it lasts for about tau, so that a turn is carried on into the future, but not for ever. With sigma near
zero it is a constant velocity.
"""

from __future__ import annotations

from functools import lru_cache

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
