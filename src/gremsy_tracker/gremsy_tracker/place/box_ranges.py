# SPDX-License-Identifier: Apache-2.0
"""How far away a box's object is, by the angles of its upper and lower edge: from its height, or from the ground.

Something upright at the horizontal distance D, seen from a level frame: with the tilts t of its top and b of its foot
(down +), its height is D (tan b - tan t), and a camera h above its ground sees the foot at tan b = h / D.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gremsy_common.geometry import Array
from gremsy_common.types.camera_model import CameraModel
from gremsy_tracker.pointing.bearings import bearings_of_pixels

# A detector sets the edges of a box wrong by about 5 % of its size, and the pixels' grid by half a pixel.
_EDGE_SHARE, _EDGE_PX = 0.05, 0.5
# Closer to the picture's edge a box does not show all of its object.
_WHOLE_MARGIN_PX = 2.0
# Steeper, one looks onto its head: the box's edges are no longer its top and foot.
STEEPEST_RAD = math.radians(50.0)
# A range that is known no better than by a third is none.
_LEAST_KNOWN = 1.0 / 3.0


@dataclass(frozen=True, slots=True)
class UprightBox:
    """A box that shows the whole of its object, as tilts in a level frame, rad, down +.

    Attributes:
        top_rad, foot_rad: of its upper and lower edge.
        middle_rad: of the place whose range is wanted.
        edge_std_rad: standard deviation of each edge, where the detector sets it.
        level_std_rad: of the horizon, the same for both edges.
    """

    top_rad: float
    foot_rad: float
    middle_rad: float
    edge_std_rad: float
    level_std_rad: float


def upright_box(
    box_px: Array, camera: CameraModel, level_from_camera: Array, *, middle_rad: float, level_std_rad: float
) -> UprightBox | None:
    """A box (4,) of the picture as tilts; None where the picture cuts it off, or its lens does not see its edges.

    Args:
        box_px: by its corners.
        camera: that took the picture.
        level_from_camera: (3, 3) its orientation then.
        middle_rad: tilt of the place whose range is wanted.
        level_std_rad: of the horizon.
    """
    limits_px = camera.size_px - _WHOLE_MARGIN_PX
    if not ((box_px[:2] >= _WHOLE_MARGIN_PX).all() and (box_px[2:] <= limits_px).all()):
        return None
    middle_px = (box_px[0] + box_px[2]) / 2.0
    ends_px = np.array([[middle_px, box_px[1]], [middle_px, box_px[3]]])
    top, foot = bearings_of_pixels(ends_px, camera, level_from_camera)[:, 1].tolist()
    if not math.isfinite(top + foot):
        return None
    edge_std = math.hypot(_EDGE_SHARE * (foot - top), _EDGE_PX / camera.focal_y_px)
    return UprightBox(top, foot, middle_rad, edge_std, level_std_rad)


def by_height(box: UprightBox, height_m: float, height_std_m: float) -> tuple[float, float] | None:
    """Range of the middle and its standard deviation, m, of an object so tall; None where the box does not tell."""
    if not _is_upright(box):
        return None
    extent = math.tan(box.foot_rad) - math.tan(box.top_rad)
    distance = height_m / extent
    # dD/db = -D sec^2 b / extent, dD/dt = D sec^2 t / extent; a wrong horizon moves both.
    by_foot, by_top = _slope(box.foot_rad) / extent, _slope(box.top_rad) / extent
    share = math.hypot(
        height_std_m / height_m,
        by_foot * box.edge_std_rad,
        by_top * box.edge_std_rad,
        (by_foot - by_top) * box.level_std_rad,
    )
    return _ranged(box, distance, share)


def by_ground(box: UprightBox, camera_height_m: float, camera_height_std_m: float) -> tuple[float, float] | None:
    """The same of an object that stands on the level ground, so far below the camera."""
    if not _is_upright(box) or box.foot_rad <= 0.0:
        return None
    tangent = math.tan(box.foot_rad)
    by_foot = _slope(box.foot_rad) / tangent
    share = math.hypot(camera_height_std_m / camera_height_m, by_foot * box.edge_std_rad, by_foot * box.level_std_rad)
    return _ranged(box, camera_height_m / tangent, share)


def _ranged(box: UprightBox, distance_m: float, share: float) -> tuple[float, float] | None:
    range_m = distance_m / math.cos(box.middle_rad)
    return (range_m, share * range_m) if share <= _LEAST_KNOWN else None


def _is_upright(box: UprightBox) -> bool:
    return -STEEPEST_RAD < box.top_rad < box.foot_rad < STEEPEST_RAD


def _slope(tilt_rad: float) -> float:
    """Of the tangent."""
    return 1.0 / math.cos(tilt_rad) ** 2
