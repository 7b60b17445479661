# SPDX-License-Identifier: Apache-2.0
"""Commands to a payload's camera and main board as MAVLink 2 bytes (gimbal.md 2.1 and 2.2).

Camera commands go to the camera component, vendor commands (USER_4) to the payload board; which these are is learned
(`heard_components`).
"""

from __future__ import annotations

from enum import IntEnum

from gremsy_gimbal_driver.mavlink.mavlink_dialect import MessagePacker, dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender

_STEP, _CONTINUOUS, _RANGE_PERCENT = 0.0, 1.0, 2.0
_FOCUS_CONTINUOUS, _FOCUS_AUTO = 1.0, 4.0
# USER_4's first two parameters: the part of the payload, and what of it.
_CAMERA, _EO_ZOOM, _IR_FFC_MODE, _IR_FFC_NOW, _EO_WHITE_BALANCE = 2.0, 0.0, 6.0, 7.0, 8.0
_SYSTEM, _TRACKING, _STREAM, _STANDBY = 4.0, 0.0, 2.0, 3.0
_ABSOLUTE = 4.0


class CameraMode(IntEnum):
    """Of command 530."""

    PHOTO = 0
    VIDEO = 1


class CameraReport(IntEnum):
    """What a camera is asked for, by the command that asks."""

    INFORMATION = dialect.MAV_CMD_REQUEST_CAMERA_INFORMATION
    SETTINGS = dialect.MAV_CMD_REQUEST_CAMERA_SETTINGS
    STORAGE = dialect.MAV_CMD_REQUEST_STORAGE_INFORMATION
    CAPTURE_STATUS = dialect.MAV_CMD_REQUEST_CAMERA_CAPTURE_STATUS
    VIDEO_STREAM = dialect.MAV_CMD_REQUEST_VIDEO_STREAM_INFORMATION


class OnboardTracking(IntEnum):
    """Modes of the payload's own tracker."""

    STOP = 0
    ACTIVE = 1
    EAGLE_EYES = 2  # move there only


class CameraCommands(MessagePacker):
    """Standard camera commands and the vendor's own."""

    def camera_mode(self, camera: Sender, mode: CameraMode) -> bytes:
        """530."""
        return self.command(camera, dialect.MAV_CMD_SET_CAMERA_MODE, 0.0, float(mode))

    def zoom_step(self, camera: Sender, direction: int) -> bytes:
        """531 of type step: -1 wider, 1 tighter."""
        return self.command(camera, dialect.MAV_CMD_SET_CAMERA_ZOOM, _STEP, float(direction))

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

    def stop_images(self, camera: Sender) -> bytes:
        """2001."""
        return self.command(camera, dialect.MAV_CMD_IMAGE_STOP_CAPTURE)

    def record(self, camera: Sender, on: bool) -> bytes:
        """2500 and 2501."""
        start, stop = dialect.MAV_CMD_VIDEO_START_CAPTURE, dialect.MAV_CMD_VIDEO_STOP_CAPTURE
        return self.command(camera, start if on else stop)

    def request_report(self, camera: Sender, report: CameraReport) -> bytes:
        """521, 522, 525, 527 or 2504: say it once."""
        parameters = (1.0, 1.0) if report is CameraReport.STORAGE else (1.0,)  # the first is which card, then say it
        return self.command(camera, int(report), *parameters)

    def request_field_of_view(self, camera: Sender, infrared: bool = False) -> bytes:
        """512 for CAMERA_FOV_STATUS 271; the second parameter picks the eye, which is not in the standard."""
        message = float(dialect.MAVLINK_MSG_ID_CAMERA_FOV_STATUS)
        return self.command(camera, dialect.MAV_CMD_REQUEST_MESSAGE, message, float(infrared))

    def format_storage(self, camera: Sender, storage: int = 1) -> bytes:
        """526: all recordings are lost."""
        return self.command(camera, dialect.MAV_CMD_STORAGE_FORMAT, float(storage), 1.0)

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

    def vendor(self, board: Sender, *parameters: float) -> bytes:
        """Any USER_4."""
        return self.command(board, dialect.MAV_CMD_USER_4, *parameters)

    def zoom_factor(self, board: Sender, factor: float) -> bytes:
        """Absolute magnification of the EO camera."""
        return self.vendor(board, _CAMERA, _EO_ZOOM, _ABSOLUTE, factor)

    def infrared_shutter_mode(self, board: Sender, automatic: bool) -> bytes:
        """When the IR camera calibrates itself against its shutter."""
        return self.vendor(board, _CAMERA, _IR_FFC_MODE, float(automatic))

    def infrared_shutter_now(self, board: Sender) -> bytes:
        """Calibrate the IR camera against its shutter once; the image stands still meanwhile."""
        return self.vendor(board, _CAMERA, _IR_FFC_NOW)

    def white_balance_now(self, board: Sender) -> bytes:
        """One push of the EO camera's white balance."""
        return self.vendor(board, _CAMERA, _EO_WHITE_BALANCE)

    def onboard_tracking(self, board: Sender, mode: OnboardTracking) -> bytes:
        """Mode of the payload's own tracker."""
        return self.vendor(board, _SYSTEM, _TRACKING, 0.0, float(mode))

    def onboard_track(
        self, board: Sender, x_px: float, y_px: float, width_px: float = 128.0, height_px: float = 128.0
    ) -> bytes:
        """Track this box, in pixels of a 1920x1080 image, given by its centre; it only moves there unless ACTIVE."""
        return self.vendor(board, _SYSTEM, _TRACKING, 1.0, x_px, y_px, width_px, height_px)

    def stream_setting(self, board: Sender, infrared: bool, setting: int, value: float) -> bytes:
        """Of a video stream: setting 0 bit rate, 1 resolution level, 2 encoder profile."""
        return self.vendor(board, _SYSTEM, _STREAM, 2.0 if infrared else 1.0, float(setting), value)

    def standby(self, board: Sender, on: bool) -> bytes:
        """ORUS-L only."""
        return self.vendor(board, _SYSTEM, _STANDBY, 0.0, float(on))

    def telemetry_interval(self, board: Sender, index: int, interval_us: int) -> bytes:
        """511 with p7 = 1: how often the board sends that telemetry (`TELEMETRY_NAMES`), by index, not message id."""
        command = dialect.MAV_CMD_SET_MESSAGE_INTERVAL
        return self.command(board, command, float(index), float(interval_us), 0.0, 0.0, 0.0, 0.0, 1.0)
