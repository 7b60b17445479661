# SPDX-License-Identifier: Apache-2.0
"""A camera and its lens: pixels to rays and back.

The pinhole with distortion is Hartley & Zisserman's (ch. 6) with OpenCV's coefficients, the fisheye is Kannala and
Brandt's as in cv2.fisheye: a ray at the angle a from the axis meets the image a (1 + k1 a^2 + k2 a^4 + k3 a^6 + k4 a^8)
focal lengths from its middle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike

from gremsy_common.geometry import Array

_UNDISTORTION = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-10)
# An iteration that converged comes back to a millionth of a pixel.
_SAME_PIXEL_PX = 0.1
# What drivers write: `fisheye` is OpenCV's own name, the thin prism is OpenCV's 12 or 14 coefficients.
_FISHEYES = ('equidistant', 'fisheye')
_PINHOLES = ('plumb_bob', 'rational_polynomial', 'thin_prism', '')
_PINHOLE_COEFFICIENTS = (4, 5, 8, 12, 14)
# As camera_calibration tells the two apart.
_PLUMB_BOBS = 5
# CameraInfo, calibration files and OpenCV count the centre of the first pixel as (0, 0); the suite counts its corner.
_HALF_PIXEL = 0.5
_CORNERS = np.array([[1.0, 0.0, _HALF_PIXEL], [0.0, 1.0, _HALF_PIXEL], [0.0, 0.0, 1.0]])


@dataclass(frozen=True)
class CameraModel:
    """Intrinsics at the present zoom. What follows from them is worked out once: every image asks for it.

    Pixels have (0, 0) at the corner of the top-left pixel, as design.md section 4 says; `focal_*_px`, `centre_*_px` are
    in the same pixels. `distortion` is OpenCV's k1, k2, p1, p2[, k3 ...], empty for none; of a `fisheye`, k1 to k4.

    `rectification` (R, 9 numbers, row by row) and `projection` (P, 12, in the same pixels) are those of the rectified
    picture that others make of this one (image_proc, stereo); nothing here uses them. Empty are the identity and K.
    """

    width: int
    height: int
    focal_x_px: float
    focal_y_px: float
    centre_x_px: float
    centre_y_px: float
    distortion: tuple[float, ...] = ()
    fisheye: bool = False
    rectification: tuple[float, ...] = ()
    projection: tuple[float, ...] = ()

    @classmethod
    def from_horizontal_field(cls, width: int, height: int, horizontal_field_rad: float) -> CameraModel:
        """An ideal camera with square pixels whose image spans the horizontal field of view."""
        if width <= 0 or height <= 0 or not 0.0 < horizontal_field_rad < math.pi:
            raise ValueError(
                f'No camera has {width}x{height} px and a horizontal field of {horizontal_field_rad} rad: '
                'give a positive size and a field between 0 and pi rad.'
            )
        focal = width / 2 / math.tan(horizontal_field_rad / 2)
        return cls(width, height, focal, focal, width / 2, height / 2)

    @classmethod
    def calibrated(
        cls,
        width: int,
        height: int,
        distortion_model: str,
        coefficients: Sequence[float],
        k: ArrayLike,
        r: ArrayLike = (),
        p: ArrayLike = (),
    ) -> CameraModel:
        """From what CameraInfo, camera_calibration and OpenCV write, whose (0, 0) is the first pixel's centre.

        Args:
            width: of the calibrated picture, px.
            height: likewise.
            distortion_model: as sensor_msgs names it.
            coefficients: of it.
            k: 9 numbers, row by row.
            r: 9 numbers; what is none (empty, of zeros, not finite) is left out.
            p: 12 numbers; likewise.

        Raises:
            ValueError: for a lens that is none, or another number of numbers in K; the text is the end of a sentence.
        """
        distortion, fisheye = lens_of(distortion_model, coefficients)
        matrix = np.asarray(k, dtype=np.float64).ravel()
        if matrix.size != 9:
            raise ValueError(f'has {matrix.size} numbers for a camera matrix, which has 9')
        model = cls(
            width,
            height,
            float(matrix[0]),
            float(matrix[4]),
            float(matrix[2]) + _HALF_PIXEL,
            float(matrix[5]) + _HALF_PIXEL,
            distortion,
            fisheye,
        )
        rectification, projection = (np.asarray(each, dtype=np.float64).ravel() for each in (r, p))
        if rectification.size == 9 and _given(rectification) and not np.array_equal(rectification, np.eye(3).ravel()):
            model = replace(model, rectification=tuple(rectification.tolist()))
        if projection.size == 12 and _given(projection):
            rows = projection.reshape(3, 4)
            if rows[:, 3].any() or not np.array_equal(rows[:, :3].ravel(), matrix):
                model = replace(model, projection=tuple((_CORNERS @ rows).ravel().tolist()))
        return model

    @property
    def matrices(self) -> tuple[Array, Array, Array]:
        """K (3, 3), R (3, 3) and P (3, 4) as `calibrated` takes them."""
        k = self.matrix - [[0.0, 0.0, _HALF_PIXEL], [0.0, 0.0, _HALF_PIXEL], [0.0, 0.0, 0.0]]
        r = np.array(self.rectification).reshape(3, 3) if self.rectification else np.eye(3)
        if not self.projection:
            return k, r, np.hstack([k, np.zeros((3, 1))])
        p = np.array(self.projection).reshape(3, 4)
        p[:2] -= _HALF_PIXEL * p[2]
        return k, r, p

    @property
    def distortion_model(self) -> str:
        """What sensor_msgs calls this lens's."""
        if self.fisheye:
            return _FISHEYES[0]
        return 'rational_polynomial' if len(self.distortion) > _PLUMB_BOBS else 'plumb_bob'

    @cached_property
    def size_px(self) -> Array:
        """(2,) width and height."""
        return _fixed([self.width, self.height])

    @cached_property
    def focal_px(self) -> Array:
        """(2,) both focal lengths."""
        return _fixed([self.focal_x_px, self.focal_y_px])

    @cached_property
    def centre_px(self) -> Array:
        """(2,) the principal point."""
        return _fixed([self.centre_x_px, self.centre_y_px])

    @cached_property
    def matrix(self) -> Array:
        """K, (3, 3)."""
        return _fixed(
            [[self.focal_x_px, 0.0, self.centre_x_px], [0.0, self.focal_y_px, self.centre_y_px], [0.0, 0.0, 1.0]]
        )

    @cached_property
    def inverse_matrix(self) -> Array:
        """K^-1, (3, 3), in closed form."""
        x, y = 1.0 / self.focal_x_px, 1.0 / self.focal_y_px
        return _fixed([[x, 0.0, -self.centre_x_px * x], [0.0, y, -self.centre_y_px * y], [0.0, 0.0, 1.0]])

    @property
    def usable(self) -> bool:
        """False for an uncalibrated camera (CameraInfo with zero focal length) or one with non-finite numbers."""
        numbers = (self.focal_x_px, self.focal_y_px, self.centre_x_px, self.centre_y_px, *self.distortion)
        return all(map(math.isfinite, numbers)) and self.focal_x_px > 0 and self.focal_y_px > 0

    def zoomed(self, factor: float) -> CameraModel:
        """The same camera with its focal lengths multiplied by the zoom factor (> 0)."""
        if factor == 1.0:
            return self
        projection = self.projection
        if projection:
            # Focal lengths, and what a baseline is multiplied by them; the middle stays.
            scaled = [each * factor for each in projection]
            projection = (*scaled[:2], projection[2], *scaled[3:6], projection[6], scaled[7], *projection[8:])
        return replace(
            self, focal_x_px=self.focal_x_px * factor, focal_y_px=self.focal_y_px * factor, projection=projection
        )

    def cut(self, x_px: float, y_px: float, width_px: float, height_px: float, width: int, height: int) -> CameraModel:
        """The camera of a picture that shows a part of this one's, perhaps in another size.

        Args:
            x_px: where in this picture the part begins.
            y_px: likewise.
            width_px: its size there.
            height_px: likewise.
            width: of the picture that it became, px.
            height: likewise.
        """
        across, down = width / width_px, height / height_px
        projection = self.projection
        if projection:
            rows = np.array(projection).reshape(3, 4)
            rows[0] -= x_px * rows[2]
            rows[1] -= y_px * rows[2]
            rows *= [[across], [down], [1.0]]
            projection = tuple(rows.ravel().tolist())
        return replace(
            self,
            width=width,
            height=height,
            focal_x_px=self.focal_x_px * across,
            focal_y_px=self.focal_y_px * down,
            centre_x_px=(self.centre_x_px - x_px) * across,
            centre_y_px=(self.centre_y_px - y_px) * down,
            projection=projection,
        )

    @property
    def distorted(self) -> bool:
        """Whether some pixels may have no ray."""
        return self.fisheye or bool(self.distortion)

    @cached_property
    def horizontal_field_rad(self) -> float:
        """Angle that the image's width spans, through its principal point."""
        edges = self.rays([[0.0, self.centre_y_px], [self.width, self.centre_y_px]])
        if np.isfinite(edges).all():
            return math.atan2(float(np.linalg.norm(np.cross(*edges))), float(edges[0] @ edges[1]))
        # A fisheye that sees beyond 90 degrees, or a calibration that does not hold at the edge.
        spread = self.width / 2 / self.focal_x_px
        return min(2 * spread, math.pi) if self.fisheye else 2 * math.atan(spread)

    def rays(self, points_px: ArrayLike) -> Array:
        """Undistorted unit rays (N, 3), as `directions`."""
        rays = self.directions(points_px)
        return np.asarray(rays / np.sqrt((rays * rays).sum(axis=1, keepdims=True)))

    def directions(self, points_px: ArrayLike) -> Array:
        """(N, 3) undistorted, with z = 1, in the optical frame (z forward), of pixels (N, 2).

        NaN for a pixel of a distorted camera that no ray less than 90 degrees from the axis meets.
        """
        points = np.asarray(points_px, dtype=np.float64).reshape(-1, 2)
        if self.distorted and len(points):
            normalised = self._undistorted(points)
        else:
            normalised = (points - self.centre_px) / self.focal_px
        directions = np.ones((len(points), 3))
        directions[:, :2] = normalised
        return directions

    def pixels(self, rays: ArrayLike) -> Array:
        """Pixels (N, 2) of rays (N, 3) in the optical frame; NaN for a ray that does not point forward."""
        directions = np.asarray(rays, dtype=np.float64).reshape(-1, 3)
        forward = directions[:, 2] > 1e-9
        is_seen = bool(forward.all())
        safe = directions if is_seen else np.where(forward[:, None], directions, [0.0, 0.0, 1.0])
        if self.distorted and len(safe):
            points = self._distorted(safe)
        else:
            points = safe[:, :2] / safe[:, 2:] * self.focal_px + self.centre_px
        return np.asarray(points if is_seen else np.where(forward[:, None], points, np.nan))

    def _distorted(self, directions: Array) -> Array:
        """Pixels (N, 2) of directions (N, 3) that point forward."""
        zero, coefficients = np.zeros(3), self._coefficients()
        project = cv2.fisheye.projectPoints if self.fisheye else cv2.projectPoints
        projected = project(directions[:, None, :], zero, zero, self.matrix, coefficients)[0]
        return np.asarray(projected[:, 0, :], dtype=np.float64)

    def _undistorted(self, points: Array) -> Array:
        """(N, 2) where rays meet the plane at z = 1; NaN where the solution does not lead back to the pixel.

        Beyond the field that the coefficients hold for, OpenCV answers with any number (4.14: a fisheye's pixel right
        of the middle comes back left of it), so every answer is projected again.
        """
        shaped, coefficients = points[:, None, :], self._coefficients()
        if self.fisheye:
            solved = cv2.fisheye.undistortPoints(shaped, self.matrix, coefficients)
        else:
            # undistortPoints does five rounds: a corner with k1 = -0.4 is then off by 19 px.
            solved = cv2.undistortPointsIter(shaped, self.matrix, coefficients, np.eye(3), np.eye(3), _UNDISTORTION)
        plane = np.asarray(solved[:, 0, :], dtype=np.float64)
        back = self._distorted(np.concatenate([plane, np.ones((len(plane), 1))], axis=1))
        with np.errstate(invalid='ignore'):
            good = np.hypot(*(back - points).T) < _SAME_PIXEL_PX
        return np.where(good[:, None], plane, np.nan)

    def _coefficients(self) -> Array:
        return np.array(self.distortion or (0.0,) * 4)


