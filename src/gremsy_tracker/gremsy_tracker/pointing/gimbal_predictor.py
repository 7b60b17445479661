# SPDX-License-Identifier: Apache-2.0
"""Where the gimbal will point when a rate asked for now begins to act.

Telemetry is some tens of milliseconds old and rates asked for in the meantime are still on their way, so the newest
attitude is carried on through them with the plant's own model: a pure delay, then its servo.

How the gimbal's rate follows what is asked for: a first-order lag, or a servo of second order that overshoots.

The driver publishes a delay and a lag. Whether the rate comes to what was requested from one side or swings past it
shows in its motion only: commands are carried through a handful of servos of that lag that overshoot differently, and
the one is taken whose rates are the telemetry's. A law that takes an overshooting servo for a lag swings with it:
by 2.5 degrees at 20 % on *ideal*, where a walking target is followed to 0.1.

How much of the vehicle's turning the camera takes part in: all where it is carried rigidly, none in a follow window.

What a gimbal does with the vehicle's turning depends on its mode, its follow window and where in it the camera is, and
it reports none of that. It shows in its motion: what the camera turned in the world beside what it was asked to turn,
against what the vehicle turned in that time, by least squares. In the same way it learns what the telemetry's rates are
against: the vehicle, as the azimuth beside them, or the world, as a gyro's.

With a memory of 0.7 s a change of mode shows soon. But at the edge of a window the camera is carried and held in turn,
and what was so a moment ago is over before a rate that is asked for now begins to act: there the share of three seconds
does better (under a sway of 5 degrees in 2 s with a window of 2, on *gremsy*: 1.1 degrees of error instead of 1.3, and
2.0 with a memory of 0.3 s). So the short one is believed from when it has said all or nothing for a while until it has
not for longer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from gremsy_common.geometry import Array, wrap_angle
from gremsy_common.timing.timed_history import TimedHistory
from gremsy_tracker.pointing.bearing_filter import BearingMotion

# What was seen so long ago counts 1/e.
_SHORT_S, _LONG_S = 0.7, 3.0
# All or nothing for so long, while the vehicle turned by more than that, is no edge of a window; neither for longer is.
_SETTLED_S = 0.7
_UNSETTLED_S = 1.5
_TURNING_RAD_S = math.radians(1.0)
# Against noise while the vehicle hardly turns: as much as 1.5 deg/s for half a second say.
_PRIOR_RAD2_S = math.radians(1.5) ** 2 * 0.5
# So near to nothing or all it is that: the rest is noise, and the response to commands is only modelled.
_SNAP = 0.2


class _Slope:
    """Of one quantity against another, 0 to 1."""

    def __init__(self, memory_s: float) -> None:
        self._memory_s = memory_s
        self._product = self._square = 0.0
        self.value = 0.0

    def take(self, dt_s: float, turned_rad: float, with_vehicle_rad: float) -> None:
        kept = math.exp(-dt_s / self._memory_s)
        self._product = kept * self._product + turned_rad * with_vehicle_rad / dt_s
        self._square = kept * self._square + with_vehicle_rad**2 / dt_s
        slope = (self._product + _PRIOR_RAD2_S * self.value) / (self._square + _PRIOR_RAD2_S)
        self.value = min(max(slope, 0.0), 1.0)

    @property
    def snapped(self) -> float:
        return 0.0 if self.value < _SNAP else 1.0 if self.value > 1.0 - _SNAP else self.value


class CarriedShare:
    """Watches telemetry beside the vehicle's heading; call `take` in order of time."""

    def __init__(self) -> None:
        self._short, self._long, self._inertial = _Slope(_SHORT_S), _Slope(_LONG_S), _Slope(_SHORT_S)
        self._settled, self._settling_s = False, 0.0
        self._before: tuple[int, float, float] | None = None
        self._response_rad_s = 0.0

    def clear(self) -> None:
        """The clock restarted, or somebody else moved the gimbal; what was learned stays."""
        self._before = None
        self._response_rad_s = 0.0

    @property
    def carried(self) -> float:
        """Share of the vehicle's turning, 0 to 1, that turns the camera in the world."""
        return (self._short if self._settled else self._long).snapped

    @property
    def inertial_rates(self) -> float:
        """1 where the telemetry's rates are against the world, 0 where they are the reported azimuth's own."""
        return round(self._inertial.value)

    def take(
        self,
        stamp_ns: int,
        azimuth_rad: float,
        rate_rad_s: float,
        heading_rad: float,
        asked_rad_s: float,
        lag_s: float,
    ) -> None:
        """One sample of telemetry.

        Args:
            stamp_ns: of it.
            azimuth_rad: of the optical axis in the level frame.
            rate_rad_s: of that, as telemetry says.
            heading_rad: of the level frame at that time.
            asked_rad_s: the rate that was asked for one delay of the plant before.
            lag_s: time constant with which it is taken up.
        """
        before, self._before = self._before, (stamp_ns, azimuth_rad, heading_rad)
        dt_s = math.inf if before is None else (stamp_ns - before[0]) * 1e-9
        if before is None or not 0.0 < dt_s <= _LONGEST_GAP_S:
            self._response_rad_s = asked_rad_s
            return
        left = math.exp(-dt_s / lag_s) if lag_s > 0.0 else 0.0
        # The integral of the first-order response over the interval.
        responded = asked_rad_s * dt_s + (self._response_rad_s - asked_rad_s) * lag_s * (1.0 - left)
        self._response_rad_s = asked_rad_s + (self._response_rad_s - asked_rad_s) * left
        turned = math.remainder(azimuth_rad - before[1], 2 * math.pi)
        with_vehicle = heading_rad - before[2]
        before_share = self._short.snapped
        for slope in (self._short, self._long):
            slope.take(dt_s, turned + with_vehicle - responded, with_vehicle)
        if abs(with_vehicle) <= _TURNING_RAD_S * dt_s:
            return
        steady = self._short.snapped == before_share and before_share in (0.0, 1.0)
        self._settling_s = self._settling_s + dt_s if steady is not self._settled else 0.0
        if self._settling_s >= (_UNSETTLED_S if self._settled else _SETTLED_S):
            self._settled, self._settling_s = not self._settled, 0.0
        self._inertial.take(dt_s, rate_rad_s * dt_s - turned, with_vehicle)


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

    def advance(self, state: BearingMotion, asked: Array | None, dt_s: float) -> BearingMotion:
        """Where it is `dt_s` later with a rate (2,) asked for all the time; None for nothing: it goes on as it goes.

        First order: the rate w goes to u + (w - u) e^(-t/T), and the angle turns by u t + (w - u) T (1 - e^(-t/T)).
        Second order: w - u is a damped oscillation; its integral follows from its differential equation.
        """
        at_ns = state.stamp_ns + round(dt_s * 1e9)
        if asked is None:
            bearing = state.bearing_rad + state.rate_rad_s * dt_s
            return BearingMotion(at_ns, bearing, state.rate_rad_s, state.acceleration_rad_s2)
        off = state.rate_rad_s - asked
        if self.overshoot == 0.0 or self.lag_s == 0.0:
            left = math.exp(-dt_s / self.lag_s) if self.lag_s > 0.0 else 0.0
            turned = asked * dt_s + off * self.lag_s * (1.0 - left)
            slope = -off * left / self.lag_s if self.lag_s > 0.0 else np.zeros_like(off)
            return BearingMotion(at_ns, state.bearing_rad + turned, asked + off * left, slope)
        natural, ratio = self.natural_rad_s, self.damping_ratio
        decay, swing = ratio * natural, natural * math.sqrt(1.0 - ratio**2)
        left, cos, sin = math.exp(-decay * dt_s), math.cos(swing * dt_s), math.sin(swing * dt_s) / swing
        slope = state.acceleration_rad_s2
        later = left * (off * cos + (slope + decay * off) * sin)
        later_slope = left * (slope * cos - (decay * slope + natural**2 * off) * sin)
        integral = (slope - later_slope + 2.0 * decay * (off - later)) / natural**2
        return BearingMotion(at_ns, state.bearing_rad + asked * dt_s + integral, asked + later, later_slope)


