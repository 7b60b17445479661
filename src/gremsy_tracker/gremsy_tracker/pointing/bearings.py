# SPDX-License-Identifier: Apache-2.0
"""From boxes in an image to bearings in the gimbal's level frame, and back.

A bearing does not change when the camera turns, so what is filtered and predicted is the target's own motion.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from gremsy_common.geometry import CAMERA_FROM_OPTICAL, Array, bearing_from_direction, direction_from_bearing
from gremsy_common.types.camera_model import CameraModel

# A box this close to the image's edge is cut off by it.
_EDGE_PX = 2.0
# The centre of a cut-off box is off by up to half of what is hidden; it is believed this much less.
_CUT_OFF_FACTOR = 4.0
# Of a box's width and height, relative to `box_share`: the centres of the public detections of four MOT15 sequences are
# off by 0.10 and 0.036.
_SHARE_OF_SIDES = np.array([1.0, 0.36])
# How the noise grows as the score falls: on vtest.avi the default detector's centres are off by 0.05 of the width from
# a score of 0.7 on, by 0.087, 0.12, 0.15, 0.21 and 0.24 in steps of 0.1 below it, of the height by 0.4 of that.
_SURE_SCORE, _SCORE_FALL = 0.75, 0.28
# Azimuth means nothing straight up or down; closer to that than this cosine of tilt (84 degrees) it is not divided by.
_LEAST_COS_TILT = 0.1


def centres(boxes_px: Array) -> Array:
    """(N, 2) middles of boxes (N, 4)."""
    return np.asarray((boxes_px[:, :2] + boxes_px[:, 2:]) / 2)


def bearings_of_pixels(points_px: Array, camera: CameraModel, level_from_camera: Array) -> Array:
    """(N, 2) azimuth, tilt in rad of pixels (N, 2) seen at orientation `level_from_camera` (3, 3)."""
    level_from_optical = level_from_camera @ CAMERA_FROM_OPTICAL
    return bearing_from_direction(camera.directions(points_px) @ level_from_optical.T)


def pixels_of_bearings(bearings_rad: Array, camera: CameraModel, level_from_camera: Array) -> Array:
    """(N, 2) pixels of bearings (N, 2); NaN for what is behind the camera."""
    level_from_optical = level_from_camera @ CAMERA_FROM_OPTICAL
    directions = direction_from_bearing(bearings_rad[:, 0], bearings_rad[:, 1])
    return camera.pixels(directions @ level_from_optical)


def optical_axis(level_from_camera: Array) -> Array:
    """(2,) azimuth, tilt in rad along which the camera looks."""
    return bearing_from_direction(level_from_camera[:, 0])


def optical_axis_rates(level_from_camera: Array, rate_rad_s: Array) -> Array:
    """(2,) azimuth and tilt rate in rad/s of the optical axis of a camera turning at `rate_rad_s` (3,) about its axes.

    With the axis d and the angular velocity w in the level frame: d' = w x d,
    azimuth' = (dx dy' - dy dx') / (dx^2 + dy^2), tilt' = -dz' / sqrt(dx^2 + dy^2).
    """
    x, y, z = level_from_camera[:, 0].tolist()
    wx, wy, wz = (level_from_camera @ rate_rad_s).tolist()
    dx = wy * z - wz * y
    dy = wz * x - wx * z
    dz = wx * y - wy * x
    level = max(math.hypot(x, y), _LEAST_COS_TILT)
    return np.array([(x * dy - y * dx) / level**2, -dz / level])


def turned_about_up(level_from_camera: Array, azimuth_rad: float) -> Array:
    """(3, 3) the same orientation in a level frame whose x axis looks that much further to the right."""
    cos, sin = math.cos(azimuth_rad), math.sin(azimuth_rad)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]) @ level_from_camera


def bearing_noise(
    boxes_px: Array, scores: Array, tilts_rad: Array, camera: CameraModel, *, floor_rad: float, box_share: float
) -> Array:
    """(N, 2) standard deviations in rad of the azimuth and tilt of the centres of detected boxes (N, 4).

    A share of the box's own angular size over a floor: a detector places the edges of a large box no better,
    relatively, than those of a small one, and with the zoom the angle shrinks. The lower its score (N,), the more of a
    box is another's, or hidden. Cut off by the image's edge, a box's
    centre is not its object's, and is believed less along that axis.
    """
    size_rad = (boxes_px[:, 2:] - boxes_px[:, :2]) / camera.focal_px
    doubt = np.exp(np.maximum(_SURE_SCORE - scores, 0.0) / _SCORE_FALL)
    share = box_share * doubt[:, None] * _SHARE_OF_SIDES
    noise = np.hypot(floor_rad, share * size_rad)
    cut_off = (boxes_px[:, :2] < _EDGE_PX) | (boxes_px[:, 2:] > camera.size_px - _EDGE_PX)
    noise = np.where(cut_off, noise * _CUT_OFF_FACTOR, noise)
    noise[:, 0] /= np.maximum(np.cos(tilts_rad), _LEAST_COS_TILT)
    return np.asarray(noise)


def angle_between(a_rad: ArrayLike, b_rad: ArrayLike) -> float:
    """Angle in rad between two bearings (2,), through atan2 so that small ones are exact."""
    a, b = (direction_from_bearing(*np.asarray(each, dtype=np.float64)) for each in (a_rad, b_rad))
    return math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b))
