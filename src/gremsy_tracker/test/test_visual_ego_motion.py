# SPDX-License-Identifier: Apache-2.0
"""The camera's motion from images: right where they tell it, nothing where they do not."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from gremsy_common.geometry import matrix_from_quaternion, quaternion_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_tracker.tracking import camera_motion
from gremsy_tracker.tracking.visual_ego_motion import VisualEgoMotion

T0 = 10**18
STEP = 66_000_000
WIDTH, HEIGHT = 640, 480
CAMERA = CameraModel.from_horizontal_field(WIDTH, HEIGHT, math.radians(40.0))


def textured(seed: int = 1, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Patches of several sizes, as a street has."""
    random = np.random.default_rng(seed)
    picture = np.full((height, width), 120, dtype=np.uint8)
    for _ in range(250):
        x, y = random.integers(0, [width, height])
        size = random.integers(8, 80, 2)
        cv2.rectangle(picture, (int(x), int(y)), (int(x + size[0]), int(y + size[1])), int(random.integers(256)), -1)
    return cv2.GaussianBlur(picture, (0, 0), 1.0)


def warped(picture: np.ndarray, after_from_before: np.ndarray) -> np.ndarray:
    """The later picture; whatever comes into view was not there before."""
    # cv2 counts a pixel's middle as whole, the suite as half.
    half = np.array([[1.0, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    inside = np.linalg.inv(half) @ after_from_before @ half
    return cv2.warpPerspective(picture, inside, picture.shape[::-1], borderMode=cv2.BORDER_REFLECT)


def turned(azimuth: float, tilt: float, zoom: float = 1.0) -> np.ndarray:
    at_rest, after = (matrix_from_quaternion(quaternion_from_bearing(*each)) for each in ((0, 0), (azimuth, tilt)))
    return camera_motion.homography(CAMERA, at_rest, CAMERA.zoomed(zoom), after)


def asked(before: np.ndarray, after: np.ndarray, boxes: np.ndarray | None = None) -> tuple[np.ndarray | None, dict]:
    motion = VisualEgoMotion()
    assert motion.offer(T0, before)
    assert motion.offer(T0 + STEP, after)
    return motion.motion(T0, T0 + STEP, boxes), dict(motion.dropped)


def largest_error_px(found: np.ndarray, true: np.ndarray) -> float:
    """Over a grid of what is in both pictures."""
    grid = np.stack(np.meshgrid(np.linspace(20, 620, 13), np.linspace(20, 460, 10)), axis=-1).reshape(-1, 2)
    expected = camera_motion.move_points(grid, true)[0]
    inside = ((expected > 0) & (expected < [WIDTH, HEIGHT])).all(axis=1)
    return float(np.linalg.norm(camera_motion.move_points(grid, found)[0] - expected, axis=1)[inside].max())


@pytest.mark.parametrize(
    ('azimuth_deg', 'tilt_deg', 'zoom'),
    [(0, 0, 1.0), (0.3, -0.2, 1.0), (3.0, 0.5, 1.0), (-2.0, 1.0, 1.08), (0, 0, 0.9)],
)
@pytest.mark.parametrize('seed', [1, 3])
def test_a_turn_and_zoom_is_found_to_half_a_pixel(azimuth_deg: float, tilt_deg: float, zoom: float, seed: int) -> None:
    true = turned(math.radians(azimuth_deg), math.radians(tilt_deg), zoom)
    before = textured(seed)
    found, dropped = asked(before, warped(before, true))
    assert found is not None, dropped
    assert largest_error_px(found, true) < 0.5


def test_a_large_colour_picture_is_answered_in_its_own_pixels() -> None:
    before = textured(4, 1920, 1080)
    true = np.array([[1.0, 0, 37.0], [0, 1, -12.0], [0, 0, 1]])
    found, _ = asked(*(cv2.cvtColor(each, cv2.COLOR_GRAY2BGR) for each in (before, warped(before, true))))
    assert found is not None
    assert np.allclose(camera_motion.move_points(np.array([[960.0, 540]]), found)[0], [[997.0, 528]], atol=1.0)


def test_a_person_who_walks_before_a_still_camera_moves_nothing_when_masked() -> None:
    street, person = textured(5), textured(6, 260, 400)
    before, after = street.copy(), street.copy()
    before[40:440, 120:380] = person
    after[40:440, 150:410] = person
    found, dropped = asked(before, after, np.array([[120.0, 40, 380, 440]]))
    assert found is not None, dropped
    assert largest_error_px(found, np.eye(3)) < 0.5


def test_nothing_is_said_of_a_picture_without_texture() -> None:
    flat = np.full((HEIGHT, WIDTH), 90, dtype=np.uint8)
    assert asked(flat, flat) == (None, {'motion_too_little_texture': 1})
    noise = np.random.default_rng(1).normal(90, 1.5, (2, HEIGHT, WIDTH)).astype(np.uint8)
    found, dropped = asked(*noise)
    assert found is None
    assert sum(dropped.values()) == 1


def test_nothing_is_said_where_the_picture_has_no_more_to_do_with_the_one_before() -> None:
    found, dropped = asked(textured(7), textured(8))
    assert found is None
    assert dropped == {'motion_not_agreed_on': 1}


def test_texture_on_one_side_only_is_not_stretched_over_the_rest() -> None:
    before = np.full((HEIGHT, WIDTH), 90, dtype=np.uint8)
    before[:, :160] = textured(9)[:, :160]
    found, dropped = asked(before, warped(before, np.array([[1.0, 0, 4], [0, 1, 0], [0, 0, 1]])))
    assert found is None
    assert dropped == {'motion_from_one_side_only': 1}


def test_boxes_over_the_whole_picture_and_boxes_that_are_none_raise_nothing() -> None:
    before = textured(1)
    boxes = np.array([[-1e9, -1e9, 1e9, 1e9], [math.nan, 0, 1, 1], [50, 50, 20, 20]])
    assert asked(before, before, boxes) == (None, {'motion_too_little_texture': 1})


def test_late_images_odd_arrays_and_unknown_stamps_are_counted() -> None:
    motion = VisualEgoMotion()
    picture = textured()
    assert motion.offer(T0, picture)
    assert not motion.offer(T0, picture)
    assert not motion.offer(T0 - 1, picture)
    assert not motion.offer(T0 + 1, picture.astype(np.float64))  # type: ignore[arg-type]
    assert not motion.offer(T0 + 1, picture[:5, :5])
    assert motion.motion(T0, T0 + 1) is None
    assert dict(motion.dropped) == {'images_unsorted': 2, 'images_unusable': 2, 'motion_images_missing': 1}


def test_a_clock_that_jumps_back_and_a_picture_of_another_size_begin_anew() -> None:
    motion = VisualEgoMotion()
    picture = textured()
    motion.offer(T0, picture)
    assert motion.offer(T0 - 10**9, picture)
    assert motion.motion(T0 - 10**9, T0) is None
    motion.offer(T0, picture[:240])
    assert motion.motion(T0 - 10**9, T0) is None
    assert motion.dropped['motion_images_missing'] == 2


def test_the_answer_is_the_same_every_time() -> None:
    before = textured(2)
    after = warped(before, turned(0.02, 0.01))
    answers = [asked(before, after)[0] for _ in range(3)]
    assert all(each is not None and (each == answers[0]).all() for each in answers)
