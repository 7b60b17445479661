# SPDX-License-Identifier: Apache-2.0
"""One frame at full resolution as a picture file, and beside it what is known of when and where it was taken."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gremsy_camera.errors import RecordingError
from gremsy_camera.recording.recording_session import file_stem, utc
from gremsy_common.atomic_file import write_new
from gremsy_common.picture.viewable_pictures import DEEP_GREY, ViewablePictures
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Tracks
from gremsy_common.types.frame import Frame
from gremsy_common.types.gimbal_state import GimbalAttitude

_JPEG_QUALITY = 95
# Telemetry comes ten times as often; one that is further away says nothing of the picture.
_NEAREST_NS = 200_000_000


def snapshot_path(folder: Path, pattern: str, namespace: str, frame: Frame, wanted: str) -> Path:
    """A name that is free now, of the frame's own time to the millisecond.

    Args:
        folder: where it goes.
        pattern: as `file_stem` takes it.
        namespace: likewise.
        frame: what will be in it.
        wanted: 'png' or 'jpeg'; 16-bit infrared is PNG in any case, which keeps all of it.
    """
    time = utc(frame.stamp_ns)
    stem = file_stem(pattern, namespace, f'{time:%Y%m%dT%H%M%S}.{time.microsecond // 1000:03d}Z')
    suffix = '.jpg' if wanted == 'jpeg' and frame.encoding not in DEEP_GREY else '.png'
    path, number = folder / f'{stem}{suffix}', 1
    while any(os.path.lexists(each) for each in (path, path.with_suffix('.json'))):
        number += 1
        path = folder / f'{stem}-{number}{suffix}'
    return path


def write_snapshot(
    path: Path,
    frame: Frame,
    camera: CameraModel,
    zoom: float | None,
    attitudes: Sequence[GimbalAttitude],
    tracks: Tracks | None = None,
) -> None:
    """The picture, then the JSON beside it, each whole, and over nothing.

    Args:
        path: of the picture.
        frame: as it was published.
        camera: its intrinsics, zoom included.
        zoom: magnification against the widest view; None where it is unknown.
        attitudes: of the camera, some of which are near to the frame's stamp.
        tracks: what was seen in this very frame; None where that is unknown.

    Raises:
        RecordingError: when they cannot be written.
    """
    shown = frame if frame.encoding in DEEP_GREY else ViewablePictures().of(frame)
    pixels = np.ascontiguousarray(shown.image, shown.image.dtype.newbyteorder('='))
    # PNG as OpenCV writes it unasked takes half of the time of any level that is named (105 against 219 ms at 1080p).
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix == '.jpg' else []
    done, encoded = cv2.imencode(path.suffix, pixels, options)
    if not done:
        raise RecordingError(f"A frame of {frame.width}x{frame.height} px cannot be written to '{path}'.")
    description = {
        'picture': path.name,
        'stamp_ns': frame.stamp_ns,
        'stamp_utc': utc(frame.stamp_ns).isoformat(),
        'frame_id': frame.frame_id,
        'encoding': frame.encoding,
        'zoom': zoom,
        'detections': None if tracks is None else _detections(tracks),
        'camera': _camera(camera) if camera.usable else None,
        'attitude': _attitude(frame.stamp_ns, attitudes),
    }
    try:
        write_new(path, np.asarray(encoded).data.cast('B'))
        write_new(path.with_suffix('.json'), json.dumps(description, indent=2).encode() + b'\n')
    except OSError as error:
        raise RecordingError(
            f"The snapshot '{path}' cannot be written ({error.strerror}): make room, or name another folder in "
            '`record_dir`.'
        ) from error


def _detections(tracks: Tracks) -> list[dict[str, Any]]:
    """As gremsy_web's API has them: a box is x, y, width, height in px of the picture."""
    rows = zip(
        tracks.ids.tolist(), tracks.labels.tolist(), tracks.scores.tolist(), tracks.boxes_px.tolist(), strict=True
    )
    return [
        {'id': each, 'class': label, 'score': score, 'box': [x0, y0, x1 - x0, y1 - y0]}
        for each, label, score, (x0, y0, x1, y1) in rows
    ]


def _camera(camera: CameraModel) -> dict[str, Any]:
    # As in camera_info: who reads the file has it beside that, and OpenCV counts pixels likewise.
    k, _, _ = camera.matrices
    return {
        'width': camera.width,
        'height': camera.height,
        'focal_px': [camera.focal_x_px, camera.focal_y_px],
        'centre_px': [float(k[0, 2]), float(k[1, 2])],
        'distortion': list(camera.distortion),
        'fisheye': camera.fisheye,
    }


def _attitude(stamp_ns: int, attitudes: Sequence[GimbalAttitude]) -> dict[str, Any] | None:
    """The nearest; None where none is near."""
    near = min(attitudes, key=lambda each: abs(each.stamp_ns - stamp_ns), default=None)
    if near is None or abs(near.stamp_ns - stamp_ns) > _NEAREST_NS:
        return None
    return {
        'stamp_ns': near.stamp_ns,
        'frame_id': near.frame_id,
        'level_from_camera_wxyz': [float(part) for part in near.level_from_camera_wxyz],
    }
