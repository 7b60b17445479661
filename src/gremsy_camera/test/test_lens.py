# SPDX-License-Identifier: Apache-2.0
import math
import re

import cv2
import numpy as np
import pytest

from gremsy_camera.camera_parameters import CameraParameters, optical_frame_name
from gremsy_camera.lens.camera_lens import Lens, LensParameters
from gremsy_common.parameters.parameter_fields import ParameterError, from_values

CALIBRATION = """
image_width: 1280
image_height: 720
camera_name: eo
camera_matrix: {rows: 3, cols: 3, data: [1000.0, 0.0, 639.5, 0.0, 1010.0, 359.5, 0.0, 0.0, 1.0]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [-0.2, 0.05, 0.001, 0.0, 0.0]}
"""


# usb_cam's config/camera_info.yaml, whose matrices are a stereo camera's: R turns, P has another focal length than K.
USB_CAM = """
image_width: 640
image_height: 480
camera_name: test_camera
camera_matrix:
  rows: 3
  cols: 3
  data: [438.783367, 0.000000, 305.593336, 0.000000, 437.302876, 243.738352, 0.000000, 0.000000, 1.000000]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.361976, 0.110510, 0.001014, 0.000505, 0.000000]
rectification_matrix:
  rows: 3
  cols: 3
  data: [0.999978, 0.002789, -0.006046, -0.002816, 0.999986, -0.004401, 0.006034, 0.004417, 0.999972]
projection_matrix:
  rows: 3
  cols: 4
  data: [393.653800, 0.000000, 322.797939, 0.000000, 0.000000, 393.653800, 241.090902, 0.000000, 0.000000, 0.000000,
         1.000000, 0.000000]
"""
K = np.array([[438.783367, 0, 305.593336], [0, 437.302876, 243.738352], [0, 0, 1]])
D = np.array([-0.361976, 0.110510, 0.001014, 0.000505, 0.0])
R = np.array([[0.999978, 0.002789, -0.006046], [-0.002816, 0.999986, -0.004401], [0.006034, 0.004417, 0.999972]])
P = np.array([[393.6538, 0, 322.797939, 0], [0, 393.6538, 241.090902, 0], [0, 0, 1, 0]])


def opened(said=None, **options):
    lens = Lens(LensParameters(**options), [].append if said is None else said.append)
    lens.open()
    return lens


def camera_model(width, height, calibration_file, horizontal_field_deg):
    lens = opened(calibration_file=calibration_file, horizontal_field_deg=horizontal_field_deg)
    return lens.model(width, height, 1.0)


@pytest.fixture
def file_of(tmp_path):
    def write(text, name='eo.yaml'):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


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


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('[]', 'it has no keys'),
        ('image_width: 3', "it has no 'image_height'"),
        (CALIBRATION.replace('1280', 'wide'), "invalid literal for int() with base 10: 'wide'"),
        (CALIBRATION.replace('1000.0', '0.0'), 'size and focal lengths must be positive'),
        (CALIBRATION.replace('1000.0', '.nan'), 'its camera_matrix must be finite numbers'),
        (CALIBRATION.replace('1000.0, ', ''), 'it has 8 numbers for a camera matrix, which has 9'),
        (
            CALIBRATION.replace('{rows: 1, cols: 5, data: [-0.2, 0.05, 0.001, 0.0, 0.0]}', '[1, 2]'),
            'its distortion_coefficients has no list of data',
        ),
        (
            CALIBRATION.replace('plumb_bob', 'double_sphere'),
            "it has the distortion model 'double_sphere', and known are plumb_bob, rational_polynomial, thin_prism, "
            'equidistant, fisheye',
        ),
        (
            CALIBRATION.replace('plumb_bob', 'equidistant'),
            'it has 5 coefficients of a fisheye (equidistant), which has 4',
        ),
        (
            CALIBRATION.replace('-0.2, 0.05', '-0.2, 0.05, 0.1'),
            'it has 6 coefficients of distortion, and OpenCV knows 4, 5, 8, 12 or 14',
        ),
        (CALIBRATION + 'projection_matrix: {data: [1.0, 2.0]}\n', 'its projection_matrix must be 12 finite numbers'),
        (CALIBRATION + 'rectification_matrix: {data: [a]}\n', 'its rectification_matrix has data that are not numbers'),
    ],
)
def test_what_is_wrong_with_a_calibration_is_said(file_of, text, reason):
    path = file_of(text)
    with pytest.raises(ParameterError) as raised:
        opened(calibration_file=path)
    assert str(raised.value) == (
        f"Parameter `calibration_file` is '{path}', which holds no camera calibration ({reason}): "
        'name a file that camera_calibration wrote, or leave it empty.'
    )


