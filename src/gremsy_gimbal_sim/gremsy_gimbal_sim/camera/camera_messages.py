# SPDX-License-Identifier: Apache-2.0
"""What the camera reports about itself: on request 259 to 262, 269 and 271, unasked 263."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_frames import q_frd_from_level_camera
from gremsy_gimbal_sim.camera.optics import HEIGHT_PX, WIDTH_PX
from gremsy_gimbal_sim.wire.component import Message, filled

if TYPE_CHECKING:
    from gremsy_gimbal_sim.camera.simulated_camera import SimulatedCamera

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
_UNKNOWN = 2**31 - 1


def image_captured(camera: SimulatedCamera, index: int, now_s: float) -> Message:
    """CAMERA_IMAGE_CAPTURED 263: that picture, counted from 0, was taken; no time of day is known."""
    options = camera.options
    return filled(
        dialect.MAVLink_camera_image_captured_message,
        time_boot_ms=camera.boot_ms(now_s),
        lat=round(options.latitude_deg * 1e7),
        lon=round(options.longitude_deg * 1e7),
        alt=round(options.altitude_m * 1e3),
        q=_q(camera),
        image_index=index,
        capture_result=1,
    )


def _q(camera: SimulatedCamera) -> list[float]:
    view = camera.view()
    q: list[float] = q_frd_from_level_camera(camera.level_from_camera(view.azimuth_rad, view.tilt_rad)).tolist()
    return q


def _information(camera: SimulatedCamera, _now_s: float) -> dict[str, Any]:
    wide = math.radians(camera.options.hfov_deg)
    return {
        'vendor_name': b'GREMSY'.ljust(32, b'\0'),
        'model_name': camera.options.model.encode('ascii', 'replace')[:32].ljust(32, b'\0'),
        'firmware_version': 1,
        'focal_length': _SENSOR_WIDTH_MM / 2.0 / math.tan(wide / 2.0),
        'sensor_size_h': _SENSOR_WIDTH_MM,
        'sensor_size_v': _SENSOR_WIDTH_MM * HEIGHT_PX / WIDTH_PX,
        'resolution_h': WIDTH_PX,
        'resolution_v': HEIGHT_PX,
        'flags': _CAPABILITIES,
    }


def _settings(camera: SimulatedCamera, _now_s: float) -> dict[str, Any]:
    zoom_max = camera.options.zoom_max
    return {
        'mode_id': camera.recorder.mode,
        'zoomLevel': 100.0 * math.log(camera.lens.factor) / math.log(zoom_max) if zoom_max > 1.0 else 0.0,
        'focusLevel': camera.focus.percent,
    }


def _storage(camera: SimulatedCamera, _now_s: float) -> dict[str, Any]:
    recorder, total = camera.recorder, camera.options.storage_mib
    return {
        'storage_id': 1,
        'storage_count': 1,
        'status': dialect.STORAGE_STATUS_READY if total else dialect.STORAGE_STATUS_EMPTY,
        'total_capacity': total,
        'used_capacity': recorder.used_mib,
        'available_capacity': recorder.available_mib,
        'read_speed': 90.0,
        'write_speed': 60.0,
    }


def _capture_status(camera: SimulatedCamera, now_s: float) -> dict[str, Any]:
    recorder = camera.recorder
    return {
        'image_status': 2 if recorder.capturing else 0,  # 0 idle, 1 one picture, 2 a series that waits, 3 both
        'video_status': int(recorder.recording),
        'image_interval': recorder.interval_s,
        'recording_time_ms': round(recorder.recording_s(now_s) * 1000.0),
        'available_capacity': recorder.available_mib,
        'image_count': recorder.image_count,
    }


def _stream(camera: SimulatedCamera, _now_s: float) -> dict[str, Any]:
    return {
        'stream_id': 1,
        'count': 1,
        'type': dialect.VIDEO_STREAM_TYPE_RTSP,
        'flags': _RUNNING,
        'framerate': _FRAMES_PER_S,
        'resolution_h': WIDTH_PX,
        'resolution_v': HEIGHT_PX,
        'bitrate': _BITRATE,
        'hfov': round(camera.options.hfov_deg),
        'name': b'EO/IR',
        'uri': camera.options.stream_uri.encode('ascii', 'replace')[:160],
    }


def _field_of_view(camera: SimulatedCamera, _now_s: float) -> dict[str, Any]:
    places = (f'{axis}_{of}' for axis in ('lat', 'lon', 'alt') for of in ('camera', 'image'))
    view = camera.view()
    return {
        **dict.fromkeys(places, _UNKNOWN),
        'q': _q(camera),
        'hfov': math.degrees(view.hfov_rad),
        'vfov': math.degrees(view.vfov_rad),
    }


_FIELDS: dict[int, tuple[type[Message], Callable[[SimulatedCamera, float], dict[str, Any]]]] = {
    kind.id: (kind, fields)
    for kind, fields in (
        (dialect.MAVLink_camera_information_message, _information),
        (dialect.MAVLink_camera_settings_message, _settings),
        (dialect.MAVLink_storage_information_message, _storage),
        (dialect.MAVLink_camera_capture_status_message, _capture_status),
        (dialect.MAVLink_video_stream_information_message, _stream),
        (dialect.MAVLink_camera_fov_status_message, _field_of_view),
    )
}


def requested(camera: SimulatedCamera, message_id: int, now_s: float) -> Message | None:
    """That message, or None for what it does not have."""
    if message_id not in _FIELDS:
        return None
    kind, fields = _FIELDS[message_id]
    clock = {'time_boot_ms': camera.boot_ms(now_s)} if 'time_boot_ms' in kind.fieldnames else {}
    return filled(kind, **clock, **fields(camera, now_s))
