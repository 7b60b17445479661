# SPDX-License-Identifier: Apache-2.0
"""Home: to azimuth 0 and tilt 0 by rates, in a bounded time.

By rates and not by an angle command, because some firmware ignores angles after tracking (gimbal.md 1.10), and so that
the same limits hold on the way.
"""

from __future__ import annotations

import math
from enum import Enum

from gremsy_gimbal_driver.motion_settings import MotionSettings, nanoseconds

# 1/s: the phase margin is still 70 degrees with the slowest known gimbal (250 ms to motion, gimbal.md 1.9).
_GAIN_S = 1.2
# Above the largest known dead zone, 2 deg/s, or the camera would stop short; it coasts 0.75 deg in 250 ms from here.
_LEAST_RATE_RAD_S = math.radians(3.0)
_TOLERANCE_RAD = math.radians(1.0)
# Within tolerance on both axes for this long counts as there: longer than the coast.
_SETTLED_S = 0.4

Pair = tuple[float, float]


class HomingState(Enum):
    """How it stands."""

    MOVING = 'moving'
    THERE = 'there'
    TIMED_OUT = 'timed out'


class Homing:
    """One run, begun at `begun_ns` on the monotonic clock."""

    def __init__(self, settings: MotionSettings, begun_ns: int) -> None:
        self._deadline_ns = begun_ns + nanoseconds(settings.home_timeout_s)
        self._inside_since_ns: int | None = None

    def step(self, now_ns: int, angles_rad: Pair) -> tuple[HomingState, Pair]:
        """The state and the wanted azimuth and tilt rates, rad/s, with the camera at these angles."""
        inside = all(abs(angle) <= _TOLERANCE_RAD for angle in angles_rad)
        if not inside:
            self._inside_since_ns = None
        elif self._inside_since_ns is None:
            self._inside_since_ns = now_ns
        if self._inside_since_ns is not None and now_ns - self._inside_since_ns >= nanoseconds(_SETTLED_S):
            return HomingState.THERE, (0.0, 0.0)
        if now_ns >= self._deadline_ns:
            return HomingState.TIMED_OUT, (0.0, 0.0)
        return HomingState.MOVING, (_rate(angles_rad[0]), _rate(angles_rad[1]))


def _rate(angle_rad: float) -> float:
    if abs(angle_rad) <= _TOLERANCE_RAD:
        return 0.0
    return -math.copysign(max(_GAIN_S * abs(angle_rad), _LEAST_RATE_RAD_S), angle_rad)
