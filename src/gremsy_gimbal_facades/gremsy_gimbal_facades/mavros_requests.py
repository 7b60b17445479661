# SPDX-License-Identifier: Apache-2.0
"""MAVROS's gimbal messages to our requests, and our attitude to its status: NED and FRD on that side, as on the wire.

Messages are taken by their fields, so that this needs no mavros_msgs. A field that is NaN is to be ignored; where
angles and rates are both given the angle is meant and the rate is how fast to go there (PX4's reading of MAVLink),
which the driver's own limits decide instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gremsy_common.errors import SuiteError
from gremsy_common.types.gimbal_state import OrientationRequest, RateSetpoint
from gremsy_gimbal_driver.goals.goal import AngleGoal
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus
from gremsy_gimbal_driver.mavlink.mavlink_frames import level_from_camera_flu, level_rates, yaw_roll_pitch_flu
from gremsy_gimbal_driver.motion.motion_output import GimbalMode

# The manager's flags of the low five bits are the device's.
_RETRACT = dialect.GIMBAL_DEVICE_FLAGS_RETRACT
_NEUTRAL = dialect.GIMBAL_DEVICE_FLAGS_NEUTRAL
_YAW_LOCK = dialect.GIMBAL_DEVICE_FLAGS_YAW_LOCK
_TIMEOUT_S = 15.0


class FacadeRefusal(SuiteError):
    """A message that moves nothing, with the reason as a sentence."""


@dataclass(frozen=True, slots=True)
class MavrosRequest:
    """What one message asks for: a mode always, since its flags hold one, and a motion in that mode's level frame."""

    mode: GimbalMode
    motion: RateSetpoint | AngleGoal | OrientationRequest | None


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who we are to a message and what we stamp it with.

    Attributes:
        component: the gimbal's MAVLink component; None before it is known, then every message is for us.
        level_frame: of the requests.
        now_ns: a message of MAVROS has no stamp; it counts from its arrival.
    """

    component: int | None
    level_frame: str
    now_ns: int


def mode_of_flags(flags: int) -> GimbalMode:
    """With MAVLink's precedence: retract, neutral, yaw lock, else follow."""
    if flags & _RETRACT:
        return GimbalMode.OFF
    if flags & _NEUTRAL:
        return GimbalMode.HOME
    return GimbalMode.LOCK if flags & _YAW_LOCK else GimbalMode.FOLLOW


def request_of_pitchyaw(message: Any, to: Addressee) -> MavrosRequest:
    """GimbalManagerSetPitchyaw: rad and rad/s, pitch up +, yaw right +.

    Raises:
        FacadeRefusal: with one sentence.
    """
    _check_device(message.gimbal_device_id, to)
    mode = mode_of_flags(message.flags)
    if mode in (GimbalMode.OFF, GimbalMode.HOME):
        return MavrosRequest(mode, None)
    pitch, yaw = _given('pitch', message.pitch), _given('yaw', message.yaw)
    pitch_rate, yaw_rate = _given('pitch_rate', message.pitch_rate), _given('yaw_rate', message.yaw_rate)
    if pitch is None and yaw is None:
        return MavrosRequest(mode, _rates(pitch_rate, yaw_rate, to))
    if (pitch is None and pitch_rate) or (yaw is None and yaw_rate):
        raise FacadeRefusal(
            'A MAVROS gimbal command was refused: it turns one axis to an angle and the other at a rate; '
            'give angles or rates, and NaN for what is not meant.'
        )
    azimuth, _, tilt = yaw_roll_pitch_flu(0.0, pitch or 0.0, yaw or 0.0)
    goal = AngleGoal(
        None if yaw is None else azimuth,
        None if pitch is None else tilt,
        _TIMEOUT_S,
        any_turn=True,
        stamp_ns=to.now_ns,
        frame_id=to.level_frame,
    )
    return MavrosRequest(mode, goal)


def request_of_attitude(message: Any, to: Addressee) -> MavrosRequest:
    """GimbalManagerSetAttitude, or GimbalDeviceSetAttitude, which is addressed to a component.

    Raises:
        FacadeRefusal: with one sentence.
    """
    _check_device(getattr(message, 'gimbal_device_id', message.target_component), to)
    mode = mode_of_flags(message.flags)
    if mode in (GimbalMode.OFF, GimbalMode.HOME):
        return MavrosRequest(mode, None)
    q = [float(each) for each in (message.q.w, message.q.x, message.q.y, message.q.z)]
    if not any(map(math.isnan, q)):
        return MavrosRequest(mode, OrientationRequest(to.now_ns, to.level_frame, level_from_camera_flu(np.array(q))))
    if _given('angular_velocity_x', message.angular_velocity_x):
        raise FacadeRefusal(
            'A MAVROS gimbal command was refused: it asks for a roll rate, and the horizon is held level; '
            'leave angular_velocity_x 0 or NaN.'
        )
    pitch_rate = _given('angular_velocity_y', message.angular_velocity_y)
    yaw_rate = _given('angular_velocity_z', message.angular_velocity_z)
    return MavrosRequest(mode, _rates(pitch_rate, yaw_rate, to))


def fill_attitude_status(message: Any, status: AttitudeStatus) -> None:
    """GimbalDeviceAttitudeStatus but for its header; its target is the gimbal itself, which tells two apart."""
    message.target_system, message.target_component = status.sender.system, status.sender.component
    message.flags = status.flags
    message.q.w, message.q.x, message.q.y, message.q.z = status.q_frd_wxyz
    x, y, z = status.rates_frd_rad_s
    message.angular_velocity_x, message.angular_velocity_y, message.angular_velocity_z = x, y, z
    message.failure_flags = status.failure_flags


def _rates(pitch_rate: float | None, yaw_rate: float | None, to: Addressee) -> RateSetpoint | None:
    if pitch_rate is None and yaw_rate is None:
        return None
    azimuth, tilt = level_rates(pitch_rate or 0.0, yaw_rate or 0.0)
    return RateSetpoint(to.now_ns, to.level_frame, azimuth, tilt)


def _given(name: str, value: float) -> float | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise FacadeRefusal(f'A MAVROS gimbal command was refused: {name} is infinite; use NaN for what is not meant.')
    return float(value)


def _check_device(device: int, to: Addressee) -> None:
    """0 is all gimbals."""
    if device and to.component is not None and device != to.component:
        raise FacadeRefusal(
            f'A MAVROS gimbal command was refused: it is for the gimbal {device}, this one is {to.component}; '
            'use that, or 0 for all.'
        )
