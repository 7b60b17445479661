# SPDX-License-Identifier: Apache-2.0
"""Constant-velocity Kalman filter and Rauch-Tung-Striebel smoother over whole tracks, for reference data.

White acceleration noise (Bar-Shalom, Li & Kirubarajan 2001, section 6.2.2), time in frames. Every coordinate of a
box (centre x, y, width, height) is filtered on its own with the same equations, all at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FROM_BEFORE = np.array([[1.0, 1.0], [0.0, 1.0]])
_NOISE_SHAPE = np.array([[1.0 / 3.0, 1.0 / 2.0], [1.0 / 2.0, 1.0]])


@dataclass(frozen=True, slots=True, eq=False)
class MotionModel:
    """Of C coordinates, each independent.

    Attributes:
        measurement_sigma_px: (C,) standard deviation of one measurement.
        acceleration_density: (C,) px^2/frame^3, intensity of the white acceleration.
        first_speed_sigma: px/frame, of a track's first speed, which is taken as 0.
    """

    measurement_sigma_px: Array
    acceleration_density: Array
    first_speed_sigma: float = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class FilterState:
    """Means (C, 2) of position and speed per coordinate and their covariances (C, 2, 2)."""

    mean: Array
    covariance: Array


def first_state(measured_px: Array, model: MotionModel) -> FilterState:
    """After one measurement (C,)."""
    covariance = np.zeros((len(measured_px), 2, 2))
    covariance[:, 0, 0] = model.measurement_sigma_px**2
    covariance[:, 1, 1] = model.first_speed_sigma**2
    return FilterState(np.stack([measured_px, np.zeros_like(measured_px)], axis=1), covariance)


def predict(state: FilterState, model: MotionModel) -> FilterState:
    """One frame on."""
    noise = model.acceleration_density[:, None, None] * _NOISE_SHAPE
    return FilterState(state.mean @ _FROM_BEFORE.T, _FROM_BEFORE @ state.covariance @ _FROM_BEFORE.T + noise)


def update(state: FilterState, measured_px: Array, model: MotionModel) -> FilterState:
    """With a measurement (C,)."""
    variance = state.covariance[:, 0, 0] + model.measurement_sigma_px**2
    gain = state.covariance[:, :, 0] / variance[:, None]
    mean = state.mean + gain * (measured_px - state.mean[:, 0])[:, None]
    covariance = state.covariance - gain[:, :, None] * state.covariance[:, None, 0, :]
    return FilterState(mean, covariance)


def smooth(measured_px: Array, model: MotionModel) -> Array:
    """Smoothed positions (N, C) of N consecutive frames from measurements (N, C); a row of NaN was not measured.

    The first row must be measured.
    """
    filtered = [first_state(measured_px[0], model)]
    predicted = [filtered[0]]
    for row in measured_px[1:]:
        predicted.append(predict(filtered[-1], model))
        filtered.append(predicted[-1] if np.isnan(row).any() else update(predicted[-1], row, model))
    means = [filtered[-1].mean]
    # The smoothed covariance is not asked for, so only the means go back (Rauch, Tung & Striebel 1965, eq. 3.30).
    for now, following in zip(filtered[-2::-1], predicted[:0:-1], strict=True):
        gain = now.covariance @ _FROM_BEFORE.T @ np.linalg.inv(following.covariance)
        means.append(now.mean + (gain @ (means[-1] - following.mean)[:, :, None])[:, :, 0])
    return np.array(means[::-1])[:, :, 0]
