# SPDX-License-Identifier: Apache-2.0
"""How far the level frame had turned with the vehicle at any time: in the past by its samples, ahead by a forecast.

A gimbal that follows reports its azimuth against the vehicle's heading. Added to the heading of the same moment, that
is an azimuth in a frame that does not turn, in which a target at rest is at rest.

Where the vehicle's heading will be some tenths of a second after its newest sample.

Where a camera is carried rigidly, the rate asked for now acts a plant's delay later, when the vehicle has turned on. No
one curve forecasts every vehicle, so three compete, and each counts as far as it forecast the last second well:

* it stays as it is: right for a vehicle at rest, and the bound of what a sway too quick to be forecast can cost;
* it turns on as in the last tenth of a second: right where a turn begins or ends;
* it does what it did before when it turned so: what came a horizon later is fitted (least squares over four seconds) to
  the rate then and a tenth of a second before. A sway of any one period obeys such a rule exactly, so legs, waves and
  an autopilot's own weave are forecast by it (5 degrees at 0.5 Hz, 0.2 s ahead: 0.05 degrees wrong, the line 0.27).
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, replace

import numpy as np

from gremsy_common.geometry import Array
from gremsy_common.timing.stamp_check import StampOrder, order_of
from gremsy_common.timing.timed_history import TimedHistory
from gremsy_common.types.gimbal_state import LevelHeading

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
# What was forecast wrongly so long ago counts 1/e, in squares; better than this (0.01 degrees) nobody needs to be.
_MEMORY_S = 1.0
_FLOOR_RAD2 = math.radians(0.01) ** 2
_FIRST_ERRORS_RAD2 = np.radians([0.3, 0.1, 0.3]) ** 2
# Nobody asks further ahead: the longest delay of a plant, and an old sample.
_FURTHEST = 75


@dataclass(frozen=True, slots=True)
class HeadingAt:
    """The heading at one time, its rate and acceleration, rad, rad/s and rad/s^2; it goes on over +-pi."""

    stamp_ns: int
    heading_rad: float
    rate_rad_s: float = 0.0
    acceleration_rad_s2: float = 0.0


def between(before: HeadingAt, after: HeadingAt, stamp_ns: int) -> HeadingAt:
    """Hermite's cubic through two samples' headings and rates as measured, at a time between them."""
    gap_s = (after.stamp_ns - before.stamp_ns) * 1e-9
    share = (stamp_ns - before.stamp_ns) * 1e-9 / gap_s
    turned = after.heading_rad - before.heading_rad
    # In the form h0 + s (turned + (1 - s) ((1 - s) a - s b)), and its derivatives by s.
    a, b = before.rate_rad_s * gap_s - turned, after.rate_rad_s * gap_s - turned
    left = 1.0 - share
    heading = before.heading_rad + share * (turned + left * (left * a - share * b))
    rate = turned + a * left * (1.0 - 3.0 * share) - b * share * (2.0 - 3.0 * share)
    acceleration = a * (6.0 * share - 4.0) - b * (2.0 - 6.0 * share)
    return HeadingAt(stamp_ns, heading, rate / gap_s, acceleration / gap_s**2)


class HeadingForecast:
    """Learns from samples as they come, and says what is ahead of the newest."""

    def __init__(self) -> None:
        self._before: HeadingAt | None = None
        # Headings and rates on a grid of 20 ms, whatever the samples' own times; the last row is the newest.
        self._grid = np.zeros((_LEARNT + _FURTHEST, 2))
        self._points = 0
        self._grid_ns = 0  # of the last row
        self._errors_rad2 = _FIRST_ERRORS_RAD2.copy()
        self._forecasts: deque[tuple[int, Array]] = deque()  # for a grid time, by each
        self._horizon = 0
        self._fits: dict[int, Array] = {}

    def learn(self, sample: HeadingAt) -> None:
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
        """What is forecast for a time after the newest sample."""
        ahead_s = (stamp_ns - self._grid_ns) * 1e-9
        steps = min(max(round(ahead_s / _GRID_S), 1), _FURTHEST)
        self._horizon = steps
        weights = 1.0 / (self._errors_rad2 + _FLOOR_RAD2) ** 2
        turned, rate, acceleration = (weights @ self._turns(steps) / weights.sum()).tolist()
        rest_s = ahead_s - steps * _GRID_S  # less than half a step
        return HeadingAt(
            stamp_ns,
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
            self._forecasts.append((self._grid_ns + self._horizon * _GRID_NS, heading + turns))

    def _judge(self) -> None:
        """Compare what was forecast for times that have come."""
        while self._forecasts and self._forecasts[0][0] <= self._grid_ns:
            at_ns, forecast = self._forecasts.popleft()
            row = -1 - (self._grid_ns - at_ns) // _GRID_NS
            if -row > self._points:
                continue
            kept = math.exp(-_GRID_S / _MEMORY_S)
            self._errors_rad2 = kept * self._errors_rad2 + (1.0 - kept) * (forecast - self._grid[row, 0]) ** 2

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
        ahead = np.stack([headings[end : end + count] for end in ends], axis=1) - headings[here, None]
        weighted = known * (_FADE_PER_POINT ** np.arange(count - 1, -1, -1.0))[:, None]
        square = weighted.T @ known
        ridge = _RIDGE * (float(np.trace(square)) / 2.0 + count * _RIDGE_RAD_S**2)
        rule = np.linalg.solve(square + ridge * np.eye(2), weighted.T @ ahead + ridge * _line_rule(steps))
        earlier, then, later = (np.array([rates[-1], rates[-1 - _BEFORE]]) @ rule).tolist()
        step_s = 2.0 * _GRID_S
        return np.array([then, (later - earlier) / (2.0 * step_s), (later - 2.0 * then + earlier) / step_s**2])


def _line_rule(steps: int) -> Array:
    """(2, 3): the rule of a rate that changes evenly."""
    before_s = _BEFORE * _GRID_S
    ahead_s = np.array([steps - 2, steps, steps + 2]) * _GRID_S
    bent = 0.5 * ahead_s**2 / before_s
    return np.stack([ahead_s + bent, -bent])


# Attitudes are asked for three seconds back.
_KEEP_NS = 3_000_000_000
# Beyond the newest sample for so long: the longest delay of a plant that is known, and a sample that is late.
_AHEAD_NS = 500_000_000
# What a heading may differ from where its own rate leads: 3 degrees, and 20 more for each second between two samples. A
# disturbed magnetometer, or an estimator that finds north, jumps by more; a vehicle does not.
_JUMP_RAD = math.radians(3.0)
_JUMP_RAD_S = math.radians(20.0)
# No vehicle turns faster, twice round in a second: such a rate is as good as none.
_FASTEST_RAD_S = 4.0 * math.pi


class HeadingHistory:
    """The last seconds of the level frame's heading, asked by time.

    The first sample's heading is 0, so that the frame that does not turn is then the level frame. Where nothing is
    known, before the first sample and long after the last, the level frame is taken not to turn; what comes after a
    pause, or after a jump that the rates know nothing of, goes on from there.

    Attributes:
        samples: as they were measured, in order of time.
        dropped: counts by reason of samples that were not used, and of jumps.
    """

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self._zero_rad = 0.0  # of the source, in the frame that does not turn
        self.samples: TimedHistory[HeadingAt] = TimedHistory(keep_ns=_KEEP_NS)
        self._forecast = HeadingForecast()
        # (from when, by how much) azimuth counts from elsewhere, while headings are kept; before those, in all.
        self._recounts: list[tuple[int, float]] = []
        self._recounted_rad = 0.0

    def recount(self, stamp_ns: int, by_rad: float) -> None:
        """From that time on azimuths are more by so much, although the camera did not turn: the frame turned back.

        What tells the heading knows nothing of it, before or after.
        """
        self._recounts.append((stamp_ns, by_rad))
        while self._recounts[0][0] < stamp_ns - _KEEP_NS:
            self._recounted_rad += self._recounts.pop(0)[1]

    def offer(self, sample: LevelHeading, *, of_another: bool = False) -> bool:
        """Store a sample; False (and counted) if it is not finite, or not newer than the newest.

        Args:
            sample: the heading at its time.
            of_another: it is of another source than those before, whose zero is its own: it goes on from where they
                have come to.
        """
        if not math.isfinite(sample.heading_rad):
            self.dropped['headings_not_finite'] += 1
            return False
        order = order_of(sample.stamp_ns, self.samples.newest_ns)
        if order is StampOrder.NOT_NEWER:
            self.dropped['headings_unsorted'] += 1
            return False
        if order is StampOrder.RESTARTED:
            self.clear()
        newest = self.samples.newest
        if newest is None or sample.stamp_ns - newest.stamp_ns > _AHEAD_NS:
            here = self._known_at(sample.stamp_ns)
            self.samples.clear()
            self._forecast = HeadingForecast()
            # Turns in full tell nothing, and thousands of them would take the digits from what follows.
            self._zero_rad = here.heading_rad - math.remainder(sample.heading_rad, 2 * math.pi)
            self._store(HeadingAt(sample.stamp_ns, here.heading_rad, _believed(sample.rate_rad_s, 0.0)))
            return True
        gap_s = (sample.stamp_ns - newest.stamp_ns) * 1e-9
        rates = newest.rate_rad_s, _believed(sample.rate_rad_s, newest.rate_rad_s)
        expected = newest.heading_rad + gap_s * sum(rates) / 2.0
        heading_rad = math.remainder(sample.heading_rad, 2 * math.pi)
        off = math.remainder(heading_rad + self._zero_rad - expected, 2 * math.pi)
        jumped = not of_another and abs(off) > _JUMP_RAD + _JUMP_RAD_S * gap_s
        if jumped:
            self.dropped['heading_jumps'] += 1
        if of_another or jumped:
            self._zero_rad -= off
            off = 0.0
        heading = expected + off
        # Of two that were stamped on arrival, one upon the other, the slope is none; and one that led to a jump would,
        # carried on, lead to the next.
        slope = 0.0 if jumped else self._rate_at_end((heading - newest.heading_rad) / gap_s)
        rate = _believed(sample.rate_rad_s, _believed(slope, 0.0))
        self._store(HeadingAt(sample.stamp_ns, heading, rate))
        return True

    def clear(self) -> None:
        """Forget everything."""
        self.samples.clear()
        self._forecast = HeadingForecast()
        self._zero_rad = 0.0
        self._recounts.clear()
        self._recounted_rad = 0.0

    def at(self, stamp_ns: int) -> HeadingAt:
        """The heading at that time: between samples by Hermite's cubic, beyond the newest by the forecast."""
        known = self._known_at(stamp_ns)
        if not self._recounts:
            return known
        counted_rad = self._recounted_rad + sum(by_rad for since_ns, by_rad in self._recounts if since_ns <= stamp_ns)
        return replace(known, heading_rad=known.heading_rad - counted_rad)

    def _known_at(self, stamp_ns: int) -> HeadingAt:
        earlier, later = self.samples.around(stamp_ns)
        if later is None:
            if earlier is None:
                return HeadingAt(stamp_ns, 0.0)
            late = stamp_ns - earlier.stamp_ns > _AHEAD_NS
            here = self._forecast.at(earlier.stamp_ns + _AHEAD_NS if late else stamp_ns)
            return HeadingAt(stamp_ns, here.heading_rad) if late else here
        if earlier is None:
            return HeadingAt(stamp_ns, later.heading_rad)
        return later if earlier is later else between(earlier, later, stamp_ns)

    def _rate_at_end(self, mean_rad_s: float) -> float:
        """Of a source that tells none: the mean of the last interval, carried on from its middle to its end."""
        later = self.samples.newest
        earlier = None if later is None else self.samples.at(later.stamp_ns - 1)
        if later is None or earlier is None:
            return mean_rad_s
        before_rad_s = (later.heading_rad - earlier.heading_rad) / ((later.stamp_ns - earlier.stamp_ns) * 1e-9)
        return 1.5 * mean_rad_s - 0.5 * before_rad_s

    def _store(self, sample: HeadingAt) -> None:
        self.samples.put(sample.stamp_ns, sample)
        self._forecast.learn(sample)


def _believed(rate_rad_s: float, otherwise_rad_s: float) -> float:
    return rate_rad_s if abs(rate_rad_s) <= _FASTEST_RAD_S else otherwise_rad_s
