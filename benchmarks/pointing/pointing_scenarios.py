# SPDX-License-Identifier: Apache-2.0
"""What the targets of `./gremsy bench pointing` do: azimuth and tilt on a grid of 1 ms, seeded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GRID_S = 0.001
DURATION_S = 25.0
SETTLE_S = 5.0
"""The error counts from here on."""
STEP_AT_S = 6.0
STEP_DEG = 8.0
_SINGER_STEP_S = 10 * GRID_S
_COUNT = round(DURATION_S / GRID_S) + 1
# A tilt near straight up or down has no azimuth to speak of; a path that goes there is drawn again.
_MOST_TILT_DEG = 60.0
_MOST_AZIMUTH_DEG = 300.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of motion.

    Attributes:
        name: as in the report.
        path_deg: azimuth and tilt, (N, 2) on the grid, for a seed.
        occluded_s: from when to when the target cannot be seen; empty when it always can.
        zoom: magnification; the noise of a bearing is divided by it.
    """

    name: str
    path_deg: Callable[[int], Array]
    occluded_s: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0


def _times() -> Array:
    return np.asarray(np.arange(_COUNT) * GRID_S)


def sine(seed: int) -> Array:
    """20 deg at 0.15 Hz on both axes, a quarter apart; the seed is only the noise's."""
    del seed
    phase = 2 * np.pi * 0.15 * _times()
    return 20.0 * np.stack([np.sin(phase), np.cos(phase)], axis=1)


def ramp(seed: int) -> Array:
    """15 deg/s of azimuth, through the half turn; no tilt could last so long."""
    del seed
    return np.stack([-100.0 + 15.0 * _times(), np.zeros(_COUNT)], axis=1)


def constant(rate_deg_s: float, seed: int) -> Array:
    """That rate of azimuth, and half of it of tilt."""
    del seed
    centred = _times() - DURATION_S / 2
    return rate_deg_s * np.stack([centred, centred / 2], axis=1)


def walking(seed: int) -> Array:
    """Each axis: 1-3 deg/s held for 4-8 s, 30 % of the changes a reversal, smoothed over 0.5 s."""
    random = np.random.default_rng([1, seed])
    for _ in range(1000):
        path = np.stack([_walk(random), _walk(random)], axis=1)
        if _reachable(path):
            return path
    raise AssertionError('a thousand walks left the range of a gimbal')


def _walk(random: np.random.Generator) -> Array:
    rates = np.zeros(_COUNT)
    begin, sign = 0, random.choice([-1.0, 1.0])
    while begin < _COUNT:
        held = round(random.uniform(4.0, 8.0) / GRID_S)
        if random.random() < 0.3:
            sign = -sign
        rates[begin : begin + held] = sign * random.uniform(1.0, 3.0)
        begin += held
    smoothing = round(0.5 / GRID_S)
    sums = np.cumsum(np.concatenate([np.full(smoothing, rates[0]), rates]))
    return np.cumsum((sums[smoothing:] - sums[:-smoothing]) / smoothing) * GRID_S


def singer(seed: int) -> Array:
    """Each axis: Singer's manoeuvring target, 8 deg/s^2 that last 1 s, the rate damped by 0.3/s."""
    random = np.random.default_rng([2, seed])
    drawn: list[Array] = []
    for most in (_MOST_AZIMUTH_DEG, _MOST_TILT_DEG):
        paths = _singer_paths(random, 400)
        inside = np.flatnonzero(np.abs(paths).max(axis=1) < most)
        coarse = np.arange(paths.shape[1]) * _SINGER_STEP_S
        drawn.append(np.interp(_times(), coarse, paths[inside[0]]))
    return np.stack(drawn, axis=1)


def _singer_paths(random: np.random.Generator, count: int) -> Array:
    """(count, M) at the coarse times."""
    step_s = _SINGER_STEP_S
    steps = round(DURATION_S / step_s) + 1
    acceleration, rate, angle = 8.0 * random.normal(size=count), np.zeros(count), np.zeros(count)
    decay = np.exp(-step_s)
    angles = np.zeros((steps, count))
    for at in range(1, steps):
        angle = angle + rate * step_s + 0.5 * acceleration * step_s**2
        rate = rate + (acceleration - 0.3 * rate) * step_s
        acceleration = decay * acceleration + 8.0 * np.sqrt(1.0 - decay**2) * random.normal(size=count)
        angles[at] = angle
    return np.asarray(angles.T)


def rest(seed: int) -> Array:
    """Nothing moves, and nothing is at 0."""
    del seed
    return np.tile([5.0, 3.0], (_COUNT, 1))


def step(seed: int) -> Array:
    """8 deg of azimuth at once."""
    del seed
    return np.stack([np.where(_times() < STEP_AT_S, 0.0, STEP_DEG), np.zeros(_COUNT)], axis=1)


def _reachable(path: Array) -> bool:
    most = np.abs(path).max(axis=0)
    return bool(most[0] < _MOST_AZIMUTH_DEG and most[1] < _MOST_TILT_DEG)


SCENARIOS = (
    Scenario('sine', sine),
    Scenario('ramp', ramp),
    Scenario('constant_1', partial(constant, 1.0)),
    Scenario('constant_3', partial(constant, 3.0)),
    Scenario('walking', walking),
    Scenario('singer', singer),
    Scenario('step', step),
    Scenario('occlusion', partial(constant, 3.0), occluded_s=(10.0, 11.0)),
    Scenario('zoomed', walking, zoom=6.0),
)


def scenario(name: str) -> Scenario:
    """The one of that name."""
    return next(each for each in SCENARIOS if each.name == name)
