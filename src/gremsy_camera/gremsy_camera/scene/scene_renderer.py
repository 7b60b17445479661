# SPDX-License-Identifier: Apache-2.0
"""Draws what the simulated camera sees of the scene: one perspective warp, 2.5 ms for 640x480 on one core."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_camera.scene.scene import Array, SceneGeometry, View

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
