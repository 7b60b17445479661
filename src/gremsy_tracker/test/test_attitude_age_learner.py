# SPDX-License-Identifier: Apache-2.0
"""The telemetry's age out of pictures: found where a camera that speeds up shows it, not told where nothing does."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from gremsy_common.geometry import matrix_from_quaternion, quaternion_from_bearing
from gremsy_common.types.attitude_age import AttitudeAge
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.control_state import ControlState
from gremsy_common.types.frame import Frame
from gremsy_common.types.gimbal_state import GimbalAttitude, LevelHeading
from gremsy_tracker.tracker import Tracker
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.tracking import camera_motion
from gremsy_tracker.tracking.attitude_age_learner import SHIFTS_S, SeenTurn, fit_age

MS = 1_000_000
T0 = 10_000 * MS
CAMERA = CameraModel.from_horizontal_field(320, 240, math.radians(40.0))
Motion = Callable[[float], float]


def swing(at_s: float) -> float:
    """Azimuth of a camera that looks to and fro by 3 degrees in 1.6 s, rad: up to 12 deg/s."""
    return math.radians(3.0) * math.sin(2 * math.pi * at_s / 1.6)


def even(at_s: float) -> float:
    """Of one that turns at 8 deg/s for ever."""
    return math.radians(8.0) * at_s


def turns_of(
    path: Motion, late_s: float, count: int = 30, noise_rad: float = 0.0005, scale: float = 1.0
) -> list[SeenTurn]:
    """Pairs 0.15 s apart, as pictures and telemetry that is stamped so late tell them."""
    random, turns = np.random.default_rng(1), []
    for number in range(count):
        at_s = 0.27 * number
        seen = scale * (path(at_s + 0.15) - path(at_s))
        told = [path(at_s + 0.15 + shift - late_s) - path(at_s + shift - late_s) for shift in SHIFTS_S]
        turn = np.array([seen, 0.0]) + random.normal(0.0, noise_rad, 2)
        turns.append(SeenTurn(turn, np.stack([told, np.zeros(len(told))], axis=1)))
    return turns


@pytest.mark.parametrize('late_s', [-0.045, 0.0, 0.0137, 0.1, 0.21])
def test_the_shift_is_found_between_the_grids_points(late_s: float) -> None:
    fit = fit_age(turns_of(swing, late_s))
    assert fit is not None
    assert fit.late_s == pytest.approx(late_s, abs=0.002)
    assert abs(fit.late_s - late_s) < 3 * fit.std_s < 0.008


def test_a_focal_length_that_is_a_tenth_wrong_is_no_age() -> None:
    fit = fit_age(turns_of(swing, 0.06, scale=1.1))
    assert fit is not None
    assert fit.late_s == pytest.approx(0.06, abs=0.002)


def test_a_passer_by_taken_for_the_background_is_left_out() -> None:
    turns = turns_of(swing, 0.06)
    for number in (3, 11, 20):
        turns[number] = SeenTurn(turns[number].seen + 0.08, turns[number].telemetry)
    fit = fit_age(turns)
    assert fit is not None
    assert fit.late_s == pytest.approx(0.06, abs=0.002)
    assert fit.pairs <= 27


def test_nothing_is_told_of_what_does_not_tell() -> None:
    fit = fit_age(turns_of(even, 0.06))
    assert fit is None or fit.std_s > 0.05
    assert fit_age(turns_of(swing, 0.06, count=8)) is None
    # A vehicle that turns by itself: pictures and telemetry have little in common.
    disturbed = [
        SeenTurn(turn.seen + 0.06 * math.sin(3.1 * number), turn.telemetry)
        for number, turn in enumerate(turns_of(swing, 0.06))
    ]
    assert fit_age(disturbed) is None


def test_telemetry_older_than_is_looked_for_is_not_told() -> None:
    assert fit_age(turns_of(swing, 0.5, count=12)) is None


class Street:
    """A picture of patches, seen by a camera that turns; telemetry of it at 50 Hz, stamped too late."""

    def __init__(self, late_s: float, path: Motion = swing, parameters: TrackerParameters | None = None) -> None:
        random = np.random.default_rng(2)
        self.picture = np.full((240, 320), 120, dtype=np.uint8)
        for _ in range(250):
            x, y = (int(each) for each in random.integers(0, [320, 240]))
            width, height = (int(each) for each in random.integers(6, 40, 2))
            cv2.rectangle(self.picture, (x, y), (x + width, y + height), int(random.integers(256)), -1)
        self.late_s, self.path = late_s, path
        self.tracker = Tracker(parameters or TrackerParameters())
        self.tracker.offer_camera_model(0, CAMERA)
        self.frames = 0
        self.headings: Motion | None = None

    def seen(self, at_s: float) -> np.ndarray:
        rest = matrix_from_quaternion(quaternion_from_bearing(0.0, 0.0))
        there = matrix_from_quaternion(quaternion_from_bearing(self.path(at_s), 0.0))
        half = np.array([[1.0, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        moved = np.linalg.inv(half) @ camera_motion.homography(CAMERA, rest, CAMERA, there) @ half
        return cv2.warpPerspective(self.picture, moved, (320, 240), borderMode=cv2.BORDER_REFLECT)

    def watch(self, from_s: float, until_s: float) -> list[AttitudeAge]:
        """What the tracker says in that time."""
        told = []
        for tick in range(round(from_s * 100), round(until_s * 100)):
            at_s, now_ns = tick / 100, T0 + tick * 10 * MS
            if tick % 2 == 0:
                measured_s = at_s - self.late_s
                rate = (self.path(measured_s + 1e-4) - self.path(measured_s - 1e-4)) / 2e-4
                quaternion = quaternion_from_bearing(self.path(measured_s), 0.0)
                self.tracker.offer_attitude(GimbalAttitude(now_ns, 'camera', quaternion, np.array([0.0, 0.0, rate])))
                if self.headings is not None:
                    self.tracker.offer_heading(LevelHeading(now_ns, 'level', self.headings(at_s), math.nan))
            if tick % 6 == 0 and self.tracker.wants_frames:
                self.frames += 1
                self.tracker.offer_frame(Frame(self.seen(at_s), now_ns, 'optical'))
            if tick % 10 == 0 and (age := self.tracker.learn_attitude_age()) is not None:
                told.append(age)
        return told


@pytest.mark.parametrize('late_s', [0.0, 0.06])
def test_the_tracker_tells_the_age_while_the_gimbal_moves(late_s: float) -> None:
    street = Street(late_s)
    (age,) = street.watch(0.0, 9.0)
    assert age.late_s == pytest.approx(late_s, abs=0.003)
    assert age.pictures >= 12
    assert T0 <= age.since_ns < T0 + 3_000 * MS
    assert street.tracker.attitude_age == age
    # It is known for a minute: no more pictures are taken.
    assert not street.tracker.wants_frames


def test_a_calibration_is_watched_without_a_pause_and_from_its_beginning() -> None:
    street = Street(0.02)
    assert len(street.watch(0.0, 9.0)) == 1
    street.tracker.offer_control(ControlState(True, 'calibration'), 'setpoint')
    ages = street.watch(9.0, 21.0)
    assert len(ages) >= 2
    assert all(age.since_ns >= T0 + 9_000 * MS for age in ages)
    assert [age.late_s for age in ages] == pytest.approx([0.02] * len(ages), abs=0.003)
    street.tracker.offer_control(ControlState(True, 'nobody'), 'setpoint')
    (street.watch(21.0, 27.0))
    assert not street.tracker.wants_frames


def test_no_picture_is_taken_for_a_camera_at_rest_nor_where_it_is_not_wanted() -> None:
    resting = Street(0.06, lambda at_s: 0.0)
    assert resting.watch(0.0, 2.0) == []
    unwanted = Street(0.06, parameters=TrackerParameters(learn_attitude_age=False))
    assert unwanted.watch(0.0, 2.0) == []
    assert resting.frames == unwanted.frames == 0


def test_while_the_vehicle_is_known_to_turn_nothing_is_told() -> None:
    """What turns the frame of the angles has an age of its own."""
    street = Street(0.06)
    street.headings = lambda at_s: math.radians(4.0) * at_s
    assert street.watch(0.0, 8.0) == []


def test_a_clock_that_jumps_back_begins_anew() -> None:
    street = Street(0.06)
    street.watch(0.0, 2.0)
    street.tracker._restart_time()
    (age,) = street.watch(0.0, 9.0)
    assert age.late_s == pytest.approx(0.06, abs=0.003)
