# SPDX-License-Identifier: Apache-2.0
"""Attitude at a stamp, bearings, ego-motion, camera history, marker lines."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gremsy_common.geometry import matrix_from_quaternion, quaternion_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.gimbal_state import GimbalAttitude
from gremsy_tracker.pointing import bearings
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.tracking import camera_motion
from gremsy_tracker.tracking.attitude_history import AttitudeHistory, slerp
from gremsy_tracker.tracking.box_filter import BoxStates
from gremsy_tracker.tracking.camera_motion import CameraMotion

MS = 1_000_000
CAMERA = CameraModel.from_horizontal_field(640, 480, math.radians(40.0))


def sample(at_ms: float, azimuth: float, rate: float = 0.0) -> GimbalAttitude:
    return GimbalAttitude(
        round(at_ms * MS), 'camera', quaternion_from_bearing(azimuth, 0.0), np.array([0.0, 0.0, rate])
    )


def look(azimuth: float, tilt: float) -> np.ndarray:
    return matrix_from_quaternion(quaternion_from_bearing(azimuth, tilt))


def azimuth_at(history: AttitudeHistory, at_ms: float, reach_s: float = 0.3) -> float | None:
    found = history.at(round(at_ms * MS), reach_s)
    return None if found is None else float(bearings.optical_axis(found)[0])


def test_between_two_samples_the_attitude_is_interpolated() -> None:
    history = AttitudeHistory()
    history.offer(sample(1000, 0.10))
    history.offer(sample(1050, 0.20))
    assert azimuth_at(history, 1020) == pytest.approx(0.14, abs=1e-9)
    assert azimuth_at(history, 1050) == pytest.approx(0.20, abs=1e-9)


def test_what_was_carried_on_is_interpolated_once_the_next_sample_has_come() -> None:
    history = AttitudeHistory()
    history.offer(sample(1000, 0.10))
    assert [azimuth_at(history, at_ms) for at_ms in (1020, 1040, 1020)] == [pytest.approx(0.10, abs=1e-9)] * 3
    history.offer(sample(1050, 0.20))
    assert azimuth_at(history, 1020) == pytest.approx(0.14, abs=1e-9)
    assert azimuth_at(history, 1040) == pytest.approx(0.18, abs=1e-9)


@pytest.mark.parametrize(
    ('at_ms', 'expected'), [(1299, 0.1 + 0.5 * 0.299), (1301, None), (701, 0.1 - 0.5 * 0.299), (699, None)]
)
def test_beside_the_samples_it_is_carried_on_at_its_rate_up_to_the_reach(at_ms: float, expected: float | None) -> None:
    history = AttitudeHistory()
    history.offer(sample(1000, 0.10, rate=0.5))
    found = azimuth_at(history, at_ms)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-6))


@pytest.mark.parametrize(
    ('since_ms', 'until_ms', 'expected_ms'), [(1010, 1040, 50), (1060, 1100, 350), (900, 1000, 100), (1400, 1700, 300)]
)
def test_the_longest_silence_counts_whole_gaps_and_what_has_not_come_yet(
    since_ms: int, until_ms: int, expected_ms: int
) -> None:
    history = AttitudeHistory()
    for at_ms in (1000, 1050, 1400):
        history.offer(sample(at_ms, 0.1))
    assert history.samples.longest_gap_ns(since_ms * MS, until_ms * MS) == expected_ms * MS


def test_an_outage_is_not_interpolated_across() -> None:
    history = AttitudeHistory()
    history.offer(sample(1000, 0.0, rate=0.0))
    history.offer(sample(3000, 1.0, rate=0.0))
    assert azimuth_at(history, 2000) is None
    assert azimuth_at(history, 1200) == pytest.approx(0.0, abs=1e-9)


def test_bad_and_late_attitudes_are_dropped_and_counted_and_a_clock_jump_begins_anew() -> None:
    history = AttitudeHistory()
    assert history.offer(sample(5000, 0.1))
    assert not history.offer(sample(4990, 0.1))
    assert not history.offer(GimbalAttitude(6000 * MS, 'c', np.array([math.nan, 0, 0, 0]), np.zeros(3)))
    assert not history.offer(GimbalAttitude(6000 * MS, 'c', np.array([0.2, 0, 0, 0]), np.zeros(3)))
    assert dict(history.dropped) == {'attitudes_unsorted': 1, 'attitudes_not_finite': 2}
    assert history.offer(sample(1000, 0.3))
    assert azimuth_at(history, 5000) is None


def test_slerp_takes_the_short_way_and_keeps_the_norm() -> None:
    a, b = quaternion_from_bearing(0.0, 0.0), -quaternion_from_bearing(1.0, 0.0)
    middle = slerp(a, b, 0.5)
    assert np.linalg.norm(middle) == pytest.approx(1.0)
    assert bearings.optical_axis(matrix_from_quaternion(middle))[0] == pytest.approx(0.5)


def test_the_image_centre_has_the_bearing_of_the_optical_axis() -> None:
    found = bearings.bearings_of_pixels(np.array([[320.0, 240.0]]), CAMERA, look(0.4, 0.2))
    assert np.allclose(found, [[0.4, 0.2]])


def test_left_in_the_image_is_more_azimuth_and_low_in_the_image_is_more_tilt() -> None:
    found = bearings.bearings_of_pixels(np.array([[300.0, 240.0], [320.0, 300.0]]), CAMERA, look(0.0, 0.0))
    assert found[0, 0] > 0.0
    assert found[1, 1] > 0.0


def test_bearings_and_pixels_are_inverse_with_distortion_too() -> None:
    camera = CameraModel(640, 480, 879.0, 870.0, 318.0, 243.0, (-0.2, 0.05, 0.001, -0.001))
    random = np.random.default_rng(2)
    points = random.uniform([20, 20], [620, 460], (50, 2))
    attitude = look(-0.7, 0.5)
    there = bearings.bearings_of_pixels(points, camera, attitude)
    assert np.allclose(bearings.pixels_of_bearings(there, camera, attitude), points, atol=1e-3)


def test_axis_rates_are_the_derivative_of_the_axis() -> None:
    azimuth, tilt, azimuth_rate, tilt_rate = 0.3, 0.6, 0.7, -0.4
    body = np.array([-azimuth_rate * math.sin(tilt), tilt_rate, azimuth_rate * math.cos(tilt)])
    assert np.allclose(bearings.optical_axis_rates(look(azimuth, tilt), body), [azimuth_rate, tilt_rate])


def test_a_box_cut_off_by_the_edge_is_believed_less_along_that_axis_only() -> None:
    settings = {'floor_rad': 0.0005, 'box_share': 0.05}
    sure = np.array([0.8])
    whole = bearings.bearing_noise(np.array([[10.0, 100, 70, 250]]), sure, np.zeros(1), CAMERA, **settings)
    cut = bearings.bearing_noise(np.array([[0.0, 100, 60, 250]]), sure, np.zeros(1), CAMERA, **settings)
    assert np.allclose(cut / whole, [[4.0, 1.0]])


def test_a_box_is_believed_less_the_lower_its_score() -> None:
    scores = np.array([0.95, 0.75, 0.55, 0.25])
    boxes = np.tile([100.0, 100, 160, 250], (4, 1))
    noise = bearings.bearing_noise(boxes, scores, np.zeros(4), CAMERA, floor_rad=1e-9, box_share=0.1)
    assert np.allclose(noise[0], [0.1 * 60 / CAMERA.focal_x_px, 0.036 * 150 / CAMERA.focal_y_px])
    assert np.allclose(noise[:, 0] / noise[0, 0], [1.0, 1.0, 2.04, 5.96], rtol=0.01)
    assert np.allclose(noise[:, 1] / noise[0, 1], noise[:, 0] / noise[0, 0])


def test_still_things_move_by_the_homography_as_the_bearings_say() -> None:
    before, after = look(0.1, 0.05), look(0.16, 0.02)
    zoomed = CAMERA.zoomed(1.5)
    things = np.array([[0.12, 0.03], [0.08, 0.1], [0.2, 0.0]])
    homography = camera_motion.homography(CAMERA, before, zoomed, after)
    moved, jacobian = camera_motion.move_points(bearings.pixels_of_bearings(things, CAMERA, before), homography)
    assert np.allclose(moved, bearings.pixels_of_bearings(things, zoomed, after), atol=1e-6)
    assert np.allclose(np.sqrt(np.linalg.det(jacobian)), 1.5, rtol=0.05)


LOOKS = st.tuples(st.floats(-0.15, 0.15), st.floats(-0.15, 0.15), st.floats(0.6, 3.0))


@given(LOOKS, LOOKS, LOOKS)
def test_homographies_go_back_and_on(
    one: tuple[float, float, float], two: tuple[float, float, float], three: tuple[float, float, float]
) -> None:
    def between(a: tuple[float, float, float], b: tuple[float, float, float]) -> np.ndarray:
        return camera_motion.homography(CAMERA.zoomed(a[2]), look(*a[:2]), CAMERA.zoomed(b[2]), look(*b[:2]))

    points = np.array([[0.0, 0], [640, 0], [320, 240], [100, 400]])
    there = camera_motion.move_points(points, between(one, two))[0]
    assert np.allclose(camera_motion.move_points(there, between(two, one))[0], points, atol=1e-6)
    straight = camera_motion.move_points(points, between(one, three))[0]
    assert np.allclose(camera_motion.move_points(there, between(two, three))[0], straight, atol=1e-6)


@given(LOOKS, st.integers(0, 10**6))
def test_a_small_box_moves_as_its_corners_do(after: tuple[float, float, float], seed: int) -> None:
    random = np.random.default_rng(seed)
    low = random.uniform(0, [580, 380], (10, 2))
    boxes = np.concatenate([low, low + random.uniform(5, [40, 90], (10, 2))], axis=1)
    motion = camera_motion.homography(CAMERA, look(0.0, 0.0), CAMERA.zoomed(after[2]), look(*after[:2]))
    moved = camera_motion.move_boxes(boxes, motion)
    corners = np.stack(
        [camera_motion.move_points(boxes[:, pick], motion)[0] for pick in ([0, 1], [2, 1], [2, 3], [0, 3])]
    )
    # An upright box cannot follow a turn in the image, so it is the sides' middles that must agree.
    sides = (corners + np.roll(corners, -1, axis=0)) / 2
    expected = np.stack([sides[3, :, 0], sides[0, :, 1], sides[1, :, 0], sides[2, :, 1]], axis=1)
    assert np.allclose(moved, expected, atol=0.04 * after[2] * np.tile(boxes[:, 2:] - boxes[:, :2], 2).max())


@given(LOOKS, st.integers(0, 10**6))
def test_box_filters_move_as_boxes_do_and_back(after: tuple[float, float, float], seed: int) -> None:
    random = np.random.default_rng(seed)
    low = random.uniform(0, [580, 380], (10, 2))
    boxes = np.concatenate([low, low + random.uniform(5, [40, 90], (10, 2))], axis=1)
    motion = camera_motion.homography(CAMERA, look(0.0, 0.0), CAMERA.zoomed(after[2]), look(*after[:2]))
    states = BoxStates.begin(boxes, np.full((10, 4), 9.0))
    states.velocity[:] = random.normal(0, 50.0, (10, 4))
    before = states.kept.copy()
    camera_motion.move_states(states, motion)
    assert np.allclose(states.boxes_px, camera_motion.move_boxes(boxes, motion))
    # A point of the box that goes on by its velocity for a moment arrives where its moved one does.
    step = 1e-3
    there = camera_motion.move_points(before[0, :, :2] + step * before[1, :, :2], motion)[0]
    assert np.allclose(states.position[:, :2] + step * states.velocity[:, :2], there, atol=1e-3)
    camera_motion.move_states(states, np.linalg.inv(motion))
    assert np.allclose(states.kept[0], before[0], rtol=0.05)
    assert np.allclose(states.velocity[:, :2], before[1, :, :2], atol=1e-6 * 50 + 1e-3)


def test_what_comes_to_lie_behind_the_camera_is_not_a_number() -> None:
    homography = camera_motion.homography(CAMERA, look(0.0, 0.0), CAMERA, look(3.0, 0.0))
    assert np.isnan(camera_motion.move_boxes(np.array([[300.0, 200, 340, 280]]), homography)).all()


def test_the_camera_model_is_the_one_valid_at_the_image() -> None:
    motion = CameraMotion(TrackerParameters(), lambda _: None)
    assert motion.camera_at(0) is None
    motion.offer_model(1000, CAMERA)
    motion.offer_model(2000, CAMERA.zoomed(2.0))
    assert motion.camera_at(1500) == CAMERA
    assert motion.camera_at(2000) == CAMERA.zoomed(2.0)
    assert motion.camera_at(10) == CAMERA
    motion.offer_model(3000, CameraModel(640, 480, 0.0, 0.0, 0.0, 0.0))
    assert motion.camera_at(3000) == CAMERA.zoomed(2.0)
    assert dict(motion.counts) == {'camera_models_unusable': 1}


def test_angles_between_bearings_are_exact_when_small() -> None:
    assert bearings.angle_between([0.3, 0.0], [0.3 + 1e-9, 0.0]) == pytest.approx(1e-9, rel=1e-3)


FISHEYE = CameraModel(1280, 960, 400.0, 400.0, 640.0, 480.0, (-0.02, 0.004, 0.0, 0.0), fisheye=True)
BARREL = CameraModel(1280, 960, 700.0, 690.0, 630.0, 490.0, (-0.3, 0.09, 0.001, -0.0005, 0.0))


@pytest.mark.parametrize('camera', [FISHEYE, BARREL], ids=['fisheye', 'barrel'])
@pytest.mark.parametrize('zoom', [1.0, 1.3])
def test_still_things_move_through_a_lens_as_their_bearings_say(camera: CameraModel, zoom: float) -> None:
    before, after = look(0.05, -0.1), look(0.12, -0.02)
    things = np.array([[0.3, 0.1], [0.0, -0.1], [-0.4, -0.3], [0.45, 0.2]])
    seen = bearings.pixels_of_bearings(things, camera, before)
    motion = camera_motion.motion_between(camera, before, camera.zoomed(zoom), after)
    moved, jacobian = camera_motion.move_points(seen, motion)
    assert np.allclose(moved, bearings.pixels_of_bearings(things, camera.zoomed(zoom), after), atol=1e-3)
    step = np.array([2.0, -1.0])
    beside = camera_motion.move_points(seen + step, motion)[0]
    assert np.allclose(beside, moved + jacobian @ step, atol=0.02)


def test_a_pinhole_in_place_of_a_fisheye_would_take_a_still_thing_for_a_moving_one() -> None:
    """200 px off the axis at 400 px of focal length: a pinhole's picture moves by 1 + 0.5^2 of the turn, this by 1."""
    equidistant = CameraModel(1280, 960, 400.0, 400.0, 640.0, 480.0, (0.0,) * 4, fisheye=True)
    thing = np.array([[640.0 + 400.0 * 0.5, 480.0]])
    turn = look(0.0, 0.0), look(0.002, 0.0)
    by_lens = camera_motion.move_points(
        thing, camera_motion.motion_between(equidistant, turn[0], equidistant, turn[1])
    )[0]
    by_pinhole = camera_motion.move_points(thing, camera_motion.homography(equidistant, turn[0], equidistant, turn[1]))[
        0
    ]
    assert by_lens[0, 0] - thing[0, 0] == pytest.approx(400.0 * 0.002, abs=1e-4)
    assert by_pinhole[0, 0] - thing[0, 0] == pytest.approx(400.0 * 0.002 * 1.25, abs=2e-3)


def test_an_undistorted_camera_keeps_its_homography() -> None:
    motion = camera_motion.motion_between(CAMERA, look(0.0, 0.0), CAMERA, look(0.1, 0.0))
    assert isinstance(motion, np.ndarray)
    assert np.array_equal(motion, camera_motion.homography(CAMERA, look(0.0, 0.0), CAMERA, look(0.1, 0.0)))


def test_a_box_that_leaves_what_the_lens_sees_stays_where_it_was() -> None:
    motion = camera_motion.motion_between(FISHEYE, look(0.0, 0.0), FISHEYE, look(3.0, 0.0))
    assert np.isnan(camera_motion.move_boxes(np.array([[600.0, 440, 680, 520]]), motion)).all()
    states = BoxStates.begin(np.array([[600.0, 440, 680, 520]]), np.full((1, 4), 9.0))
    camera_motion.move_states(states, motion)
    assert np.allclose(states.boxes_px, [[600.0, 440, 680, 520]])
