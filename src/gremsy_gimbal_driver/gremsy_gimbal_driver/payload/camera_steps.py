# SPDX-License-Identifier: Apache-2.0
"""Which commands focus, record, shoot, track and stream telemetry, in which order, and to whom."""

from __future__ import annotations

from functools import partial

from gremsy_gimbal_driver.mavlink.camera_commands import CameraMode, OnboardTracking
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import TELEMETRY_NAMES, Sender
from gremsy_gimbal_driver.payload.acknowledged_commands import Step
from gremsy_gimbal_driver.payload.payload_requests import FocusAction, TrackBox, TrackPoint

VENDOR_COMMAND: int = dialect.MAV_CMD_USER_4
LARGEST_STILL_NUMBER = 2**24
"""Numbers travel as 32-bit floats, which hold no larger one exactly."""

# The vendor's pixels are of a 1920 x 1080 picture, whatever is streamed; its default box is 128 wide and high.
_WIDTH_PX, _HEIGHT_PX, _BOX_PX = 1920.0, 1080.0, 128.0
# MAVLink: negative focuses nearer. (The vendor calls 1 FOCUS_IN; its pictures decide, hence `focus_inverted`.)
_FOCUS_DIRECTIONS = {FocusAction.NEAR: -1, FocusAction.FAR: 1, FocusAction.STOP: 0}
_NEVER_US = -1


def first_still_number(wall_ns: int) -> int:
    """From the clock, in seconds: a camera takes no picture for the number it had last, be it from another process."""
    return wall_ns // 1_000_000_000 % LARGEST_STILL_NUMBER + 1


class CameraSteps:
    """Builds the steps of requests for `AcknowledgedCommands`.

    Args:
        encoder: of their messages.
        still_number: of the first picture; each further one has the next.
    """

    def __init__(self, encoder: MavlinkEncoder, still_number: int) -> None:
        self._encoder = encoder
        self._still_number = still_number

    def focus(self, camera: Sender, action: FocusAction, inverted: bool) -> list[Step]:
        """Automatic once, or drive the lens until told to stop."""
        if action is FocusAction.AUTO:
            pack = partial(self._encoder.focus_auto, camera)
        else:
            direction = _FOCUS_DIRECTIONS[action]
            pack = partial(self._encoder.focus_continuous, camera, -direction if inverted else direction)
        return [Step(camera, dialect.MAV_CMD_SET_CAMERA_FOCUS, pack)]

    def record(self, camera: Sender, on: bool) -> list[Step]:
        """Start in the video mode, which not every product has to be put into; stop in any."""
        pack = partial(self._encoder.record, camera, on)
        if not on:
            return [Step(camera, dialect.MAV_CMD_VIDEO_STOP_CAPTURE, pack)]
        return [self._mode(camera, CameraMode.VIDEO), Step(camera, dialect.MAV_CMD_VIDEO_START_CAPTURE, pack)]

    def still(self, camera: Sender, recording: bool, by_vendor: bool) -> list[Step]:
        """One picture. The mode is left alone while a video that we started runs: changing it would end that."""
        if by_vendor:
            pack = partial(self._encoder.take_image_as_the_vendor, camera)
        else:
            pack = partial(self._encoder.take_image, camera, self._still_number)
            self._still_number = self._still_number % LARGEST_STILL_NUMBER + 1
        shoot = Step(camera, dialect.MAV_CMD_IMAGE_START_CAPTURE, pack, repeatable=False)
        return [shoot] if recording else [self._mode(camera, CameraMode.PHOTO), shoot]

    def track_by_vendor(self, payload: Sender, place: TrackPoint | TrackBox) -> list[Step]:
        """Two commands: without the mode the place would only be looked at ("EagleEyes")."""
        width, height = _BOX_PX, _BOX_PX
        if isinstance(place, TrackBox):
            width, height = place.width * _WIDTH_PX, place.height * _HEIGHT_PX
        x, y = place.x * _WIDTH_PX, place.y * _HEIGHT_PX
        mode = partial(self._encoder.onboard_tracking, payload, OnboardTracking.ACTIVE)
        box = partial(self._encoder.onboard_track, payload, x, y, width, height)
        return [Step(payload, VENDOR_COMMAND, mode), Step(payload, VENDOR_COMMAND, box)]

    def track_by_standard(self, camera: Sender, place: TrackPoint | TrackBox) -> list[Step]:
        """A point, or the corners of a box."""
        if isinstance(place, TrackPoint):
            pack = partial(self._encoder.track_point, camera, place.x, place.y)
            return [Step(camera, dialect.MAV_CMD_CAMERA_TRACK_POINT, pack)]
        left, right = _inside(place.x - place.width / 2), _inside(place.x + place.width / 2)
        top, bottom = _inside(place.y - place.height / 2), _inside(place.y + place.height / 2)
        pack = partial(self._encoder.track_rectangle, camera, left, top, right, bottom)
        return [Step(camera, dialect.MAV_CMD_CAMERA_TRACK_RECTANGLE, pack)]

    def stop_tracking_by_vendor(self, payload: Sender) -> list[Step]:
        """The mode off."""
        pack = partial(self._encoder.onboard_tracking, payload, OnboardTracking.STOP)
        return [Step(payload, VENDOR_COMMAND, pack)]

    def stop_tracking_by_standard(self, camera: Sender) -> list[Step]:
        """The standard's own stop."""
        pack = partial(self._encoder.stop_tracking, camera)
        return [Step(camera, dialect.MAV_CMD_CAMERA_STOP_TRACKING, pack)]

    def telemetry_rate(self, payload: Sender, name: str, rate_hz: float) -> list[Step]:
        """One of the board's own values."""
        interval_us = round(1e6 / rate_hz) if rate_hz > 0 else _NEVER_US
        pack = partial(self._encoder.telemetry_interval, payload, TELEMETRY_NAMES.index(name), interval_us)
        return [Step(payload, dialect.MAV_CMD_SET_MESSAGE_INTERVAL, pack)]

    def _mode(self, camera: Sender, mode: CameraMode) -> Step:
        pack = partial(self._encoder.camera_mode, camera, mode)
        return Step(camera, dialect.MAV_CMD_SET_CAMERA_MODE, pack, optional=True)


def _inside(share: float) -> float:
    return min(max(share, 0.0), 1.0)
