# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gremsy_common.camera_model import CameraModel
from gremsy_common.rotations import (
    CAMERA_FROM_OPTICAL,
    bearing_from_direction,
    direction_from_bearing,
    matrix_from_quaternion,
    multiply_quaternions,
    quaternion_from_bearing,
    quaternion_from_rotation_vector,
    wrap_angle,
)

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
