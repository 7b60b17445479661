# SPDX-License-Identifier: Apache-2.0
"""Ticks on an absolute schedule: the n-th is due n periods after the first, however long the work between takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

_NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """The two clocks of a camera: one to stamp with, one to wait on."""

    def ros_ns(self) -> int:
        """Nanoseconds of the ROS clock, for stamps; may jump."""

    def monotonic_ns(self) -> int:
        """Nanoseconds that never jump, for schedules."""

    def sleep_s(self, duration_s: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clocks; `ros_ns` is the node's own where it runs on simulated time."""

    def __init__(self, ros_ns: Callable[[], int] = time.time_ns) -> None:
        self._ros_ns = ros_ns

    def ros_ns(self) -> int:
        """See Clock."""
        return self._ros_ns()

    def monotonic_ns(self) -> int:
        """See Clock."""
        return time.monotonic_ns()

    def sleep_s(self, duration_s: float) -> None:
        """See Clock."""
        time.sleep(duration_s)


@dataclass(frozen=True, slots=True)
class Tick:
    """The moment at which a frame is taken, on both clocks."""

    stamp_ns: int
    monotonic_ns: int


class FrameSchedule:
    """When the n-th event of a steady rate is due, without the drift of adding up a rounded period."""

    def __init__(self, rate_hz: float, start_ns: int) -> None:
        self._rate_hz = rate_hz
        self._start_ns = start_ns
        self._index = 0

    @property
    def due_ns(self) -> int:
        """When the present event is due."""
        return self._start_ns + round(self._index * _NS_PER_S / self._rate_hz)

    def advance(self, events: int = 1) -> None:
        """Go on to a later event."""
        self._index += events


class Pacer:
    """Gives ticks at a rate. A tick that was missed by a whole period is left out and counted, never made up for."""

    def __init__(self, rate_hz: float, clock: Clock) -> None:
        self._rate_hz = rate_hz
        self._clock = clock
        self._schedule: FrameSchedule | None = None
        self.missed = 0

    @property
    def next_due_ns(self) -> int:
        """When the next tick will be, monotonic: when it is due, or now where that is past."""
        now_ns = self._clock.monotonic_ns()
        return now_ns if self._schedule is None else max(now_ns, self._schedule.due_ns)

    def wait(self, timeout_s: float) -> Tick | None:
        """Sleep until the next tick is due; None when that is further away than the timeout, which has then passed."""
        now_ns = self._clock.monotonic_ns()
        if self._schedule is None:
            self._schedule = FrameSchedule(self._rate_hz, now_ns)
        late_periods = int((now_ns - self._schedule.due_ns) * self._rate_hz / _NS_PER_S)
        if late_periods > 0:
            self.missed += late_periods
            self._schedule.advance(late_periods)
        until_due_ns = self._schedule.due_ns - now_ns
        if until_due_ns > timeout_s * _NS_PER_S:
            self._clock.sleep_s(timeout_s)
            return None
        if until_due_ns > 0:
            self._clock.sleep_s(until_due_ns / _NS_PER_S)
        self._schedule.advance()
        return Tick(self._clock.ros_ns(), self._clock.monotonic_ns())
