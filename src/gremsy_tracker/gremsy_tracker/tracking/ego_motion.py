# SPDX-License-Identifier: Apache-2.0
"""Where things that stand still went in the image because the camera turned or zoomed: K R K^-1.

A camera that only rotates (a gimbal is close enough to that) maps one image into the next by a homography made of the
two intrinsic matrices and the rotation between (Hartley & Zisserman, section 8.4.2). Telemetry gives the rotation in
microseconds and does not care for texture, so the camera's own motion is never mistaken for the target's. Lens
distortion is left out: it changes the *difference* between two images of a small rotation by far less than a box
jitters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import CAMERA_FROM_OPTICAL
from gremsy_common.types.camera_model import CameraModel
from gremsy_tracker.tracking.box_filter import BoxStates

Array = NDArray[np.float64]


def homography(
    before: CameraModel, level_from_camera_before: Array, after: CameraModel, level_from_camera_after: Array
) -> Array:
    """(3, 3): homogeneous pixels of the image before to those of the image after, for far things that stand still.

    Args:
        before: the camera (zoom included) of the earlier image.
        level_from_camera_before: (3, 3) its orientation at that image's stamp.
        after: the camera of the later image.
        level_from_camera_after: (3, 3) its orientation at that one's stamp.
    """
    camera_after_from_before = level_from_camera_after.T @ level_from_camera_before
    optical_after_from_before = CAMERA_FROM_OPTICAL.T @ camera_after_from_before @ CAMERA_FROM_OPTICAL
    return np.asarray(after.matrix @ optical_after_from_before @ before.inverse_matrix)


def move_points(points_px: Array, after_from_before: Array) -> tuple[Array, Array]:
    """Points (N, 2) through a homography, and the Jacobians (N, 2, 2) there; NaN for what is behind the camera."""
    homogeneous = points_px @ after_from_before[:, :2].T + after_from_before[:, 2]
    depth = np.where(homogeneous[:, 2:] > 1e-9, homogeneous[:, 2:], np.nan)
    moved = homogeneous[:, :2] / depth
    jacobian = (after_from_before[None, :2, :2] - moved[:, :, None] * after_from_before[None, 2:, :2]) / depth[
        ..., None
    ]
    return moved, jacobian


def move_boxes(boxes_px: Array, after_from_before: Array) -> Array:
    """Boxes (N, 4) by their corners through a homography, each an upright box again."""
    centres = (boxes_px[:, :2] + boxes_px[:, 2:]) / 2
    moved, jacobian = move_points(centres, after_from_before)
    half = np.linalg.norm(jacobian, axis=1) * (boxes_px[:, 2:] - boxes_px[:, :2]) / 2
    return np.concatenate([moved - half, moved + half], axis=1)


def move_states(states: BoxStates, after_from_before: Array) -> None:
    """Move box filters in place: centres by the homography, velocities and sizes by its local scale and turn.

    A box that would come to lie behind the camera (a jump of the telemetry, or a very wide field) stays where it is.
    """
    if not len(states):
        return
    moved, jacobian = move_points(states.position[:, :2], after_from_before)
    good = np.isfinite(moved[:, 0])
    scale = np.sqrt((jacobian * jacobian).sum(axis=1))  # (n, 2): lengths to which a unit step in x and in y is mapped
    velocity = (jacobian @ states.velocity[:, :2, None])[:, :, 0]
    if not good.all():
        moved, velocity = (
            np.where(good[:, None], moved, states.position[:, :2]),
            np.where(good[:, None], velocity, states.velocity[:, :2]),
        )
        scale = np.where(good[:, None], scale, 1.0)
    states.position[:, :2] = moved
    states.position[:, 2:] *= scale
    states.velocity[:, :2] = velocity
    states.velocity[:, 2:] *= scale
    states.kept[2:] *= np.concatenate([scale, scale], axis=1) ** 2
