# SPDX-License-Identifier: Apache-2.0
"""One moment on both clocks: durations are taken on the monotonic one, ages against stamps on the ROS one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instant:
    """Now, in ns of the monotonic clock and ns of the ROS clock."""

    monotonic_ns: int
    ros_ns: int

    def ros_at(self, monotonic_ns: int) -> int:
        """The ROS time when the monotonic clock showed that, shortly ago.

        A device's clock goes with the monotonic one; the ROS clock may be set, and a simulated one stands, or goes at
        any rate.
        """
        return self.ros_ns - (self.monotonic_ns - monotonic_ns)


Clock = Callable[[], Instant]


def system_clock() -> Instant:
    """The machine's clocks; the ROS clock is the system clock."""
    return Instant(time.monotonic_ns(), time.time_ns())


def nanoseconds(seconds: float) -> int:
    """Whole ns."""
    return round(seconds * 1e9)
