# SPDX-License-Identifier: Apache-2.0
"""Bearing and position of somebody in an invented world, from boxes that OpenCV projected, on a vehicle that turns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Detections
from gremsy_common.types.gimbal_state import GimbalAttitude, LevelHeading, RangeReading
from gremsy_tracker.display.tracker_view import TrackerUpdate, place_rows
from gremsy_tracker.lock.target_lock import LockState
from gremsy_tracker.place.target_range import RangeSource
from gremsy_tracker.tracker import Tracker
from gremsy_tracker.tracker_parameters import TrackerParameters

CAMERA = CameraModel.from_horizontal_field(1280, 720, math.radians(40.0))
MATRIX = np.array([[CAMERA.focal_x_px, 0.0, 640.0], [0.0, CAMERA.focal_y_px, 360.0], [0.0, 0.0, 1.0]])
OPTICAL_FROM_CAMERA = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
T0, MS = 10**18, 1_000_000
TALL_M, CAMERA_M = 1.7, 8.0
STEP_MS, LATE_MS = 60, 80


@dataclass
class World:
    """Somebody walks past at 40 m; the vehicle sways by 5 degrees in 2 s, and the gimbal looks at him all the while."""

    tracker: Tracker
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(4))
    edge_share: float = 0.05
    beside_deg: float = 1.0
    ms: int = 0

    def foot_m(self, at_ms: float) -> np.ndarray:
        return np.array([40.0, -3.0 + 1.2 * at_ms * 1e-3, -CAMERA_M])

    def middle_m(self, at_ms: float) -> np.ndarray:
        return self.foot_m(at_ms) + np.array([0.0, 0.0, TALL_M / 2])

    def heading_rad(self, at_ms: float) -> float:
        return math.radians(5.0) * math.sin(math.pi * at_ms * 1e-3)

    def still_from_camera(self, at_ms: float) -> Rotation:
        """A little beside him, and not quite at rest."""
        x, y, z = self.middle_m(at_ms)
        azimuth = math.atan2(y, x) + math.radians(self.beside_deg) * math.sin(at_ms * 1e-3)
        return Rotation.from_euler('ZY', [azimuth, math.atan2(-z, math.hypot(x, y))])

    def telemetry(self, at_ms: float) -> None:
        level_from_still = Rotation.from_euler('Z', -self.heading_rad(at_ms))
        x, y, z, w = (level_from_still * self.still_from_camera(at_ms)).as_quat()
        stamp_ns = T0 + round(at_ms * MS)
        self.tracker.offer_heading(LevelHeading(stamp_ns, 'level', self.heading_rad(at_ms), math.nan))
        self.tracker.offer_attitude(GimbalAttitude(stamp_ns, 'camera', np.array([w, x, y, z]), np.zeros(3)))

    def image(self, *, seen: bool = True) -> TrackerUpdate:
        for at_ms in range(self.ms + 20, self.ms + STEP_MS + 1, 20):
            self.telemetry(at_ms)
        self.ms += STEP_MS
        foot = self.foot_m(self.ms)
        turn, _ = cv2.Rodrigues(OPTICAL_FROM_CAMERA @ self.still_from_camera(self.ms).inv().as_matrix())
        ends, _ = cv2.projectPoints(
            np.array([foot + np.array([0.0, 0.0, TALL_M]), foot]),
            turn,
            np.zeros(3),
            MATRIX,
            None,
        )
        (x0, y0), (x1, y1) = ends.reshape(2, 2)
        middle, half = (x0 + x1) / 2, (y1 - y0) / 6
        noise = self.random.normal(0.0, self.edge_share, 4) * np.array([2 * half, y1 - y0] * 2)
        box = np.array([middle - half, y0, middle + half, y1]) + noise
        boxes = box[None] if seen else np.zeros((0, 4))
        count = len(boxes)
        labels = np.array(['person'] * count, dtype=np.str_)
        stamp_ns = T0 + self.ms * MS
        update = self.tracker.offer_detections(
            Detections(stamp_ns, 'optical', boxes, np.full(count, 0.8), labels), stamp_ns + LATE_MS * MS
        )
        assert update is not None
        return update

    def true_direction(self) -> np.ndarray:
        middle = self.middle_m(self.ms)
        return middle / np.linalg.norm(middle)


def world(**changes: object) -> World:
    parameters = {'auto_lock': 'nearest', 'still_frame': 'robot/eo_still', **changes}
    tracker = Tracker(TrackerParameters(**parameters))
    tracker.offer_camera_model(T0, CAMERA)
    made = World(tracker)
    made.telemetry(0.0)
    return made


def angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b)))


def test_the_bearing_is_the_true_direction_in_a_frame_that_does_not_turn_with_the_vehicle() -> None:
    there = world()
    for _ in range(10):
        there.image()
    errors = []
    for _ in range(60):
        bearing = there.image().bearing
        assert bearing is not None
        assert (bearing.stamp_ns, bearing.frame_id) == (T0 + there.ms * MS, 'robot/eo_still')
        assert np.linalg.norm(bearing.direction) == pytest.approx(1.0)
        errors.append(angle_deg(bearing.direction, there.true_direction()))
    # The vehicle sways by 5 degrees either way, his box by 0.1.
    assert np.sqrt(np.mean(np.square(errors))) < 0.1
    assert math.degrees(float(bearing.rate_rad_s[0])) == pytest.approx(1.2 / 40.0 * 180 / math.pi, abs=0.5)


@pytest.mark.parametrize(
    ('changes', 'source'),
    [
        ({'object_heights_m': ('person 1.7 0.05',)}, RangeSource.HEIGHT),
        ({'camera_height_m': CAMERA_M}, RangeSource.GROUND),
        ({}, RangeSource.FINDER),
    ],
    ids=['height', 'ground', 'finder'],
)
def test_the_position_is_the_true_one_as_well_as_its_covariance_says(
    changes: dict[str, object], source: RangeSource
) -> None:
    there = world(**changes)
    there.beside_deg = 0.1  # the beam is to hit him
    squares = []
    for number in range(100):
        if source is RangeSource.FINDER and number % 5 == 0:
            stamp_ns = T0 + (there.ms + 20) * MS
            there.telemetry(there.ms + 20.0)
            true_m = float(np.linalg.norm(there.middle_m(there.ms + 20)))
            measured = true_m + there.random.normal(0.0, 1.0)
            there.tracker.offer_range(RangeReading(stamp_ns, 'camera', measured, 5.0, 300.0, 0.001), stamp_ns + MS)
        update = there.image()
        if number < 10 or update.position is None:
            continue
        assert update.range_source is source
        assert (update.position.stamp_ns, update.position.frame_id) == (T0 + there.ms * MS, 'robot/eo_still')
        off = update.position.position_m - there.middle_m(there.ms)
        squares.append(float(off @ np.linalg.solve(update.position.covariance_m2, off)))
    assert len(squares) > 60
    # Of three dimensions the mean is 3. The finder's covariance also has what may have moved since, and telemetry is
    # exact here: smaller errors than said, not larger ones.
    assert 0.15 < np.mean(squares) < 4.0


def test_a_hidden_target_is_told_of_for_as_long_as_it_is_coasted_and_a_range_lasts() -> None:
    there = world(object_heights_m=('person 1.7 0.05',), range_max_age_s=0.5)
    for _ in range(30):
        there.image()
    seen = there.image()
    assert seen.bearing is not None and seen.position is not None
    hidden = [there.image(seen=False) for _ in range(10)]
    assert all(each.status.state is LockState.COASTING for each in hidden)
    assert all(each.bearing is not None for each in hidden)
    assert [each.position is not None for each in hidden] == [True] * 8 + [False] * 2, 'half a second of 60 ms'
    stds = [seen.bearing.std_rad[0], *(each.bearing.std_rad[0] for each in hidden if each.bearing is not None)]
    assert stds == sorted(stds), 'it is known worse and worse'
    lost = [there.image(seen=False) for _ in range(20)][-1]
    assert lost.status.state is not LockState.COASTING
    assert lost.bearing is None and lost.position is None


def test_nobody_chosen_is_nowhere() -> None:
    there = world(auto_lock='none')
    update = there.image()
    assert update.bearing is None and update.position is None
    assert set(place_rows(update).values()) == {''}


def test_without_a_range_there_is_a_bearing_alone_and_diagnostics_say_so() -> None:
    there = world()
    for _ in range(10):
        update = there.image()
    assert update.bearing is not None and update.position is None
    rows = place_rows(update)
    assert rows["target's range (m)"] == 'not known: nothing tells it'
    assert ' +- ' in rows["target's rates (deg/s)"]


def test_diagnostics_name_what_told_the_range() -> None:
    there = world(object_heights_m=('person 1.7 0.05',))
    for _ in range(10):
        update = there.image()
    assert place_rows(update)["target's range (m)"].endswith(', by the known height of its class')


def test_the_range_of_one_target_is_not_the_next_ones() -> None:
    there = world(object_heights_m=('person 1.7 0.05',), range_max_age_s=10.0)
    for _ in range(10):
        there.image()
    there.tracker.release()
    there.tracker.reconfigure(TrackerParameters(auto_lock='none', range_max_age_s=10.0))
    there.tracker.reconfigure(TrackerParameters(auto_lock='largest', range_max_age_s=10.0))
    update = there.image()
    assert update.bearing is not None and update.position is None
