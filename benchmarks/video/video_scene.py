# SPDX-License-Identifier: Apache-2.0
"""What the simulated camera of the benchmark sees: a wall with dark doors, past which it pans at a steady rate.

Where the doors are in a picture follows from where the camera looked, so the boxes are true to a hundredth of a pixel,
and at 30 deg/s they move by 31 px from one picture to the next: a box of another picture is plainly beside its door.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_camera.scene.scene import Pixels, SceneGeometry, SceneRenderer, View
from gremsy_camera.trial import burned_clock
from gremsy_common.types.camera_model import CameraModel

WIDTH, HEIGHT, FIELD_RAD = 1280, 720, math.radians(40.0)
RATE_HZ = 30.0
PAN_RAD_S, SWING_RAD = math.radians(30.0), math.radians(25.0)
# In footage px; it hangs 72 degrees wide, so that one of its pixels is about one of the camera's.
_WALL_WIDTH, _WALL_HEIGHT = 2560, 1440
_DOOR_WIDTH, _DOOR_HEIGHT, _DOORS_APART = 120, 300, 290
# The doors are darker than anything else, and nothing is as bright as the ink of the boxes.
_DOOR_GREY, _DARKEST, _BRIGHTEST = 20, 70, 150


class PanningScene:
    """Pictures of the wall and the doors in them."""

    def __init__(self) -> None:
        self.camera = CameraModel.from_horizontal_field(WIDTH, HEIGHT, FIELD_RAD)
        self._geometry = SceneGeometry.of(_WALL_WIDTH, _WALL_HEIGHT, self.camera)
        self._renderer = SceneRenderer(self._geometry)
        self._canvas = self._renderer.new_canvas()
        middles = _WALL_WIDTH / 2 + _DOORS_APART * np.arange(-4, 5)
        top, bottom = _WALL_HEIGHT / 2 - _DOOR_HEIGHT / 2, _WALL_HEIGHT / 2 + _DOOR_HEIGHT / 2
        corners = [
            [(x, y) for x in (middle - _DOOR_WIDTH / 2, middle + _DOOR_WIDTH / 2) for y in (top, bottom)]
            for middle in middles
        ]
        self._corners_px = np.array(corners, dtype=np.float64)
        self._renderer.hang(self._canvas, self._wall())

    def render(self, azimuth_rad: float) -> Pixels:
        """The picture, (720, 1280, 3) BGR, writable."""
        return self._renderer.render(self._canvas, View(azimuth_rad, 0.0))

    def boxes(self, azimuth_rad: float) -> NDArray[np.float64]:
        """(N, 5): the number of each door that is wholly in the picture, and its box, x and y to x and y in px."""
        px = self._geometry.camera_px_from_footage_px(self._corners_px.reshape(-1, 2), View(azimuth_rad, 0.0))
        px = px.reshape(-1, 4, 2)
        boxes = np.concatenate([px.min(axis=1), px.max(axis=1)], axis=1)
        inside = (boxes[:, 0] > 1) & (boxes[:, 1] > 1) & (boxes[:, 2] < WIDTH - 1) & (boxes[:, 3] < HEIGHT - 1)
        return np.column_stack([np.flatnonzero(inside), boxes[inside]])

    def _wall(self) -> Pixels:
        """Coarse and fine stains of a fixed seed: an encoder has as much to do as with a picture of outdoors."""
        random = np.random.default_rng(14)
        wall = np.zeros((_WALL_HEIGHT, _WALL_WIDTH), np.float32)
        for cells, weight in ((8, 0.45), (40, 0.3), (160, 0.15), (640, 0.1)):
            stains = random.random((cells * 9 // 16, cells), dtype=np.float32)
            wall += weight * cv2.resize(stains, (_WALL_WIDTH, _WALL_HEIGHT), interpolation=cv2.INTER_CUBIC)
        wall = (wall - wall.min()) / (wall.max() - wall.min()) * (_BRIGHTEST - _DARKEST) + _DARKEST
        for (left, top), *_, (right, bottom) in self._corners_px.astype(int).tolist():
            wall[top:bottom, max(0, left) : max(0, right)] = _DOOR_GREY
        return np.repeat(wall.astype(np.uint8)[..., np.newaxis], 3, axis=2)


def azimuth_at(seconds: float) -> float:
    """Where the camera looks, to and fro at a steady rate, rad."""
    phase = PAN_RAD_S * seconds / SWING_RAD % 4.0
    return SWING_RAD * (phase if phase <= 1 else 2 - phase if phase <= 3 else phase - 4)


def burn(image: Pixels, time_us: int) -> None:
    """Write that time into the picture's upper left corner."""
    side = burned_clock.SIDE_PX
    luma = bytearray(side * side)
    burned_clock.draw(luma, side, time_us)
    image[:side, :side] = np.frombuffer(luma, np.uint8).reshape(side, side, 1)
