# SPDX-License-Identifier: Apache-2.0
"""Where the vehicle's heading will be some tenths of a second after its newest sample.

Where a camera is carried rigidly, the rate asked for now acts a plant's delay later, when the vehicle has turned on. No
one curve foretells every vehicle, so three compete, and each counts as far as it foretold the last second well:

* it stays as it is: right for a vehicle at rest, and the bound of what a sway too quick to be foretold can cost;
* it turns on as in the last tenth of a second: right where a turn begins or ends;
* it does what it did before when it turned so: what came a horizon later is fitted (least squares over four seconds) to
  the rate then and a tenth of a second before. A sway of any one period obeys such a rule exactly, so legs, waves and
  an autopilot's own weave are foretold by it (5 degrees at 0.5 Hz, 0.2 s ahead: 0.05 degrees wrong, the line 0.27).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_GRID_S = 0.02
_GRID_NS = 20_000_000
_LEARNT = 200  # grid points: four seconds
_LEAST_LEARNT = 25
_FADE_PER_POINT = math.exp(-_GRID_S / 2.0)
_BEFORE = 5  # grid points: the second rate that the rule knows
_LINE = 6  # grid points of the last tenth of a second
# Held against its own noise, and against two sways at once: the rule begins as the line's.
_RIDGE = 1e-3
_RIDGE_RAD_S = 0.005
# What was foretold wrongly so long ago counts 1/e, in squares; better than this (0.01 degrees) nobody needs to be.
_MEMORY_S = 1.0
_FLOOR_RAD2 = math.radians(0.01) ** 2
_FIRST_ERRORS_RAD2 = np.radians([0.3, 0.1, 0.3]) ** 2
# Nobody asks further ahead: the longest delay of a plant, and an old sample.
_FURTHEST = 75


@dataclass(frozen=True, slots=True)
class HeadingAt:
    """The heading at one time, rad, rad/s and rad/s^2; it goes on over +-pi."""

    heading_rad: float
    rate_rad_s: float
    acceleration_rad_s2: float


@dataclass(frozen=True, slots=True)
class HeadingSample:
    """A heading (which goes on over +-pi) and its rate, as they were measured."""

    stamp_ns: int
    heading_rad: float
    rate_rad_s: float


def between(before: HeadingSample, after: HeadingSample, stamp_ns: int) -> HeadingAt:
    """Hermite's cubic through two samples' headings and rates, at a time between them."""
    gap_s = (after.stamp_ns - before.stamp_ns) * 1e-9
    share = (stamp_ns - before.stamp_ns) * 1e-9 / gap_s
    turned = after.heading_rad - before.heading_rad
    # In the form h0 + s (turned + (1 - s) ((1 - s) a - s b)), and its derivatives by s.
    a, b = before.rate_rad_s * gap_s - turned, after.rate_rad_s * gap_s - turned
    left = 1.0 - share
    heading = before.heading_rad + share * (turned + left * (left * a - share * b))
    rate = turned + a * left * (1.0 - 3.0 * share) - b * share * (2.0 - 3.0 * share)
    acceleration = a * (6.0 * share - 4.0) - b * (2.0 - 6.0 * share)
    return HeadingAt(heading, rate / gap_s, acceleration / gap_s**2)


class HeadingForecast:
    """Learns from samples as they come, and says what is ahead of the newest."""

    def __init__(self) -> None:
        self._before: HeadingSample | None = None
        # Headings and rates on a grid of 20 ms, whatever the samples' own times; the last row is the newest.
        self._grid = np.zeros((_LEARNT + _FURTHEST, 2))
        self._points = 0
        self._grid_ns = 0  # of the last row
        self._errors_rad2 = _FIRST_ERRORS_RAD2.copy()
        self._foretold: deque[tuple[int, Array]] = deque()  # for a grid time, by each
        self._horizon = 0
        self._fits: dict[int, Array] = {}

    def learn(self, sample: HeadingSample) -> None:
        """A sample, newer than the last."""
        before, self._before = self._before, sample
        if before is None:
            self._grid_ns = sample.stamp_ns
            self._push(sample.heading_rad, sample.rate_rad_s)
            return
        while self._grid_ns + _GRID_NS <= sample.stamp_ns:
            self._grid_ns += _GRID_NS
            share = (self._grid_ns - before.stamp_ns) / (sample.stamp_ns - before.stamp_ns)
            # The cubic's slope is mostly the headings' difference, which is noise where samples are 20 ms apart.
            rate = before.rate_rad_s + share * (sample.rate_rad_s - before.rate_rad_s)
            self._push(between(before, sample, self._grid_ns).heading_rad, rate)
        self._judge()

    def at(self, stamp_ns: int) -> HeadingAt:
        """What is foretold for a time after the newest sample."""
        ahead_s = (stamp_ns - self._grid_ns) * 1e-9
        steps = min(max(round(ahead_s / _GRID_S), 1), _FURTHEST)
        self._horizon = steps
        weights = 1.0 / (self._errors_rad2 + _FLOOR_RAD2) ** 2
        turned, rate, acceleration = (weights @ self._turns(steps) / weights.sum()).tolist()
        rest_s = ahead_s - steps * _GRID_S  # less than half a step
        return HeadingAt(
            float(self._grid[-1, 0]) + turned + rate * rest_s + 0.5 * acceleration * rest_s**2,
            rate + acceleration * rest_s,
            acceleration,
        )

    # Inside.

    def _push(self, heading_rad: float, rate_rad_s: float) -> None:
        self._grid[:-1] = self._grid[1:]
        self._grid[-1] = heading_rad, rate_rad_s
        self._points = min(self._points + 1, len(self._grid))
        self._fits.clear()
        if self._horizon:
            heading = self._grid[-1, 0]
            turns = self._turns(self._horizon)[:, 0]
            self._foretold.append((self._grid_ns + self._horizon * _GRID_NS, heading + turns))

    def _judge(self) -> None:
        """Compare what was foretold for times that have come."""
        while self._foretold and self._foretold[0][0] <= self._grid_ns:
            at_ns, foretold = self._foretold.popleft()
            row = -1 - (self._grid_ns - at_ns) // _GRID_NS
            if -row > self._points:
                continue
            kept = math.exp(-_GRID_S / _MEMORY_S)
            self._errors_rad2 = kept * self._errors_rad2 + (1.0 - kept) * (foretold - self._grid[row, 0]) ** 2

    def _turns(self, steps: int) -> Array:
        """(3, 3): by each, how far it turns in so many steps, and its rate and acceleration then."""
        found = self._fits.get(steps)
        if found is None:
            found = np.zeros((3, 3))
            if self._grid[:, 1].any():  # in lock no rate is anything but 0, and there is nothing to learn
                found[1] = self._line(steps * _GRID_S)
                found[2] = self._learnt(steps, found[1])
            self._fits[steps] = found
        return found

    def _line(self, ahead_s: float) -> Array:
        count = min(_LINE, self._points)
        rates = self._grid[-count:, 1]
        if count < 2:
            return np.array([rates[-1] * ahead_s, rates[-1], 0.0])
        times = (np.arange(count) - (count - 1) / 2.0) * _GRID_S
        slope = float(times @ rates / (times @ times))
        rate = float(rates.mean()) + slope * (count - 1) / 2.0 * _GRID_S
        return np.array([rate * ahead_s + 0.5 * slope * ahead_s**2, rate + slope * ahead_s, slope])

    def _learnt(self, steps: int, line: Array) -> Array:
        """By the rule; as the line where there is too little to learn from."""
        points = min(self._points, _LEARNT + steps)
        count = points - steps - 2 - _BEFORE
        if count < _LEAST_LEARNT:
            return line
        headings, rates = self._grid[-points:, 0], self._grid[-points:, 1]
        here = slice(_BEFORE, _BEFORE + count)
        known = np.stack([rates[here], rates[:count]], axis=1)
        # Turned after the horizon and two steps either side of it, which give rate and acceleration then.
        ends = [_BEFORE + steps + each for each in (-2, 0, 2)]
        told = np.stack([headings[end : end + count] for end in ends], axis=1) - headings[here, None]
        weighted = known * (_FADE_PER_POINT ** np.arange(count - 1, -1, -1.0))[:, None]
        square = weighted.T @ known
        ridge = _RIDGE * (float(np.trace(square)) / 2.0 + count * _RIDGE_RAD_S**2)
        rule = np.linalg.solve(square + ridge * np.eye(2), weighted.T @ told + ridge * _line_rule(steps))
        earlier, then, later = (np.array([rates[-1], rates[-1 - _BEFORE]]) @ rule).tolist()
        step_s = 2.0 * _GRID_S
        return np.array([then, (later - earlier) / (2.0 * step_s), (later - 2.0 * then + earlier) / step_s**2])


def _line_rule(steps: int) -> Array:
    """(2, 3): the rule of a rate that changes evenly."""
    before_s = _BEFORE * _GRID_S
    ahead_s = np.array([steps - 2, steps, steps + 2]) * _GRID_S
    bent = 0.5 * ahead_s**2 / before_s
    return np.stack([ahead_s + bent, -bent])
