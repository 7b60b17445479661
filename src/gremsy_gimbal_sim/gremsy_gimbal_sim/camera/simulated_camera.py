# SPDX-License-Identifier: Apache-2.0
"""The camera, component 100 to 105: standard commands and extended parameters (gimbal.md 2.1, 2.3)."""

from __future__ import annotations

import math

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_sim.board.laser import Laser
from gremsy_gimbal_sim.camera.camera_messages import image_captured, requested
from gremsy_gimbal_sim.camera.camera_settings import COMBINED_ZOOM, SUPER_RESOLUTION_ZOOM, camera_parameters
from gremsy_gimbal_sim.camera.lens import FocusMotor, ZoomLens
from gremsy_gimbal_sim.camera.on_board_tracker import OnBoardTracker, TrackMode
from gremsy_gimbal_sim.camera.optics import HEIGHT_PX, WIDTH_PX, CameraView, hfov_at
from gremsy_gimbal_sim.camera.recorder import Recorder
from gremsy_gimbal_sim.gimbal.simulated_gimbal import SimulatedGimbal
from gremsy_gimbal_sim.gimbal.simulated_modes import GB_MODES
from gremsy_gimbal_sim.gimbal.simulated_parameters import SimulatedExtendedParameters
from gremsy_gimbal_sim.wire.component import (
    ACCEPTED,
    DENIED,
    FAILED,
    UNSUPPORTED,
    Command,
    MavlinkComponent,
    SimulatedDevice,
    heartbeat,
    whole,
)
from gremsy_gimbal_sim.wire.outbox import StreamSchedule

_STEP, _CONTINUOUS, _RANGE = 0, 1, 2
_FOCUS_AUTO = 4
# Old commands that ask for one message each (gimbal.md 2.1), and which parameter must be 1 for it (common.xml).
_REQUESTS = {
    dialect.MAV_CMD_REQUEST_CAMERA_INFORMATION: (dialect.MAVLINK_MSG_ID_CAMERA_INFORMATION, 0),
    dialect.MAV_CMD_REQUEST_CAMERA_SETTINGS: (dialect.MAVLINK_MSG_ID_CAMERA_SETTINGS, 0),
    dialect.MAV_CMD_REQUEST_STORAGE_INFORMATION: (dialect.MAVLINK_MSG_ID_STORAGE_INFORMATION, 1),
    dialect.MAV_CMD_REQUEST_CAMERA_CAPTURE_STATUS: (dialect.MAVLINK_MSG_ID_CAMERA_CAPTURE_STATUS, 0),
    dialect.MAV_CMD_REQUEST_VIDEO_STREAM_INFORMATION: (dialect.MAVLINK_MSG_ID_VIDEO_STREAM_INFORMATION, None),
}
_TRACKED_SIZE_PX = 128.0  # the vendor's default (gimbal.md 2.2)


