# SPDX-License-Identifier: Apache-2.0
"""How much of the vehicle's turning the camera takes part in: all where it is carried rigidly, none in a follow window.

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

# What was seen so long ago counts 1/e.
_SHORT_S, _LONG_S = 0.7, 3.0
# All or nothing for so long, while the vehicle turned by more than that, is no edge of a window; neither for longer is.
_SETTLED_S = 0.7
_UNSETTLED_S = 1.5
_TURNING_RAD_S = math.radians(1.0)
# Against noise while the vehicle hardly turns: as much as 1.5 deg/s for half a second say.
_PRIOR_RAD2_S = math.radians(1.5) ** 2 * 0.5
# So near to nothing or all it is that: the rest is noise, and the answer to commands is only modelled.
_SNAP = 0.2
# Telemetry further apart is not one motion.
_LONGEST_GAP_S = 0.5


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
        self._answer_rad_s = 0.0

    def clear(self) -> None:
        """The clock restarted, or somebody else moved the gimbal; what was learned stays."""
        self._before = None
        self._answer_rad_s = 0.0

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
            self._answer_rad_s = asked_rad_s
            return
        left = math.exp(-dt_s / lag_s) if lag_s > 0.0 else 0.0
        # The integral of the first-order answer over the interval.
        answered = asked_rad_s * dt_s + (self._answer_rad_s - asked_rad_s) * lag_s * (1.0 - left)
        self._answer_rad_s = asked_rad_s + (self._answer_rad_s - asked_rad_s) * left
        turned = math.remainder(azimuth_rad - before[1], 2 * math.pi)
        with_vehicle = heading_rad - before[2]
        before_share = self._short.snapped
        for slope in (self._short, self._long):
            slope.take(dt_s, turned + with_vehicle - answered, with_vehicle)
        if abs(with_vehicle) <= _TURNING_RAD_S * dt_s:
            return
        steady = self._short.snapped == before_share and before_share in (0.0, 1.0)
        self._settling_s = self._settling_s + dt_s if steady is not self._settled else 0.0
        if self._settling_s >= (_UNSETTLED_S if self._settled else _SETTLED_S):
            self._settled, self._settling_s = not self._settled, 0.0
        self._inertial.take(dt_s, rate_rad_s * dt_s - turned, with_vehicle)
