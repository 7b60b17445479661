# SPDX-License-Identifier: Apache-2.0
"""The drawn view and the exact maps agree: what is painted at a footage pixel appears where the camera model says."""

import math

import cv2
import numpy as np
import pytest

from gremsy_camera.scene.scene import SceneGeometry, SceneRenderer, View, simulated_camera
from gremsy_common.geometry import (
    CAMERA_FROM_OPTICAL,
    bearing_from_direction,
    matrix_from_quaternion,
    quaternion_from_bearing,
)

VIEWS = [
    View(0.0, 0.0),
    View(0.3, 0.1),
    View(-0.45, 0.25),
    View(0.2, -0.3, zoom=2.0),
    View(-0.1, 0.05, zoom=6.0),
    View(0.5, 0.4, zoom=1.5),
]


@pytest.fixture
def geometry():
    return SceneGeometry.of(768, 576)


def test_footage_spans_72_degrees(geometry):
    edges = geometry.bearing_from_footage_px([[0.0, 288.0], [768.0, 288.0], [384.0, 288.0]])
    np.testing.assert_allclose(np.degrees(edges), [[36.0, 0.0], [-36.0, 0.0], [0.0, 0.0]], atol=1e-9)


def test_a_degree_at_the_centre_is_9_2_footage_pixels(geometry):
    left, right = geometry.footage_px_from_bearing(np.radians([[0.5, 0.0], [-0.5, 0.0]]))
    assert right[0] - left[0] == pytest.approx(9.22, abs=0.01)


def test_level_camera_sees_384_footage_pixels_of_the_width(geometry):
    edges = geometry.footage_px_from_camera_px([[0.0, 240.0], [640.0, 240.0]], View(0.0, 0.0))
    assert edges[1, 0] - edges[0, 0] == pytest.approx(384.8, abs=0.1)


def test_looking_left_and_down_moves_the_scene_right_and_up(geometry):
    centre = geometry.camera_px_from_footage_px([[384.0, 288.0]], View(0.1, 0.1))[0]
    assert centre[0] > 320.0 and centre[1] < 240.0


def test_optical_axis_of_every_view_is_its_bearing(geometry):
    for view in VIEWS:
        axis = geometry.bearing_from_camera_px([[320.0, 240.0]], view)[0]
        np.testing.assert_allclose(axis, [view.azimuth_rad, view.tilt_rad], atol=1e-12)


@pytest.mark.parametrize('view', VIEWS)
def test_the_rotation_written_out_is_that_of_the_bearing(view):
    level_from_camera = matrix_from_quaternion(quaternion_from_bearing(view.azimuth_rad, view.tilt_rad))
    expected = level_from_camera @ CAMERA_FROM_OPTICAL
    np.testing.assert_allclose(SceneGeometry.level_from_optical(view), expected, atol=1e-12)


@pytest.mark.parametrize('view', VIEWS)
def test_maps_between_camera_footage_and_bearing_are_inverse(geometry, view):
    points = np.random.default_rng(7).uniform([0.0, 0.0], [640.0, 480.0], (100, 2))
    there = geometry.footage_px_from_camera_px(points, view)
    np.testing.assert_allclose(geometry.camera_px_from_footage_px(there, view), points, atol=1e-8)


@pytest.mark.parametrize('view', VIEWS)
def test_homography_is_the_map_from_camera_to_footage(geometry, view):
    points = np.random.default_rng(8).uniform([0.0, 0.0], [640.0, 480.0], (50, 2))
    mapped = np.column_stack([points, np.ones(50)]) @ geometry.footage_from_camera(view).T
    np.testing.assert_allclose(
        mapped[:, :2] / mapped[:, 2:], geometry.footage_px_from_camera_px(points, view), atol=1e-8
    )


def test_a_bearing_behind_the_payload_is_nowhere_on_the_footage(geometry):
    behind = bearing_from_direction([[-1.0, 0.2, 0.0]])
    assert np.isnan(geometry.footage_px_from_bearing(behind)).all()


@pytest.mark.parametrize('view', VIEWS)
def test_a_painted_mark_appears_where_the_camera_model_predicts_it(geometry, view):
    renderer = SceneRenderer(geometry)
    canvas = renderer.new_canvas()
    wanted = np.array([[320.0, 240.0], [180.0, 130.0], [470.0, 350.0]])
    for mark_px in geometry.footage_px_from_camera_px(wanted, view):
        if not ((mark_px > 20.0) & (mark_px < [748.0, 556.0])).all():
            continue
        renderer.hang(canvas, _footage_with_mark(mark_px))
        seen = _centre_of_light(renderer.render(canvas, view))
        np.testing.assert_allclose(seen, geometry.camera_px_from_footage_px([mark_px], view)[0], atol=0.1)


def test_beyond_the_footage_is_a_dim_wall_with_a_grid(geometry):
    renderer = SceneRenderer(geometry)
    canvas = renderer.new_canvas()
    renderer.hang(canvas, np.full((576, 768, 3), 255, dtype=np.uint8))
    view = View(math.radians(36.0), 0.0)
    image = renderer.render(canvas, view)
    assert (image[:, 330:] == 255).all()
    assert image[:, :310].max() < 60
    assert len(np.unique(image[:, :310].reshape(-1, 3), axis=0)) > 1


@pytest.mark.parametrize('azimuth_deg', [60.0, 75.0, 100.0, 180.0, -80.0])
def test_nothing_of_the_footage_shows_in_a_view_that_misses_it(geometry, azimuth_deg):
    renderer = SceneRenderer(geometry)
    canvas = renderer.new_canvas()
    renderer.hang(canvas, np.full((576, 768, 3), 255, dtype=np.uint8))
    assert renderer.render(canvas, View(math.radians(azimuth_deg), 0.2)).max() < 60


def test_a_view_is_a_fresh_array_and_leaves_the_ones_before_alone(geometry):
    renderer = SceneRenderer(geometry)
    canvas = renderer.new_canvas()
    renderer.hang(canvas, np.full((576, 768, 3), 255, dtype=np.uint8))
    first = renderer.render(canvas, View(0.0, 0.0))
    before = first.copy()
    second = renderer.render(canvas, View(0.6, 0.0))
    assert not np.shares_memory(first, second)
    np.testing.assert_array_equal(first, before)
    assert first.shape == (480, 640, 3) and first.flags.c_contiguous


def test_camera_of_a_zoomed_view_has_its_focal_length_multiplied(geometry):
    assert geometry.camera_at(View(0.0, 0.0, zoom=3.0)).focal_x_px == pytest.approx(3 * simulated_camera().focal_x_px)
    assert simulated_camera().focal_x_px == pytest.approx(320 / math.tan(math.radians(20)))


def _footage_with_mark(centre_px):
    """A round spot of light whose centroid is exactly there, in pixels with (0, 0) the image's corner."""
    x, y = np.meshgrid(np.arange(768) + 0.5, np.arange(576) + 0.5)
    squared = (x - centre_px[0]) ** 2 + (y - centre_px[1]) ** 2
    light = 255.0 * np.exp(-squared / (2 * 2.5**2))
    return cv2.cvtColor(light.round().astype(np.uint8), cv2.COLOR_GRAY2BGR)


def _centre_of_light(image):
    light = image[:, :, 0].astype(np.float64)
    light[light < 60] = 0.0
    x, y = np.meshgrid(np.arange(light.shape[1]) + 0.5, np.arange(light.shape[0]) + 0.5)
    return np.array([(x * light).sum(), (y * light).sum()]) / light.sum()
