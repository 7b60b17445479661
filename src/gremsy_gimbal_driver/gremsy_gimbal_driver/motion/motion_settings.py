# SPDX-License-Identifier: Apache-2.0
"""What the driver allows and how it times its writes; one value object, filled from the node's parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_driver.motion.plant_inverse import PlantInverse


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """Limits and times of motion.

    Attributes:
        level_frame: the only frame that commands may be given in.
        mode: what the gimbal is put into when it is armed; not HOME, which is no mode to stay in.
        time_to_live_s: a command moves the gimbal for so long after it arrived (monotonic clock).
        age_limit_s: and no longer than this after the image that it rests on was captured (ROS clock).
        future_limit_s: a stamp further ahead of our clock than this is refused.
        other_lease_s, tracker_lease_s, operator_lease_s, calibration_lease_s: lower sources stay shut out for so long
            after this one's last rate command ended.
        attitude_timeout_s: without telemetry for so long, nothing moves.
        max_rate_rad_s, max_acceleration_rad_s2: per axis.
        azimuth_limits_rad, tilt_limits_rad: soft limits, (low, high); tilt is positive down.
        max_jump_rad: a goal further than this from where the camera looks is refused: a yaw of the wrong frame turned
            a camera by 202 degrees (gimbal.md 1.9).
        device_rate_rad_s: no gimbal turns faster than this.
        limit_gain_s: near a soft limit the rate towards it is at most distance times this.
        min_write_interval_s: a new command is written at once, but on average no more than one in this time, and two
            never closer than half of it.
        repeat_interval_s: the active command is written again after this.
        burst_count, burst_interval_s: how often zero rate is written when motion ends.
        home_timeout_s: `home` gives up after this.
        angle_path: how goals are driven: by angle commands, by rates, or by angles until the device ignores them.
        goal_tolerance_rad, goal_settle_s: a goal is reached when the camera was so near to it for so long.
        goal_hold_interval_s: a goal that is reached and held is written again after this.
        stall_time_s: an axis that comes no nearer for so long, though commanded, has stalled.
        pulse_in_dead_zone: slow rates are made of pulses; else of the nearer of zero and the dead zone's edge.
    """

    level_frame: str = 'gimbal_level'
    mode: GimbalMode = GimbalMode.FOLLOW
    time_to_live_s: float = 0.2
    age_limit_s: float = 0.8
    future_limit_s: float = 0.1
    other_lease_s: float = 0.0
    tracker_lease_s: float = 0.0
    operator_lease_s: float = 0.5
    calibration_lease_s: float = 0.5
    attitude_timeout_s: float = 1.0
    max_rate_rad_s: float = math.radians(60.0)
    max_acceleration_rad_s2: float = math.radians(400.0)
    azimuth_limits_rad: tuple[float, float] = (-3.0, 3.0)
    tilt_limits_rad: tuple[float, float] = (math.radians(-45.0), math.radians(90.0))
    max_jump_rad: float = math.pi
    device_rate_rad_s: float = math.radians(180.0)
    limit_gain_s: float = 2.0
    min_write_interval_s: float = 0.010
    repeat_interval_s: float = 0.040
    burst_count: int = 5
    burst_interval_s: float = 0.020
    home_timeout_s: float = 15.0
    angle_path: Literal['auto', 'angle', 'rate'] = 'auto'
    goal_tolerance_rad: float = math.radians(1.0)
    goal_settle_s: float = 0.4
    goal_hold_interval_s: float = 0.5
    stall_time_s: float = 1.5
    pulse_in_dead_zone: bool = True
    plant_inverse: PlantInverse = field(default_factory=PlantInverse)


def nanoseconds(seconds: float) -> int:
    """Whole ns."""
    return round(seconds * 1e9)
