# SPDX-License-Identifier: Apache-2.0
"""Where things that stand still went in the image because the camera turned or zoomed: K R K^-1, or by their rays.

A camera that only rotates (a gimbal is close enough to that) maps one image into the next by a homography made of the
two intrinsic matrices and the rotation between (Hartley & Zisserman, section 8.4.2). Telemetry gives the rotation in
microseconds and does not care for texture, so the camera's own motion is never mistaken for the target's. A distorted
lens bends that map: there each pixel's ray is turned (a fisheye's would else go 25 % too far half a radian off axis).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import CAMERA_FROM_OPTICAL
from gremsy_common.types.camera_model import CameraModel
from gremsy_tracker.tracking.box_filter import BoxStates

Array = NDArray[np.float64]

# The half-width of the differences that the Jacobian of a lens is taken by: far above the solver's 1e-6 px, and far
# below what a lens bends.
_STEP_PX = 0.5
_STEPS = np.array([[0.0, 0.0], [_STEP_PX, 0.0], [-_STEP_PX, 0.0], [0.0, _STEP_PX], [0.0, -_STEP_PX]])


@dataclass(frozen=True, slots=True, eq=False)
class LensMotion:
    """The motion of the image between two cameras of which one at least is distorted.

    Attributes:
        before: the camera (zoom included) of the earlier image.
        after: that of the later one.
        after_from_before: (3, 3) from the earlier optical frame to the later.
    """

    before: CameraModel
    after: CameraModel
    after_from_before: Array


ImageMotion = Array | LensMotion
"""Where what stands still went from one image to the next: a homography (3, 3) of pixels, or by way of the lens."""


def motion_between(
    before: CameraModel, level_from_camera_before: Array, after: CameraModel, level_from_camera_after: Array
) -> ImageMotion:
    """As `homography`, and right for any lens."""
    if not (before.distorted or after.distorted):
        return homography(before, level_from_camera_before, after, level_from_camera_after)
    return LensMotion(before, after, _optical_after_from_before(level_from_camera_before, level_from_camera_after))


def _optical_after_from_before(level_from_camera_before: Array, level_from_camera_after: Array) -> Array:
    camera_after_from_before = level_from_camera_after.T @ level_from_camera_before
    return np.asarray(CAMERA_FROM_OPTICAL.T @ camera_after_from_before @ CAMERA_FROM_OPTICAL)


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
    optical_after_from_before = _optical_after_from_before(level_from_camera_before, level_from_camera_after)
    return np.asarray(after.matrix @ optical_after_from_before @ before.inverse_matrix)


def move_points(points_px: Array, after_from_before: ImageMotion) -> tuple[Array, Array]:
    """Points (N, 2) where they went, and the Jacobians (N, 2, 2) there.

    NaN for what is behind the camera, and of a distorted one beyond what its calibration holds for.
    """
    if isinstance(after_from_before, LensMotion):
        return _move_by_rays(points_px, after_from_before)
    homogeneous = points_px @ after_from_before[:, :2].T + after_from_before[:, 2]
    depth = np.where(homogeneous[:, 2:] > 1e-9, homogeneous[:, 2:], np.nan)
    moved = homogeneous[:, :2] / depth
    jacobian = (after_from_before[None, :2, :2] - moved[:, :, None] * after_from_before[None, 2:, :2]) / depth[
        ..., None
    ]
    return moved, jacobian


def _move_by_rays(points_px: Array, motion: LensMotion) -> tuple[Array, Array]:
    around = (points_px[:, None, :] + _STEPS).reshape(-1, 2)
    rays = motion.before.rays(around) @ motion.after_from_before.T
    # Where a pixel has no ray, any direction behind the camera says so.
    rays = np.where(np.isfinite(rays), rays, [0.0, 0.0, -1.0])
    moved = motion.after.pixels(rays).reshape(-1, len(_STEPS), 2)
    along_x = (moved[:, 1] - moved[:, 2]) / (2 * _STEP_PX)
    along_y = (moved[:, 3] - moved[:, 4]) / (2 * _STEP_PX)
    jacobian = np.stack([along_x, along_y], axis=2)
    # Beside the edge of what the lens sees there is no slope.
    whole = np.asarray(np.isfinite(moved).all(axis=(1, 2)))
    return np.where(whole[:, None], moved[:, 0], np.nan), np.where(whole[:, None, None], jacobian, np.nan)


def move_boxes(boxes_px: Array, after_from_before: ImageMotion) -> Array:
    """Boxes (N, 4) where they went, by the slope in their middle, each an upright box again."""
    centres = (boxes_px[:, :2] + boxes_px[:, 2:]) / 2
    moved, jacobian = move_points(centres, after_from_before)
    half = np.linalg.norm(jacobian, axis=1) * (boxes_px[:, 2:] - boxes_px[:, :2]) / 2
    return np.concatenate([moved - half, moved + half], axis=1)


def move_states(states: BoxStates, after_from_before: ImageMotion) -> None:
    """Move box filters in place: centres by the motion, velocities and sizes by its local scale and turn.

    A box that would come to lie behind the camera (a jump of the telemetry, or a very wide field) or beyond its lens
    stays where it is.
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
    states.kept[2:5] *= np.concatenate([scale, scale], axis=1) ** 2