def test_a_file_of_camera_calibration_is_published_as_it_is(file_of):
    k, r, p = camera_model(640, 480, file_of(USB_CAM), 0.0).matrices
    np.testing.assert_allclose(k, K, atol=1e-9)
    np.testing.assert_allclose(r, R, atol=1e-9)
    np.testing.assert_allclose(p, P, atol=1e-9)


def corner_pixels(width, height):
    return np.array([[x, y] for x in (0.5, width / 2, width - 0.5) for y in (0.5, height / 3, height - 0.5)])


def test_its_rays_are_those_of_opencv(file_of):
    """cv2.undistortPoints, which counts pixel centres, iterated until it has converged."""
    pixels = corner_pixels(640, 480)
    done = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)
    plane = cv2.undistortPointsIter((pixels - 0.5)[:, None], K, D, np.eye(3), np.eye(3), done)[:, 0]
    rays = camera_model(640, 480, file_of(USB_CAM), 0.0).rays(pixels)
    np.testing.assert_allclose(rays[:, :2] / rays[:, 2:], plane, atol=1e-6)


@pytest.mark.parametrize(
    ('model', 'coefficients'),
    [
        ('plumb_bob', [-0.36, 0.11, 0.001, 0.0005, 0.02]),
        ('rational_polynomial', [0.4, -0.05, 0.001, -0.0004, 0.01, 0.7, -0.06, 0.02]),
        ('equidistant', [-0.02, 0.01, -0.004, 0.001]),
    ],
)
def test_each_lens_of_sensor_msgs_projects_as_opencv_does(file_of, model, coefficients):
    text = USB_CAM.replace('plumb_bob', model).replace(
        'data: [-0.361976, 0.110510, 0.001014, 0.000505, 0.000000]', f'data: {coefficients}'
    )
    camera = camera_model(640, 480, file_of(text), 0.0)
    assert camera.distortion_model == model
    points = np.array([[x, y, 2.0] for x in (-0.9, -0.2, 0.5) for y in (-0.6, 0.1, 0.7)])
    project = cv2.fisheye.projectPoints if model == 'equidistant' else cv2.projectPoints
    expected = project(points[:, None], np.zeros(3), np.zeros(3), K, np.array(coefficients))[0][:, 0]
    np.testing.assert_allclose(camera.pixels(points), expected + 0.5, atol=1e-6)


@pytest.mark.parametrize('scale', [0.5, 0.75, 2.0])
def test_a_calibration_of_another_size_sees_each_pixel_where_it_went(file_of, scale):
    """A picture resized by `scale` has what was at (x, y), counted from the corner, at (scale x, scale y)."""
    path = file_of(USB_CAM)
    full = camera_model(640, 480, path, 0.0)
    small = camera_model(round(640 * scale), round(480 * scale), path, 0.0)
    pixels = corner_pixels(640, 480)
    np.testing.assert_allclose(small.rays(pixels * scale), full.rays(pixels), atol=1e-9)
    # P is of the same picture, rectified: what it says of a direction scales likewise, counted from the corner.
    point = np.array([0.1, -0.2, 1.0, 1.0])
    places = [(p @ point)[:2] / (p @ point)[2] + 0.5 for p in (full.matrices[2], small.matrices[2])]
    np.testing.assert_allclose(places[1], places[0] * scale)


