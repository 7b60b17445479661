# SPDX-License-Identifier: Apache-2.0
"""How the camera's own turning and zooming moved the image between two stamps: by telemetry, else by the images.

Which camera model (zoom included) each image was taken with is remembered here too.

Where things that stand still went in the image because the camera turned or zoomed: K R K^-1, or by their rays.

A camera that only rotates (a gimbal is close enough to that) maps one image into the next by a homography made of the
two intrinsic matrices and the rotation between (Hartley & Zisserman, section 8.4.2). Telemetry gives the rotation in
microseconds and does not care for texture, so the camera's own motion is never mistaken for the target's. A distorted
lens bends that map: there each pixel's ray is turned (a fisheye's would else go 25 % too far half a radian off axis).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gremsy_common.geometry import CAMERA_FROM_OPTICAL, Array
from gremsy_common.timing.timed_history import TimedHistory
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.frame import Frame
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.tracking.box_filter import BoxStates
from gremsy_tracker.tracking.visual_ego_motion import VisualEgoMotion

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


# Changes, not messages, are kept: a zoom in motion changes the model 30 times a second, images are at most 0.8 s old.
_KEEP = 64


class CameraMotion:
    """The camera's models, and its motion.

    Args:
        parameters: `ego_motion` and `visual_ego_motion`.
        attitude_at: (3, 3) where the camera looked at a time, None where that is not known.
    """

    def __init__(self, parameters: TrackerParameters, attitude_at: Callable[[int], Array | None]) -> None:
        self.parameters = parameters
        self._attitude_at = attitude_at
        self._cameras: TimedHistory[CameraModel] = TimedHistory(most=_KEEP)  # by the stamp from which each was valid
        self._visual = VisualEgoMotion()
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> Counter[str]:
        """What was dropped, and how often the motion came from the images, by reason."""
        return self._counts + self._visual.dropped

    def clear(self) -> None:
        """The clock was set: of the models only the newest is kept, and is valid for every time."""
        newest = self._cameras.newest
        self._cameras.clear()
        if newest is not None:
            self._cameras.put(0, newest)
        self._visual.clear()

    def offer_model(self, stamp_ns: int, model: CameraModel) -> None:
        """Intrinsics (zoom included) of the image of that stamp; those of an uncalibrated camera are only counted."""
        if not model.usable:
            self._counts['camera_models_unusable'] += 1
            return
        self._cameras.forget_after(stamp_ns)  # a clock that jumped back
        if self._cameras.newest != model:
            self._cameras.put(stamp_ns, model)

    def offer_frame(self, frame: Frame) -> None:
        """An image, while `visual_ego_motion` is on."""
        if self.parameters.visual_ego_motion:
            self._visual.offer(frame.stamp_ns, frame.image)

    def camera_at(self, stamp_ns: int) -> CameraModel | None:
        """The model valid at that time (the oldest one known, for an earlier time); None before the first."""
        earlier, later = self._cameras.around(stamp_ns)
        return earlier or later

    def by_telemetry(self, before_ns: int, camera: CameraModel | None, attitude: Array | None) -> ImageMotion | None:
        """From the image of that stamp to the one taken with this camera at this attitude; None if unknown."""
        camera_before = self.camera_at(before_ns)
        if camera is None or camera_before is None or not self.parameters.ego_motion:
            return None
        # Looked up again for the earlier image: telemetry that came since makes it interpolated, not extrapolated.
        attitude_before = self._attitude_at(before_ns)
        if attitude is None or attitude_before is None:
            # How the camera turned is not known, but a stream that changed its size has moved every box.
            resized = (camera.width, camera.height) != (camera_before.width, camera_before.height)
            return motion_between(camera_before, np.eye(3), camera, np.eye(3)) if resized else None
        return motion_between(camera_before, attitude_before, camera, attitude)

    def by_images(self, before_ns: int, after_ns: int, moving_boxes_px: Array | None) -> Array | None:
        """The same, (3, 3), from the images, where that is asked for: without it a turn of the camera loses the tracks.

        Args:
            before_ns: stamp of the earlier image.
            after_ns: stamp of the later one.
            moving_boxes_px: (N, 4) what may move by itself in the earlier one.
        """
        if not (self.parameters.ego_motion and self.parameters.visual_ego_motion):
            return None
        motion = self._visual.motion(before_ns, after_ns, moving_boxes_px)
        if motion is not None:
            self._counts['camera_motions_from_images'] += 1
        return motion
