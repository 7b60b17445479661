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
SINGER_ACCELERATION_DEG_S2 = 8.0
SINGER_LASTS_S = 1.0
SINGER_DAMPING_PER_S = 0.3
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
        hidden_s: from when to when the target cannot be seen, as often as that happens.
        zoom: magnification; the noise of a bearing is divided by it.
        camera_hz, telemetry_hz: how often images and telemetry come.
        overshoot: share by which the gimbal's own servo overshoots; 0 for one that does not.
        in_view_only: the error counts, and a law asks for anything, only while the target is in view: what it does
            meanwhile nobody could know.
    """

    name: str
    path_deg: Callable[[int], Array]
    hidden_s: tuple[tuple[float, float], ...] = ()
    zoom: float = 1.0
    camera_hz: float = 30.0
    telemetry_hz: float = 20.0
    overshoot: float = 0.0
    in_view_only: bool = False


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
    return _smoothed(rates, 0.5)


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
    sigma = SINGER_ACCELERATION_DEG_S2
    acceleration, rate, angle = sigma * random.normal(size=count), np.zeros(count), np.zeros(count)
    decay = np.exp(-step_s / SINGER_LASTS_S)
    angles = np.zeros((steps, count))
    for at in range(1, steps):
        angle = angle + rate * step_s + 0.5 * acceleration * step_s**2
        rate = rate + (acceleration - SINGER_DAMPING_PER_S * rate) * step_s
        acceleration = decay * acceleration + sigma * np.sqrt(1.0 - decay**2) * random.normal(size=count)
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


def reversal(seed: int) -> Array:
    """20 deg/s of azimuth, as a drone that patrols: each 3 to 5 s it turns round, evenly within half a second."""
    random = np.random.default_rng([5, seed])
    rates, begin, sign = np.zeros(_COUNT), 0, random.choice([-1.0, 1.0])
    while begin < _COUNT:
        held = round(random.uniform(3.0, 5.0) / GRID_S)
        rates[begin : begin + held] = sign * 20.0
        begin, sign = begin + held, -sign
    return np.stack([_smoothed(rates, 0.5), np.full(_COUNT, 5.0)], axis=1)


REENTRIES_S = ((6.0, 7.2), (10.0, 11.5), (14.5, 16.7), (20.0, 23.0))
"""When the target of `reentry` is out of view: shorter and longer than a lock lives (1.5 s)."""
_TURNING_S = 0.5


def reentry(seed: int) -> Array:
    """3 to 15 deg/s of azimuth; out of view it comes back up to 25 degrees away, at another rate, either way."""
    random = np.random.default_rng([6, seed])
    rates, begin = np.zeros(_COUNT), 0
    for left_s, back_s in (*REENTRIES_S, (DURATION_S + 1.0, DURATION_S + 2.0)):
        left, back = (round(each / GRID_S) for each in (left_s, back_s - _TURNING_S))
        rates[begin:left] = random.choice([-1.0, 1.0]) * random.uniform(3.0, 15.0)
        rates[left:back] = random.uniform(-25.0, 25.0) / (back_s - left_s)
        begin = back
    return np.stack([_smoothed(rates, _TURNING_S), np.full(_COUNT, 5.0)], axis=1)


def _smoothed(rates: Array, over_s: float) -> Array:
    """Where rates on the grid lead to, with each change of them spread evenly over that time."""
    smoothing = round(over_s / GRID_S)
    sums = np.cumsum(np.concatenate([np.full(smoothing, rates[0]), rates]))
    return np.asarray(np.cumsum((sums[smoothing:] - sums[:-smoothing]) / smoothing) * GRID_S)


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
    Scenario('occlusion', partial(constant, 3.0), hidden_s=((10.0, 11.0),)),
    Scenario('zoomed', walking, zoom=6.0),
    Scenario('reversal', reversal),
    Scenario('reversal_15hz', reversal, camera_hz=15.0),
    Scenario('reversal_7hz', reversal, camera_hz=7.0),
    Scenario('walking_10hz', walking, telemetry_hz=10.0),
    Scenario('walking_overshoot', walking, overshoot=0.2),
    Scenario('reentry', reentry, hidden_s=REENTRIES_S, in_view_only=True),
)


def scenario(name: str) -> Scenario:
    """The one of that name."""
    return next(each for each in SCENARIOS if each.name == name)
