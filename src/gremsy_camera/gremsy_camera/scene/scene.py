# SPDX-License-Identifier: Apache-2.0
"""The simulated world: footage pixels, bearings from the payload and camera pixels, and the picture of a view.

The footage hangs on a distant plane around the payload, square to azimuth 0, tilt 0, and its width subtends 72 degrees
(design.md section 7). It is therefore itself the image of an ideal camera looking along the level frame's x axis, and
one homography takes the pixels of any view to it (Hartley & Zisserman, section 8.4: cameras with one centre).

Bearings are (azimuth left +, tilt down +) in rad, pixels count the top-left corner as (0, 0): see
`gremsy_common.geometry` and `gremsy_common.types.camera_model`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from gremsy_common.geometry import CAMERA_FROM_OPTICAL, bearing_from_direction, direction_from_bearing
from gremsy_common.types.camera_model import CameraModel

Array = NDArray[np.float64]

# design.md section 7: the footage spans +-36 degrees; a 768 px wide one then has 9.2 px per degree at its centre.
FOOTAGE_FIELD_RAD = math.radians(72.0)
CAMERA_WIDTH, CAMERA_HEIGHT, CAMERA_FIELD_RAD = 640, 480, math.radians(40.0)


@dataclass(frozen=True, slots=True)
class View:
    """Where the simulated camera looks: its optical axis, no roll, and its magnification (1.0 = widest)."""

    azimuth_rad: float
    tilt_rad: float
    zoom: float = 1.0


def simulated_camera() -> CameraModel:
    """The payload's camera at zoom 1: 640x480 px, 40 degrees wide, no distortion."""
    return CameraModel.from_horizontal_field(CAMERA_WIDTH, CAMERA_HEIGHT, CAMERA_FIELD_RAD)


@dataclass(frozen=True, slots=True)
class SceneGeometry:
    """The plane of one footage size, seen by one camera; every map is exact and vectorised over points.

    Attributes:
        footage: the ideal camera of which the footage is the image.
        camera: the simulated camera at zoom 1.
    """

    footage: CameraModel
    camera: CameraModel

    @classmethod
    def of(cls, footage_width: int, footage_height: int, camera: CameraModel | None = None) -> SceneGeometry:
        """The scene for footage of that size, pixels, seen by the payload's own camera unless another is given."""
        footage = CameraModel.from_horizontal_field(footage_width, footage_height, FOOTAGE_FIELD_RAD)
        return cls(footage, camera or simulated_camera())

    def camera_at(self, view: View) -> CameraModel:
        """The simulated camera's intrinsics at the view's zoom."""
        return self.camera.zoomed(view.zoom)

    def footage_from_camera(self, view: View) -> Array:
        """The homography (3, 3) from camera pixels to footage pixels.

        The third component of what it gives is the cosine to the plane's axis, up to a positive factor: where it is not
        positive the pixel looks away from the plane.
        """
        optical_from_level = CAMERA_FROM_OPTICAL.T
        footage_from_camera_rays = optical_from_level @ self.level_from_optical(view)
        return np.asarray(self.footage.matrix @ footage_from_camera_rays @ np.linalg.inv(self.camera_at(view).matrix))

    @staticmethod
    def level_from_optical(view: View) -> Array:
        """Rz(azimuth) Ry(tilt) and the change of axes, written out: by way of quaternions it takes 0.2 ms."""
        cos_azimuth, sin_azimuth = math.cos(view.azimuth_rad), math.sin(view.azimuth_rad)
        cos_tilt, sin_tilt = math.cos(view.tilt_rad), math.sin(view.tilt_rad)
        # Columns: where the image's right, its down and the optical axis point.
        return np.array(
            [
                [sin_azimuth, -cos_azimuth * sin_tilt, cos_azimuth * cos_tilt],
                [-cos_azimuth, -sin_azimuth * sin_tilt, sin_azimuth * cos_tilt],
                [0.0, -cos_tilt, -sin_tilt],
            ]
        )

    def bearing_from_footage_px(self, points_px: ArrayLike) -> Array:
        """(N, 2) azimuth and tilt of footage pixels (N, 2)."""
        return bearing_from_direction(self.footage.rays(points_px) @ CAMERA_FROM_OPTICAL.T)

    def footage_px_from_bearing(self, bearings_rad: ArrayLike) -> Array:
        """Footage pixels (N, 2) of bearings (N, 2); NaN for one that never meets the plane."""
        bearings = np.asarray(bearings_rad, dtype=np.float64).reshape(-1, 2)
        return self.footage.pixels(direction_from_bearing(bearings[:, 0], bearings[:, 1]) @ CAMERA_FROM_OPTICAL)

    def camera_px_from_bearing(self, bearings_rad: ArrayLike, view: View) -> Array:
        """Camera pixels (N, 2) of bearings (N, 2) in a view; NaN behind the camera, else also outside the image."""
        bearings = np.asarray(bearings_rad, dtype=np.float64).reshape(-1, 2)
        directions = direction_from_bearing(bearings[:, 0], bearings[:, 1])
        return self.camera_at(view).pixels(directions @ self.level_from_optical(view))

    def bearing_from_camera_px(self, points_px: ArrayLike, view: View) -> Array:
        """(N, 2) azimuth and tilt of camera pixels (N, 2) in a view."""
        return bearing_from_direction(self.camera_at(view).rays(points_px) @ self.level_from_optical(view).T)

    def camera_px_from_footage_px(self, points_px: ArrayLike, view: View) -> Array:
        """Camera pixels (N, 2) of footage pixels (N, 2) in a view; NaN behind the camera."""
        return self.camera_px_from_bearing(self.bearing_from_footage_px(points_px), view)

    def footage_px_from_camera_px(self, points_px: ArrayLike, view: View) -> Array:
        """Footage pixels (N, 2) of camera pixels (N, 2) in a view; NaN for one that never meets the plane."""
        return self.footage_px_from_bearing(self.bearing_from_camera_px(points_px, view))


