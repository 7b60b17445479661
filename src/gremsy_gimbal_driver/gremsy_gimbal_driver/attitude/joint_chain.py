# SPDX-License-Identifier: Apache-2.0
"""The gimbal's joints: yaw, then roll, then pitch, as its motors sit and as the URDF has them (gremsy_bringup/urdf).

Joints are against the base that is bolted to the vehicle, the attitude is against the horizon: the numbers are the same
only on a level vehicle. So the encoders are the truth where the device sends them; else the angles come from the
attitude and, where it is known, from how the vehicle stands. Which it was is said: a model askew is then no riddle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from gremsy_common.geometry import multiply_quaternions, yaw_roll_pitch
from gremsy_gimbal_driver.attitude.attitude_telemetry import MeasuredAttitude
from gremsy_gimbal_driver.attitude.level_frame import LevelReference
from gremsy_gimbal_driver.mavlink.mavlink_events import MountStatus
from gremsy_gimbal_driver.mavlink.mavlink_frames import ENCODER_SIGNS

JOINTS = ('gimbal_yaw_joint', 'gimbal_roll_joint', 'gimbal_pitch_joint')
"""In the order of the chain; the names of the URDF's joints."""

_CONJUGATE = np.array([1.0, -1.0, -1.0, -1.0])


def joint_names(prefix: str) -> tuple[str, ...]:
    """`JOINTS` of one gimbal among several in a description."""
    return tuple(f'{prefix}{joint}' for joint in JOINTS)


class JointSource(str, Enum):
    """Where joint angles come from, in words for diagnostics."""

    ENCODERS = 'encoders'
    ATTITUDES = "the camera's and the vehicle's attitude"
    LEVEL = "the camera's attitude, the vehicle taken as level"
    LEVEL_FRAME = "the camera's attitude, the base taken as aligned with the level frame"


ENCODER_UNITS_RAD = {'counts': 2 * math.pi / 65536, 'cdeg': 2 * math.pi / 36000}
"""What MOUNT_STATUS 158 counts in; the gimbal's parameter `MAV_TS_ENCNT` says which (gimbal.md 1.4)."""


@dataclass(frozen=True, slots=True)
class JointAngles:
    """Yaw about up, roll about forward, pitch about left, rad, in the order of `JOINTS`; yaw goes on over +-pi."""

    yaw_rad: float
    roll_rad: float
    pitch_rad: float
    source: JointSource


def joints_from_encoders(
    status: MountStatus, unit: str, signs: Sequence[float], zeros: Sequence[float], near_yaw_rad: float = 0.0
) -> JointAngles:
    """What the encoders say.

    Args:
        status: the readings.
        unit: of all three, in `ENCODER_UNITS_RAD`.
        signs: yaw, roll, pitch: -1 for an encoder that runs the other way than is known of Gremsys (`ENCODER_SIGNS`).
        zeros: yaw, roll, pitch: the reading where the joint is at 0; raw tilt has an unknown home (gimbal.md 1.4).
        near_yaw_rad: of all yaws a whole turn apart the nearest to this is meant.
    """
    readings = (status.pan, status.roll, status.tilt)
    yaw, roll, pitch = (
        math.remainder(known * sign * (reading - zero) * ENCODER_UNITS_RAD[unit], 2 * math.pi)
        for known, sign, reading, zero in zip(ENCODER_SIGNS, signs, readings, zeros, strict=True)
    )
    return JointAngles(_nearest_turn(yaw, near_yaw_rad), roll, pitch, JointSource.ENCODERS)


def joints_from_attitude(measured: MeasuredAttitude, reference: LevelReference) -> JointAngles:
    """The joints that make the camera look so on a base that hangs so."""
    level_from_base = reference.level_from_base_wxyz
    if level_from_base is None:
        return JointAngles(measured.yaw_rad, measured.roll_rad, measured.pitch_rad, JointSource.LEVEL_FRAME)
    base_from_camera = multiply_quaternions(level_from_base * _CONJUGATE, measured.attitude.level_from_camera_wxyz)
    yaw, roll, pitch = yaw_roll_pitch(base_from_camera).tolist()
    base_yaw = float(yaw_roll_pitch(level_from_base)[0])
    source = JointSource.ATTITUDES if reference.vehicle is not None else JointSource.LEVEL
    return JointAngles(_nearest_turn(yaw, measured.yaw_rad - base_yaw), roll, pitch, source)


def _nearest_turn(angle_rad: float, near_rad: float) -> float:
    return angle_rad + 2 * math.pi * round((near_rad - angle_rad) / (2 * math.pi))
