# SPDX-License-Identifier: Apache-2.0
"""The vehicle's turning out of pictures: as it was, going on from another source and back, nothing without texture."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from gremsy_common.geometry import matrix_from_quaternion, multiply_quaternions, quaternion_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Detections
from gremsy_common.types.frame import Frame
from gremsy_common.types.gimbal_state import GimbalAttitude, LevelHeading
from gremsy_tracker.tracker import Tracker
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.tracking import camera_motion
from gremsy_tracker.tracking.heading_from_pictures import HeadingFromPictures
from gremsy_tracker.tracking.visual_ego_motion import KnownMotion

MS = 1_000_000
T0 = 10_000 * MS
CAMERA = CameraModel.from_horizontal_field(320, 240, math.radians(40.0))
BOX = np.array([[150.0, 60.0, 190.0, 180.0]])
Motion = Callable[[float], float]


def sway(at_s: float) -> float:
    """A vehicle that sways by 3 degrees in 2 s, rad."""
    return math.radians(3.0) * math.sin(math.pi * at_s)


def looks_round(at_s: float) -> float:
    """A gimbal that turns on it meanwhile, by 4 degrees in 5 s."""
    return math.radians(4.0) * math.sin(0.4 * math.pi * at_s)


class Vehicle:
    """Carries a gimbal, whose azimuth is against it, past a wall of patches; a person is always in the middle."""

    def __init__(
        self, heading: Motion = sway, *, plain: bool = False, parameters: TrackerParameters | None = None
    ) -> None:
        random = np.random.default_rng(3)
        self.wall = np.full((240, 320), 120, dtype=np.uint8)
        for _ in range(0 if plain else 250):
            x, y = (int(each) for each in random.integers(0, [320, 240]))
            width, height = (int(each) for each in random.integers(6, 40, 2))
            cv2.rectangle(self.wall, (x, y), (x + width, y + height), int(random.integers(256)), -1)
        self.heading = heading
        self.drives_px_s = 0.0
        self.ground = self.wall[::-1]
        self.tracker = Tracker(parameters or TrackerParameters(auto_lock='nearest'))
        self.tracker.offer_camera_model(0, CAMERA)
        self.seen = 0

    def picture(self, at_s: float) -> np.ndarray:
        rest, there = (
            matrix_from_quaternion(quaternion_from_bearing(azimuth, 0.0))
            for azimuth in (0.0, self.heading(at_s) + looks_round(at_s))
        )
        half = np.array([[1.0, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        moved = np.linalg.inv(half) @ camera_motion.homography(CAMERA, rest, CAMERA, there) @ half
        picture = cv2.warpPerspective(self.wall, moved, (320, 240), borderMode=cv2.BORDER_REFLECT)
        if self.drives_px_s:
            picture[160:] = np.roll(self.ground, round(self.drives_px_s * at_s), axis=1)[160:]
        picture[60:180, 150:190] = 40 + 100 * (np.arange(120)[:, None] // 8 % 2)  # moves with the camera
        return picture

    def drive(self, from_s: float, until_s: float, told: Motion | None = None) -> list[float]:
        """Errors of the heading that the tracker works with, degrees, from picture to picture.

        Args:
            from_s, until_s: when.
            told: what `gimbal/heading` says; None for nothing.
        """
        errors = []
        for tick in range(round(from_s * 100), round(until_s * 100)):
            at_s, now_ns = tick / 100, T0 + tick * 10 * MS
            if tick % 2 == 0:
                quaternion = quaternion_from_bearing(looks_round(at_s), 0.0)
                self.tracker.offer_attitude(GimbalAttitude(now_ns, 'camera', quaternion, np.zeros(3)))
                if told is not None:
                    self.tracker.offer_heading(LevelHeading(now_ns, 'level', told(at_s), math.nan))
            if tick % 4 == 0:
                if self.tracker.wants_frames:
                    self.tracker.offer_frame(Frame(self.picture(at_s), now_ns, 'optical'))
                labels = np.array(['person'])
                self.tracker.offer_detections(Detections(now_ns, 'optical', BOX, np.array([0.9]), labels), now_ns)
                self.tracker.look_for_turning()
                self.seen += self.tracker.turning_by_pictures
                errors.append(math.degrees(self.tracker.view(now_ns).heading_rad - self.heading(at_s)))
        return errors


def test_the_pictures_tell_how_the_vehicle_turns() -> None:
    vehicle = Vehicle()
    vehicle.drive(0.0, 1.0)
    errors = np.array(vehicle.drive(1.0, 6.0))
    assert vehicle.seen > 120
    # Where it began is its zero.
    assert np.std(errors) < 0.05
    assert vehicle.tracker.vehicle_turning(T0 + 6_000 * MS)[0]


def test_near_things_that_a_driving_vehicle_passes_are_not_its_turning() -> None:
    """The ground, a third of the picture, goes by at 60 px/s in front of the wall: 0.09 degrees; 0.03 without."""
    vehicle = Vehicle()
    vehicle.drives_px_s = 60.0
    vehicle.drive(0.0, 1.0)
    errors = np.array(vehicle.drive(1.0, 5.0))
    assert vehicle.seen > 90
    assert np.std(errors) < 0.15


def test_a_vehicle_at_rest_is_looked_at_seldom_until_it_turns() -> None:
    vehicle = Vehicle(lambda at_s: 0.0 if at_s < 6.0 else math.radians(4.0) * (at_s - 6.0))
    told: list[LevelHeading] = []
    offer = vehicle.tracker._core.offer_heading

    def counted(heading: LevelHeading, *, of_another: bool = False) -> bool:
        told.append(heading)
        return offer(heading, of_another=of_another)

    vehicle.tracker._core.offer_heading = counted  # type: ignore[method-assign]
    vehicle.drive(0.0, 5.0)
    told.clear()
    vehicle.drive(5.0, 6.0)
    assert 4 <= len(told) <= 6
    assert all(each.rate_rad_s == 0.0 for each in told)
    told.clear()
    errors = np.array(vehicle.drive(6.0, 8.0))
    assert len(told) > 40
    assert np.abs(errors[20:]).max() < 0.3


def test_without_them_it_is_taken_not_to_turn() -> None:
    unwanted = Vehicle(parameters=TrackerParameters(auto_lock='nearest', heading_from_pictures=False))
    errors = unwanted.drive(0.0, 3.0)
    assert not unwanted.seen
    assert np.std(errors) > 1.5


def test_no_texture_is_no_source() -> None:
    plain = Vehicle(plain=True)
    plain.drive(0.0, 2.0)
    assert plain.tracker.view(T0 + 2_000 * MS).heading_rad == 0.0


def test_it_goes_on_where_another_source_falls_silent_and_gives_it_back() -> None:
    vehicle = Vehicle()
    assert np.abs(vehicle.drive(0.0, 2.0, sway)).max() < 0.05
    assert not vehicle.seen
    silent = np.abs(vehicle.drive(2.0, 5.0))
    assert vehicle.seen
    assert silent.max() < 0.5  # for a quarter of a second the forecast
    assert silent[20:].max() - silent[20:].min() < 0.15
    # One that comes back has another zero: nothing jumps.
    again = np.array(vehicle.drive(5.0, 7.0, lambda at_s: sway(at_s) + math.radians(2.5)))
    assert not vehicle.tracker.turning_by_pictures
    assert np.abs(np.diff(again)).max() < 0.1
    assert np.abs(again).max() < 0.6


@pytest.mark.parametrize('told', [sway, lambda at_s: 0.0])
def test_while_another_tells_no_picture_is_looked_at(told: Motion) -> None:
    vehicle = Vehicle(parameters=TrackerParameters(auto_lock='nearest', appearance_cue=False, learn_attitude_age=False))
    vehicle.drive(0.0, 1.0, told)
    assert not vehicle.seen
    assert not vehicle.tracker.wants_frames


class Late(Vehicle):
    """Its headings are stamped otherwise than its attitudes."""

    def __init__(self, by_ms: float) -> None:
        super().__init__()
        offer = self.tracker.offer_heading

        def stamped(heading: LevelHeading) -> None:
            offer(LevelHeading(heading.stamp_ns + round(by_ms * MS), 'level', heading.heading_rad, math.nan))

        self.tracker.offer_heading = stamped


@pytest.mark.parametrize('by_ms', [-600.0, -3_600_000.0])
def test_headings_that_are_too_old_are_counted_and_do_not_silence_the_pictures(by_ms: float) -> None:
    """They took the heading to and fro, by 50 degrees."""
    vehicle = Late(by_ms)
    vehicle.drive(0.0, 0.5, sway)
    errors = np.array(vehicle.drive(0.5, 2.0, sway))
    assert vehicle.tracker.turning_by_pictures
    assert np.std(errors) < 0.05
    assert vehicle.tracker.counts()['headings_stale'] > 80


def test_headings_that_are_a_little_late_take_over_from_the_pictures_and_keep_it() -> None:
    vehicle = Late(-300.0)
    vehicle.drive(0.0, 0.6)
    assert vehicle.tracker.turning_by_pictures
    vehicle.drive(0.6, 1.1, sway)
    seen = vehicle.seen
    vehicle.drive(1.1, 2.0, sway)
    assert vehicle.seen == seen and not vehicle.tracker.turning_by_pictures
    assert not [reason for reason in vehicle.tracker.counts() if reason.startswith('heading')]


def test_headings_that_are_no_numbers_do_not_silence_the_pictures() -> None:
    vehicle = Vehicle()
    vehicle.drive(0.0, 0.5)
    errors = np.array(vehicle.drive(0.5, 2.0, lambda at_s: math.nan))
    assert vehicle.tracker.turning_by_pictures
    assert np.std(errors) < 0.05


@pytest.mark.parametrize('by_deg', [7.0, -120.0])
def test_a_change_of_the_mode_is_no_turn_of_the_vehicle(by_deg: float) -> None:
    """Azimuth counts from elsewhere, which the pictures took for a turn: the target was lost."""
    vehicle = Vehicle()
    vehicle.drive(0.0, 0.5)
    before = np.mean(vehicle.drive(0.5, 1.0))
    offer, recounted = vehicle.tracker.offer_attitude, quaternion_from_bearing(math.radians(by_deg), 0.0)

    def elsewhere(sample: GimbalAttitude) -> None:
        turned = multiply_quaternions(recounted, sample.level_from_camera_wxyz)
        offer(GimbalAttitude(sample.stamp_ns, sample.frame_id, turned, sample.rate_rad_s))

    vehicle.tracker.offer_attitude = elsewhere
    after = np.array(vehicle.drive(1.0, 2.0)) + by_deg
    assert vehicle.tracker.turning_by_pictures
    assert np.abs(after - before).max() < 0.3
    assert vehicle.tracker.status.target_id == 1
    assert 'heading_jumps' not in vehicle.tracker.counts()


def test_a_look_that_time_began_anew_under_tells_nothing_and_the_next_ones_do() -> None:
    vehicle = Vehicle()
    turning = HeadingFromPictures()

    def look(at_s: float, camera_at: Callable[[int], CameraModel]) -> LevelHeading | None:
        stamp_ns = T0 + round(at_s * 1000) * MS
        turning.offer_frame(Frame(vehicle.picture(at_s), stamp_ns, 'optical'))
        return turning.look(stamp_ns, KnownMotion(lambda _: np.eye(3), lambda _: 0.0, camera_at), None)

    def clears(_: int) -> CameraModel:
        turning.clear()
        return CAMERA

    assert look(100.0, lambda _: CAMERA) is not None
    assert look(100.04, clears) is None
    assert [look(at_s, lambda _: CAMERA) is not None for at_s in (1.0, 1.04, 1.08)] == [True] * 3