def _fixed(numbers: ArrayLike) -> Array:
    array = np.array(numbers, dtype=np.float64)
    array.flags.writeable = False
    return array


def _given(numbers: Array) -> bool:
    return bool(np.isfinite(numbers).all() and numbers.any())


def lens_of(distortion_model: str, coefficients: Sequence[float]) -> tuple[tuple[float, ...], bool]:
    """`distortion` and `fisheye` of a lens as ROS names it (sensor_msgs/distortion_models.hpp).

    Raises:
        ValueError: for a model or a number of coefficients that is none; the text is the end of a sentence.
    """
    distortion = tuple(map(float, coefficients))
    if distortion_model in _FISHEYES:
        if len(distortion) not in (0, 4):
            raise ValueError(f'has {len(distortion)} coefficients of a fisheye ({distortion_model}), which has 4')
        return distortion or (0.0,) * 4, True
    if not any(distortion):
        return (), False
    if distortion_model not in _PINHOLES:
        known = ', '.join(name for name in (*_PINHOLES, *_FISHEYES) if name)
        raise ValueError(f"has the distortion model '{distortion_model}', and known are {known}")
    if len(distortion) not in _PINHOLE_COEFFICIENTS:
        raise ValueError(f'has {len(distortion)} coefficients of distortion, and OpenCV knows 4, 5, 8, 12 or 14')
    return distortion, False