def test_images_of_another_aspect_are_the_middle_and_it_is_said_once(file_of):
    """As a 4:3 sensor makes 16:9 video: the same width, and 60 px less above and below."""
    said = []
    path = file_of(USB_CAM)
    lens = opened(said, calibration_file=path)
    full = camera_model(640, 480, path, 0.0)
    for size, scale in (((640, 360), 1.0), ((1280, 720), 2.0), ((640, 360), 1.0)):
        wide = lens.model(*size, 1.0)
        pixels = corner_pixels(640, 360)
        np.testing.assert_allclose(wide.rays(pixels * scale), full.rays(pixels + np.array([0.0, 60.0])), atol=1e-9)
    assert said == [
        f'Calibration {path} is of images of 640x480 px, and these are {width}x{height} px, another aspect: they are '
        'taken for the middle 640x360 px of it. Calibrate with images as these, or say in `calibration_region` which '
        'part they show.'
        for width, height in ((640, 360), (1280, 720))
    ]
    assert opened(calibration_file=path).model(480, 480, 1.0).focal_x_px == pytest.approx(438.783367)


def test_a_region_says_which_part_the_video_shows(file_of):
    said, path = [], file_of(USB_CAM)
    lens = opened(said, calibration_file=path, calibration_region=(160.0, 60.0, 320.0, 240.0))
    full = camera_model(640, 480, path, 0.0)
    pixels = corner_pixels(320, 240)
    np.testing.assert_allclose(
        lens.model(640, 480, 1.0).rays(2 * pixels), full.rays(pixels + np.array([160.0, 60.0])), atol=1e-9
    )
    assert said == []
    lens.model(640, 360, 1.0)
    assert said == [
        f'`calibration_region` is 320x240 px of {path}, and the images are 640x360 px, another aspect: their pixels '
        'are taken not to be square, so correct it if they are.'
    ]


def test_a_field_of_view_is_a_guess_and_it_is_said_once():
    said = []
    lens = opened(said, horizontal_field_deg=60.0)
    for size in ((640, 360), (1280, 720)):
        camera = lens.model(*size, 1.0)
        assert math.degrees(camera.horizontal_field_rad) == pytest.approx(60.0)
        assert camera.focal_x_px == camera.focal_y_px
    assert said == [
        'The intrinsics are a guess from `horizontal_field_deg` 60: square pixels, the optical axis in the middle, no '
        'distortion. Calibrate the camera (camera_calibration) and name the file in `calibration_file`, if bearings '
        'are to be right off the middle.'
    ]
    assert lens.origin == 'a guess: horizontal_field_deg 60'


def test_a_calibrated_camera_and_an_unknown_one_are_no_guess(file_of):
    said, path = [], file_of(USB_CAM)
    assert opened(said, calibration_file=path).origin == f'calibration {path}'
    lens = opened(said)
    lens.model(640, 480, 1.0)
    assert lens.origin == 'unknown: neither calibration_file nor horizontal_field_deg is given'
    assert said == []


# Zoom.


def test_without_a_table_focal_lengths_go_in_proportion_and_the_middle_stays(file_of):
    lens = opened(calibration_file=file_of(USB_CAM))
    k, r, p = lens.model(640, 480, 3.0).matrices
    np.testing.assert_allclose(k, K * [[3, 1, 1], [1, 3, 1], [1, 1, 1]])
    np.testing.assert_allclose(p, P * [[3, 1, 1, 3], [1, 3, 1, 3], [1, 1, 1, 1]])
    np.testing.assert_allclose(r, R)


