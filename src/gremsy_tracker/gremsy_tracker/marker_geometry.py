# SPDX-License-Identifier: Apache-2.0
"""Lines for RViz, as plain arrays in the gimbal's level frame (x forward, y left, z up, origin at the camera)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gremsy_common.camera_model import CameraModel
from gremsy_common.rotations import CAMERA_FROM_OPTICAL, direction_from_bearing

Array = NDArray[np.float64]


def bearing_rays(bearings_rad: Array, length_m: float) -> Array:
    """(N, 2, 3) start and end of rays along bearings (N, 2)."""
    ends = length_m * direction_from_bearing(bearings_rad[:, 0], bearings_rad[:, 1])
    return np.stack([np.zeros_like(ends), ends], axis=1)


def field_of_view(camera: CameraModel, level_from_camera: Array, length_m: float) -> Array:
    """(8, 2, 3) lines: four edges from the camera to the image's corners, then the four sides between the corners."""
    width, height = float(camera.width), float(camera.height)
    corners_px = np.array([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]])
    corners = length_m * camera.rays(corners_px) @ (level_from_camera @ CAMERA_FROM_OPTICAL).T
    edges = np.stack([np.zeros_like(corners), corners], axis=1)
    sides = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
    return np.concatenate([edges, sides])
