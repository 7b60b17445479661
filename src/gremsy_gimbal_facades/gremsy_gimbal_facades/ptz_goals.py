# SPDX-License-Identifier: Apache-2.0
"""Clearpath's pan, tilt and zoom to our goals: rad, pan clockwise +, tilt up +, zoom as magnification.

So pan and tilt have the wire's signs, not REP-103's. Messages are taken by their fields, in both of their forms:
released 2.0.2 has pan, tilt and zoom in the goal itself, the branch `ros2` since October 2024 in a field `ptz`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from gremsy_common.errors import SuiteError
from gremsy_common.geometry import quaternion_from_bearing
from gremsy_common.types.gimbal_state import OrientationRequest, PointRequest
from gremsy_gimbal_driver.goals.goal import AngleGoal
from gremsy_gimbal_driver.mavlink.mavlink_frames import roll_pitch_yaw_ned, yaw_roll_pitch_flu
from gremsy_gimbal_driver.ros.driver_port import GoalRequest, Pointing

_WIDEST = 1.0
TIMEOUT_S = 30.0
"""A gimbal at its slowest (0.5 rad/s is the vendor's sample, gimbal.md 1.8) turns half round in six seconds."""


class PtzRefused(SuiteError):
    """A goal that is not begun, with the reason as a sentence."""


@dataclass(frozen=True, slots=True)
class PtzTarget:
    """What a goal comes to: where to turn, the magnification where one is asked for, and what was cut to its range."""

    goal: GoalRequest
    zoom_factor: float | None
    clamped: str = ''


@dataclass(frozen=True, slots=True)
class PanTiltZoom:
    """In their signs; zoom 0 is not asked for."""

    pan_rad: float
    tilt_rad: float
    zoom: float


def pan_tilt_zoom(goal: Any) -> PanTiltZoom:
    """The three numbers of a goal.

    Raises:
        PtzRefused: for what is not finite.
    """
    holder = getattr(goal, 'ptz', goal)
    numbers = PanTiltZoom(float(holder.pan), float(holder.tilt), float(holder.zoom))
    for name, number in (('pan', numbers.pan_rad), ('tilt', numbers.tilt_rad), ('zoom', numbers.zoom)):
        if not math.isfinite(number):
            raise PtzRefused(f'The PTZ goal was refused: its {name} is not a finite number.')
    return numbers


def absolute_target(goal: Any) -> PtzTarget:
    """PtzMove to a pan and tilt of the level frame.

    Raises:
        PtzRefused: with one sentence.
    """
    azimuth, down, zoom, clamped = _absolute(goal)
    return PtzTarget(AngleGoal(azimuth, down, TIMEOUT_S, any_turn=True), zoom, clamped)


def relative_target(goal: Any, now: Pointing | None) -> PtzTarget:
    """PtzMove by a pan, tilt and zoom from where the camera points; an azimuth beyond half a turn is intended.

    Raises:
        PtzRefused: with one sentence.
    """
    numbers = pan_tilt_zoom(goal)
    if now is None:
        raise PtzRefused(
            'The PTZ goal was refused: no attitude comes from the gimbal, so there is nothing to start from.'
        )
    _, tilt_now, _ = roll_pitch_yaw_ned(now.azimuth_rad, 0.0, now.tilt_rad)
    _, tilt, clamped = _clamped(0.0, tilt_now + numbers.tilt_rad)
    turn, _, down = yaw_roll_pitch_flu(0.0, tilt, numbers.pan_rad)
    zoom, clamped_zoom = None, ''
    if numbers.zoom:
        zoom, clamped_zoom = _zoom((now.zoom_factor or _WIDEST) + numbers.zoom)
    return PtzTarget(AngleGoal(now.azimuth_rad + turn, down, TIMEOUT_S), zoom, clamped + clamped_zoom)


def relative_to_frame_target(goal: Any, stamp_ns: int) -> PtzTarget:
    """PtzRelTo: pan and tilt as seen from a frame; without one as `absolute_target`.

    Raises:
        PtzRefused: with one sentence.
    """
    if not goal.frame_id:
        return absolute_target(goal)
    azimuth, down, zoom, clamped = _absolute(goal)
    orientation = OrientationRequest(stamp_ns, goal.frame_id, quaternion_from_bearing(azimuth, down))
    return PtzTarget(orientation, zoom, clamped)


def frame_target(goal: Any, stamp_ns: int) -> PtzTarget:
    """PtzFrame: look at a frame's origin.

    Raises:
        PtzRefused: with one sentence.
    """
    if not goal.frame_id:
        raise PtzRefused('The PTZ goal was refused: its frame_id is empty; name the frame to look at.')
    if not math.isfinite(goal.zoom):
        raise PtzRefused('The PTZ goal was refused: its zoom is not a finite number.')
    zoom, clamped = _zoom(float(goal.zoom))
    return PtzTarget(PointRequest(stamp_ns, goal.frame_id, (0.0, 0.0, 0.0)), zoom, clamped)


def fill_state(message: Any, now: Pointing) -> None:
    """PtzState; its numbers are positions in every mode, as its README says."""
    if now.by_goal:
        message.mode = message.MODE_POSITION
    elif now.by_rate:
        message.mode = message.MODE_VELOCITY
    else:
        message.mode = message.MODE_IDLE
    _, message.tilt, pan = roll_pitch_yaw_ned(now.azimuth_rad, 0.0, now.tilt_rad)
    message.pan = math.remainder(pan, 2 * math.pi)
    message.zoom = _WIDEST if now.zoom_factor is None else now.zoom_factor


def _absolute(goal: Any) -> tuple[float, float, float | None, str]:
    """Azimuth and tilt, the magnification where one is asked for, and what was cut to its range."""
    numbers = pan_tilt_zoom(goal)
    pan, tilt, clamped = _clamped(numbers.pan_rad, numbers.tilt_rad)
    azimuth, _, down = yaw_roll_pitch_flu(0.0, tilt, pan)
    zoom, clamped_zoom = _zoom(numbers.zoom)
    return azimuth, down, zoom, clamped + clamped_zoom


def _clamped(pan: float, tilt: float) -> tuple[float, float, str]:
    cut_pan = min(max(pan, -math.pi), math.pi)
    cut_tilt = min(max(tilt, -math.pi / 2), math.pi / 2)
    clamped = '' if pan == cut_pan else f' The pan of {pan:.3g} rad was cut to +-pi.'
    clamped += '' if tilt == cut_tilt else f' The tilt of {tilt:.3g} rad was cut to +-pi/2.'
    return cut_pan, cut_tilt, clamped


def _zoom(zoom: float) -> tuple[float | None, str]:
    """0 in a goal means no zoom was asked for."""
    if zoom == 0.0:
        return None, ''
    if zoom < _WIDEST:
        return _WIDEST, f' The zoom of {zoom:.3g}x was cut to 1x.'
    return zoom, ''
