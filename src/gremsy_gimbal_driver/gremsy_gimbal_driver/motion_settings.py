# SPDX-License-Identifier: Apache-2.0
"""What the driver allows and how it times its writes; one value object, filled from the node's parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from gremsy_gimbal_driver.plant_inverse import PlantInverse


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """Limits and times of motion.

    Attributes:
        level_frame: the only frame that rate setpoints may be given in.
        time_to_live_s: a command moves the gimbal for so long after it arrived (monotonic clock).
        age_limit_s: and no longer than this after the image that it rests on was captured (ROS clock).
        future_limit_s: a stamp further ahead of our clock than this is refused.
        operator_lease_s: the tracker stays shut out for so long after an operator's last command.
        attitude_timeout_s: without telemetry for so long, nothing moves.
        max_rate_rad_s, max_acceleration_rad_s2: per axis.
        azimuth_limits_rad, tilt_limits_rad: soft limits, (low, high); tilt is positive down.
        limit_gain_s: near a soft limit the rate towards it is at most distance times this.
        min_write_interval_s: a new command is written at once, but no more than one in this time.
        repeat_interval_s: the active command is written again after this.
        burst_count, burst_interval_s: how often zero rate is written when motion ends.
        home_timeout_s: `home` gives up after this.
    """

    level_frame: str = 'gimbal_level'
    time_to_live_s: float = 0.2
    age_limit_s: float = 0.8
    future_limit_s: float = 0.1
    operator_lease_s: float = 0.5
    attitude_timeout_s: float = 1.0
    max_rate_rad_s: float = math.radians(60.0)
    max_acceleration_rad_s2: float = math.radians(400.0)
    azimuth_limits_rad: tuple[float, float] = (-3.0, 3.0)
    tilt_limits_rad: tuple[float, float] = (math.radians(-45.0), math.radians(90.0))
    limit_gain_s: float = 2.0
    min_write_interval_s: float = 0.010
    repeat_interval_s: float = 0.040
    burst_count: int = 5
    burst_interval_s: float = 0.020
    home_timeout_s: float = 15.0
    plant_inverse: PlantInverse = field(default_factory=PlantInverse)


def nanoseconds(seconds: float) -> int:
    """Whole ns."""
    return round(seconds * 1e9)
