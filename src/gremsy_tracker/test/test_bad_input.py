# SPDX-License-Identifier: Apache-2.0
"""Whatever comes in: no exception, a counted reason, and the gimbal does as if it had not come."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from gremsy_common.geometry import quaternion_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Detections
from gremsy_common.types.frame import Frame
from gremsy_common.types.gimbal_state import GimbalAttitude, RateSetpoint
from gremsy_tracker.tracker import Tracker
from gremsy_tracker.tracker_parameters import TrackerParameters

CAMERA = CameraModel.from_horizontal_field(640, 480, math.radians(40.0))
NO_FOCAL_LENGTH = CameraModel(640, 480, 0.0, 0.0, 320.0, 240.0)
T0, MS = 10**18, 1_000_000
PERSON = np.array([[170.0, 225, 230, 375]])
NAN, INF = math.nan, math.inf
Setpoints = list[RateSetpoint | None]


class Feed:
    """A still gimbal; one image each 60 ms, 100 ms late."""

    def __init__(self, auto_lock: str = 'nearest', camera: CameraModel | None = CAMERA) -> None:
        # No pictures come, which the looks would count.
        parameters = TrackerParameters(auto_lock=auto_lock, level_frame='gimbal_level', appearance_cue=False)
        self.tracker = Tracker(parameters)
        self.sent: Setpoints = []
        self.ms = 0
        if camera is not None:
            self.tracker.offer_camera_model(T0, camera)

    def attitude(self, at_ms: float, azimuth: float = 0.0, rate: float = 0.0) -> None:
        sample = quaternion_from_bearing(azimuth, 0.0)
        self.tracker.offer_attitude(
            GimbalAttitude(T0 + round(at_ms * MS), 'camera', sample, np.array([0.0, 0.0, rate]))
        )

    def image(self, boxes: np.ndarray, scores: np.ndarray | None = None) -> None:
        self.ms += 60
        self.attitude(self.ms + 80)
        self.raw_image(self.ms, boxes, scores)
        self.sent.append(self.tracker.tick(self.now(20)))

    def raw_image(self, stamp_ms: int, boxes: np.ndarray, scores: np.ndarray | None = None) -> None:
        scores = np.full(len(boxes), 0.8) if scores is None else scores
        seen = Detections(T0 + stamp_ms * MS, 'optical', boxes, scores, np.full(len(boxes), 'person'))
        update = self.tracker.offer_detections(seen, self.now())
        self.sent.append(None if update is None else update.setpoint)

    def now(self, later_ms: int = 0) -> int:
        return T0 + (self.ms + 100 + later_ms) * MS


def any_motion(setpoints: Setpoints) -> bool:
    return any(each is not None and (each.azimuth_rate_rad_s, each.tilt_rate_rad_s) != (0.0, 0.0) for each in setpoints)


def run(between: Callable[[Feed], None], boxes: np.ndarray = PERSON, scores: np.ndarray | None = None) -> Feed:
    """A person is followed; after each image something else comes in."""
    feed = Feed()
    for _ in range(12):
        feed.image(boxes, scores)
        sent = len(feed.sent)
        between(feed)
        del feed.sent[sent:]
    return feed


def undisturbed() -> Setpoints:
    sent = run(lambda _: None).sent
    assert any_motion(sent)
    return sent


BAD_BOXES = {
    'boxes_not_finite': [[NAN, 0, 10, 10], [0, 0, INF, 10], [-INF, -INF, INF, INF], [NAN, NAN, NAN, NAN]],
    'boxes_without_area': [[320, 240, 320, 300], [300, 240, 340, 240], [340, 300, 300, 240], [5, 5, 5, 5]],
    'boxes_outside_image': [[700, 10, 760, 90], [-90, 10, -1, 90], [10, 480, 60, 600], [1e30, 1e30, 2e30, 2e30]],
}


@pytest.mark.parametrize('reason', sorted(BAD_BOXES))
def test_boxes_that_are_none_move_nothing_and_are_counted(reason: str) -> None:
    bad = np.array(BAD_BOXES[reason], dtype=float)
    feed = Feed()
    for _ in range(30):
        feed.image(bad)
    assert not any_motion(feed.sent)
    assert feed.tracker.counts() == {reason: 30 * len(bad)}


@pytest.mark.parametrize('reason', sorted(BAD_BOXES))
def test_boxes_that_are_none_beside_a_good_one_change_no_setpoint(reason: str) -> None:
    bad = np.array(BAD_BOXES[reason], dtype=float)
    feed = run(lambda _: None, np.concatenate([bad[:2], PERSON, bad[2:]]))
    assert feed.sent == undisturbed()
    assert feed.tracker.counts() == {reason: 12 * len(bad)}


def test_scores_that_are_not_finite_are_counted_and_change_no_setpoint() -> None:
    feed = run(lambda _: None, np.concatenate([PERSON + 200, PERSON, PERSON - 100]), np.array([NAN, 0.8, INF]))
    assert feed.sent == undisturbed()
    assert feed.tracker.counts() == {'boxes_not_finite': 24}


def test_the_same_box_many_times_is_one_track_and_changes_no_setpoint() -> None:
    feed = run(lambda _: None, np.repeat(PERSON, 20, axis=0))
    assert feed.sent == undisturbed()
    assert feed.tracker.view(feed.now()).tracks.ids.tolist() == [1]


def test_five_thousand_boxes_move_nothing_that_nobody_chose_and_the_rest_is_counted() -> None:
    random = np.random.default_rng(1)
    feed = Feed(auto_lock='none')
    for _ in range(4):
        low = random.uniform(0, [600, 440], (5000, 2))
        feed.image(np.concatenate([low, low + random.uniform(2, 60, (5000, 2))], axis=1), random.uniform(0.2, 1, 5000))
    assert not any_motion(feed.sent)
    assert feed.tracker.counts()['boxes_beyond_limit'] == 4 * 4700


def elsewhere(stamp_ms: Callable[[Feed], int]) -> Callable[[Feed], None]:
    return lambda feed: feed.raw_image(stamp_ms(feed), PERSON + 150)


@pytest.mark.parametrize(
    ('between', 'reason'),
    [
        (elsewhere(lambda feed: feed.ms), 'stamps_repeated'),
        (elsewhere(lambda feed: feed.ms - 30), 'stamps_unsorted'),
        (elsewhere(lambda feed: feed.ms + 5000), 'stamps_from_the_future'),
        (lambda feed: feed.tracker.offer_camera_model(T0 + feed.ms * MS, NO_FOCAL_LENGTH), 'camera_models_unusable'),
        (lambda feed: feed.attitude(feed.ms + 70, azimuth=1.0), 'attitudes_unsorted'),
        (lambda feed: feed.attitude(feed.ms + 90, azimuth=NAN), 'attitudes_not_finite'),
        (lambda feed: feed.attitude(feed.ms + 90, rate=INF), 'attitudes_not_finite'),
    ],
)
def test_what_cannot_be_true_changes_no_setpoint_and_is_counted(between: Callable[[Feed], None], reason: str) -> None:
    feed = run(between)
    assert feed.sent == undisturbed()
    assert feed.tracker.counts() == {reason: 12}


def test_a_camera_without_focal_length_moves_nothing() -> None:
    feed = Feed(camera=NO_FOCAL_LENGTH)
    for _ in range(20):
        feed.image(PERSON)
    assert not any_motion(feed.sent)
    assert feed.tracker.counts() == {'camera_models_unusable': 1}


def test_a_clock_that_jumps_back_moves_nothing_until_there_is_a_target_again() -> None:
    feed = run(lambda _: None)
    feed.ms -= 100_000
    sent = len(feed.sent)
    feed.image(PERSON)
    feed.image(PERSON)
    assert not any_motion(feed.sent[sent:])
    assert feed.tracker.counts() == {'clock_jumps': 1}


def test_an_attitude_that_stops_stops_the_motion() -> None:
    feed = run(lambda _: None)
    sent = len(feed.sent)
    for _ in range(20):
        feed.ms += 60
        feed.raw_image(feed.ms, PERSON)
    # The last sample is carried on for `max_attitude_age_s`, five images here.
    assert not any_motion(feed.sent[sent + 6 :])


def test_an_attitude_that_jumps_to_and_fro_asks_for_no_more_than_is_allowed() -> None:
    feed = Feed()
    for number in range(40):
        feed.attitude(feed.ms + 100, azimuth=1.5 * (number % 2), rate=30.0 * (-1) ** number)
        feed.image(PERSON)
    rates = np.array([[e.azimuth_rate_rad_s, e.tilt_rate_rad_s] for e in feed.sent if e is not None])
    assert np.isfinite(rates).all()
    assert np.abs(rates).max(initial=0.0) <= TrackerParameters().max_rate_rad_s


def test_a_box_beyond_what_the_lens_sees_is_left_out_and_counted() -> None:
    # The lens bends back 210 px from the middle: 20 px inside of the corner of the picture.
    fisheye = CameraModel(640, 480, 300.0, 300.0, 320.0, 240.0, (-0.3, 0.0, 0.0, 0.0), fisheye=True)
    feed = Feed(camera=fisheye)
    beyond = np.array([[560.0, 20, 620, 100]])
    for _ in range(12):
        feed.image(np.concatenate([PERSON, beyond]))
    assert any_motion(feed.sent)
    assert feed.tracker.counts() == {'boxes_beyond_the_lens': 12}


def test_a_fisheyes_target_is_where_its_lens_says() -> None:
    """An equidistant lens of 300 px: the box's middle is 120 px left of the axis, so 0.4 rad; a pinhole's is 0.38."""
    feed = Feed(camera=CameraModel(640, 480, 300.0, 300.0, 320.0, 240.0, (0.0,) * 4, fisheye=True))
    left_of_the_axis = np.array([[170.0, 165, 230, 315]])
    for _ in range(12):
        feed.image(left_of_the_axis)
    bearing = feed.tracker.view(T0 + feed.ms * MS).target_bearing_rad
    assert bearing is not None
    assert bearing == pytest.approx([0.4, 0.0], abs=1e-3)
    assert feed.tracker.counts() == {}


def test_pictures_of_another_size_than_camera_info_says_are_counted() -> None:
    feed = Feed()
    for size in ((480, 640), (240, 320)):
        feed.tracker.offer_frame(Frame(np.zeros((*size, 3), np.uint8), T0, 'optical'))
    assert feed.tracker.counts() == {'images_of_another_size': 1}