def test_a_table_gives_the_focal_length_that_was_measured(file_of):
    said = []
    lens = opened(said, calibration_file=file_of(USB_CAM), zoom_table=('4: 3.6', '1: 1', ' 2:1.9'))
    scales = [lens.model(640, 480, zoom).focal_x_px / K[0, 0] for zoom in (1.0, 2.0, 4.0, 2.0**1.5)]
    assert scales == pytest.approx([1.0, 1.9, 3.6, math.sqrt(1.9 * 3.6)])
    assert said == []
    beyond = [lens.model(640, 480, zoom).focal_x_px / K[0, 0] for zoom in (8.0, 0.5, 8.0)]
    assert beyond == pytest.approx([7.2, 0.5, 7.2])
    assert said == [
        'The zoom goes beyond `zoom_table`, which is of 1 to 4: the focal length is taken in proportion to it there, '
        'so add rows.'
    ]
    assert lens.model(640, 480, 4.0).distortion == tuple(D)


def test_a_table_may_have_the_distortion_too(file_of):
    rows = ('1: 1 -0.36 0.11 0 0 0', '4: 3.6 -0.06 0.01 0 0 0')
    lens = opened(calibration_file=file_of(USB_CAM), zoom_table=rows)
    assert lens.model(640, 480, 4.0).distortion == (-0.06, 0.01, 0.0, 0.0, 0.0)
    assert lens.model(640, 480, 2.0).distortion == pytest.approx((-0.21, 0.06, 0.0, 0.0, 0.0))
    assert lens.model(640, 480, 8.0).distortion == (-0.06, 0.01, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ('values', 'sentence'),
    [
        (
            {'zoom_table': ('4',)},
            "Parameter `zoom_table` has the row '4', which is not valid: write 'ZOOM: SCALE', as '4: 3.87', or "
            "with distortion coefficients behind it, as '4: 3.87 -0.02 0.1 0 0 0'.",
        ),
        (
            {'zoom_table': ('0: 1',)},
            "Parameter `zoom_table` has the row '0: 1', which is not valid: write 'ZOOM: SCALE', as '4: 3.87', or "
            "with distortion coefficients behind it, as '4: 3.87 -0.02 0.1 0 0 0'.",
        ),
        ({'zoom_table': ('2: 2', '2: 1.9')}, 'Parameter `zoom_table` has the zoom 2 twice: give each once.'),
        (
            {'zoom_table': ('1: 1', '2: 1.9 0.1 0 0 0')},
            'Parameter `zoom_table` has coefficients of distortion in some rows, or not the same number in all: give '
            'them in each, or in none.',
        ),
        (
            {'calibration_region': (0.0, 0.0, 640.0, 480.0)},
            'Parameter `calibration_region` needs a calibration: set `calibration_file` too.',
        ),
        (
            {'calibration_file': 'eo.yaml', 'calibration_region': (0.0, 0.0, 640.0)},
            'Parameter `calibration_region` is [0.0, 0.0, 640.0]: give x, y, width and height, px.',
        ),
    ],
)
def test_what_cannot_be_is_refused_before_the_start(values, sentence):
    with pytest.raises(ParameterError) as raised:
        from_values(CameraParameters, values)
    assert str(raised.value) == sentence


def test_what_does_not_fit_the_calibration_is_refused_at_the_start(file_of):
    path = file_of(USB_CAM)
    sentence = (
        'Parameter `calibration_region` is [1.0, 0.0, 640.0, 480.0], which is not within the calibrated 640x480 px: '
        'give x, y, width and height of the part that is shown.'
    )
    with pytest.raises(ParameterError, match=re.escape(sentence)):
        opened(calibration_file=path, calibration_region=(1.0, 0.0, 640.0, 480.0))
    with pytest.raises(ParameterError) as raised:
        opened(calibration_file=path, zoom_table=('1: 1 0.1 0.2', '2: 2 0.1 0.2'))
    assert str(raised.value) == (
        'Parameter `zoom_table` has 2 coefficients of distortion, and OpenCV knows 4, 5, 8, 12 or 14: give as many as '
        'the lens of `calibration_file` has.'
    )
