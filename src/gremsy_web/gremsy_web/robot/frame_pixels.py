# SPDX-License-Identifier: Apache-2.0
"""A pixel of the frame that somebody saw: which track was there, and in which direction it lay."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_common.errors import SuiteError
from gremsy_common.geometry import CAMERA_FROM_OPTICAL, bearing_from_direction, matrix_from_quaternion
from gremsy_common.types.detections import Tracks
from gremsy_tracker.lock.target_request import REACH_PX, row_at_pixel
from gremsy_web.robot.robot_picture import CameraPicture
from gremsy_web.robot.stamp_memory import StampMemory

# A detector may see every third frame of 30 a second; the frame between two of its results is resolved on the nearer.
_SAME_FRAME_NS = 150_000_000


class PixelRefused(SuiteError):
    """No such pixel or frame.

    Attributes:
        field: of the request that is wrong.
        gone: whether it was right once.
    """

    def __init__(self, sentence: str, field: str, *, gone: bool = False) -> None:
        super().__init__(sentence)
        self.field = field
        self.gone = gone


def check_pixel(
    seen: CameraPicture, pixel: tuple[float, float], stamp_ns: int = 0, of_size: tuple[float, float] | None = None
) -> None:
    """Raises PixelRefused for one outside the image of that stamp, or before there is an image.

    With `of_size`, width and height of the image that the caller counts its pixels in, also where that has another.
    """
    size = seen.size_at(stamp_ns)
    if size is None:
        raise PixelRefused(f'No image has come from camera {seen.name} yet: wait for its picture.', 'camera', gone=True)
    width, height = size
    if of_size is not None and of_size != size:
        raise PixelRefused(
            f'The image of camera {seen.name} is {width}x{height} and not {of_size[0]:g}x{of_size[1]:g}: click again.',
            'size',
            gone=True,
        )
    x, y = pixel
    if not (0.0 <= x <= width and 0.0 <= y <= height):
        raise PixelRefused(
            f'Pixel ({x:g}, {y:g}) is outside the image of {width}x{height} of camera {seen.name}.', 'pixel'
        )


def tracks_at(seen: CameraPicture, stamp_ns: int) -> Tracks:
    """What was tracked in that frame (0: the newest).

    Raises:
        PixelRefused: for a frame that is gone, or that never was.
    """
    span = seen.tracks.oldest_and_newest_ns()
    if span is None:
        raise PixelRefused(f'Nothing has been tracked by camera {seen.name} yet.', 'camera', gone=True)
    if stamp_ns == 0:
        stamp_ns = span[1]
    tracks = seen.tracks.nearest(stamp_ns)
    assert tracks is not None
    if abs(tracks.stamp_ns - stamp_ns) > _SAME_FRAME_NS:
        _refuse_stamp(seen.name, stamp_ns, span)
    return tracks


def track_at(tracks: Tracks, pixel: tuple[float, float]) -> int:
    """The id of the track under that pixel, else close to it, as the tracker itself takes a click.

    Raises:
        PixelRefused: where none is.
    """
    x, y = pixel
    row = row_at_pixel(tracks.boxes_px, x, y)
    if row is not None:
        return int(tracks.ids[row])
    raise PixelRefused(
        f'No track is at pixel ({x:.0f}, {y:.0f}): click on a box, or within {REACH_PX:.0f} px of one.', 'pixel'
    )


def bearing_at(
    seen: CameraPicture, attitudes: StampMemory[Any], stamp_ns: int, pixel: tuple[float, float]
) -> tuple[float, float]:
    """Azimuth and tilt (rad, level frame) of a pixel of the frame of that stamp (0: the newest).

    The gimbal's pose is that of the frame, between the two readings around it, and not that of now.

    Raises:
        PixelRefused: where frame, pose or ray are not known.
    """
    newest = seen.models.newest
    if newest is None:
        raise PixelRefused(f'No image has come from camera {seen.name} yet: wait for its picture.', 'camera', gone=True)
    stamp_ns = stamp_ns or newest.stamp_ns
    model = seen.models.nearest(stamp_ns)
    span = seen.models.oldest_and_newest_ns()
    assert model is not None and span is not None
    if abs(model.stamp_ns - stamp_ns) > _SAME_FRAME_NS:
        _refuse_stamp(seen.name, stamp_ns, span)
    if not model.model.usable:
        raise PixelRefused(
            f'Camera {seen.name} is not calibrated, so a pixel of it has no direction: set `horizontal_field_deg`.',
            'camera',
        )
    ray = model.model.rays([pixel])[0]
    if not np.isfinite(ray).all():
        raise PixelRefused(f'Pixel ({pixel[0]:g}, {pixel[1]:g}) is outside what the lens shows.', 'pixel')
    direction = _level_from_camera(attitudes, stamp_ns) @ (CAMERA_FROM_OPTICAL @ ray)
    azimuth, tilt = bearing_from_direction(direction).tolist()
    return azimuth, tilt


def _level_from_camera(attitudes: StampMemory[Any], stamp_ns: int) -> NDArray[np.float64]:
    around = attitudes.around(stamp_ns)
    if around is None:
        nearest = attitudes.nearest(stamp_ns)
        if nearest is None or abs(nearest.stamp_ns - stamp_ns) > _SAME_FRAME_NS:
            raise PixelRefused(
                "The gimbal's attitude at that frame is not known: wait for its telemetry.", 'stamp_ns', gone=True
            )
        around = (nearest, nearest)
    before, after = around
    q0, q1 = before.level_from_camera_wxyz, after.level_from_camera_wxyz
    if after.stamp_ns == before.stamp_ns:
        return matrix_from_quaternion(q0)
    share = (stamp_ns - before.stamp_ns) / (after.stamp_ns - before.stamp_ns)
    # 20 ms apart at 90 deg/s are 1.8 deg: a straight line between them is off by less than a microradian.
    mixed = (1.0 - share) * q0 + share * (q1 if float(q0 @ q1) >= 0.0 else -q1)
    return matrix_from_quaternion(mixed / np.linalg.norm(mixed))


def _refuse_stamp(camera: str, stamp_ns: int, span: tuple[int, int]) -> None:
    if stamp_ns > span[1]:
        raise PixelRefused(
            f'No frame of camera {camera} has the stamp {stamp_ns} yet: send that of a frame.', 'stamp_ns'
        )
    raise PixelRefused(
        f'The frame of stamp {stamp_ns} of camera {camera} is gone: those of the last 2 s are kept.',
        'stamp_ns',
        gone=True,
    )