class SimulatedCamera(MavlinkComponent):
    """Everything that answers for the camera's component.

    Args:
        device: that it belongs to.
        gimbal: what carries it, and what GB_MODE and RC_MODE steer.
        start_s: the first time.
    """

    def __init__(self, device: SimulatedDevice, gimbal: SimulatedGimbal, start_s: float) -> None:
        options = device.options
        super().__init__(device, options.camera_component)
        self._gimbal = gimbal
        self.lens = ZoomLens(options, start_s)
        self.focus = FocusMotor(start_s)
        self.recorder = Recorder(options, start_s)
        self.tracker = OnBoardTracker(options, gimbal.motion, self.view, start_s)
        self.laser = Laser(options, self.view, device.payload_chances, start_s)
        self.parameters = SimulatedExtendedParameters(self, camera_parameters(options), self._parameter_changed)
        self.boot_ms = device.power.boot_ms
        self.level_from_camera = gimbal.body.level_from_camera
        self.schedule = StreamSchedule({'heartbeat': 1.0}, start_s)
        recorder = self.recorder
        self.commands = {
            dialect.MAV_CMD_REQUEST_MESSAGE: lambda p, now_s: self._send(whole(p[0]), now_s),
            dialect.MAV_CMD_SET_CAMERA_ZOOM: self._set_zoom,
            dialect.MAV_CMD_SET_CAMERA_FOCUS: self._set_focus,
            dialect.MAV_CMD_SET_CAMERA_MODE: self._set_mode,
            dialect.MAV_CMD_IMAGE_START_CAPTURE: self._capture,
            dialect.MAV_CMD_IMAGE_STOP_CAPTURE: lambda _p, _now_s: recorder.end_capture(),
            dialect.MAV_CMD_VIDEO_START_CAPTURE: lambda _p, now_s: ACCEPTED if recorder.start(now_s) else FAILED,
            dialect.MAV_CMD_VIDEO_STOP_CAPTURE: lambda _p, _now_s: recorder.stop(),
            dialect.MAV_CMD_STORAGE_FORMAT: self._format,
            dialect.MAV_CMD_CAMERA_TRACK_POINT: self._track_point,
            dialect.MAV_CMD_CAMERA_TRACK_RECTANGLE: self._track_rectangle,
            dialect.MAV_CMD_CAMERA_STOP_TRACKING: lambda _p, now_s: self.tracker.set_mode(TrackMode.STOP, now_s),
            **{command: self._request(*asked) for command, asked in _REQUESTS.items()},
        }

    def view(self) -> CameraView:
        """What is truly in view now."""
        azimuth, tilt = self._gimbal.body.world_rad
        return CameraView(azimuth, tilt, hfov_at(math.radians(self.options.hfov_deg), self.lens.factor))

    def advance(self, now_s: float) -> None:
        """Move on."""
        self.lens.advance(now_s, (self.parameters['C_V_Z_SPD'] + 1) / 8.0)
        self.focus.advance(now_s, (self.parameters['C_V_F_SPD'] + 1) / 8.0)
        self.recorder.advance(now_s)
        self.tracker.advance(now_s)

    def send_due(self, now_s: float) -> None:
        """Its heartbeat, and a word about each picture."""
        for index in self.recorder.take_new_images():
            self.send(image_captured(self, index, now_s), now_s)
        if self.schedule.due(now_s):
            self.send(heartbeat(dialect.MAV_TYPE_CAMERA), now_s)

    def power_up(self, _now_s: float) -> None:
        """As after switching on; lens, card and parameters are as they were left."""
        self.tracker.power_up()
        self.recorder.power_up()

    def _request(self, message_id: int, asks_at: int | None) -> Command:
        """The command that asks for that message, by 1 at that parameter."""

        def request(parameters: list[float], now_s: float) -> int:
            asks = 1.0 if asks_at is None else parameters[asks_at]
            if asks == 1.0 or (asks == 0.0 and self.options.vendor_requests):
                return self._send(message_id, now_s)
            return ACCEPTED if asks == 0.0 else DENIED

        return request

    def _send(self, message_id: int, now_s: float) -> int:
        message = requested(self, message_id, now_s)
        if message is None:
            return UNSUPPORTED
        self.send(message, now_s)
        return ACCEPTED

    # Lens.

    def _set_zoom(self, parameters: list[float], _now_s: float) -> int:
        kind, value = whole(parameters[0]), parameters[1]
        if not math.isfinite(value):
            return FAILED
        if kind == _RANGE:
            self.lens.go_to_percent(100.0 - value if self.options.zoom_range_inverted else value)
        elif kind == _STEP:
            self.lens.step(value)
        elif kind == _CONTINUOUS:
            self.lens.drive(value)
        else:
            return UNSUPPORTED
        return ACCEPTED

    def _set_focus(self, parameters: list[float], _now_s: float) -> int:
        kind, value = whole(parameters[0]), parameters[1]
        if kind == _FOCUS_AUTO:
            self.focus.auto()
        elif kind == _CONTINUOUS and math.isfinite(value):
            self.focus.drive(value)
        else:
            return UNSUPPORTED
        return ACCEPTED

    # Recorder.

    def _set_mode(self, parameters: list[float], _now_s: float) -> int:
        mode = whole(parameters[1])
        if mode not in (0, 1):
            return UNSUPPORTED
        self.recorder.mode = mode
        return ACCEPTED

    def _capture(self, parameters: list[float], now_s: float) -> int:
        interval_s, count, number = parameters[1], whole(parameters[2]), whole(parameters[3])
        if not math.isfinite(interval_s) or interval_s < 0.0 or count < 0 or number < 0:
            return DENIED
        return ACCEPTED if self.recorder.capture(interval_s, count, number, now_s) else FAILED

    def _format(self, parameters: list[float], _now_s: float) -> int:
        if parameters[1] != 1.0:
            return ACCEPTED if parameters[1] == 0.0 else DENIED
        return ACCEPTED if self.recorder.format() else FAILED

    # On-board tracking: 0 to 1 over the picture.

    def _track_point(self, parameters: list[float], now_s: float) -> int:
        size = _TRACKED_SIZE_PX
        return self._track(parameters[0] * WIDTH_PX, parameters[1] * HEIGHT_PX, size, size, now_s)

    def _track_rectangle(self, parameters: list[float], now_s: float) -> int:
        left, top, right, bottom = parameters[:4]
        width, height = (right - left) * WIDTH_PX, (bottom - top) * HEIGHT_PX
        return self._track((left + right) / 2.0 * WIDTH_PX, (top + bottom) / 2.0 * HEIGHT_PX, width, height, now_s)

    def _track(self, x_px: float, y_px: float, width_px: float, height_px: float, now_s: float) -> int:
        if not (0 <= x_px < WIDTH_PX and 0 <= y_px < HEIGHT_PX and width_px > 0 and height_px > 0):
            return FAILED
        self.tracker.set_mode(TrackMode.ACTIVE, now_s)
        self.tracker.trigger(x_px, y_px, width_px, height_px, now_s)
        return ACCEPTED

    # Parameters that do something.

    def _parameter_changed(self, name: str, value: int, now_s: float) -> None:
        motion, modes = self._gimbal.motion, self._gimbal.modes
        if name == 'C_V_ZM_CB_LV':
            self.lens.go_to(float(COMBINED_ZOOM[value]))
        elif name == 'C_V_ZM_SR_LV':
            self.lens.go_to(SUPER_RESOLUTION_ZOOM[value])
        elif name == 'C_V_FV':
            self.focus.go_to(float(value))
        elif name == 'C_V_FM' and value == 1:
            self.focus.auto()
        elif name == 'GB_MODE':
            modes.board_mode = GB_MODES[value]
            motion.set_mode(GB_MODES[value], now_s)
        elif name == 'RC_MODE':
            motion.rc_mode = value
        elif name == 'GB_FW_FLAG':
            modes.forwards_flags = value == 1
        elif name == 'LRF_MODE':
            self.laser.set_mode(value, now_s)
