# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gremsy_common.geometry import (
    CAMERA_FROM_OPTICAL,
    bearing_from_direction,
    direction_from_bearing,
    matrix_from_quaternion,
    multiply_quaternions,
    quaternion_from_bearing,
    quaternion_from_rotation_vector,
    wrap_angle,
)
from gremsy_common.types.camera_model import CameraModel, lens_of

azimuths = st.floats(-3.1, 3.1)
tilts = st.floats(-1.5, 1.5)


@given(azimuths, tilts)
def test_bearing_survives_the_way_through_a_direction(azimuth, tilt):
    assert bearing_from_direction(direction_from_bearing(azimuth, tilt)) == pytest.approx([azimuth, tilt], abs=1e-9)


@given(azimuths, tilts)
def test_level_camera_at_a_bearing_looks_along_it(azimuth, tilt):
    level_from_camera = matrix_from_quaternion(quaternion_from_bearing(azimuth, tilt))
    assert level_from_camera[:, 0] == pytest.approx(direction_from_bearing(azimuth, tilt), abs=1e-12)
    assert level_from_camera[2, 1] == pytest.approx(0.0, abs=1e-12)  # no roll: the left axis stays level


def test_positive_azimuth_is_left_and_positive_tilt_is_down():
    assert direction_from_bearing(math.pi / 2, 0.0) == pytest.approx([0, 1, 0], abs=1e-12)
    assert direction_from_bearing(0.0, math.pi / 2) == pytest.approx([0, 0, -1], abs=1e-12)


@given(st.lists(st.floats(-2, 2), min_size=6, max_size=6))
def test_quaternion_product_is_matrix_product(numbers):
    a = quaternion_from_rotation_vector(numbers[:3])
    b = quaternion_from_rotation_vector(numbers[3:])
    product = matrix_from_quaternion(multiply_quaternions(a, b))
    assert product == pytest.approx(matrix_from_quaternion(a) @ matrix_from_quaternion(b), abs=1e-12)


@given(st.floats(-100, 100))
def test_wrapped_angle_is_the_same_direction_within_half_a_turn(angle):
    wrapped = float(wrap_angle(angle))
    assert -math.pi <= wrapped < math.pi
    assert math.cos(wrapped) == pytest.approx(math.cos(angle), abs=1e-9)


def test_optical_axis_is_the_cameras_x_axis():
    assert pytest.approx([1, 0, 0]) == CAMERA_FROM_OPTICAL @ [0, 0, 1]
    assert pytest.approx([0, -1, 0]) == CAMERA_FROM_OPTICAL @ [1, 0, 0]  # right in the image is right of the camera


@pytest.mark.parametrize('distortion', [(), (-0.2, 0.05, 0.001, -0.002, 0.0)])
def test_pixels_survive_the_way_through_rays(distortion):
    camera = CameraModel(640, 480, 600.0, 610.0, 320.0, 240.0, distortion)
    pixels = np.array([[0.0, 0.0], [320.0, 240.0], [640.0, 480.0], [100.5, 401.25]])
    assert camera.pixels(camera.rays(pixels)) == pytest.approx(pixels, abs=0.01)


def test_field_of_view_spans_the_image():
    camera = CameraModel.from_horizontal_field(640, 480, math.radians(40))
    left, right = camera.rays([[0, 240], [640, 240]])
    assert math.degrees(math.acos(left @ right)) == pytest.approx(40)


def test_ray_behind_the_camera_has_no_pixel():
    assert np.isnan(CameraModel.from_horizontal_field(640, 480, 1.0).pixels([[0, 0, -1]])).all()


def test_zoom_narrows_the_field():
    camera = CameraModel.from_horizontal_field(640, 480, 1.0)
    assert camera.zoomed(2.0).focal_x_px == 2 * camera.focal_x_px


@pytest.mark.parametrize('focal', [0.0, math.nan, math.inf])
def test_uncalibrated_camera_is_not_usable(focal):
    assert not CameraModel(640, 480, focal, focal, 320, 240).usable


def test_impossible_field_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match='give a positive size and a field between 0 and pi rad'):
        CameraModel.from_horizontal_field(640, 480, 4.0)


def test_the_inverse_of_the_camera_matrix_is_its_inverse() -> None:
    camera = CameraModel(640, 480, 900.0, 880.0, 321.0, 238.5)
    assert np.allclose(camera.inverse_matrix, np.linalg.inv(camera.matrix), atol=1e-15)


