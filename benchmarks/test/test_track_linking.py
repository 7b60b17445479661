# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from benchmarks.reference.hand_corrections import Correction, Point, correct
from benchmarks.reference.track_linking import (
    LinkingRules,
    SeenBoxes,
    centre_and_size,
    corners,
    is_certain,
    link,
    smooth_track,
    theil_sen,
    whole_people,
)

RULES = LinkingRules()
RED, BLUE = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def box(x, y=200.0, tall=80.0):
    return np.array([x - 15.0, y - tall / 2, x + 15.0, y + tall / 2])


def scene(people, frames, score=0.8, hidden=()):
    """`people` are (path of centre x by frame, colours); `hidden` (person, frame) pairs are not seen."""
    rng = np.random.default_rng(3)
    seen = []
    for k in range(frames):
        shown = [(path(k), colours) for number, (path, colours) in enumerate(people) if (number, k) not in hidden]
        boxes = np.array([box(x) + rng.normal(0, 1, 4) for x, _ in shown]).reshape(-1, 4)
        colours = np.array([colours for _, colours in shown]).reshape(-1, 2)
        seen.append(SeenBoxes(boxes, np.full(len(boxes), score), colours))
    return seen


def test_two_people_who_cross_keep_who_they_are():
    people = [(lambda k: 100 + 6 * k, RED), (lambda k: 400 - 6 * k, BLUE)]
    tracks = link(scene(people, 50, hidden={(1, k) for k in range(23, 28)}), RULES)
    assert len(tracks) == 2
    assert [centre_and_size(np.array(track.boxes_px))[-1, 0] for track in tracks] == pytest.approx([394, 106], abs=4)


def test_somebody_hidden_for_less_than_the_longest_gap_comes_back_as_the_same():
    hidden = {(0, k) for k in range(20, 38)}
    tracks = link(scene([(lambda k: 100 + 5 * k, RED)], 60, hidden=hidden), RULES)
    assert len(tracks) == 1
    smoothed = smooth_track(tracks[0], RULES.longest_gap_frames)
    np.testing.assert_array_equal(smoothed.frames, np.arange(60))
    assert set(np.flatnonzero(~smoothed.detected)) == set(range(20, 38))
    centres = centre_and_size(smoothed.boxes_px)[:, 0]
    np.testing.assert_allclose(centres, 100 + 5 * np.arange(60), atol=3.0)


def test_somebody_hidden_for_longer_is_somebody_new():
    hidden = {(0, k) for k in range(20, 45)}
    assert len(link(scene([(lambda k: 100 + 5 * k, RED)], 80, hidden=hidden), RULES)) == 2


def test_doubtful_boxes_carry_a_track_on_but_begin_none():
    doubtful = scene([(lambda k: 100 + 5 * k, RED)], 30, score=0.3)
    assert link(doubtful, RULES) == []
    tracks = link([*scene([(lambda k: 100 + 5 * k, RED)], 5), *doubtful[5:]], RULES)
    assert [len(track.frames) for track in tracks] == [30]


def test_what_never_moves_and_is_doubtful_is_nobody():
    still, walking = scene([(lambda k: 100.0, RED)], 40, 0.55), scene([(lambda k: 100 + 5 * k, RED)], 40, 0.55)
    assert not is_certain(link(still, RULES)[0], RULES)
    assert is_certain(link(walking, RULES)[0], RULES)
    assert not is_certain(link(walking[:9], RULES)[0], RULES)


def test_half_hidden_people_are_left_out_and_those_cut_by_the_edge_stay():
    whole = np.array([box(50.0 + 7 * k, 200.0 + k, 80 + 0.3 * k) for k in range(60)])
    half, at_edge = box(300.0, 200.0, 40.0), np.array([0.0, 180.0, 12.0, 260.0])
    boxes = np.concatenate([whole, [half, at_edge]])
    seen = SeenBoxes(boxes, np.full(len(boxes), 0.8), np.tile(RED, (len(boxes), 1)))
    kept = whole_people([seen], 768, 576)[0].boxes_px
    np.testing.assert_array_equal(kept, np.concatenate([whole, [at_edge]]))


def test_the_line_through_most_points_ignores_the_others():
    x = np.arange(100.0)
    y = 3.0 + 0.5 * x
    y[::5] = 500.0
    assert theil_sen(x, y) == pytest.approx((0.5, 3.0), abs=0.05)


def test_corners_and_centres_are_inverse():
    boxes = np.array([[1.0, 2.0, 5.0, 10.0]])
    np.testing.assert_array_equal(centre_and_size(boxes), [[3.0, 6.0, 4.0, 8.0]])
    np.testing.assert_array_equal(corners(centre_and_size(boxes)), boxes)


def test_a_correction_joins_two_tracks_that_are_one_person():
    hidden = {(0, k) for k in range(20, 45)}
    tracks = link(scene([(lambda k: 100 + 5 * k, RED)], 80, hidden=hidden), RULES)
    joined = correct(tracks, [Correction('same', Point(0, 100, 200), Point(79, 495, 200))])
    assert len(joined) == 1
    smoothed = smooth_track(joined[0], RULES.longest_gap_frames)
    assert not set(range(20, 45)) & set(smoothed.frames)


def test_a_correction_drops_what_is_wrong():
    tracks = link(scene([(lambda k: 100 + 5 * k, RED)], 30), RULES)
    dropped = correct(tracks, [Correction('drop', Point(5, 125, 200), Point(9, np.nan, np.nan))])
    assert dropped[0].frames == [*range(5), *range(10, 30)]


def test_a_correction_for_another_linking_is_refused():
    tracks = link(scene([(lambda k: 100 + 5 * k, RED)], 30), RULES)
    with pytest.raises(ValueError, match=r'No track has a box around \(700, 200\) in frame 5'):
        correct(tracks, [Correction('drop', Point(5, 700, 200), Point(9, np.nan, np.nan))])