class ServoResponse:
    """Watches telemetry beside what was asked for; call `take` in order of time.

    Attributes:
        newest_ns: stamp of the newest sample; None where the next one starts again.
    """

    def __init__(self) -> None:
        self._errors = np.zeros(len(_OVERSHOOTS))
        self._states: list[BearingMotion] = []
        self.newest_ns: int | None = None
        self._lag_s = 0.0
        self._believed = 0

    def clear(self) -> None:
        """The clock restarted, or somebody else moved the gimbal; what was learned stays."""
        self.newest_ns = None

    @property
    def overshoot(self) -> float:
        """Share by which the rate overshoots a step, as far as was seen."""
        return _OVERSHOOTS[self._believed]

    def acceleration_rad_s2(self) -> Array:
        """(2,) slope of the rate at the newest sample, of the servo that is believed."""
        if self.newest_ns is None or not self._states:
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
            self.newest_ns is None or lag_s != self._lag_s or not 0 < stamp_ns - self.newest_ns <= _LONGEST_GAP_S * 1e9
        )
        self.newest_ns, self._lag_s = stamp_ns, lag_s
        if begins or lag_s <= 0.0:
            still = BearingMotion(stamp_ns, np.zeros(2), np.array(rate_rad_s))
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

    def predict(self, measured: BearingMotion, until_ns: int, *, plant_delay_s: float, servo: Servo) -> BearingMotion:
        """Carry a measured bearing and rate on to a later time.

        Args:
            measured: newest telemetry.
            until_ns: usually now plus the plant's delay; an earlier time than the telemetry's returns it as it is.
            plant_delay_s: from asking to the first motion.
            servo: what the gimbal does then.
        """
        state = measured
        for dt_s, asked in self.acting(measured.stamp_ns, until_ns, plant_delay_s):
            state = servo.advance(state, asked, dt_s)
        return replace(state, bearing_rad=wrap_angle(state.bearing_rad))

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
