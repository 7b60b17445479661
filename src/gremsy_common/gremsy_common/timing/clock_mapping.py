# SPDX-License-Identifier: Apache-2.0
"""When was it measured, in our time? A device's clock mapped to ours by the messages that were delayed least.

A message measured at device time d arrives at local time a = d + offset + delay with delay >= 0, so the points
(d, a - d) lie above the line of the true offset, and the lowest of them touch it when a message came through without
waiting. The line is the edge of the lower convex hull over the window's middle (Moon, Skelly, Towsley, "Estimation and
removal of clock skew from network delay measurements", INFOCOM 1999), so a drifting device clock does no harm. The
smallest delay itself cannot be seen from arrivals; give it as `least_delay_ns` where it is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

# Crystals are good to 100 ppm; a steeper edge comes from two unlucky neighbours on the hull, not from a clock.
_MAX_DRIFT = 200e-6
_BUCKET_NS = 500_000_000


class CounterUnwrapper:
    """A wrapping device counter as a number that goes on; a jump back that is no wrap is a restart."""

    def __init__(self, bits: int = 32) -> None:
        self._modulus = 1 << bits
        self._last: int | None = None
        self._high = 0

    def unwrap(self, count: int) -> int:
        """The count plus all wraps so far; a small step back (a late message) stays one."""
        if self._last is not None:
            if self._last - count > self._modulus // 2:
                self._high += self._modulus
            elif count - self._last > self._modulus // 2 and self._high:
                self._high -= self._modulus
        self._last = count
        return self._high + count

    def reset(self) -> None:
        """The device restarted."""
        self._last, self._high = None, 0


@dataclass(frozen=True, slots=True)
class _Line:
    """offset(device) = offset_ns + slope * (device - at_ns), ns."""

    at_ns: int
    offset_ns: float
    slope: float

    def __call__(self, device_ns: int) -> float:
        return self.offset_ns + self.slope * (device_ns - self.at_ns)


class MinimumDelayClock:
    """Maps device time to local time through the lower envelope of the newest arrivals.

    Args:
        window_ns: how far back arrivals count.
        restart_ns: a device time that goes back by more than this, or an offset that jumps by more, is a restart of
            the device or a step of our clock, and the mapping starts over.
        resolution_ns: the device cuts its time to this; half of it is given back.
        least_delay_ns: the transport's smallest delay, where known; it may be set while it runs.

    Attributes:
        restarts: how often the mapping started over.
    """

    def __init__(
        self,
        window_ns: int = 20_000_000_000,
        restart_ns: int = 1_000_000_000,
        resolution_ns: int = 0,
        least_delay_ns: int = 0,
    ) -> None:
        self._window_ns = window_ns
        self._restart_ns = restart_ns
        self._resolution_ns = resolution_ns
        self.least_delay_ns = least_delay_ns
        self.restarts = 0
        self._line: _Line | None = None
        self._last_device_ns: int | None = None
        self._late_since_ns: int | None = None
        self._buckets: list[tuple[int, int]] = []  # the lowest (device, offset) of each half second
        self._bucket: tuple[int, tuple[int, int]] | None = None  # its number and its lowest point so far

    def map(self, device_ns: int, arrival_ns: int) -> int:
        """The local time at which the device's clock showed `device_ns`; never later than the arrival.

        `arrival_ns` is when the message with that device time was received, local ns; it also feeds the envelope.
        """
        offset = arrival_ns - device_ns
        if self._line is not None and self._is_restart(self._line, device_ns, offset):
            self.restarts += 1
            self._begin()
        self._last_device_ns = device_ns
        line = self._line or _Line(device_ns, float(offset), 0.0)
        if offset < line(device_ns):
            # Lower than thought possible: the envelope goes down with this point at once, not when the bucket ends.
            line = _Line(device_ns, float(offset), line.slope)
        self._line = self._collect(device_ns, offset) or line
        mapped = device_ns + round(self._line(device_ns)) + self._resolution_ns // 2 - self.least_delay_ns
        return min(mapped, arrival_ns)

    def _begin(self) -> None:
        self._line = self._last_device_ns = self._late_since_ns = self._bucket = None
        self._buckets = []

    def _is_restart(self, line: _Line, device_ns: int, offset: int) -> bool:
        if self._last_device_ns is not None and self._last_device_ns - device_ns > self._restart_ns:
            return True
        excess = offset - line(device_ns)
        if excess < -self._restart_ns:
            return True
        if excess <= self._restart_ns:
            self._late_since_ns = None
            return False
        # Far too late: a hold-up if it passes, a step of our clock (or a device that slept) if it lasts.
        if self._late_since_ns is None:
            self._late_since_ns = device_ns
        return device_ns - self._late_since_ns > self._restart_ns

    def _collect(self, device_ns: int, offset: int) -> _Line | None:
        """Keep the point; a new envelope when a bucket ended."""
        number = device_ns // _BUCKET_NS
        point = (device_ns, offset)
        if self._bucket is None or self._bucket[0] == number:
            lowest = point if self._bucket is None or offset < self._bucket[1][1] else self._bucket[1]
            self._bucket = (number, lowest)
            return None
        if number < self._bucket[0]:
            return None
        self._buckets.append(self._bucket[1])
        self._bucket = (number, point)
        self._buckets = [each for each in self._buckets if device_ns - each[0] <= self._window_ns]
        # The newest point may be a delayed one; the bucket that it opened is not judged before it ends.
        return _envelope(self._buckets)


def _envelope(points: list[tuple[int, int]]) -> _Line | None:
    """The lower hull's edge over the middle of the device times, unless it is steeper than a crystal drifts."""
    hull: list[tuple[int, int]] = []
    for point in points:
        while len(hull) >= 2 and _turns_down(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    if not hull:
        return None
    middle = (points[0][0] + points[-1][0]) / 2
    for left, right in pairwise(hull):
        if right[0] >= middle:
            slope = (right[1] - left[1]) / (right[0] - left[0])
            if abs(slope) <= _MAX_DRIFT:
                return _Line(left[0], float(left[1]), slope)
    lowest = min(points, key=lambda each: each[1])
    return _Line(lowest[0], float(lowest[1]), 0.0)


def _turns_down(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> bool:
    """Whether b lies on or above the line from a to c."""
    return (b[1] - a[1]) * (c[0] - a[0]) >= (c[1] - a[1]) * (b[0] - a[0])
