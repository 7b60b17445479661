# SPDX-License-Identifier: Apache-2.0
"""What the camera says about itself when asked, 259 to 262, 269, 271, and of its own accord: 0, 263."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_frames import q_frd_from_level_camera
from gremsy_gimbal_sim.camera.lens import Focus, ZoomLens
from gremsy_gimbal_sim.camera.optics import HEIGHT_PX, WIDTH_PX, Sight
from gremsy_gimbal_sim.camera.recorder import Recorder
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.wire.outbox import Message

_CAPABILITIES = (
    dialect.CAMERA_CAP_FLAGS_CAPTURE_VIDEO
    | dialect.CAMERA_CAP_FLAGS_CAPTURE_IMAGE
    | dialect.CAMERA_CAP_FLAGS_HAS_MODES
    | dialect.CAMERA_CAP_FLAGS_HAS_BASIC_ZOOM
    | dialect.CAMERA_CAP_FLAGS_HAS_BASIC_FOCUS
    | dialect.CAMERA_CAP_FLAGS_HAS_VIDEO_STREAM
    | dialect.CAMERA_CAP_FLAGS_HAS_TRACKING_POINT
    | dialect.CAMERA_CAP_FLAGS_HAS_TRACKING_RECTANGLE
)
_SENSOR_WIDTH_MM = 6.4
_FRAMES_PER_S = 30.0
_BITRATE = 4_000_000
_RUNNING = 1


class CameraMessages:
    """Builds messages from the camera's state.

    Args:
        options: the camera's.
        lens, focus, recorder: what is told about.
        sight: the camera's look now.
        level_from_camera: (4,) of a camera that looks so.
        boot_ms: the device's clock at a time.
    """

    def __init__(
        self,
        options: PayloadOptions,
        lens: ZoomLens,
        focus: Focus,
        recorder: Recorder,
        sight: Callable[[], Sight],
        level_from_camera: Callable[[float, float], NDArray[np.float64]],
        boot_ms: Callable[[float], int],
    ) -> None:
        self._options = options
        self._lens = lens
        self._focus = focus
        self._recorder = recorder
        self._sight = sight
        self._level_from_camera = level_from_camera
        self._boot_ms = boot_ms
        self._builders: dict[int, Callable[[float], Message]] = {
            dialect.MAVLINK_MSG_ID_CAMERA_INFORMATION: self._information,
            dialect.MAVLINK_MSG_ID_CAMERA_SETTINGS: self._settings,
            dialect.MAVLINK_MSG_ID_STORAGE_INFORMATION: self._storage,
            dialect.MAVLINK_MSG_ID_CAMERA_CAPTURE_STATUS: self._capture_status,
            dialect.MAVLINK_MSG_ID_VIDEO_STREAM_INFORMATION: self._stream,
            dialect.MAVLINK_MSG_ID_CAMERA_FOV_STATUS: self._field_of_view,
        }

    def heartbeat(self) -> Message:
        """HEARTBEAT 0."""
        return dialect.MAVLink_heartbeat_message(
            dialect.MAV_TYPE_CAMERA, dialect.MAV_AUTOPILOT_INVALID, 0, 0, dialect.MAV_STATE_ACTIVE, 3
        )

    def image_captured(self, index: int, now_s: float) -> Message:
        """CAMERA_IMAGE_CAPTURED 263: that picture, counted from 0, was taken."""
        sight, options = self._sight(), self._options
        q = q_frd_from_level_camera(self._level_from_camera(sight.azimuth_rad, sight.tilt_rad)).tolist()
        altitude_mm = round(options.altitude_m * 1e3)
        return dialect.MAVLink_camera_image_captured_message(
            self._boot_ms(now_s),
            0,  # no time of day is known
            0,
            round(options.latitude_deg * 1e7),
            round(options.longitude_deg * 1e7),
            altitude_mm,
            0,
            q,
            index,
            1,
            b'',
        )

    def build(self, message_id: int, now_s: float) -> Message | None:
        """That message, or None for what it does not have."""
        builder = self._builders.get(message_id)
        return None if builder is None else builder(now_s)

    def _information(self, now_s: float) -> Message:
        wide = math.radians(self._options.hfov_deg)
        focal_mm = _SENSOR_WIDTH_MM / 2.0 / math.tan(wide / 2.0)
        height_mm = _SENSOR_WIDTH_MM * HEIGHT_PX / WIDTH_PX
        return dialect.MAVLink_camera_information_message(
            self._boot_ms(now_s),
            b'GREMSY'.ljust(32, b'\0'),
            self._options.model.encode('ascii', 'replace')[:32].ljust(32, b'\0'),
            1,
            focal_mm,
            _SENSOR_WIDTH_MM,
            height_mm,
            WIDTH_PX,
            HEIGHT_PX,
            0,
            _CAPABILITIES,
            0,
            b'',
        )

    def _settings(self, now_s: float) -> Message:
        zoom_max = self._options.zoom_max
        percent = 100.0 * math.log(self._lens.factor) / math.log(zoom_max) if zoom_max > 1.0 else 0.0
        return dialect.MAVLink_camera_settings_message(
            self._boot_ms(now_s), self._recorder.mode, percent, self._focus.percent
        )

    def _storage(self, now_s: float) -> Message:
        recorder, total = self._recorder, self._options.storage_mib
        ready = dialect.STORAGE_STATUS_READY if total else dialect.STORAGE_STATUS_EMPTY
        return dialect.MAVLink_storage_information_message(
            self._boot_ms(now_s), 1, 1, ready, total, recorder.used_mib, recorder.available_mib, 90.0, 60.0
        )

    def _capture_status(self, now_s: float) -> Message:
        recorder = self._recorder
        # 0 idle, 1 one picture, 2 a series that waits, 3 both.
        image = 2 if recorder.capturing else 0
        return dialect.MAVLink_camera_capture_status_message(
            self._boot_ms(now_s),
            image,
            int(recorder.recording),
            recorder.interval_s,
            round(recorder.recording_s(now_s) * 1000.0),
            recorder.available_mib,
            recorder.image_count,
        )

    def _stream(self, _now_s: float) -> Message:
        return dialect.MAVLink_video_stream_information_message(
            1,
            1,
            dialect.VIDEO_STREAM_TYPE_RTSP,
            _RUNNING,
            _FRAMES_PER_S,
            WIDTH_PX,
            HEIGHT_PX,
            _BITRATE,
            0,
            round(self._options.hfov_deg),
            b'EO/IR',
            self._options.stream_uri.encode('ascii', 'replace')[:160],
        )

    def _field_of_view(self, now_s: float) -> Message:
        sight = self._sight()
        q = q_frd_from_level_camera(self._level_from_camera(sight.azimuth_rad, sight.tilt_rad)).tolist()
        unknown = 2**31 - 1
        return dialect.MAVLink_camera_fov_status_message(
            self._boot_ms(now_s),
            unknown,
            unknown,
            unknown,
            unknown,
            unknown,
            unknown,
            q,
            math.degrees(sight.hfov_rad),
            math.degrees(sight.vfov_rad),
        )
