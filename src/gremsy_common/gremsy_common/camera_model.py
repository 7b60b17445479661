# SPDX-License-Identifier: Apache-2.0
"""The pinhole camera with lens distortion: pixels to rays and back (Hartley & Zisserman, ch. 6; OpenCV's plumb_bob)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CameraModel:
    """Intrinsics at the present zoom.

    Pixels have (0, 0) at the corner of the top-left pixel, as design.md section 4 says; `focal_*_px`, `centre_*_px` are
    in the same pixels. `distortion` is OpenCV's k1, k2, p1, p2[, k3 ...], empty for none.
    """

    width: int
    height: int
    focal_x_px: float
    focal_y_px: float
    centre_x_px: float
    centre_y_px: float
    distortion: tuple[float, ...] = ()

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

    @property
    def matrix(self) -> Array:
        """K, (3, 3)."""
        return np.array(
            [[self.focal_x_px, 0.0, self.centre_x_px], [0.0, self.focal_y_px, self.centre_y_px], [0.0, 0.0, 1.0]]
        )

    @property
    def inverse_matrix(self) -> Array:
        """K^-1, (3, 3), in closed form: a general inverse takes ten times as long."""
        x, y = 1.0 / self.focal_x_px, 1.0 / self.focal_y_px
        return np.array([[x, 0.0, -self.centre_x_px * x], [0.0, y, -self.centre_y_px * y], [0.0, 0.0, 1.0]])

    @property
    def usable(self) -> bool:
        """False for an uncalibrated camera (CameraInfo with zero focal length) or one with non-finite numbers."""
        numbers = (self.focal_x_px, self.focal_y_px, self.centre_x_px, self.centre_y_px, *self.distortion)
        return all(map(math.isfinite, numbers)) and self.focal_x_px > 0 and self.focal_y_px > 0

    def zoomed(self, factor: float) -> CameraModel:
        """The same camera with its focal lengths multiplied by the zoom factor (> 0)."""
        return replace(self, focal_x_px=self.focal_x_px * factor, focal_y_px=self.focal_y_px * factor)

    def rays(self, points_px: ArrayLike) -> Array:
        """Undistorted unit rays (N, 3) in the optical frame (z forward) of pixels (N, 2)."""
        points = np.asarray(points_px, dtype=np.float64).reshape(-1, 2)
        if self.distortion and len(points):
            normalised = cv2.undistortPoints(points[:, None, :], self.matrix, np.array(self.distortion))[:, 0, :]
        else:
            centre = np.array([self.centre_x_px, self.centre_y_px])
            normalised = (points - centre) / np.array([self.focal_x_px, self.focal_y_px])
        rays = np.concatenate([normalised, np.ones((len(points), 1))], axis=1)
        return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))

    def pixels(self, rays: ArrayLike) -> Array:
        """Pixels (N, 2) of rays (N, 3) in the optical frame; NaN for a ray that does not point forward."""
        directions = np.asarray(rays, dtype=np.float64).reshape(-1, 3)
        forward = directions[:, 2] > 1e-9
        safe = np.where(forward[:, None], directions, [0.0, 0.0, 1.0])
        if self.distortion and len(safe):
            zero = np.zeros(3)
            projected, _ = cv2.projectPoints(safe[:, None, :], zero, zero, self.matrix, np.array(self.distortion))
            points = projected[:, 0, :]
        else:
            points = safe[:, :2] / safe[:, 2:] * [self.focal_x_px, self.focal_y_px]
            points = points + np.array([self.centre_x_px, self.centre_y_px])
        return np.asarray(np.where(forward[:, None], points, np.nan))
