# SPDX-License-Identifier: Apache-2.0
"""Colours of boxes: what counts, what does not, and when they are learned."""

from __future__ import annotations

import numpy as np
import pytest

from gremsy_common.types.detections import Tracks
from gremsy_common.types.frame import Frame
from gremsy_tracker.lock.appearance import AppearanceModel, TargetAppearance, signatures
from gremsy_tracker.tracker_parameters import TrackerParameters

RED, BLUE, GREEN, GREY = (40, 40, 200), (200, 60, 40), (40, 160, 40), (128, 128, 128)
BOX = np.array([100.0, 100.0, 140.0, 220.0])


def scene(*people: tuple[float, tuple[int, int, int], tuple[int, int, int]], noise: float = 0.0) -> np.ndarray:
    """Grey ground with people: left edge of the 40 x 120 px box, colour above, colour below."""
    image = np.full((480, 640, 3), GREY, dtype=np.float64)
    for left, above, below in people:
        image[100:160, round(left) : round(left) + 40] = above
        image[160:220, round(left) : round(left) + 40] = below
    image += np.random.default_rng(3).normal(0.0, noise, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def box(left: float) -> np.ndarray:
    return BOX + np.array([left - 100.0, 0.0, left - 100.0, 0.0])


def tracks(stamp_ns: int, *lefts: float, score: float = 0.8) -> Tracks:
    count = len(lefts)
    boxes = np.array([box(left) for left in lefts]).reshape(-1, 4)
    ids = np.arange(1, count + 1, dtype=np.int64)
    return Tracks(stamp_ns, 'o', boxes, np.full(count, score), np.array(['person'] * count, dtype=np.str_), ids)


def distance(image: np.ndarray, left: float, other: float) -> float:
    model = AppearanceModel()
    model.learn(signatures(image, box(left)[None])[0])
    found = model.distances(signatures(image, box(other)[None]))
    assert found is not None
    return float(found[0])


def test_every_histogram_is_a_share_of_one() -> None:
    found = signatures(scene((100, RED, BLUE), noise=20.0), np.array([box(100), box(300)]))
    assert found.shape == (2, 2, 3, 16)
    assert found.sum(axis=-1) == pytest.approx(np.ones((2, 2, 3)))


def test_the_same_clothes_are_alike_elsewhere_and_under_noise_and_others_are_not() -> None:
    image = scene((100, RED, BLUE), (200, RED, BLUE), (300, GREEN, BLUE), (400, BLUE, RED), noise=8.0)
    assert distance(image, 100, 200) < 0.02
    assert distance(image, 100, 300) > 0.2
    assert distance(image, 100, 400) > 0.4, 'the same colours the other way up are other clothes'


def test_a_box_a_tenth_too_wide_or_shifted_is_still_alike() -> None:
    image = scene((100, RED, BLUE), noise=8.0)
    model = AppearanceModel()
    model.learn(signatures(image, BOX[None])[0])
    loose = np.array([[96.0, 92, 144, 228], [104, 108, 144, 228]])
    found = model.distances(signatures(image, loose))
    assert found is not None
    assert found.max() < 0.1


def test_a_mono_picture_compares_by_brightness_and_never_with_a_coloured_model() -> None:
    image = np.full((480, 640), 60, dtype=np.uint8)
    image[100:220, 100:140] = 200
    found = signatures(image, np.array([box(100), box(300)]))
    assert found.shape == (2, 2, 1, 16)
    model = AppearanceModel()
    model.learn(found[0])
    assert model.distances(found) == pytest.approx([0.0, 1.0])
    assert model.distances(signatures(scene(), BOX[None])) is None


@pytest.mark.parametrize('strange', [[-500, -500, -400, -400], [630, 470, 900, 900], [0, 0, 0, 0], [-1e9, 0, 1e9, 480]])
def test_boxes_outside_the_picture_are_sampled_at_its_edge(strange: list[float]) -> None:
    found = signatures(scene(), np.array([strange], dtype=np.float64))
    assert found.sum(axis=-1) == pytest.approx(np.ones((1, 2, 3)))
    assert signatures(scene(), np.zeros((0, 4))).shape == (0, 2, 3, 16)
    assert signatures(np.zeros((1, 1, 3), dtype=np.uint8), np.array([strange], dtype=np.float64)).shape == (1, 2, 3, 16)


def learned(image: np.ndarray, seen: Tracks, times: int = 6, **changes: object) -> TargetAppearance:
    target = TargetAppearance(TrackerParameters(**changes))
    for number in range(times):
        at = Tracks(number, 'o', seen.boxes_px, seen.scores, seen.labels, seen.ids)
        target.offer_frame(Frame(image, number, 'o'))
        target.learn(at, 0, (640, 480))
    return target


def test_looks_are_known_after_five_clear_sightings_and_compare_only_the_tracks_asked_for() -> None:
    image = scene((100, RED, BLUE), (300, GREEN, GREEN), noise=5.0)
    both = tracks(9, 100, 300)
    assert not learned(image, both, 4).known
    target = learned(image, both, 5)
    target.offer_frame(Frame(image, 9, 'o'))
    looks = target.looks(both, np.array([True, True]), np.zeros(2))
    assert looks is not None
    assert looks[0] < 0.02 < 0.3 < looks[1]
    only = target.looks(both, np.array([False, True]), np.zeros(2))
    assert only is not None
    assert np.isnan(only).tolist() == [True, False]


@pytest.mark.parametrize(
    'seen',
    [tracks(0, 100, 115), tracks(0, 100, score=0.3), tracks(0, -10), tracks(0, 620)],
    ids=['overlapped', 'doubtful', 'cut left', 'cut right'],
)
def test_nothing_is_learned_from_a_box_that_shows_another_or_not_all(seen: Tracks) -> None:
    assert not learned(scene((100, RED, BLUE)), seen, 20).known


def test_what_it_looks_like_behind_a_post_is_not_learned() -> None:
    target = learned(scene((100, RED, BLUE)), tracks(0, 100))
    for number in range(100, 160):
        target.offer_frame(Frame(scene((100, GREEN, GREY)), number, 'o'))
        target.learn(tracks(number, 100), 0, (640, 480))
    target.offer_frame(Frame(scene((100, RED, BLUE)), 200, 'o'))
    looks = target.looks(tracks(200, 100), np.array([True]), np.zeros(1))
    assert looks is not None
    assert looks[0] < 0.02


def test_without_its_picture_nothing_is_known_and_that_is_counted() -> None:
    target = learned(scene((100, RED, BLUE)), tracks(0, 100))
    assert target.looks(tracks(777, 100), np.array([True]), np.zeros(1)) is None
    assert target.counts == {'looks_without_picture': 1}


def test_looks_are_kept_for_the_next_image_by_track_until_the_target_is_another() -> None:
    appearance = TargetAppearance(TrackerParameters())
    seen = tracks(1, 100.0, 200.0)
    assert appearance.looks_before(seen) is None
    appearance.keep_looks(seen, np.array([0.1, np.nan]))
    assert appearance.looked_ns == 1
    later = Tracks(2, 'o', seen.boxes_px, seen.scores, seen.labels, np.array([7, 1], dtype=np.int64))
    assert appearance.looks_before(later) == pytest.approx(np.array([np.nan, 0.1]), nan_ok=True)
    appearance.keep_looks(later, None)
    assert appearance.looks_before(later) is None, 'nobody was compared in the image before'
    appearance.keep_looks(seen, np.array([0.1, 0.2]))
    appearance.forget_target()
    assert appearance.looks_before(later) is None
    assert appearance.looked_ns is None


def test_of_a_crowd_the_sixteen_nearest_are_compared() -> None:
    target = learned(scene((100, RED, BLUE)), tracks(0, 100))
    target.offer_frame(Frame(scene((100, RED, BLUE)), 9, 'o'))
    crowd = tracks(9, *range(0, 600, 20))
    looks = target.looks(crowd, np.ones(len(crowd), dtype=bool), np.arange(len(crowd))[::-1].astype(float))
    assert looks is not None
    assert np.flatnonzero(~np.isnan(looks)).tolist() == list(range(len(crowd) - 16, len(crowd)))


def test_large_pictures_are_kept_small_and_old_ones_go() -> None:
    appearance = TargetAppearance(TrackerParameters())
    appearance.offer_frame(Frame(np.zeros((1080, 1920, 3), dtype=np.uint8), 1, 'camera'))
    kept = appearance.pictures.exactly(1)
    assert kept is not None
    assert (kept[0].shape, kept[1]) == ((360, 640, 3), 3)
    small = np.zeros((480, 640, 3), dtype=np.uint8)
    for stamp in range(2, 40):
        appearance.offer_frame(Frame(small, stamp, 'camera'))
    assert appearance.pictures.exactly(1) is None
    newest = appearance.pictures.exactly(39)
    assert newest is not None
    assert newest[0] is small, 'by reference'
    appearance.learn(tracks(39, 100), 0, (640, 480))
    assert appearance.pictures.exactly(38) is None
