# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from gremsy_camera.camera_parameters import CameraParameters, optical_frame_name
from gremsy_camera.lens_calibration import camera_model
from gremsy_common.parameters.parameter_fields import ParameterError, from_values

CALIBRATION = """
image_width: 1280
image_height: 720
camera_name: eo
camera_matrix: {rows: 3, cols: 3, data: [1000.0, 0.0, 639.5, 0.0, 1010.0, 359.5, 0.0, 0.0, 1.0]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [-0.2, 0.05, 0.001, 0.0, 0.0]}
"""


def test_without_anything_known_the_camera_is_uncalibrated():
    model = camera_model(640, 480, '', 0.0)
    assert (model.width, model.height, model.focal_x_px, model.usable) == (640, 480, 0.0, False)


def test_a_field_of_view_makes_an_ideal_camera():
    assert camera_model(640, 480, '', 40.0).focal_x_px == pytest.approx(320 / math.tan(math.radians(20)))


def test_a_calibration_counts_pixel_centres_and_the_model_corners(tmp_path):
    path = tmp_path / 'eo.yaml'
    path.write_text(CALIBRATION)
    model = camera_model(1280, 720, str(path), 0.0)
    assert (model.centre_x_px, model.centre_y_px) == (640.0, 360.0)
    assert model.distortion == (-0.2, 0.05, 0.001, 0.0, 0.0)


def test_a_calibration_is_scaled_to_the_images_size(tmp_path):
    path = tmp_path / 'eo.yaml'
    path.write_text(CALIBRATION)
    model = camera_model(640, 360, str(path), 0.0)
    assert (model.focal_x_px, model.focal_y_px, model.centre_x_px, model.centre_y_px) == (500.0, 505.0, 320.0, 180.0)


def test_a_missing_calibration_is_one_sentence(tmp_path):
    with pytest.raises(ParameterError) as raised:
        camera_model(640, 480, str(tmp_path / 'none.yaml'), 0.0)
    assert str(raised.value) == (
        f"Parameter `calibration_file` is '{tmp_path}/none.yaml', which cannot be read (No such file or directory): "
        'name a file that camera_calibration wrote, or leave it empty.'
    )


@pytest.mark.parametrize(
    'text', ['', '[]', 'image_width: 3', '{', CALIBRATION.replace('1000.0', '0.0'), CALIBRATION.replace('1280', 'wide')]
)
def test_a_file_that_is_no_calibration_is_one_sentence(tmp_path, text):
    path = tmp_path / 'eo.yaml'
    path.write_text(text)
    with pytest.raises(ParameterError) as raised:
        camera_model(640, 480, str(path), 0.0)
    sentence = str(raised.value)
    assert sentence.startswith(f"Parameter `calibration_file` is '{path}', which holds no camera calibration (")
    assert sentence.endswith('): name a file that camera_calibration wrote, or leave it empty.')


def test_two_descriptions_of_the_camera_are_refused():
    with pytest.raises(ParameterError) as raised:
        from_values(CameraParameters, {'calibration_file': 'eo.yaml', 'horizontal_field_deg': 40.0})
    assert str(raised.value) == (
        'Parameters `calibration_file` and `horizontal_field_deg` both describe the camera: set one of them.'
    )


def test_an_unknown_end_is_refused():
    with pytest.raises(ParameterError) as raised:
        from_values(CameraParameters, {'at_end': 'rewind'})
    assert str(raised.value) == "Parameter `at_end` is 'rewind': use one of loop, hold, stop."


@pytest.mark.parametrize(
    ('namespace', 'frame'),
    [('/robot/eo', 'robot/eo_optical_frame'), ('/', 'camera_optical_frame'), ('', 'camera_optical_frame')],
)
def test_the_optical_frame_is_named_by_robot_and_camera(namespace, frame):
    assert optical_frame_name(namespace) == frame


def test_a_fisheyes_calibration_is_a_fisheyes(tmp_path):
    path = tmp_path / 'eo.yaml'
    fisheye = CALIBRATION.replace('plumb_bob', 'equidistant').replace('cols: 5', 'cols: 4').replace(', 0.0]}', ']}')
    path.write_text(fisheye.replace('data: [-0.2, 0.05, 0.001, 0.0]', 'data: [0.0, 0.0, 0.0, 0.0]'))
    model = camera_model(640, 360, str(path), 0.0)
    assert (model.fisheye, model.distortion) == (True, (0.0, 0.0, 0.0, 0.0))
