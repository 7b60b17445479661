# SPDX-License-Identifier: Apache-2.0
"""What carries the gimbal, and what the gimbal believes about it."""

from __future__ import annotations

import math

from gremsy_gimbal_sim.options.options_gimbal import DynamicsOptions

_FED_FOR_S = 1.0
"""A vehicle attitude (286) is used for so long; the autopilot sends 50 a second."""


class SimulatedVehicle:
    """Heading, left +; pitch, nose down +; roll, right side down +: in closed form, and put elsewhere by `place`."""

    def __init__(self, options: DynamicsOptions, start_s: float) -> None:
        self._options = options
        self._start_s = start_s
        self._placed = (0.0, 0.0, 0.0)

    def place(self, heading_rad: float = 0.0, pitch_rad: float = 0.0, roll_rad: float = 0.0) -> None:
        """Add so much to its own motion from now on."""
        self._placed = (heading_rad, pitch_rad, roll_rad)

    def attitude(self, time_s: float) -> tuple[float, float, float]:
        """Heading, pitch, roll at that time, rad."""
        heading, pitch, roll = self._placed
        options, elapsed = self._options, time_s - self._start_s
        phase = 2.0 * math.pi * elapsed / options.vehicle_period_s
        # Roll a quarter of a period behind pitch: both at once would lean about one fixed line only.
        return (
            heading + options.vehicle_turn_rad_s * elapsed + options.vehicle_yaw_rad * math.sin(phase),
            pitch + options.vehicle_pitch_rad * math.sin(phase),
            roll + options.vehicle_roll_rad * (1.0 - math.cos(phase)) / 2.0,
        )


class EarthReference:
    """The gimbal's own idea of the vehicle's heading: its gyro's, or an autopilot's (gimbal.md 1.7).

    Args:
        options: what it is at power-up, and how it drifts.
        heading_rad: the true one at power-up.
    """

    def __init__(self, options: DynamicsOptions, heading_rad: float) -> None:
        self._drift = options.drift_rad_s
        self._error = heading_rad - options.own_heading_rad
        self._fed_at_s = -math.inf

    def heading(self, true_heading_rad: float) -> float:
        """What it takes for the heading."""
        return true_heading_rad - self._error

    def feed(self, fed_heading_rad: float, true_heading_rad: float, now_s: float) -> None:
        """An autopilot sent the heading (286)."""
        self._error = true_heading_rad - fed_heading_rad
        self._fed_at_s = now_s

    def drift(self, elapsed_s: float, now_s: float) -> float:
        """How far the reference turned by itself, rad; 0 while it is fed."""
        if not self._drift or now_s - self._fed_at_s < _FED_FOR_S:
            return 0.0
        turned = self._drift * elapsed_s
        self._error += turned
        return turned
