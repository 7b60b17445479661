# SPDX-License-Identifier: Apache-2.0
"""Identity from image to image."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_common.geometry import matrix_from_quaternion, quaternion_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Detections, Tracks
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.tracking import camera_motion
from gremsy_tracker.tracking.multi_object_tracker import MultiObjectTracker

MS = 1_000_000
START = 10**18


def seen(at_ms: float, *boxes: tuple[float, float], score: float = 0.8, label: str = 'person') -> Detections:
    """60x150 boxes around centres."""
    corners = np.array([[x - 30, y - 75, x + 30, y + 75] for x, y in boxes], dtype=float).reshape(-1, 4)
    count = len(corners)
    return Detections(
        START + round(at_ms * MS), 'optical', corners, np.full(count, score), np.array([label] * count, dtype=np.str_)
    )


def tracker(**changes: object) -> MultiObjectTracker:
    return MultiObjectTracker(TrackerParameters(**changes))


def feed(target: MultiObjectTracker, *images: Detections) -> Tracks:
    for image in images:
        tracks = target.update(image)
    return tracks


@pytest.mark.parametrize(('every_ms', 'sightings'), [(10, 6), (20, 4), (30, 3), (170, 3)])
def test_a_track_is_published_by_seconds_of_evidence_not_by_sightings(every_ms: int, sightings: int) -> None:
    target = tracker(confirm_evidence_s=0.05)
    before = [len(feed(target, seen(every_ms * i, (100, 200)))) for i in range(sightings - 1)]
    assert before == [0] * (sightings - 1)
    assert feed(target, seen(every_ms * (sightings - 1), (100, 200))).ids.tolist() == [1]


def sightings_until_published(target: MultiObjectTracker, score: float, *, seen_each: int = 1) -> int:
    """Pictures of somebody new beside the one whom `target` knows at a score of 0.8, every `seen_each`-th with him."""
    known = seen(0, (100, 200))
    assert target.stamp_ns is not None
    for count in range(1, 100):
        extra = seen(0, (400, 200), score=score)
        both = [known, extra] if count % seen_each == 1 % seen_each else [known]
        tracks = target.update(
            Detections(
                target.stamp_ns + 33 * MS,
                'optical',
                np.concatenate([each.boxes_px for each in both]),
                np.concatenate([each.scores for each in both]),
                np.concatenate([each.labels for each in both]),
            )
        )
        assert tracks is not None
        if len(tracks) == 2:
            return count
    return 100


def test_who_scores_below_what_is_usual_needs_longer_and_who_is_missed_longer_still() -> None:
    needed = []
    for score, seen_each in ((0.8, 1), (0.7, 1), (0.7, 2)):
        target = tracker(confirm_evidence_s=0.1)
        feed(target, *(seen(33 * i, (100, 200)) for i in range(30)))
        needed.append(sightings_until_published(target, score, seen_each=seen_each))
    # 0.7 of the usual 0.8 is worth (0.7 / 0.8) ** 16 = 0.118; a miss costs 0.75, so every other time is never enough.
    assert needed == [5, 27, 100]


def test_boxes_are_published_smoothed_or_as_detected_and_handed_on_as_detected_in_either_case() -> None:
    random = np.random.default_rng(2)
    places = [(100.0 + 3.0 * i + jitter, 200.0) for i, jitter in enumerate(random.normal(0.0, 4.0, 60))]
    rough, smooth = tracker(smooth_boxes=False), tracker()
    left = []
    for i, place in enumerate(places):
        as_detected, handed_on = feed(rough, seen(33 * i, place)), smooth.associate(seen(33 * i, place))
        assert handed_on is not None
        smoothed = smooth.correct(handed_on)
        assert as_detected.ids.tolist() == smoothed.ids.tolist()
        if i >= 30:
            assert np.array_equal(as_detected.boxes_px, seen(0, place).boxes_px)
            assert np.array_equal(handed_on.boxes_px, as_detected.boxes_px)
            left.append((as_detected.boxes_px[0, 0], smoothed.boxes_px[0, 0], 70.0 + 3.0 * i))
    detected_px, smoothed_px, true_px = np.array(left).T
    assert np.std(smoothed_px - true_px) < 0.6 * np.std(detected_px - true_px)


def test_ids_belong_to_the_instance() -> None:
    for _ in range(2):
        assert feed(tracker(), *(seen(60 * i, (100, 200)) for i in range(3))).ids.tolist() == [1]


def test_two_walkers_who_cross_keep_their_ids() -> None:
    target = tracker()
    for i in range(60):
        left, right = 100 + 6.0 * i, 460 - 6.0 * i
        tracks = feed(target, seen(60 * i, (left, 200), (right, 230)))
        if i == 5:
            before = dict(zip(np.sign(tracks.boxes_px[:, 0] - 250), tracks.ids.tolist(), strict=True))
    after = dict(zip(np.sign(tracks.boxes_px[:, 0] - 250), tracks.ids.tolist(), strict=True))
    assert after == {1.0: before[-1.0], -1.0: before[1.0]}


def test_a_doubtful_detection_keeps_a_track_but_begins_none() -> None:
    target = tracker()
    feed(target, *(seen(60 * i, (100, 200)) for i in range(3)))
    tracks = feed(target, seen(180, (100, 200), (400, 200), score=0.3), seen(240, (100, 200), (400, 200), score=0.3))
    assert tracks.ids.tolist() == [1]


def test_a_doubtful_detection_brings_back_who_was_missed() -> None:
    target = tracker()
    feed(target, *(seen(60 * i, (100, 200)) for i in range(3)), seen(180), seen(240))
    assert feed(target, seen(300, (102, 200), score=0.3)).ids.tolist() == [1]


def test_classes_never_mix() -> None:
    target = tracker()
    feed(target, *(seen(60 * i, (100, 200)) for i in range(3)))
    assert len(feed(target, seen(180, (100, 200), label='dog'))) == 0


@pytest.mark.parametrize(('gap_ms', 'comes_back'), [(1400, True), (1600, False)])
def test_a_track_is_forgotten_by_seconds_of_empty_images_not_by_their_number(gap_ms: int, comes_back: bool) -> None:
    target = tracker(track_lost_after_s=1.5)
    feed(target, *(seen(60 * i, (100, 200)) for i in range(3)))
    empties = np.linspace(121, 120 + gap_ms - 1, 50)
    feed(target, *(seen(at) for at in empties))
    tracks = feed(target, seen(120 + gap_ms, (100, 200)))
    assert (tracks.ids.tolist() == [1]) is comes_back


def test_a_duplicate_box_begins_no_second_track() -> None:
    tracks = feed(tracker(), *(seen(60 * i, (100, 200), (102, 201)) for i in range(4)))
    assert len(tracks) == 1


def test_unusable_boxes_are_dropped_and_counted() -> None:
    target = tracker(max_detections=2)
    boxes = np.array(
        [
            [math.nan, 0, 10, 10],
            [50, 50, 50, 90],
            [700, 0, 800, 90],
            [10, 10, 40, 90],
            [100, 10, 140, 90],
            [200, 10, 240, 90],
        ]
    )
    scores = np.array([0.9, 0.9, 0.9, 0.7, 0.6, 0.8])
    target.update(Detections(START, 'optical', boxes, scores, np.array(['person'] * 6)), image_size_px=(640, 480))
    assert dict(target.dropped) == {
        'boxes_not_finite': 1,
        'boxes_without_area': 1,
        'boxes_outside_image': 1,
        'boxes_beyond_limit': 1,
    }


def test_a_clock_that_is_set_begins_anew_with_fresh_ids() -> None:
    target = tracker()
    feed(target, *(seen(60_000 + 60 * i, (100, 200)) for i in range(3)))
    target.restart_time()
    tracks = feed(target, *(seen(60 * i, (100, 200)) for i in range(3)))
    assert tracks.ids.tolist() == [2]


def test_a_fast_pan_keeps_the_ids_with_telemetry_and_loses_them_without() -> None:
    camera = CameraModel.from_horizontal_field(640, 480, math.radians(40.0))
    ids = {}
    for with_telemetry in (True, False):
        target, before = tracker(), None
        for i in range(8):
            # Still for confirmation, then 70 deg/s to the left and back: 77 px between images of a 60 px wide box.
            azimuth = math.radians([0, 0, 0, 0, 5, 10, 5, 10][i])
            level_from_camera = matrix_from_quaternion(quaternion_from_bearing(azimuth, 0.0))
            centre = 320 + camera.focal_x_px * math.tan(azimuth), 240.0
            homography = None
            if before is not None and with_telemetry:
                homography = camera_motion.homography(camera, before, camera, level_from_camera)
            tracks = target.update(seen(70 * i, centre), after_from_before=homography)
            before = level_from_camera
        assert tracks is not None
        ids[with_telemetry] = tracks.ids.tolist()
    assert ids[True] == [1]
    assert ids[False] != [1]


def test_a_confirmed_track_stays_so_when_more_is_asked_of_new_ones() -> None:
    target = tracker()
    feed(target, *(seen(60 * i, (100, 200)) for i in range(3)))
    target.parameters = TrackerParameters(confirm_evidence_s=1.0)
    assert feed(target, seen(180, (100, 200), (400, 200))).ids.tolist() == [1]


def test_an_id_does_not_jump_to_a_neighbour_who_appears_while_its_own_box_is_missed() -> None:
    """Their boxes overlap by a third, but nobody is thrown by half his height within a fifth of a second."""
    target = tracker()
    feed(target, *(seen(60 * i, (100, 200)) for i in range(20)), seen(1200), seen(1260))
    assert len(feed(target, seen(1320, (100, 130)))) == 0
    tracks = feed(target, seen(1380, (100, 200), (100, 130)))
    assert tracks.boxes_px[tracks.ids == 1].tolist() == [[70, 125, 130, 275]]


def test_who_was_seen_half_only_keeps_the_id_when_seen_whole_again() -> None:
    target = tracker()
    feed(target, *(seen(60 * i, (100, 200)) for i in range(20)))
    half = Detections(
        START + 1200 * MS, 'optical', np.array([[70.0, 125, 130, 205]]), np.full(1, 0.6), seen(0, (0, 0)).labels
    )
    feed(target, half, seen(1260), seen(1320))
    assert feed(target, seen(1380, (100, 200))).ids.tolist() == [1]


def test_who_comes_out_from_behind_something_keeps_the_id() -> None:
    target = tracker()
    feed(target, *(seen(60 * i, (100 + 5 * i, 200)) for i in range(20)), *(seen(1200 + 60 * i) for i in range(10)))
    assert feed(target, seen(1800, (100 + 5 * 30 + 15, 205))).ids.tolist() == [1]


@pytest.mark.parametrize('order_seed', range(5))
def test_the_order_of_the_detections_changes_no_track(order_seed: int) -> None:
    """Only the numbers that are handed out change, and all images long the same for the same thing."""
    random, order = np.random.default_rng(3), np.random.default_rng(order_seed)
    place, step = random.uniform(0, [600, 400], (12, 2)), random.normal(0, 3.0, (12, 2))
    plain, shuffled = tracker(), tracker()
    renamed: dict[int, int] = {}
    for i in range(40):
        boxes = np.concatenate([place + i * step - [15, 40], place + i * step + [15, 40]], axis=1)
        boxes, scores = boxes + random.normal(0, 1.5, boxes.shape), random.uniform(0.2, 0.95, 12)
        labels = np.array(['person', 'dog'] * 6)
        keep = random.random(12) > 0.1
        mixed = order.permutation(np.flatnonzero(keep))
        one, other = (
            each.update(Detections(START + 60 * i * MS, 'optical', boxes[rows], scores[rows], labels[rows]))
            for each, rows in ((plain, np.flatnonzero(keep)), (shuffled, mixed))
        )
        assert one is not None and other is not None
        by_box = {
            tuple(box): track_id for box, track_id in zip(other.boxes_px.tolist(), other.ids.tolist(), strict=True)
        }
        assert len(by_box) == len(one)
        for box, track_id in zip(one.boxes_px.tolist(), one.ids.tolist(), strict=True):
            assert renamed.setdefault(track_id, by_box[tuple(box)]) == by_box[tuple(box)]
    assert len(set(renamed.values())) == len(renamed) >= 10


def test_five_thousand_boxes_are_survived() -> None:
    random = np.random.default_rng(1)
    low = random.uniform(0, [600, 440], (5000, 2))
    boxes = np.concatenate([low, low + random.uniform(5, 60, (5000, 2))], axis=1)
    target = tracker()
    for i in range(3):
        target.update(
            Detections(START + i, 'o', boxes, random.uniform(0.5, 1.0, 5000), np.array(['person'] * 5000)),
            image_size_px=(640, 480),
        )
    assert target.dropped['boxes_beyond_limit'] == 3 * 4700
