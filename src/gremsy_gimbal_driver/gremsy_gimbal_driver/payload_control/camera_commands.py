# SPDX-License-Identifier: Apache-2.0
"""Focus, recording, pictures, on-board tracking and telemetry rates as COMMAND_LONGs (gimbal.md 2.1, 2.2)."""

from __future__ import annotations

from itertools import count

from gremsy_gimbal_driver.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink_events import Sender
from gremsy_gimbal_driver.payload_control.acknowledged_commands import Step
from gremsy_gimbal_driver.payload_control.requests import FocusAction, TrackBox, TrackPoint
from gremsy_gimbal_driver.payload_control.vendor_command import VENDOR_COMMAND
from gremsy_gimbal_driver.telemetry_names import TELEMETRY_NAMES

# The vendor's pixels are of a 1920 x 1080 picture, whatever is streamed; its default box is 128 wide and high.
_WIDTH_PX, _HEIGHT_PX, _BOX_PX = 1920.0, 1080.0, 128.0
_TRACKING_MODE = (4.0, 0.0, 0.0)
_TRACKING_PLACE = (4.0, 0.0, 1.0)
_STOP, _ACTIVE = 0.0, 1.0
# MAVLink: negative focuses nearer. (The vendor calls 1 FOCUS_IN; its pictures decide, hence `focus_inverted`.)
_FOCUS_RATES = {FocusAction.NEAR: -1.0, FocusAction.FAR: 1.0, FocusAction.STOP: 0.0}
_STANDARD_POINT_RADIUS = _BOX_PX / 2 / _WIDTH_PX
_NEVER = -1.0


def focus(camera: Sender, action: FocusAction, inverted: bool = False) -> list[Step]:
    """532: automatic once, or drive the lens until told to stop."""
    if action is FocusAction.AUTO:
        parameters = (float(dialect.FOCUS_TYPE_AUTO), 0.0)
    else:
        rate = _FOCUS_RATES[action]
        parameters = (float(dialect.FOCUS_TYPE_CONTINUOUS), -rate if inverted and rate else rate)
    return [Step(camera, dialect.MAV_CMD_SET_CAMERA_FOCUS, parameters)]


def record(camera: Sender, on: bool) -> list[Step]:
    """2500 in the video mode, which not every product has to be put into; 2501."""
    if not on:
        return [Step(camera, dialect.MAV_CMD_VIDEO_STOP_CAPTURE, ())]
    return [_mode(camera, dialect.CAMERA_MODE_VIDEO), Step(camera, dialect.MAV_CMD_VIDEO_START_CAPTURE, ())]


class Stills:
    """2000: single pictures, numbered so that a camera can tell a repeat from a second one."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def take(self, camera: Sender, recording: bool) -> list[Step]:
        """The mode is left alone while a video that we started runs: changing it would end that."""
        picture = (0.0, 0.0, 1.0, float(next(self._numbers)))
        shoot = Step(camera, dialect.MAV_CMD_IMAGE_START_CAPTURE, picture, repeatable=False)
        return [shoot] if recording else [_mode(camera, dialect.CAMERA_MODE_IMAGE), shoot]


def track_by_vendor(payload: Sender, place: TrackPoint | TrackBox) -> list[Step]:
    """31013 twice: without the mode the place would only be looked at ("EagleEyes")."""
    width, height = _BOX_PX, _BOX_PX
    if isinstance(place, TrackBox):
        width, height = place.width * _WIDTH_PX, place.height * _HEIGHT_PX
    box = (place.x * _WIDTH_PX, place.y * _HEIGHT_PX, width, height)
    return [
        Step(payload, VENDOR_COMMAND, (*_TRACKING_MODE, _ACTIVE)),
        Step(payload, VENDOR_COMMAND, (*_TRACKING_PLACE, *box)),
    ]


def track_by_standard(camera: Sender, place: TrackPoint | TrackBox) -> list[Step]:
    """2004 for a point, 2005 for the corners of a box."""
    if isinstance(place, TrackPoint):
        return [Step(camera, dialect.MAV_CMD_CAMERA_TRACK_POINT, (place.x, place.y, _STANDARD_POINT_RADIUS))]
    half_width, half_height = place.width / 2, place.height / 2
    corners = (place.x - half_width, place.y - half_height, place.x + half_width, place.y + half_height)
    inside = tuple(min(max(each, 0.0), 1.0) for each in corners)
    return [Step(camera, dialect.MAV_CMD_CAMERA_TRACK_RECTANGLE, inside)]


def stop_tracking_by_vendor(payload: Sender) -> list[Step]:
    """31013 of mode stop."""
    return [Step(payload, VENDOR_COMMAND, (*_TRACKING_MODE, _STOP))]


def stop_tracking_by_standard(camera: Sender) -> list[Step]:
    """2010."""
    return [Step(camera, dialect.MAV_CMD_CAMERA_STOP_TRACKING, ())]


def telemetry_rate(payload: Sender, name: str, rate_hz: float) -> list[Step]:
    """511 with the payload's own index in the place of a message id, and 1 in the seventh (gimbal.md 2.4)."""
    interval_us = 1e6 / rate_hz if rate_hz > 0 else _NEVER
    parameters = (float(TELEMETRY_NAMES.index(name)), interval_us, 0.0, 0.0, 0.0, 0.0, 1.0)
    return [Step(payload, dialect.MAV_CMD_SET_MESSAGE_INTERVAL, parameters)]


def _mode(camera: Sender, mode: int) -> Step:
    return Step(camera, dialect.MAV_CMD_SET_CAMERA_MODE, (0.0, float(mode)), optional=True)