# Kannala & Brandt (2006), equation 6, as cv2.fisheye's documentation writes it: by hand, 0.5 rad with k1 = 0.1 meets
# the image 300 * 0.5 * (1 + 0.1 * 0.25) = 153.75 px from the middle. The last coefficients are of a T265's size.
@pytest.mark.parametrize(
    ('angle_rad', 'coefficients', 'radius_px'),
    [
        (0.5, (0.1, 0.0, 0.0, 0.0), 153.75),
        (1.0, (0.0, 0.0, 0.0, 0.0), 300.0),
        (1.2, (-0.005, 0.04, -0.04, 0.006), 300 * 1.2 * (1 - 0.0072 + 0.082944 - 0.11943936 + 0.0257989)),
    ],
)
@pytest.mark.parametrize('turned_rad', [0.0, 0.7, -2.5])
def test_a_fisheyes_pixels_are_where_its_model_says(angle_rad, coefficients, radius_px, turned_rad):
    camera = CameraModel(848, 800, 300.0, 300.0, 424.0, 400.0, coefficients, fisheye=True)
    across, down = math.cos(turned_rad), math.sin(turned_rad)
    ray = np.array([math.sin(angle_rad) * across, math.sin(angle_rad) * down, math.cos(angle_rad)])
    pixel = np.array([424 + radius_px * across, 400 + radius_px * down])
    assert camera.rays(pixel)[0] == pytest.approx(ray, abs=1e-6)
    assert camera.pixels(ray)[0] == pytest.approx(pixel, abs=1e-3)


def test_a_fisheyes_pixels_beyond_its_field_have_no_ray():
    # k1 = -0.3 bends back at a = 1.054 rad, where 300 px a (1 - 0.3 a^2) is at its largest, 210.8 px.
    camera = CameraModel(848, 800, 300.0, 300.0, 424.0, 400.0, (-0.3, 0.0, 0.0, 0.0), fisheye=True)
    rays = camera.rays([[424.0 + 200.0, 400.0], [424.0 + 220.0, 400.0], [848.0, 0.0]])
    assert np.isfinite(rays).all(axis=1).tolist() == [True, False, False]


def test_a_fisheyes_pixel_more_than_90_degrees_from_the_axis_has_no_ray():
    camera = CameraModel(1200, 1200, 300.0, 300.0, 600.0, 600.0, (0.0,) * 4, fisheye=True)
    rays = camera.rays([[600 + 300 * 1.5, 600.0], [600 + 300 * 1.6, 600.0]])
    assert rays[0] == pytest.approx([math.sin(1.5), 0.0, math.cos(1.5)], abs=1e-6)
    assert np.isnan(rays[1]).all()


def test_the_corner_of_a_strongly_distorted_image_is_as_exact_as_its_middle():
    # OpenCV's undistortPoints stops after five rounds, 19 px off here.
    camera = CameraModel(640, 480, 300.0, 300.0, 320.0, 240.0, (-0.4, 0.1, 0.0, 0.0, 0.0))
    assert camera.pixels(camera.rays([[0.0, 0.0]]))[0] == pytest.approx([0.0, 0.0], abs=1e-3)


def test_a_pixel_beyond_a_distorted_lens_has_no_ray():
    # r (1 - 0.4 r^2) is 0.609 at most (r = 0.913): 183 px from the middle.
    camera = CameraModel(640, 480, 300.0, 300.0, 320.0, 240.0, (-0.4, 0.0, 0.0, 0.0))
    rays = camera.rays([[320.0 + 180.0, 240.0], [320.0 + 190.0, 240.0]])
    assert np.isfinite(rays).all(axis=1).tolist() == [True, False]


@pytest.mark.parametrize(
    ('camera', 'field_rad'),
    [
        (CameraModel.from_horizontal_field(640, 480, 0.7), 0.7),
        (CameraModel(640, 480, 320.0, 320.0, 320.0, 240.0, (0.0,) * 4, fisheye=True), 2.0),
        (CameraModel(640, 480, 200.0, 200.0, 320.0, 240.0, (0.0,) * 4, fisheye=True), math.pi),
    ],
)
def test_the_horizontal_field_is_the_lenss(camera, field_rad):
    assert camera.horizontal_field_rad == pytest.approx(field_rad)


@pytest.mark.parametrize(
    ('model', 'coefficients', 'lens'),
    [
        ('plumb_bob', [0.0] * 5, ((), False)),
        ('', [], ((), False)),
        ('whatever', [0.0] * 3, ((), False)),
        ('plumb_bob', [0.1, 0.0, 0.0, 0.0], ((0.1, 0.0, 0.0, 0.0), False)),
        ('rational_polynomial', [0.1] * 8, ((0.1,) * 8, False)),
        ('rational_polynomial', [0.1] * 14, ((0.1,) * 14, False)),
        ('equidistant', [0.1] * 4, ((0.1,) * 4, True)),
        ('equidistant', [0.0] * 4, ((0.0,) * 4, True)),
        ('fisheye', [], ((0.0,) * 4, True)),
    ],
)
def test_lenses_by_their_ros_names(model, coefficients, lens):
    assert lens_of(model, coefficients) == lens


@pytest.mark.parametrize(
    ('model', 'coefficients', 'text'),
    [
        ('plumb_bob', [0.1] * 3, 'has 3 coefficients of distortion, and OpenCV knows 4, 5, 8, 12 or 14'),
        ('equidistant', [0.1] * 5, 'has 5 coefficients of a fisheye (equidistant), which has 4'),
        (
            'mei',
            [0.1] * 5,
            "has the distortion model 'mei', and known are plumb_bob, rational_polynomial, thin_prism, equidistant, "
            'fisheye',
        ),
    ],
)
def test_a_lens_that_is_none_is_said(model, coefficients, text):
    with pytest.raises(ValueError, match='has ') as refused:
        lens_of(model, coefficients)
    assert str(refused.value) == text
