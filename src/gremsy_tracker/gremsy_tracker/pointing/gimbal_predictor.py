# SPDX-License-Identifier: Apache-2.0
"""Where the gimbal will point when a rate asked for now begins to act.

Telemetry is some tens of milliseconds old and rates asked for in the meantime are still on their way, so the newest
attitude is carried on through them with the plant's own model: a pure delay, then its servo.

How the gimbal's rate follows what is asked for: a first-order lag, or a servo of second order that overshoots.

The driver publishes a delay and a lag. Whether the rate comes to what was requested from one side or swings past it
shows in its motion only: commands are carried through a handful of servos of that lag that overshoot differently, and
the one is taken whose rates are the telemetry's. A law that takes an overshooting servo for a lag swings with it:
by 2.5 degrees at 20 % on *ideal*, where a walking target is followed to 0.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import wrap_angle
from gremsy_common.timing.timed_history import TimedHistory

Array = NDArray[np.float64]

_OVERSHOOTS = (0.0, 0.08, 0.15, 0.22, 0.3)
# Of the squared errors, those before so many telling samples count 1/e: at 20 Hz four seconds of motion.
_MEMORY = 80.0
# Samples in which the servos' own rates are closer together than this tell nothing.
_TELLING_RAD_S = math.radians(0.15)
# Noise of telemetry's rates, in so many samples: against chance while little was seen.
_PRIOR_RAD2_S2 = 20 * math.radians(0.2) ** 2
# A servo must explain so much more than the one that is believed.
_BETTER = 0.8
# Telemetry further apart is not one motion.
_LONGEST_GAP_S = 0.5


@dataclass(frozen=True, slots=True)
class Servo:
    """One response to a rate that is asked for, once the delay is over.

    Attributes:
        lag_s: how far the rate stays behind a ramp; of the first order its time constant.
        overshoot: share by which the rate overshoots a step; 0 is the first order.
    """

    lag_s: float
    overshoot: float = 0.0

    @property
    def natural_rad_s(self) -> float:
        """Natural frequency of the second order, 2 x damping ratio / lag."""
        return 2.0 * self.damping_ratio / self.lag_s

    @property
    def damping_ratio(self) -> float:
        """-ln p / sqrt(pi^2 + ln^2 p) of an overshoot p."""
        logarithm = math.log(self.overshoot)
        return -logarithm / math.hypot(math.pi, logarithm)

    def advance(self, state: ServoState, asked: Array | None, dt_s: float) -> ServoState:
        """Where it is `dt_s` later with a rate (2,) asked for all the time; None for nothing: it goes on as it goes.

        First order: the rate w goes to u + (w - u) e^(-t/T), and the angle turns by u t + (w - u) T (1 - e^(-t/T)).
        Second order: w - u is a damped oscillation; its integral follows from its differential equation.
        """
        if asked is None:
            return ServoState(state.bearing_rad + state.rate_rad_s * dt_s, state.rate_rad_s, state.acceleration_rad_s2)
        off = state.rate_rad_s - asked
        if self.overshoot == 0.0 or self.lag_s == 0.0:
            left = math.exp(-dt_s / self.lag_s) if self.lag_s > 0.0 else 0.0
            turned = asked * dt_s + off * self.lag_s * (1.0 - left)
            slope = -off * left / self.lag_s if self.lag_s > 0.0 else np.zeros_like(off)
            return ServoState(state.bearing_rad + turned, asked + off * left, slope)
        natural, ratio = self.natural_rad_s, self.damping_ratio
        decay, swing = ratio * natural, natural * math.sqrt(1.0 - ratio**2)
        left, cos, sin = math.exp(-decay * dt_s), math.cos(swing * dt_s), math.sin(swing * dt_s) / swing
        slope = state.acceleration_rad_s2
        later = left * (off * cos + (slope + decay * off) * sin)
        later_slope = left * (slope * cos - (decay * slope + natural**2 * off) * sin)
        integral = (slope - later_slope + 2.0 * decay * (off - later)) / natural**2
        return ServoState(state.bearing_rad + asked * dt_s + integral, asked + later, later_slope)


@dataclass(frozen=True, slots=True, eq=False)
class ServoState:
    """(2,) each: angle, rate, and its slope."""

    bearing_rad: Array
    rate_rad_s: Array
    acceleration_rad_s2: Array


class ServoResponse:
    """Watches telemetry beside what was asked for; call `take` in order of time."""

    def __init__(self) -> None:
        self._errors = np.zeros(len(_OVERSHOOTS))
        self._states: list[ServoState] = []
        self._before_ns: int | None = None
        self._lag_s = 0.0
        self._believed = 0

    def clear(self) -> None:
        """The clock restarted, or somebody else moved the gimbal; what was learned stays."""
        self._before_ns = None

    @property
    def overshoot(self) -> float:
        """Share by which the rate overshoots a step, as far as was seen."""
        return _OVERSHOOTS[self._believed]

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest sample; None where the next one starts again."""
        return self._before_ns

    def acceleration_rad_s2(self) -> Array:
        """(2,) slope of the rate at the newest sample, of the servo that is believed."""
        if self._before_ns is None or not self._states:
            return np.zeros(2)
        return self._states[self._believed].acceleration_rad_s2

    def take(self, stamp_ns: int, rate_rad_s: Array, asked: Iterable[tuple[float, Array | None]], lag_s: float) -> None:
        """One sample of telemetry.

        Args:
            stamp_ns: of it.
            rate_rad_s: (2,) of the optical axis by itself.
            asked: (for so long, s; the rate (2,) that acted) since the sample before, in order; None: none did.
            lag_s: of all of them.
        """
        begins = (
            self._before_ns is None
            or lag_s != self._lag_s
            or not 0 < stamp_ns - self._before_ns <= _LONGEST_GAP_S * 1e9
        )
        self._before_ns, self._lag_s = stamp_ns, lag_s
        if begins or lag_s <= 0.0:
            still = ServoState(np.zeros(2), np.array(rate_rad_s), np.zeros(2))
            self._states = [still] * len(_OVERSHOOTS)
            return
        stretches = list(asked)
        for number, overshoot in enumerate(_OVERSHOOTS):
            servo, state = Servo(lag_s, overshoot), self._states[number]
            for dt_s, rate in stretches:
                state = servo.advance(state, rate, dt_s)
            self._states[number] = state
        rates = np.array([each.rate_rad_s for each in self._states])  # (S, 2)
        if np.ptp(rates, axis=0).max() < _TELLING_RAD_S:
            return
        kept = math.exp(-1.0 / _MEMORY)
        self._errors = kept * self._errors + ((rates - rate_rad_s) ** 2).sum(axis=1)
        scores = self._errors + _PRIOR_RAD2_S2
        best = int(np.argmin(scores))
        if scores[best] < _BETTER * scores[self._believed]:
            self._believed = best


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
