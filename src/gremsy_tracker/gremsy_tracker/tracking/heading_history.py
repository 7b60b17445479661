# SPDX-License-Identifier: Apache-2.0
"""How far the level frame had turned with the vehicle at any time: in the past by its samples, ahead by a forecast.

A gimbal that follows reports its azimuth against the vehicle's heading. Added to the heading of the same moment, that
is an azimuth in a frame that does not turn, in which a target at rest is at rest.
"""

from __future__ import annotations

import math
from collections import Counter

from gremsy_common.timing.stamp_check import StampOrder, order_of
from gremsy_common.timing.timed_history import TimedHistory
from gremsy_common.types.gimbal_state import LevelHeading
from gremsy_tracker.tracking.heading_forecast import HeadingAt, HeadingForecast, HeadingSample, between

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
        dropped: counts by reason of samples that were not used, and of jumps.
    """

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self._zero_rad = 0.0  # of the source, in the frame that does not turn
        self._samples: TimedHistory[HeadingSample] = TimedHistory(keep_ns=_KEEP_NS)
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
        order = order_of(sample.stamp_ns, self.newest_ns)
        if order is StampOrder.NOT_NEWER:
            self.dropped['headings_unsorted'] += 1
            return False
        if order is StampOrder.RESTARTED:
            self.clear()
        newest = self._samples.newest
        if newest is None or sample.stamp_ns - newest.stamp_ns > _AHEAD_NS:
            here = self._told_at(sample.stamp_ns)
            self._samples.clear()
            self._forecast = HeadingForecast()
            # Turns in full tell nothing, and thousands of them would take the digits from what follows.
            self._zero_rad = here.heading_rad - math.remainder(sample.heading_rad, 2 * math.pi)
            self._store(HeadingSample(sample.stamp_ns, here.heading_rad, _believed(sample.rate_rad_s, 0.0)))
            return True
        gap_s = (sample.stamp_ns - newest.stamp_ns) * 1e-9
        rates = newest.rate_rad_s, _believed(sample.rate_rad_s, newest.rate_rad_s)
        expected = newest.heading_rad + gap_s * sum(rates) / 2.0
        heading_rad = math.remainder(sample.heading_rad, 2 * math.pi)
        off = math.remainder(heading_rad + self._zero_rad - expected, 2 * math.pi)
        jumped = not of_another and abs(off) > _JUMP_RAD + _JUMP_RAD_S * gap_s
        if of_another:
            self._zero_rad -= off
            off = 0.0
        elif jumped:
            self.dropped['heading_jumps'] += 1
            self._zero_rad -= off
            off = 0.0
        heading = expected + off
        # Of two that were stamped on arrival, one upon the other, the slope is none; and one that led to a jump would,
        # carried on, lead to the next.
        slope = 0.0 if jumped else self._rate_at_end((heading - newest.heading_rad) / gap_s)
        rate = _believed(sample.rate_rad_s, _believed(slope, 0.0))
        self._store(HeadingSample(sample.stamp_ns, heading, rate))
        return True

    def clear(self) -> None:
        """Forget everything."""
        self._samples.clear()
        self._forecast = HeadingForecast()
        self._zero_rad = 0.0
        self._recounts.clear()
        self._recounted_rad = 0.0

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest sample."""
        return self._samples.newest_ns

    def at(self, stamp_ns: int) -> HeadingAt:
        """The heading at that time: between samples by Hermite's cubic, beyond the newest by the forecast."""
        told = self._told_at(stamp_ns)
        if not self._recounts:
            return told
        counted_rad = self._recounted_rad + sum(by_rad for since_ns, by_rad in self._recounts if since_ns <= stamp_ns)
        return HeadingAt(told.heading_rad - counted_rad, told.rate_rad_s, told.acceleration_rad_s2)

    def _told_at(self, stamp_ns: int) -> HeadingAt:
        earlier, later = self._samples.around(stamp_ns)
        if later is None:
            if earlier is None:
                return HeadingAt(0.0, 0.0, 0.0)
            late = stamp_ns - earlier.stamp_ns > _AHEAD_NS
            here = self._forecast.at(earlier.stamp_ns + _AHEAD_NS if late else stamp_ns)
            return HeadingAt(here.heading_rad, 0.0, 0.0) if late else here
        if earlier is None:
            return HeadingAt(later.heading_rad, 0.0, 0.0)
        if earlier is later:
            return HeadingAt(later.heading_rad, later.rate_rad_s, 0.0)
        return between(earlier, later, stamp_ns)

    def _rate_at_end(self, mean_rad_s: float) -> float:
        """Of a source that tells none: the mean of the last interval, carried on from its middle to its end."""
        later = self._samples.newest
        earlier = None if later is None else self._samples.at(later.stamp_ns - 1)
        if later is None or earlier is None:
            return mean_rad_s
        before_rad_s = (later.heading_rad - earlier.heading_rad) / ((later.stamp_ns - earlier.stamp_ns) * 1e-9)
        return 1.5 * mean_rad_s - 0.5 * before_rad_s

    def _store(self, sample: HeadingSample) -> None:
        self._samples.put(sample.stamp_ns, sample)
        self._forecast.learn(sample)


def _believed(rate_rad_s: float, otherwise_rad_s: float) -> float:
    return rate_rad_s if abs(rate_rad_s) <= _FASTEST_RAD_S else otherwise_rad_s
