# SPDX-License-Identifier: Apache-2.0
"""Ranges by a box's edges, against OpenCV's own projection of things that stand in an invented world."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gremsy_common.types.camera_model import CameraModel
from gremsy_tracker.place.box_ranges import UprightBox, by_ground, by_height, upright_box

CAMERA = CameraModel.from_horizontal_field(1280, 720, math.radians(60.0))
MATRIX = np.array([[CAMERA.focal_x_px, 0.0, 640.0], [0.0, CAMERA.focal_y_px, 360.0], [0.0, 0.0, 1.0]])
TALL_M, CAMERA_M = 1.8, 12.0


def pixels(points_m: np.ndarray, level_from_camera: Rotation) -> np.ndarray:
    """(N, 2) by cv2.projectPoints of points (N, 3) in the level frame; optical axes are x right, y down, z forward."""
    optical_from_camera = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    turn, _ = cv2.Rodrigues(optical_from_camera @ level_from_camera.inv().as_matrix())
    found, _ = cv2.projectPoints(points_m, turn, np.zeros(3), MATRIX, None)
    # The suite's (0, 0) is the corner of the first pixel, its principal point the picture's middle; so is MATRIX's.
    return found.reshape(-1, 2)


def stood(distance_m: float, azimuth_rad: float, camera: Rotation) -> tuple[np.ndarray, np.ndarray]:
    """Box (4,) and middle (3,) of somebody who stands there, on ground 12 m below the camera."""
    foot = np.array([distance_m * math.cos(azimuth_rad), distance_m * math.sin(azimuth_rad), -CAMERA_M])
    top = foot + np.array([0.0, 0.0, TALL_M])
    (x0, y0), (x1, y1) = pixels(np.array([top, foot]), camera)
    middle_px = (x0 + x1) / 2
    return np.array([middle_px - 20.0, y0, middle_px + 20.0, y1]), (top + foot) / 2


@pytest.mark.parametrize('distance_m', [15.0, 30.0, 80.0])
@pytest.mark.parametrize('off_deg', [0.0, 5.0])
def test_known_height_and_ground_give_the_range_that_the_projection_was_made_with(
    distance_m: float, off_deg: float
) -> None:
    azimuth = 0.7
    tilt = math.atan2(CAMERA_M - 1.0, distance_m)
    camera = Rotation.from_euler('ZY', [azimuth + math.radians(off_deg), tilt])
    box_px, middle_m = stood(distance_m, azimuth, camera)
    true_m = float(np.linalg.norm(middle_m))
    middle_rad = math.asin(-middle_m[2] / true_m)
    box = upright_box(box_px, CAMERA, camera.as_matrix(), middle_rad=middle_rad, level_std_rad=0.001)
    assert box is not None
    height, ground = by_height(box, TALL_M, 0.1), by_ground(box, CAMERA_M, 0.1)
    assert height is not None and ground is not None
    # The box is upright in the picture and he is not quite, off the picture's middle.
    assert height[0] == pytest.approx(true_m, rel=1e-3 if off_deg == 0.0 else 0.02)
    assert ground[0] == pytest.approx(true_m, rel=1e-3 if off_deg == 0.0 else 0.02)


@pytest.mark.parametrize('by', ['height', 'ground'])
def test_the_standard_deviation_is_that_of_a_thousand_noisy_boxes(by: str) -> None:
    random = np.random.default_rng(5)
    edge, level, height_std, camera_std = 0.002, 0.001, 0.1, 0.4
    top, foot, middle = math.atan(10.2 / 40.0), math.atan(12.0 / 40.0), math.atan(11.1 / 40.0)

    def found(top_rad: float, foot_rad: float, tall: float, camera: float) -> tuple[float, float]:
        box = UprightBox(top_rad, foot_rad, middle, edge, level)
        told = by_height(box, tall, height_std) if by == 'height' else by_ground(box, camera, camera_std)
        assert told is not None
        return told

    drawn = []
    for _ in range(2000):
        horizon = random.normal(0.0, level)
        drawn.append(
            found(
                top + horizon + random.normal(0.0, edge),
                foot + horizon + random.normal(0.0, edge),
                TALL_M + random.normal(0.0, height_std),
                CAMERA_M + random.normal(0.0, camera_std),
            )[0]
        )
    range_m, std_m = found(top, foot, TALL_M, CAMERA_M)
    assert std_m == pytest.approx(float(np.std(drawn)), rel=0.1)
    assert range_m == pytest.approx(float(np.mean(drawn)), rel=0.02)


def test_what_does_not_tell_is_no_range() -> None:
    steep = UprightBox(math.radians(40.0), math.radians(51.0), math.radians(45.0), 0.001, 0.001)
    assert by_height(steep, TALL_M, 0.1) is None
    assert by_ground(steep, CAMERA_M, 0.1) is None
    above = UprightBox(-0.1, -0.01, -0.05, 0.001, 0.001)
    assert by_ground(above, CAMERA_M, 0.1) is None, 'its foot is above the horizon'
    tiny = UprightBox(0.1, 0.102, 0.101, 0.001, 0.001)
    assert by_height(tiny, TALL_M, 0.1) is None, 'its edges are as uncertain as it is tall'
    grazing = UprightBox(-0.01, 0.002, 0.0, 0.001, 0.003)
    assert by_ground(grazing, 1.5, 0.1) is None, 'the horizon is as uncertain as its foot is below it'


@pytest.mark.parametrize(
    ('name', 'box_px', 'whole'),
    [
        ('just inside', [2.0, 100.0, 60.0, 300.0], True),
        ('cut off at the left', [1.9, 100.0, 60.0, 300.0], False),
        ('just inside below', [100.0, 400.0, 160.0, 718.0], True),
        ('cut off below', [100.0, 400.0, 160.0, 718.1], False),
    ],
)
def test_a_box_that_the_picture_cuts_off_tells_nothing(name: str, box_px: list[float], whole: bool) -> None:
    box = upright_box(np.array(box_px), CAMERA, np.eye(3), middle_rad=0.0, level_std_rad=0.001)
    assert (box is not None) is whole, name
