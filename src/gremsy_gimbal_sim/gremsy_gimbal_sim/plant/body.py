# SPDX-License-Identifier: Apache-2.0
"""The gimbal as a body: the plant between its limits, carried by a vehicle, held against the earth or against that.

The plant's azimuth is the pan joint, from the vehicle's heading; its tilt is from the horizon. A roll that is asked for
turns the camera about where it looks, on a plant of its own. While the vehicle turns, LOCK turns the pan joint back by
as much, at once: what a real gimbal's inner loop does in milliseconds. FOLLOW leaves the joint alone, or lets it lag
within its window.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import (
    multiply_quaternions,
    quaternion_from_bearing,
    quaternion_from_rotation_vector,
    yaw_roll_pitch,
)
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_sim.options.options_gimbal import DynamicsOptions
from gremsy_gimbal_sim.plant.plant import Plant
from gremsy_gimbal_sim.plant.simulated_vehicle import EarthReference, SimulatedVehicle

_CARRY_S = 0.010
_AT_LIMIT_RAD = 1e-4
_AZIMUTH, _TILT = 0, 1
_AXES = {'none': None, 'azimuth': _AZIMUTH, 'tilt': _TILT}
_FULL_TURN = 2.0 * math.pi

Pair = tuple[float, float]


class GimbalBody:
    """Moves on with `advance`; angles and rates belong to the plant's newest whole step.

    Args:
        options: the dynamics'.
        start_s: the first time.
        tilt_rad: where the camera hangs then.
    """

    def __init__(self, options: DynamicsOptions, start_s: float, tilt_rad: float = 0.0) -> None:
        self._options = options
        self._start_s = start_s
        self.plant = Plant(options.plant, start_s=start_s, angles_rad=(0.0, tilt_rad))
        self.vehicle = SimulatedVehicle(options, start_s)
        self.holds_earth = False
        """LOCK: the azimuth stays where it is while the vehicle turns."""
        self.reversed = (1.0, 1.0)
        """Signs of azimuth and tilt rates (RC_REVERSE_AXIS)."""
        self.shortest = options.angle_path == 'shortest'
        """CTRL_ANGLE_MODE: the nearest turn, or the named one between -180 and 180 degrees."""
        self.follow_window_rad = options.follow_window_rad
        self.smoothing_s = (0.0, 0.0)
        """Time constants of the filter on rate commands, azimuth and tilt (RC_LPF)."""
        heading, _, _ = self.vehicle.attitude(start_s)
        self.earth = EarthReference(options, heading)
        self._heading = heading
        self.heading_rate_rad_s = 0.0
        """Of the vehicle, true."""
        self._carried_rate = 0.0
        self._behind = 0.0  # how far FOLLOW's joint lags, rad
        self._wanted: Pair | None = None
        self._smoothed = [0.0, 0.0]
        self._stalled: int | None = None
        plant = options.plant
        self._hard = (
            (-plant.azimuth_limit_rad, plant.azimuth_limit_rad),
            plant.tilt_limits_rad,
        )
        self._soft = self._hard
        self._outside = False
        side = math.radians(options.roll_limit_deg)
        self._roll_limits = (-side, side)
        # Of its first axis.
        self._roll = Plant(replace(plant, azimuth_limit_rad=side, rate_gain_by_zoom=()), start_s=start_s)

    # State.

    @property
    def pan_rad(self) -> float:
        """Of the pan joint, left +, from the vehicle's heading."""
        return self.angles_rad[_AZIMUTH]

    @property
    def angles_rad(self) -> Pair:
        """Pan joint and tilt from the horizon."""
        azimuth, tilt = self.plant.angles_rad.tolist()
        return azimuth, tilt

    @property
    def roll_rad(self) -> float:
        """About where the camera looks, right side down +."""
        return float(self._roll.angles_rad[_AZIMUTH])

    @property
    def roll_rate_rad_s(self) -> float:
        """Of the same."""
        return float(self._roll.rates_rad_s[_AZIMUTH])

    def level_from_camera(self, azimuth_rad: float, tilt_rad: float) -> NDArray[np.float64]:
        """(4,) of a camera that looks there and is rolled as it is."""
        looks = quaternion_from_bearing(azimuth_rad, tilt_rad)
        return multiply_quaternions(looks, quaternion_from_rotation_vector([self.roll_rad, 0.0, 0.0]))

    def camera_rates(self, azimuth_rate_rad_s: float, tilt_rate_rad_s: float) -> tuple[float, float, float]:
        """About the camera's own axes: the azimuth turns about the level frame's up, which leans with the tilt."""
        _, tilt = self.angles_rad
        left, up = tilt_rate_rad_s, math.cos(tilt) * azimuth_rate_rad_s
        cosine, sine = math.cos(self.roll_rad), math.sin(self.roll_rad)
        forward = -math.sin(tilt) * azimuth_rate_rad_s + self.roll_rate_rad_s
        return forward, cosine * left + sine * up, cosine * up - sine * left

    @property
    def world_rad(self) -> Pair:
        """True azimuth in the world, and tilt."""
        azimuth, tilt = self.angles_rad
        return self._heading + azimuth, tilt

    @property
    def earth_rad(self) -> Pair:
        """Azimuth against what the gimbal takes for the earth, and tilt."""
        azimuth, tilt = self.angles_rad
        return self.heading_rad + azimuth, tilt

    @property
    def heading_rad(self) -> float:
        """Of the vehicle, as the gimbal believes."""
        return self.earth.heading(self._heading)

    @property
    def joint_rates_rad_s(self) -> Pair:
        """Of pan joint and tilt."""
        azimuth, tilt = self.plant.rates_rad_s.tolist()
        return azimuth + self._carried_rate, tilt

    @property
    def world_rates_rad_s(self) -> Pair:
        """Of the camera in the world."""
        azimuth, tilt = self.joint_rates_rad_s
        return azimuth + self.heading_rate_rad_s, tilt

    def joints_rad(self) -> tuple[float, float, float]:
        """Pan, roll and tilt joints, mechanical order, REP-103 signs; they differ from the angles where it leans."""
        azimuth, tilt = self.angles_rad
        _, pitch, roll = self.vehicle.attitude(self.plant.time_s)
        if pitch == 0.0 and roll == 0.0 and self.roll_rad == 0.0:
            return azimuth, 0.0, tilt
        pitched, rolled = quaternion_from_rotation_vector([[0.0, pitch, 0.0], [roll, 0.0, 0.0]])
        vehicle = multiply_quaternions(pitched, rolled)
        camera = multiply_quaternions(vehicle * [1.0, -1.0, -1.0, -1.0], self.level_from_camera(azimuth, tilt))
        pan, roll_joint, tilt_joint = yaw_roll_pitch(camera).tolist()
        return nearest_turn(pan, azimuth), roll_joint, tilt_joint

    def up_in_camera(self) -> tuple[float, float, float]:
        """Unit vector up in the camera's axes, forward, left, up."""
        _, tilt = self.angles_rad
        return -math.sin(tilt), math.cos(tilt) * math.sin(self.roll_rad), math.cos(tilt) * math.cos(self.roll_rad)

    def limit_flags(self) -> int:
        """GIMBAL_DEVICE_ERROR_FLAGS_AT_*_LIMIT."""
        flags = 0
        names = (dialect.GIMBAL_DEVICE_ERROR_FLAGS_AT_YAW_LIMIT, dialect.GIMBAL_DEVICE_ERROR_FLAGS_AT_PITCH_LIMIT)
        for angle, (low, high), flag in zip(self.angles_rad, self._soft, names, strict=True):
            if angle <= low + _AT_LIMIT_RAD or angle >= high - _AT_LIMIT_RAD:
                flags |= flag
        low, high = self._roll_limits
        if any(not low + _AT_LIMIT_RAD < each < high - _AT_LIMIT_RAD for each in (self.roll_rad, self.joints_rad()[1])):
            flags |= dialect.GIMBAL_DEVICE_ERROR_FLAGS_AT_ROLL_LIMIT
        return flags

    # Commands.

    def command_rates(self, now_s: float, azimuth_rad_s: float, tilt_rad_s: float) -> None:
        """Turn so fast from now on."""
        wanted = (self.reversed[0] * azimuth_rad_s, self.reversed[1] * tilt_rad_s)
        self._wanted = wanted if any(self.smoothing_s) else None
        if self._wanted is None:
            self.plant.command(now_s, wanted)

    def command_angles(self, now_s: float, pan_rad: float, tilt_rad: float, exactly: bool = False) -> None:
        """Go there; by the nearest turn of the pan joint unless `exactly`, and not beyond the soft limits."""
        self._wanted = None
        pan = pan_rad if exactly else self._turn_to(pan_rad)
        (left, right), (up, down) = self._soft
        self.plant.command_angles(now_s, (min(max(pan, left), right), min(max(tilt_rad, up), down)))

    def command_roll(self, now_s: float, roll_rad: float = math.nan, rate_rad_s: float = math.nan) -> None:
        """Roll to there, or so fast; NaN for both leaves the roll alone."""
        if math.isfinite(roll_rad):
            low, high = self._roll_limits
            self._roll.command_angles(now_s, (min(max(roll_rad, low), high), 0.0))
        elif math.isfinite(rate_rad_s):
            self._roll.command(now_s, (rate_rad_s, 0.0))

    def set_soft_limits(self, pan_rad: Pair, tilt_rad: Pair, roll_rad: Pair) -> None:
        """Within the mechanical ones; where it is beyond, it may only move back."""
        side = math.radians(self._options.roll_limit_deg)
        self._roll_limits = (max(roll_rad[0], -side), min(roll_rad[1], side))
        low, high = self._roll_limits
        self._roll.set_stops((min(low, self.roll_rad), 0.0), (max(high, self.roll_rad), 0.0))
        (left, right), (up, down) = self._hard
        self._soft = (
            (max(left, pan_rad[0]), min(right, pan_rad[1])),
            (max(up, tilt_rad[0]), min(down, tilt_rad[1])),
        )
        self._set_stops()

    def stall(self, axis: str) -> None:
        """`azimuth` or `tilt` does not turn any more; `none` frees it."""
        self._stalled = _AXES[axis]
        self._set_stops()

    def power_up(self, now_s: float) -> None:
        """The gyro's heading starts again."""
        self.earth = EarthReference(self._options, self._heading)
        self._wanted, self._smoothed = None, [0.0, 0.0]
        self.plant.command(now_s, (0.0, 0.0))
        self.command_roll(now_s, rate_rad_s=0.0)

    # Time.

    def advance(self, to_s: float) -> None:
        """Move on."""
        options = self._options
        if options.stalled_axis != 'none' and self._stalled is None and to_s >= self._start_s + options.stalls_after_s:
            self.stall(options.stalled_axis)
        self._roll.advance(to_s)
        while True:
            before = self.plant.time_s
            # The grid keeps the motion independent of how often this is called.
            grid = (math.floor(before / _CARRY_S + 1e-6) + 1) * _CARRY_S
            self.plant.advance(min(grid, to_s))
            elapsed = self.plant.time_s - before
            if elapsed <= 0:
                break
            self._carry(elapsed)
            self._smooth(elapsed)
        if self._outside:
            self._set_stops()

    def _carry(self, elapsed_s: float) -> None:
        """The vehicle turned, and the gyro drifted."""
        now_s = self.plant.time_s
        heading, _, _ = self.vehicle.attitude(now_s)
        turned, self._heading = heading - self._heading, heading
        drifted = self.earth.drift(elapsed_s, now_s)
        if self.holds_earth:
            carried, self._behind = drifted - turned, 0.0
        else:
            carried = self._follow(turned, elapsed_s)
        if carried:
            self.plant.displace((carried, 0.0))
        self.heading_rate_rad_s, self._carried_rate = turned / elapsed_s, carried / elapsed_s

    def _follow(self, turned_rad: float, elapsed_s: float) -> float:
        """How far FOLLOW's joint moves while the vehicle turns: back first, then after it, but for the window."""
        window, rate = self.follow_window_rad, self._options.follow_rate_rad_s
        before = self._behind
        behind = before - turned_rad
        excess = max(abs(behind) - window, 0.0)
        makes_up = excess if rate == 0.0 else min(excess, rate * elapsed_s)
        self._behind = behind - math.copysign(makes_up, behind)
        return self._behind - before

    def _smooth(self, elapsed_s: float) -> None:
        if self._wanted is None:
            return
        for axis, constant_s in enumerate(self.smoothing_s):
            share = 1.0 - math.exp(-elapsed_s / constant_s) if constant_s > 0 else 1.0
            self._smoothed[axis] += share * (self._wanted[axis] - self._smoothed[axis])
        self.plant.command(self.plant.time_s, self._smoothed)

    def _turn_to(self, pan_rad: float) -> float:
        """The joint angle for that direction."""
        named = math.remainder(pan_rad, _FULL_TURN)
        if not self.shortest:
            return named
        low, high = self._soft[_AZIMUTH]
        here = self.pan_rad
        reachable = [turn for turn in (named - _FULL_TURN, named, named + _FULL_TURN) if low <= turn <= high]
        return min(reachable, key=lambda turn: abs(turn - here), default=named)

    def _set_stops(self) -> None:
        angles = self.angles_rad
        low, high = [], []
        self._outside = False
        for axis, (angle, (least, most)) in enumerate(zip(angles, self._soft, strict=True)):
            if axis == self._stalled:
                least = most = angle
            elif not least <= angle <= most:
                self._outside = True
                least, most = min(least, angle), max(most, angle)
            low.append(least)
            high.append(most)
        self.plant.set_stops(low, high)


def nearest_turn(angle_rad: float, reference_rad: float) -> float:
    """The angle plus whole turns that is nearest to the reference."""
    return reference_rad + math.remainder(angle_rad - reference_rad, _FULL_TURN)
