# SPDX-License-Identifier: Apache-2.0
"""A pixel of the frame that somebody saw: which track was there, and in which direction it lay."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import CAMERA_FROM_OPTICAL, bearing_from_direction, matrix_from_quaternion
from gremsy_common.types.detections import Tracks
from gremsy_tracker.lock.target_request import REACH_PX, row_at_pixel
from gremsy_tracker.tracking.attitude_history import slerp
from gremsy_web.http.api_errors import ApiError
from gremsy_web.robot.robot_picture import CameraPicture
from gremsy_web.robot.stamp_memory import StampMemory, T

# A detector may see every third frame of 30 a second; the frame between two of its results is resolved on the nearer.
_SAME_FRAME_NS = 150_000_000
_STAMP = 'stamp_ns'


def check_pixel(
    seen: CameraPicture, pixel: tuple[float, float], stamp_ns: int = 0, of_size: tuple[float, float] | None = None
) -> None:
    """Raises ApiError for one outside the image of that stamp, or before there is an image.

    With `of_size`, width and height of the image that the caller counts its pixels in, also where that has another.
    """
    size = seen.size_at(stamp_ns)
    if size is None:
        raise ApiError(409, _no_image(seen), 'camera')
    width, height = size
    if of_size is not None and of_size != size:
        raise ApiError(
            409,
            f'The image of camera {seen.name} is {width}x{height} and not {of_size[0]:g}x{of_size[1]:g}: click again.',
            'size',
        )
    x, y = pixel
    if not (0.0 <= x <= width and 0.0 <= y <= height):
        sentence = f'Pixel ({x:g}, {y:g}) is outside the image of {width}x{height} of camera {seen.name}.'
        raise ApiError(422, sentence, 'pixel')


def tracks_at(seen: CameraPicture, stamp_ns: int) -> Tracks:
    """What was tracked in that frame (0: the newest); raises ApiError for one that is gone, or that never was."""
    return _of_frame(seen.name, seen.tracks, stamp_ns, f'Nothing has been tracked by camera {seen.name} yet.')


def track_at(tracks: Tracks, pixel: tuple[float, float]) -> int:
    """The id of the track under that pixel, else close to it, as the tracker itself takes a click.

    Raises:
        ApiError: where none is.
    """
    x, y = pixel
    row = row_at_pixel(tracks.boxes_px, x, y)
    if row is not None:
        return int(tracks.ids[row])
    sentence = f'No track is at pixel ({x:.0f}, {y:.0f}): click on a box, or within {REACH_PX:.0f} px of one.'
    raise ApiError(422, sentence, 'pixel')


def bearing_at(
    seen: CameraPicture, attitudes: StampMemory[Any], stamp_ns: int, pixel: tuple[float, float]
) -> tuple[float, float]:
    """Azimuth and tilt (rad, level frame) of a pixel of the frame of that stamp (0: the newest).

    The gimbal's pose is that of the frame, between the two readings around it, and not that of now.

    Raises:
        ApiError: where frame, pose or ray are not known.
    """
    model = _of_frame(seen.name, seen.models, stamp_ns, _no_image(seen))
    stamp_ns = stamp_ns or model.stamp_ns
    if not model.model.usable:
        raise ApiError(
            422,
            f'Camera {seen.name} is not calibrated, so a pixel of it has no direction: set `horizontal_field_deg`.',
            'camera',
        )
    ray = model.model.rays([pixel])[0]
    if not np.isfinite(ray).all():
        raise ApiError(422, f'Pixel ({pixel[0]:g}, {pixel[1]:g}) is outside what the lens shows.', 'pixel')
    direction = _level_from_camera(attitudes, stamp_ns) @ (CAMERA_FROM_OPTICAL @ ray)
    azimuth, tilt = bearing_from_direction(direction).tolist()
    return azimuth, tilt


def _level_from_camera(attitudes: StampMemory[Any], stamp_ns: int) -> NDArray[np.float64]:
    around = attitudes.around(stamp_ns)
    if around is None:
        nearest = attitudes.nearest(stamp_ns)
        if nearest is None or abs(nearest.stamp_ns - stamp_ns) > _SAME_FRAME_NS:
            raise ApiError(409, "The gimbal's attitude at that frame is not known: wait for its telemetry.", _STAMP)
        around = (nearest, nearest)
    before, after = around
    apart_ns = after.stamp_ns - before.stamp_ns
    share = (stamp_ns - before.stamp_ns) / apart_ns if apart_ns else 0.0
    return matrix_from_quaternion(slerp(before.level_from_camera_wxyz, after.level_from_camera_wxyz, share))


def _of_frame(camera: str, memory: StampMemory[T], stamp_ns: int, nothing_yet: str) -> T:
    newest, nearest = memory.newest, memory.nearest(stamp_ns)
    if newest is None or nearest is None:
        raise ApiError(409, nothing_yet, 'camera')
    if stamp_ns == 0:
        return newest
    if abs(nearest.stamp_ns - stamp_ns) <= _SAME_FRAME_NS:
        return nearest
    if stamp_ns > newest.stamp_ns:
        raise ApiError(422, f'No frame of camera {camera} has the stamp {stamp_ns} yet: send that of a frame.', _STAMP)
    sentence = f'The frame of stamp {stamp_ns} of camera {camera} is gone: those of the last 2 s are kept.'
    raise ApiError(409, sentence, _STAMP)


def _no_image(seen: CameraPicture) -> str:
    return f'No image has come from camera {seen.name} yet: wait for its picture.'
