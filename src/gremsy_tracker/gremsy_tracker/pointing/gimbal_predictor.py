# SPDX-License-Identifier: Apache-2.0
"""Where the gimbal will point when a rate asked for now begins to act.

Telemetry is some tens of milliseconds old and rates asked for in the meantime are still on their way, so the newest
attitude is carried on through them with the plant's own model: a pure delay, then a first-order lag.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import wrap_angle

Array = NDArray[np.float64]

# Longest delay (1 s) plus the oldest telemetry (2 s) that the parameters allow.
_KEEP_NS = 3_000_000_000
# The driver's time to live: a rate that is not asked for again ends by itself.
_HOLDS_NS = 200_000_000


@dataclass(frozen=True, slots=True, eq=False)
class GimbalPrediction:
    """The optical axis (2,) azimuth, tilt in rad, and its rates in rad/s, at one time."""

    stamp_ns: int
    bearing_rad: Array
    rate_rad_s: Array


class GimbalPredictor:
    """Remembers the rates that were asked for and applies them to the newest telemetry."""

    def __init__(self) -> None:
        self._commands: deque[tuple[int, Array]] = deque()

    def commanded(self, now_ns: int, rate_rad_s: Array) -> None:
        """A rate (2,) was asked for at that time; it holds until the next."""
        if self._commands and now_ns < self._commands[-1][0]:
            self._commands.clear()  # the clock jumped back: what was asked before has no place in the new time
        self._commands.append((now_ns, np.array(rate_rad_s, dtype=np.float64)))
        while len(self._commands) > 1 and self._commands[1][0] < now_ns - _KEEP_NS:
            self._commands.popleft()

    def clear(self) -> None:
        """Forget the rates asked for."""
        self._commands.clear()

    def asked_at(self, time_ns: int) -> Array | None:
        """The rate (2,) that held at that time; None when none had been asked for, or only too long before to hold."""
        newest = None
        for asked_ns, command in self._acting_after(time_ns):
            if asked_ns > time_ns:
                break
            newest = command if time_ns - asked_ns <= _HOLDS_NS else None
        return newest

    def predict(
        self, measured: GimbalPrediction, until_ns: int, *, plant_delay_s: float, plant_lag_s: float
    ) -> GimbalPrediction:
        """Carry a measured bearing and rate on to a later time.

        In a stretch dt with command u the rate w goes to u + (w - u) e^(-dt/T), and the angle turns by
        u dt + (w - u) T (1 - e^(-dt/T)).

        Args:
            measured: newest telemetry.
            until_ns: usually now plus the plant's delay; an earlier time than the telemetry's returns it as it is.
            plant_delay_s: from asking to the first motion.
            plant_lag_s: time constant T.
        """
        bearing, rate = measured.bearing_rad.copy(), measured.rate_rad_s.copy()
        delay_ns = int(plant_delay_s * 1e9)
        time_ns = measured.stamp_ns
        acting: Array | None = None
        for asked_ns, command in self._acting_after(time_ns - delay_ns):
            begins_ns = min(asked_ns + delay_ns, until_ns)
            if begins_ns > time_ns:
                bearing, rate = _advance(bearing, rate, acting, (begins_ns - time_ns) * 1e-9, plant_lag_s)
                time_ns = begins_ns
            if asked_ns + delay_ns >= until_ns:
                break
            acting = command
        if until_ns > time_ns:
            bearing, rate = _advance(bearing, rate, acting, (until_ns - time_ns) * 1e-9, plant_lag_s)
        return GimbalPrediction(max(until_ns, measured.stamp_ns), wrap_angle(bearing), rate)

    def _acting_after(self, asked_ns: int) -> list[tuple[int, Array]]:
        """The rates asked for since that time, and the one before, in order; most of the three seconds is older."""
        recent: list[tuple[int, Array]] = []
        for item in reversed(self._commands):
            recent.append(item)
            if item[0] <= asked_ns:
                break
        recent.reverse()
        return recent


def _advance(bearing: Array, rate: Array, command: Array | None, dt_s: float, lag_s: float) -> tuple[Array, Array]:
    if command is None:  # nothing was ever asked of it: it goes on as it goes (an operator may be moving it)
        return bearing + rate * dt_s, rate
    left = math.exp(-dt_s / lag_s) if lag_s > 0.0 else 0.0
    return (
        bearing + command * dt_s + (rate - command) * lag_s * (1.0 - left),
        command + (rate - command) * left,
    )
