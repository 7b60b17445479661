# SPDX-License-Identifier: Apache-2.0
"""Where the gimbal will point when a rate asked for now begins to act.

Telemetry is some tens of milliseconds old and rates asked for in the meantime are still on their way, so the newest
attitude is carried on through them with the plant's own model: a pure delay, then its servo.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import wrap_angle
from gremsy_common.timing.timed_history import TimedHistory
from gremsy_tracker.pointing.servo_response import Servo, ServoState

Array = NDArray[np.float64]

# Longest delay (1 s) plus the oldest telemetry (2 s) that the parameters allow.
_KEEP_NS = 3_000_000_000
# The driver's time to live: a rate that is not asked for again ends by itself.
_HOLDS_NS = 200_000_000


@dataclass(frozen=True, slots=True, eq=False)
class GimbalPrediction:
    """The optical axis (2,) azimuth, tilt in rad, its rates in rad/s and their slopes in rad/s^2, at one time.

    The servo is the one with which it was predicted; None of what was measured.
    """

    stamp_ns: int
    bearing_rad: Array
    rate_rad_s: Array
    acceleration_rad_s2: Array = field(default_factory=lambda: np.zeros(2))
    servo: Servo | None = None


class GimbalPredictor:
    """Remembers the rates that were asked for and applies them to the newest telemetry."""

    def __init__(self) -> None:
        self._commands: TimedHistory[Array] = TimedHistory(keep_ns=_KEEP_NS)

    def commanded(self, now_ns: int, rate_rad_s: Array) -> None:
        """A rate (2,) was asked for at that time; it holds until the next."""
        self._commands.put(now_ns, np.array(rate_rad_s, dtype=np.float64))

    def clear(self) -> None:
        """Forget the rates asked for."""
        self._commands.clear()

    def asked_at(self, time_ns: int) -> Array | None:
        """The rate (2,) that held at that time; None when none had been asked for, or only too long before to hold."""
        newest = None
        for asked_ns, command in self._commands.held_since(time_ns):
            if asked_ns > time_ns:
                break
            newest = command if time_ns - asked_ns <= _HOLDS_NS else None
        return newest

    def predict(
        self, measured: GimbalPrediction, until_ns: int, *, plant_delay_s: float, servo: Servo
    ) -> GimbalPrediction:
        """Carry a measured bearing and rate on to a later time.

        Args:
            measured: newest telemetry.
            until_ns: usually now plus the plant's delay; an earlier time than the telemetry's returns it as it is.
            plant_delay_s: from asking to the first motion.
            servo: what the gimbal does then.
        """
        state = ServoState(measured.bearing_rad, measured.rate_rad_s, measured.acceleration_rad_s2)
        for dt_s, asked in self.acting(measured.stamp_ns, until_ns, plant_delay_s):
            state = servo.advance(state, asked, dt_s)
        return GimbalPrediction(
            max(until_ns, measured.stamp_ns),
            wrap_angle(state.bearing_rad),
            state.rate_rad_s,
            state.acceleration_rad_s2,
            servo,
        )

    def acting(self, from_ns: int, until_ns: int, plant_delay_s: float) -> list[tuple[float, Array | None]]:
        """(for so long, s; the rate (2,) that acted) from one time to another, in order; None where none ever did."""
        delay_ns = int(plant_delay_s * 1e9)
        time_ns = from_ns
        stretches: list[tuple[float, Array | None]] = []
        rate: Array | None = None
        for asked_ns, command in self._commands.held_since(from_ns - delay_ns):
            begins_ns = min(asked_ns + delay_ns, until_ns)
            if begins_ns > time_ns:
                stretches.append(((begins_ns - time_ns) * 1e-9, rate))
                time_ns = begins_ns
            if asked_ns + delay_ns >= until_ns:
                break
            rate = command
        if until_ns > time_ns:
            stretches.append(((until_ns - time_ns) * 1e-9, rate))
        return stretches
