# SPDX-License-Identifier: Apache-2.0
"""What no law can do better than: the best predictor of a Singer target that knows the target's own statistics.

A rate asked for at one time moves the camera one delay of the plant later at the earliest, and rests on the images that
have arrived by then. Of a Gaussian process seen with Gaussian noise the conditional mean is the best guess of all,
linear or not (Kalman 1960), so the camera is off its target by at least the standard deviation of that guess. The bound
knows the true model and the true noise, sees no telemetry errors, and lets the gimbal be anywhere at once when the
delay is over: no lag, no limits, no dead zone. A real law stays above it by what those cost.

A sine has no such bound: who knows that it is one needs a few pictures to know it for ever.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from benchmarks.pointing.pointing_scenarios import (
    SETTLE_S,
    SINGER_ACCELERATION_DEG_S2,
    SINGER_DAMPING_PER_S,
    SINGER_LASTS_S,
    scenario,
)
from benchmarks.pointing.pointing_world import BEARING_NOISE_DEG, Happening, World
from gremsy_gimbal_sim.plant.plant import PlantParameters

Array = NDArray[np.float64]

_DYNAMICS = np.array([[0.0, 1.0, 0.0], [0.0, -SINGER_DAMPING_PER_S, 1.0], [0.0, 0.0, -1.0 / SINGER_LASTS_S]])
# White noise of this strength keeps the acceleration at its standing deviation.
_STRENGTH = 2.0 * SINGER_ACCELERATION_DEG_S2**2 / SINGER_LASTS_S


def singer_bound_deg(plant: PlantParameters, latency_s: float, seed: int) -> float:
    """RMS error from 5 s on that any law is left with in the scenario `singer` of that seed."""
    world = World(scenario('singer'), plant, latency_s, seed)
    covariance = np.diag([BEARING_NOISE_DEG**2, 20.0**2, SINGER_ACCELERATION_DEG_S2**2])
    seen_ms: int | None = None
    squares = []
    delay_ms = plant.delay_s * 1e3
    for at_ms, kind, number in world.happenings():
        if kind is Happening.TELEMETRY:
            world.telemetry(number)
        elif kind is Happening.IMAGE:
            shutter_ms, offset = world.image(number)
            if offset is None:
                continue
            if seen_ms is not None:
                covariance = _later(covariance, shutter_ms - seen_ms)
                gain = covariance[:, 0] / (covariance[0, 0] + BEARING_NOISE_DEG**2)
                covariance = covariance - np.outer(gain, covariance[0])
            seen_ms = shutter_ms
        elif kind is Happening.COMMAND and seen_ms is not None and at_ms >= SETTLE_S * 1e3:
            acts_ms = at_ms + delay_ms
            # Asked for each 20 ms: from the first to the last of them, the guess gets older.
            for on_ms in (acts_ms, acts_ms + 10.0, acts_ms + 20.0):
                variance = _later(covariance, on_ms - seen_ms)[0, 0]
                weight = 0.5 if on_ms != acts_ms + 10.0 else 1.0
                tilt = world.target_rad(min(round(on_ms), world.end_ms))[1]
                squares.append(0.5 * weight * variance * (1.0 + math.cos(tilt) ** 2))
    return math.sqrt(sum(squares) / (len(squares) / 3))


_STEPS: dict[int, tuple[Array, Array]] = {}


def _later(covariance: Array, dt_ms: float) -> Array:
    step, noise = _step(round(dt_ms))
    return np.asarray(step @ covariance @ step.T + noise)


def _step(dt_ms: int) -> tuple[Array, Array]:
    """Transition and process noise over that time, by Van Loan (IEEE TAC 23, 1978)."""
    if dt_ms not in _STEPS:
        block = np.zeros((6, 6))
        block[:3, :3], block[3:, 3:] = -_DYNAMICS, _DYNAMICS.T
        block[2, 5] = _STRENGTH
        exponential = expm(block * dt_ms * 1e-3)
        step = exponential[3:, 3:].T
        _STEPS[dt_ms] = step, step @ exponential[:3, 3:]
    return _STEPS[dt_ms]
