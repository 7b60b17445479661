# SPDX-License-Identifier: Apache-2.0
"""Singer's model against the matrix exponential and Van Loan's integral."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm

from gremsy_tracker.pointing.bearing_filter import process_noise, transition

Array = NDArray[np.float64]


def dynamics(tau_s: float) -> Array:
    return np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0 / tau_s]])


def van_loan(dt_s: float, tau_s: float) -> Array:
    """Covariance of unit Singer noise after dt (Van Loan, IEEE TAC 23, 1978)."""
    f = dynamics(tau_s)
    block = np.zeros((6, 6))
    block[:3, :3], block[3:, 3:] = -f, f.T
    block[2, 5] = 2.0 / tau_s
    exponential = expm(block * dt_s)
    return np.asarray(exponential[3:, 3:].T @ exponential[:3, 3:])


@pytest.mark.parametrize('dt_s', [1e-3, 0.033, 0.5, 2.0])
@pytest.mark.parametrize('tau_s', [0.1, 0.6, 20.0])
def test_it_is_the_closed_form(dt_s: float, tau_s: float) -> None:
    assert np.allclose(transition(dt_s, tau_s), expm(dynamics(tau_s) * dt_s), rtol=1e-9, atol=1e-14)
    if dt_s <= 5 * tau_s:  # beyond, Van Loan's own exponential overflows in digits
        scale = np.sqrt(np.outer(*[np.diag(van_loan(dt_s, tau_s))] * 2))
        near = 1e-6 if dt_s <= tau_s else 2e-3
        assert np.allclose(process_noise(dt_s, tau_s) / scale, van_loan(dt_s, tau_s) / scale, atol=near)


def test_two_steps_are_one() -> None:
    tau = 0.6
    step = transition(0.1, tau)
    assert np.allclose(step @ step, transition(0.2, tau))
    twice = step @ process_noise(0.1, tau) @ step.T + process_noise(0.1, tau)
    assert np.allclose(twice, process_noise(0.2, tau), rtol=1e-6, atol=1e-15)


def test_going_back_undoes_going_on() -> None:
    assert np.allclose(transition(-0.3, 0.6) @ transition(0.3, 0.6), np.eye(3))


@pytest.mark.parametrize('dt_s', [1e-6, 1e-3, 0.1, 3.0])
def test_the_noise_is_a_covariance_at_any_ratio_of_times(dt_s: float) -> None:
    for tau in (0.1, 1.0, 20.0):
        noise = process_noise(dt_s, tau)
        assert np.allclose(noise, noise.T, rtol=1e-12)
        assert np.linalg.eigvalsh(noise / noise.max()).min() > -1e-12


def test_the_acceleration_keeps_its_standing_deviation() -> None:
    step = transition(0.1, 0.6)
    assert step[2, 2] ** 2 + process_noise(0.1, 0.6)[2, 2] == pytest.approx(1.0)