Pixels = NDArray[np.uint8]

# A dim wall with a grid around the footage: its edge is visible, and it looks like nothing that a detector knows.
_WALL_BGR, _GRID_BGR = (38, 36, 34), (48, 46, 44)
_GRID_STEP_PX = 48
# Share of the footage's width and height that the grid goes on at each side; the wall is plain beyond, from 47 degrees.
_MARGIN_SHARE = 0.25
_CELL_PX = 8
# Cosine to the plane's axis below which a pixel sees nothing: 89.9 degrees off, where the plane is 570 widths away.
_LEAST_AHEAD = 0.002
# Far outside any canvas, and inside the 16 bits that OpenCV's maps have.
_INFINITY_PX = 30_000.0


class SceneRenderer:
    """Renders views of one scene.

    A canvas is the plane's picture: the footage frame with the grid around it. `warpPerspective` computes its map pixel
    by pixel, which is half of its time; here every eighth point of the map is computed and `resize` fills in the rest,
    less than 0.02 px off. `resize` and `remap`, nearly all of the time, release the GIL.
    """

    def __init__(self, geometry: SceneGeometry) -> None:
        self._geometry = geometry
        self._margin_x = round(geometry.footage.width * _MARGIN_SHARE)
        self._margin_y = round(geometry.footage.height * _MARGIN_SHARE)
        # The middles of cells that cover the image and one cell more on each side, where `resize` does not interpolate.
        camera = geometry.camera
        self._cells_across = -(-camera.width // _CELL_PX) + 2
        self._cells_down = -(-camera.height // _CELL_PX) + 2
        x_px, y_px = np.meshgrid(
            (np.arange(self._cells_across) - 0.5) * _CELL_PX, (np.arange(self._cells_down) - 0.5) * _CELL_PX
        )
        self._cell_middles_px = np.stack([x_px, y_px, np.ones_like(x_px)], axis=-1)
        # OpenCV counts the centre of the first pixel as (0, 0), the geometry its corner.
        self._canvas_from_footage = _shift(self._margin_x - 0.5, self._margin_y - 0.5)
        # Kept from view to view: fresh pages for 2.6 MB would cost 0.4 ms a view.
        size = (self._cells_down * _CELL_PX, self._cells_across * _CELL_PX, 2)
        self._padded_map = np.empty(size, dtype=np.float32)

    def new_canvas(self) -> Pixels:
        """The empty wall, (height, width, 3) uint8."""
        width = self._geometry.footage.width + 2 * self._margin_x
        height = self._geometry.footage.height + 2 * self._margin_y
        canvas = np.empty((height, width, 3), dtype=np.uint8)
        canvas[:] = _WALL_BGR
        canvas[::_GRID_STEP_PX] = canvas[:, ::_GRID_STEP_PX] = _GRID_BGR
        return canvas

    def hang(self, canvas: Pixels, footage: Pixels) -> None:
        """Put a footage frame, (height, width, 3) BGR, into the canvas in place of the one before."""
        height, width = footage.shape[:2]
        canvas[self._margin_y : self._margin_y + height, self._margin_x : self._margin_x + width] = footage

    def render(self, canvas: Pixels, view: View) -> Pixels:
        """The view as a fresh (height, width, 3) uint8 BGR array of the camera's size."""
        camera = self._geometry.camera
        canvas_from_camera = self._canvas_from_footage @ self._geometry.footage_from_camera(view)
        points = self._cell_middles_px @ canvas_from_camera.T
        ahead = points[..., 2:]
        # A pixel that looks away from the plane would show it mirrored. It goes to infinity on its own side, so that
        # what is interpolated between two cells at infinity does not sweep across the canvas.
        coarse = np.where(
            ahead > _LEAST_AHEAD,
            points[..., :2] / np.maximum(ahead, _LEAST_AHEAD),
            np.copysign(_INFINITY_PX, points[..., :2]),
        )
        coarse = np.clip(coarse, -_INFINITY_PX, _INFINITY_PX).astype(np.float32)
        cv2.resize(coarse, self._padded_map.shape[1::-1], dst=self._padded_map, interpolation=cv2.INTER_LINEAR)
        image = cv2.remap(
            canvas,
            self._padded_map[_CELL_PX : _CELL_PX + camera.height, _CELL_PX : _CELL_PX + camera.width],
            np.empty(0, dtype=np.float32),  # both coordinates are in the first map
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=_WALL_BGR,
        )
        return np.asarray(image, dtype=np.uint8)


def _shift(x_px: float, y_px: float) -> Array:
    return np.array([[1.0, 0.0, x_px], [0.0, 1.0, y_px], [0.0, 0.0, 1.0]])
