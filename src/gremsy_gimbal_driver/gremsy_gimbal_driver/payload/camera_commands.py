# SPDX-License-Identifier: Apache-2.0
"""Which commands zoom, focus, record, shoot, track and stream telemetry, in which order, and to whom.

The standard's go to the camera component, the vendor's (COMMAND_LONG 31013, USER_4) to the payload board (gimbal.md 2.1
and 2.2); which these are is learned (`component_register`).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import TELEMETRY_NAMES, Sender
from gremsy_gimbal_driver.payload.command_sequences import Step
from gremsy_gimbal_driver.payload.payload_requests import FocusAction, TrackBox, TrackPoint

LARGEST_STILL_NUMBER = 2**24
"""Numbers travel as 32-bit floats, which hold no larger one exactly."""

_RANGE_PERCENT = 2.0
_FOCUS_CONTINUOUS, _FOCUS_AUTO = 1.0, 4.0
# MAVLink: negative focuses nearer. (The vendor calls 1 FOCUS_IN; its pictures decide, hence `focus_inverted`.)
_FOCUS_DIRECTIONS = {FocusAction.NEAR: -1.0, FocusAction.FAR: 1.0, FocusAction.STOP: 0.0}
# USER_4's first parameters: the part of the payload, what of it, and what to do with that.
_EO_ZOOM_ABSOLUTE = (2.0, 0.0, 4.0)
_TRACKING_MODE, _TRACKING_BOX = (4.0, 0.0, 0.0), (4.0, 0.0, 1.0)
_TRACKING_STOP, _TRACKING_ACTIVE = 0.0, 1.0
# The vendor's pixels are of a 1920 x 1080 picture, whatever is streamed; its default box is 128 wide and high.
_WIDTH_PX, _HEIGHT_PX, _BOX_PX = 1920.0, 1080.0, 128.0
_NEVER_US = -1.0


class CameraMode(IntEnum):
    """Of command 530."""

    PHOTO = 0
    VIDEO = 1


def first_still_number(wall_ns: int) -> int:
    """From the clock, in seconds: a camera takes no picture for the number it had last, be it from another process."""
    return wall_ns // 1_000_000_000 % LARGEST_STILL_NUMBER + 1


def still_numbers(first: int) -> Iterator[int]:
    """Of one picture after the other."""
    number = first
    while True:
        yield number
        number = number % LARGEST_STILL_NUMBER + 1


def zoom_range(camera: Sender, percent: float) -> Step:
    """531 of type range: 0 to 100 % of the zoom; which end is tight differs by product (gimbal.md 2.1)."""
    return Step(camera, dialect.MAV_CMD_SET_CAMERA_ZOOM, (_RANGE_PERCENT, percent))


def zoom_factor(board: Sender, factor: float) -> Step:
    """The vendor's: absolute magnification of the EO camera."""
    return Step(board, dialect.MAV_CMD_USER_4, (*_EO_ZOOM_ABSOLUTE, factor))


def focus(camera: Sender, action: FocusAction, inverted: bool) -> list[Step]:
    """532: automatic once, or drive the lens until it is stopped."""
    if action is FocusAction.AUTO:
        return [Step(camera, dialect.MAV_CMD_SET_CAMERA_FOCUS, (_FOCUS_AUTO,))]
    direction = _FOCUS_DIRECTIONS[action]
    parameters = (_FOCUS_CONTINUOUS, -direction if inverted else direction)
    return [Step(camera, dialect.MAV_CMD_SET_CAMERA_FOCUS, parameters)]


def record(camera: Sender, on: bool) -> list[Step]:
    """2500 in the video mode, which not every product has to be put into; 2501 in any."""
    if not on:
        return [Step(camera, dialect.MAV_CMD_VIDEO_STOP_CAPTURE)]
    return [camera_mode(camera, CameraMode.VIDEO), Step(camera, dialect.MAV_CMD_VIDEO_START_CAPTURE)]


def still(camera: Sender, number: int | None, recording: bool) -> list[Step]:
    """2000: one picture. The mode is left alone while a video that we started runs: changing it would end that.

    A camera takes none for the number of the picture before: that command was sent again. None leaves out the number
    and the count as the vendor's SDK does (gimbal.md 2.1); to others a count of 0 is 'until stopped'.
    """
    parameters = () if number is None else (0.0, 0.0, 1.0, float(number))
    shoot = Step(camera, dialect.MAV_CMD_IMAGE_START_CAPTURE, parameters, repeatable=False)
    return [shoot] if recording else [camera_mode(camera, CameraMode.PHOTO), shoot]


def camera_mode(camera: Sender, mode: CameraMode) -> Step:
    """530."""
    return Step(camera, dialect.MAV_CMD_SET_CAMERA_MODE, (0.0, float(mode)), optional=True)


def track_by_vendor(board: Sender, place: TrackPoint | TrackBox | None) -> list[Step]:
    """Two commands: without the mode the camera only moves to the place ("EagleEyes"). None ends it: the mode off."""
    if place is None:
        return [Step(board, dialect.MAV_CMD_USER_4, (*_TRACKING_MODE, _TRACKING_STOP))]
    width, height = _BOX_PX, _BOX_PX
    if isinstance(place, TrackBox):
        width, height = place.width * _WIDTH_PX, place.height * _HEIGHT_PX
    box = (*_TRACKING_BOX, place.x * _WIDTH_PX, place.y * _HEIGHT_PX, width, height)
    mode = (*_TRACKING_MODE, _TRACKING_ACTIVE)
    return [Step(board, dialect.MAV_CMD_USER_4, mode), Step(board, dialect.MAV_CMD_USER_4, box)]


def track_by_standard(camera: Sender, place: TrackPoint | TrackBox | None) -> list[Step]:
    """2004, a point, or 2005, the corners of a box, in shares of the picture from its top left; None, 2010, ends it."""
    if place is None:
        return [Step(camera, dialect.MAV_CMD_CAMERA_STOP_TRACKING)]
    if isinstance(place, TrackPoint):
        return [Step(camera, dialect.MAV_CMD_CAMERA_TRACK_POINT, (place.x, place.y))]
    left, right = _inside(place.x - place.width / 2), _inside(place.x + place.width / 2)
    top, bottom = _inside(place.y - place.height / 2), _inside(place.y + place.height / 2)
    return [Step(camera, dialect.MAV_CMD_CAMERA_TRACK_RECTANGLE, (left, top, right, bottom))]


def telemetry_rate(board: Sender, name: str, rate_hz: float) -> list[Step]:
    """511 with p7 = 1: how often the board sends one of its own values, by its index and not by a message id."""
    interval_us = float(round(1e6 / rate_hz)) if rate_hz > 0 else _NEVER_US
    parameters = (float(TELEMETRY_NAMES.index(name)), interval_us, 0.0, 0.0, 0.0, 0.0, 1.0)
    return [Step(board, dialect.MAV_CMD_SET_MESSAGE_INTERVAL, parameters)]


def _inside(share: float) -> float:
    return min(max(share, 0.0), 1.0)
