# SPDX-License-Identifier: Apache-2.0
"""Commands to a payload's camera and main board as MAVLink 2 bytes (gimbal.md 2.1 and 2.2).

Camera commands go to the camera component, vendor commands (USER_4) to the payload board; which these are is learned
(`component_register`).
"""

from __future__ import annotations

from enum import IntEnum

from gremsy_gimbal_driver.mavlink.mavlink_dialect import MessagePacker, dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender

_CONTINUOUS, _RANGE_PERCENT = 1.0, 2.0
_FOCUS_CONTINUOUS, _FOCUS_AUTO = 1.0, 4.0
# USER_4's first two parameters: the part of the payload, and what of it.
_CAMERA, _EO_ZOOM = 2.0, 0.0
_SYSTEM, _TRACKING = 4.0, 0.0
_ABSOLUTE = 4.0


class CameraMode(IntEnum):
    """Of command 530."""

    PHOTO = 0
    VIDEO = 1


class OnboardTracking(IntEnum):
    """Modes of the payload's own tracker."""

    STOP = 0
    ACTIVE = 1


class CameraCommands(MessagePacker):
    """Standard camera commands and the vendor's own."""

    def camera_mode(self, camera: Sender, mode: CameraMode) -> bytes:
        """530."""
        return self.command(camera, dialect.MAV_CMD_SET_CAMERA_MODE, 0.0, float(mode))

    def zoom_continuous(self, camera: Sender, direction: int) -> bytes:
        """531 of type continuous: -1 wider, 1 tighter, until 0."""
        return self.command(camera, dialect.MAV_CMD_SET_CAMERA_ZOOM, _CONTINUOUS, float(direction))

    def zoom_range(self, camera: Sender, percent: float) -> bytes:
        """531 of type range: 0 to 100 % of the zoom; which end is tight differs by product (gimbal.md 2.1)."""
        return self.command(camera, dialect.MAV_CMD_SET_CAMERA_ZOOM, _RANGE_PERCENT, percent)

    def focus_continuous(self, camera: Sender, direction: int) -> bytes:
        """532 of type continuous: -1 nearer, 1 farther, until 0."""
        return self.command(camera, dialect.MAV_CMD_SET_CAMERA_FOCUS, _FOCUS_CONTINUOUS, float(direction))

    def focus_auto(self, camera: Sender) -> bytes:
        """532 of type auto."""
        return self.command(camera, dialect.MAV_CMD_SET_CAMERA_FOCUS, _FOCUS_AUTO)

    def take_image(self, camera: Sender, number: int) -> bytes:
        """2000: one image. A camera takes none for the number of the image before: that command was sent again."""
        return self.command(camera, dialect.MAV_CMD_IMAGE_START_CAPTURE, 0.0, 0.0, 1.0, float(number))

    def take_image_as_the_vendor(self, camera: Sender) -> bytes:
        """2000 as in the vendor's SDK (gimbal.md 2.1); to others a count of 0 is 'until stopped'."""
        return self.command(camera, dialect.MAV_CMD_IMAGE_START_CAPTURE)

    def record(self, camera: Sender, on: bool) -> bytes:
        """2500 and 2501."""
        start, stop = dialect.MAV_CMD_VIDEO_START_CAPTURE, dialect.MAV_CMD_VIDEO_STOP_CAPTURE
        return self.command(camera, start if on else stop)

    def track_point(self, camera: Sender, x: float, y: float) -> bytes:
        """2004: share of the image's width and height, from its top left corner."""
        return self.command(camera, dialect.MAV_CMD_CAMERA_TRACK_POINT, x, y)

    def track_rectangle(self, camera: Sender, left: float, top: float, right: float, bottom: float) -> bytes:
        """2005: shares of the image's width and height."""
        return self.command(camera, dialect.MAV_CMD_CAMERA_TRACK_RECTANGLE, left, top, right, bottom)

    def stop_tracking(self, camera: Sender) -> bytes:
        """2010."""
        return self.command(camera, dialect.MAV_CMD_CAMERA_STOP_TRACKING)

    # The vendor's own, to the payload board: COMMAND_LONG 31013 USER_4 (gimbal.md 2.2).

    def _vendor(self, board: Sender, *parameters: float) -> bytes:
        return self.command(board, dialect.MAV_CMD_USER_4, *parameters)

    def zoom_factor(self, board: Sender, factor: float) -> bytes:
        """Absolute magnification of the EO camera."""
        return self._vendor(board, _CAMERA, _EO_ZOOM, _ABSOLUTE, factor)

    def onboard_tracking(self, board: Sender, mode: OnboardTracking) -> bytes:
        """Mode of the payload's own tracker."""
        return self._vendor(board, _SYSTEM, _TRACKING, 0.0, float(mode))

    def onboard_track(
        self, board: Sender, x_px: float, y_px: float, width_px: float = 128.0, height_px: float = 128.0
    ) -> bytes:
        """Track this box, in pixels of a 1920x1080 image, given by its centre; it only moves there unless ACTIVE."""
        return self._vendor(board, _SYSTEM, _TRACKING, 1.0, x_px, y_px, width_px, height_px)

    def telemetry_interval(self, board: Sender, index: int, interval_us: int) -> bytes:
        """511 with p7 = 1: how often the board sends that telemetry (`TELEMETRY_NAMES`), by index, not message id."""
        command = dialect.MAV_CMD_SET_MESSAGE_INTERVAL
        return self.command(board, command, float(index), float(interval_us), 0.0, 0.0, 0.0, 0.0, 1.0)
