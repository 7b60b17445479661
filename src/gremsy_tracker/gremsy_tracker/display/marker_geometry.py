# SPDX-License-Identifier: Apache-2.0
"""Lines for RViz, as plain arrays in the gimbal's level frame (x forward, y left, z up, origin at the camera)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import CAMERA_FROM_OPTICAL, direction_from_bearing
from gremsy_common.types.camera_model import CameraModel

Array = NDArray[np.float64]

# The rim of a cone: corners enough to look round.
_RIM = 24
_RIBS = 4
# A wider cone is no longer one: the target may be anywhere.
_WIDEST_RAD = 1.2


def bearing_rays(bearings_rad: Array, length_m: float) -> Array:
    """(N, 2, 3) start and end of rays along bearings (N, 2)."""
    ends = bearing_points(bearings_rad, length_m)
    return np.stack([np.zeros_like(ends), ends], axis=1)


def bearing_points(bearings_rad: Array, distance_m: float) -> Array:
    """(N, 3) the points at that distance along bearings (N, 2)."""
    points: Array = distance_m * direction_from_bearing(bearings_rad[:, 0], bearings_rad[:, 1])
    return points


def field_of_view(camera: CameraModel, level_from_camera: Array, length_m: float) -> Array:
    """(8, 2, 3) lines: four edges from the camera to the image's corners, then the four sides between the corners.

    Fewer where a corner is beyond what the lens sees.
    """
    width, height = float(camera.width), float(camera.height)
    corners_px = np.array([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]])
    corners = length_m * camera.rays(corners_px) @ (level_from_camera @ CAMERA_FROM_OPTICAL).T
    edges = np.stack([np.zeros_like(corners), corners], axis=1)
    sides = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
    lines = np.concatenate([edges, sides])
    return np.asarray(lines[np.isfinite(lines).all(axis=(1, 2))])


def uncertainty_cone(bearing_rad: Array, half_angles_rad: Array, length_m: float) -> Array:
    """(28, 2, 3) lines: the elliptic rim of a cone, then four ribs from the camera to it.

    Args:
        bearing_rad: (2,) azimuth and tilt of its axis.
        half_angles_rad: (2,) its half widths in azimuth and tilt; each is cut to 1.2 rad.
        length_m: from the camera to the rim, along any line.
    """
    azimuth, tilt = float(bearing_rad[0]), float(bearing_rad[1])
    turn = np.linspace(0.0, 2.0 * np.pi, _RIM, endpoint=False)
    # Half widths are of the bearing's own coordinates; azimuth grows narrow with the tilt's cosine.
    across = np.minimum(half_angles_rad * [np.cos(tilt), 1.0], _WIDEST_RAD)
    left, down = across[0] * np.cos(turn), across[1] * np.sin(turn)
    off = np.hypot(left, down)
    share = np.sinc(off / np.pi)  # sin(off) / off
    axis = direction_from_bearing(np.array([azimuth]), np.array([tilt]))[0]
    to_left = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    to_down = np.array([-np.cos(azimuth) * np.sin(tilt), -np.sin(azimuth) * np.sin(tilt), -np.cos(tilt)])
    rim = np.cos(off)[:, None] * axis + (share * left)[:, None] * to_left + (share * down)[:, None] * to_down
    rim *= length_m
    around = np.stack([rim, np.roll(rim, -1, axis=0)], axis=1)
    ends = rim[:: _RIM // _RIBS]
    return np.concatenate([around, np.stack([np.zeros_like(ends), ends], axis=1)])
