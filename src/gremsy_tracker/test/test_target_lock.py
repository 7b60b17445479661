# SPDX-License-Identifier: Apache-2.0
"""Each transition of the lock."""

from __future__ import annotations

import numpy as np
import pytest

from gremsy_common.types.detections import Tracks
from gremsy_tracker.lock.target_lock import Choice, LockState, Sighting, TargetLock
from gremsy_tracker.lock.target_request import TargetRequest
from gremsy_tracker.tracker_parameters import TrackerParameters


def sighting(
    at_s: float,
    ids: list[int],
    *,
    x: list[float] | None = None,
    labels: list[str] | None = None,
    sizes: list[float] | None = None,
    off: list[float] | None = None,
    scores: list[float] | None = None,
    looks: list[float] | None = None,
    newest_id: int = 0,
) -> Sighting:
    count = len(ids)
    centres = np.array(x if x is not None else [320.0] * count, dtype=np.float64)
    half = np.array(sizes if sizes is not None else [30.0] * count, dtype=np.float64)
    boxes = np.stack([centres - half, 240 - half, centres + half, 240 + half], axis=1) if count else np.zeros((0, 4))
    tracks = Tracks(
        round(at_s * 1e9),
        'optical',
        boxes,
        np.array(scores if scores is not None else [0.8] * count),
        np.array(labels if labels is not None else ['person'] * count, dtype=np.str_),
        np.array(ids, dtype=np.int64),
    )
    off_rad = None if off is None else np.array(off)
    fits = None if off_rad is None else off_rad < 0.05
    return Sighting(tracks, np.abs(centres - 320), off_rad, fits, None if looks is None else np.array(looks), newest_id)


def lock(**changes: object) -> TargetLock:
    return TargetLock(TrackerParameters(**changes))


def tracking(**changes: object) -> TargetLock:
    target = lock(auto_lock='nearest', **changes)
    target.update(sighting(1.0, [1]))
    assert target.status.state is LockState.TRACKING
    return target


def test_it_says_by_which_word_the_target_is_chosen() -> None:
    assert lock().asked == ''
    target = lock(auto_lock='nearest', lock_classes=('person',))
    assert target.asked == 'nearest:person'
    target.select(TargetRequest(track_id=2), 'by click')
    assert target.asked == '2'
    target.update(sighting(1.0, [1, 2]))
    assert target.asked == '2'
    target.update(sighting(9.0, []))
    target.update(sighting(9.1, []))
    assert target.asked == 'nearest:person'  # that one is lost, and the next one may be anybody
    target.release()
    assert target.asked == ''


def test_without_a_policy_nothing_is_locked() -> None:
    target = lock()
    assert target.update(sighting(1.0, [1])) == Choice(None)
    assert (target.status.state, target.status.reason) == (LockState.IDLE, 'no target was chosen')


def test_nearest_takes_the_one_nearest_to_the_image_centre_of_the_classes_allowed() -> None:
    target = lock(auto_lock='nearest', lock_classes=('person',))
    assert target.status.state is LockState.SEARCHING
    choice = target.update(sighting(1.0, [4, 5, 6], x=[310, 100, 350], labels=['dog', 'person', 'person']))
    assert choice == Choice(2, is_new=True, is_other=True)
    assert target.status.reason == 'chosen automatically: nearest'
    assert (target.status.target_id, target.status.label) == (6, 'person')


def test_largest_takes_the_largest_box() -> None:
    target = lock(auto_lock='largest')
    assert target.update(sighting(1.0, [4, 5], sizes=[30, 60])).index == 1


def test_a_doubtful_track_is_not_taken_by_a_policy() -> None:
    target = lock(auto_lock='nearest')
    assert target.update(sighting(1.0, [1], scores=[0.3])).index is None


def test_a_chosen_id_is_waited_for() -> None:
    target = lock()
    target.select(TargetRequest(track_id=7), 'by request')
    assert target.status.reason == 'track 7 was chosen by request, waiting to see it'
    assert target.update(sighting(1.0, [1])).index is None
    assert target.status.state is LockState.SEARCHING
    assert target.update(sighting(1.1, [1, 7])) == Choice(1, is_new=True, is_other=True)
    assert target.status.reason == 'chosen by request'


def test_a_class_is_waited_for_and_its_nearest_taken_whatever_the_policy_allows() -> None:
    target = lock(auto_lock='largest', lock_classes=('person',))
    target.select(TargetRequest(label='dog'), 'by request')
    assert target.status.reason == 'the dog nearest to the centre was chosen by request, waiting to see it'
    assert target.update(sighting(1.0, [1])).index is None
    assert target.status.state is LockState.SEARCHING
    seen = sighting(1.1, [1, 2, 3], x=[320, 100, 350], labels=['person', 'dog', 'dog'])
    assert target.update(seen) == Choice(2, is_new=True, is_other=True)
    assert target.status.reason == 'chosen by request: the dog nearest to the centre'


@pytest.mark.parametrize(('policy', 'row'), [('nearest', 1), ('largest', 0)])
def test_nearest_and_largest_can_be_asked_for_once_without_a_policy(policy: str, row: int) -> None:
    target = lock()
    target.select(TargetRequest(policy=policy), 'by request')
    assert target.update(sighting(1.0, [4, 5], x=[100, 300], sizes=[60, 30])).index == row
    # It is that one from now on, not whoever is nearest.
    assert target.update(sighting(1.1, [4, 5], x=[320, 100], sizes=[30, 60])).index == row


def test_a_target_asked_for_by_class_is_waited_for_when_lost() -> None:
    target = lock()
    target.select(TargetRequest(label='person'), 'by request')
    target.update(sighting(1.0, [1]))
    target.update(sighting(3.0, [2]))
    assert target.status.state is LockState.LOST
    assert target.update(sighting(3.1, [2])).index is None
    assert target.update(sighting(3.2, [2, 1])).index == 1


@pytest.mark.parametrize(('gap_s', 'state'), [(1.49, LockState.COASTING), (1.51, LockState.LOST)])
def test_an_unseen_target_coasts_then_is_lost(gap_s: float, state: LockState) -> None:
    target = tracking(lost_after_s=1.5)
    target.update(sighting(1.1, []))
    assert target.status.state is LockState.COASTING
    target.update(sighting(1.0 + gap_s, []))
    assert target.status.state is state


def test_a_coasting_target_that_is_seen_again_is_tracked_on() -> None:
    target = tracking()
    target.update(sighting(1.1, []))
    assert target.update(sighting(1.2, [1])) == Choice(0, is_new=False)
    assert target.status.reason == 'seen again'


def test_a_lost_target_that_comes_back_is_taken_as_new() -> None:
    target = lock()
    target.select(TargetRequest(track_id=1), 'by request')
    target.update(sighting(1.0, [1]))
    target.update(sighting(3.0, []))
    assert (target.status.state, target.status.reason) == (LockState.LOST, 'not seen for 1.5 s')
    assert target.update(sighting(3.1, [1])) == Choice(0, is_new=True)
    assert target.status.reason == 'came back'


def test_after_losing_its_target_a_policy_takes_another() -> None:
    target = tracking()
    target.update(sighting(3.0, [2]))
    assert target.status.state is LockState.LOST
    assert target.update(sighting(3.1, [2])) == Choice(0, is_new=True, is_other=True)


def test_a_new_id_at_the_predicted_bearing_takes_over() -> None:
    target = tracking()
    assert target.update(sighting(1.3, [9], off=[0.01])) == Choice(0, is_new=False)
    assert target.status.reason == 'handed over from track 1'


def test_a_new_id_elsewhere_or_of_another_class_does_not_take_over() -> None:
    target = tracking()
    assert target.update(sighting(1.3, [9], off=[0.04])).index is None
    assert target.update(sighting(1.3, [9], off=[0.01], labels=['dog'])).index is None


def test_a_neighbour_seen_beside_the_target_does_not_take_over() -> None:
    target = lock(auto_lock='nearest')
    target.update(sighting(1.0, [1, 2], x=[320, 380]))
    assert target.update(sighting(1.1, [2], off=[0.01])).index is None


def test_when_two_tracks_swap_ids_the_lock_stays_with_the_bearing() -> None:
    target = tracking()
    assert target.update(sighting(1.1, [1, 2], off=[0.2, 0.01])).index == 1
    assert target.status.target_id == 2


def test_an_id_that_goes_elsewhere_with_nobody_in_its_place_is_still_believed() -> None:
    target = tracking()
    assert target.update(sighting(1.1, [1], off=[0.2])) == Choice(0)


def test_a_track_that_began_before_the_target_was_last_seen_is_somebody_else() -> None:
    target = lock(auto_lock='nearest')
    target.update(sighting(1.0, [1], newest_id=9))  # 9 is not confirmed yet
    assert target.update(sighting(1.3, [9], off=[0.01])).index is None
    assert target.update(sighting(1.4, [10], off=[0.01])).index == 0


def test_whoever_was_seen_beside_the_target_once_is_never_its_heir() -> None:
    target = lock(auto_lock='nearest')
    target.update(sighting(1.0, [1, 5], x=[320, 500]))
    target.update(sighting(1.1, [1]))
    assert target.update(sighting(1.3, [5], off=[0.01], looks=[0.01])).index is None


def test_a_second_box_on_the_target_itself_may_be_its_heir() -> None:
    target = lock(auto_lock='nearest')
    target.update(sighting(1.0, [1, 5], x=[320, 330]))
    target.update(sighting(1.1, [1]))
    assert target.update(sighting(1.3, [5], off=[0.01], looks=[0.02])).index == 0


def test_an_heir_must_not_look_like_somebody_else() -> None:
    target = tracking(unlike_distance=0.2)
    assert target.update(sighting(1.2, [8], off=[0.01], looks=[0.21])).index is None
    assert target.update(sighting(1.3, [8], off=[0.01], looks=[0.19])).index == 0


def test_the_better_an_heir_looks_the_farther_off_it_may_be() -> None:
    assert tracking().update(sighting(1.2, [8], off=[0.04])).index is None
    assert tracking().update(sighting(1.2, [8], off=[0.04], looks=[0.03])).index == 0
    assert tracking().update(sighting(1.2, [8], off=[0.04], looks=[0.095])).index is None


def test_of_two_heirs_looks_and_place_together_decide() -> None:
    target = tracking()
    assert target.update(sighting(1.2, [8, 9], off=[0.005, 0.02], looks=[0.15, 0.02])).index == 1


def test_a_track_that_comes_back_looking_like_somebody_else_is_not_followed() -> None:
    target = tracking()
    target.update(sighting(1.1, []))
    assert target.update(sighting(1.2, [1], off=[0.01], looks=[0.3])).index is None
    assert (target.status.state, target.status.reason) == (LockState.COASTING, 'track 1 looks like somebody else')
    assert target.update(sighting(1.3, [1], off=[0.01], looks=[0.15])) == Choice(0)


def test_a_target_that_looks_strange_for_a_moment_is_followed_while_nobody_fits_better() -> None:
    target = tracking()
    for number in range(10):
        assert target.update(sighting(1.1 + 0.1 * number, [1], off=[0.01], looks=[0.5])).index == 0


def crossing(at_s: float, own: float, other: float) -> Sighting:
    return sighting(at_s, [1, 5], x=[320, 360], off=[0.0, 0.04], looks=[own, other])


def test_when_an_id_crosses_over_to_another_the_looks_take_the_lock_back() -> None:
    target = tracking()
    target.update(sighting(1.05, [1, 5], x=[320, 500], off=[0.0, 0.3]))
    assert [target.update(crossing(1.1 + 0.05 * number, 0.35, 0.04)).index for number in range(2)] == [0, 1]
    assert target.status.reason == 'handed over: track 1 went to another'
    assert target.status.target_id == 5


def test_a_track_that_comes_back_is_not_believed_while_another_looks_more_like_the_target() -> None:
    target = tracking()
    target.update(sighting(1.05, []))
    assert target.update(crossing(1.1, 0.15, 0.03)).index is None
    assert target.status.reason == 'track 1 looks less like the target than another'
    assert target.update(crossing(1.2, 0.15, 0.03)).index is None
    assert target.update(crossing(1.3, 0.15, 0.03)).index == 1


def came_back(beside: list[int]) -> TargetLock:
    """A target whose id was away from 1.05 to 1.15 s, and those who were seen `beside` it before."""
    target = tracking()
    target.update(sighting(1.05, [1, *beside], x=[320] + [500] * len(beside), off=[0.0] + [0.3] * len(beside)))
    target.update(sighting(1.1, []))
    target.update(sighting(1.15, [1], off=[0.0], looks=[0.09]))
    assert target.status.reason == 'seen again'
    return target


@pytest.mark.parametrize(
    ('beside', 'off_rad', 'wait_s', 'own', 'followed'),
    [
        ([], 0.06, 0.05, 0.09, 5),  # both look like the target, and the newcomer more
        ([], 0.115, 0.05, 0.09, 5),  # farther off than two who cross: they have parted since the target hid
        ([5], 0.06, 0.05, 0.09, 1),  # he was there before
        ([], 0.06, 2.0, 0.09, 1),  # the id has been believed for long
        ([], 0.06, 0.05, 0.05, 1),  # he does not look like the target any more than the one followed
    ],
)
def test_a_newcomer_who_looks_like_the_target_takes_the_lock_from_who_came_back_for_it(
    beside: list[int], off_rad: float, wait_s: float, own: float, followed: int
) -> None:
    target = came_back(beside)
    for number in range(5):
        at_s = 1.15 + wait_s + 0.1 * number
        choice = target.update(sighting(at_s, [1, 5], x=[320, 400], off=[0.0, off_rad], looks=[own, 0.04]))
        if choice.index:
            break
    assert target.status.target_id == followed


def test_a_target_is_on_probation_for_a_while_after_it_came_back() -> None:
    target = came_back([])
    assert [target.evidence.on_probation(round(at_s * 1e9)) for at_s in (1.2, 2.6, 2.7)] == [True, True, False]
    assert not tracking().evidence.on_probation(round(1.0 * 1e9))


def test_the_less_looks_differ_the_longer_they_must() -> None:
    target = tracking()
    assert [target.update(crossing(1.05 + 0.05 * n, 0.16, 0.05)).index for n in range(5)] == [0, 0, 0, 0, 1]


def test_a_suspicion_outlasts_a_moment_without_the_id_and_ends_after_half_a_second() -> None:
    for gap_s, index in ((0.3, 1), (0.6, 0)):
        target = tracking()
        target.update(crossing(1.05, 0.3, 0.04))
        target.update(sighting(1.1, []))
        assert target.update(crossing(1.05 + gap_s, 0.3, 0.04)).index == (index if index else None)


def test_who_is_suspected_and_stays_alike_while_the_id_hides_is_the_target() -> None:
    target = tracking()
    target.update(sighting(1.02, [1, 5], x=[320, 500], off=[0.0, 0.3]))
    target.update(crossing(1.08, 0.3, 0.04))
    assert target.update(sighting(1.14, [5], off=[0.04], looks=[0.05])).index == 0
    alone = tracking()
    alone.update(sighting(1.02, [1, 5], x=[320, 500], off=[0.0, 0.3]))
    assert alone.update(sighting(1.14, [5], off=[0.04], looks=[0.05])).index is None


def test_a_suspicion_begins_anew_when_the_looks_change_their_mind() -> None:
    target = tracking()
    looks = [(0.35, 0.04), (0.04, 0.35), (0.35, 0.04), (0.04, 0.35), (0.35, 0.04)]
    assert [target.update(crossing(1.1 + 0.1 * n, *each)).index for n, each in enumerate(looks)] == [0] * 5


@pytest.mark.parametrize(('own', 'other'), [(0.09, 0.01), (0.18, 0.12), (0.5, 0.3)])
def test_looks_that_differ_a_little_or_fit_nobody_change_nothing(own: float, other: float) -> None:
    target = tracking()
    assert {target.update(crossing(1.1 + 0.1 * number, own, other)).index for number in range(9)} == {0}


def lost() -> TargetLock:
    target = lock()
    target.select(TargetRequest(track_id=1), 'by request')
    target.update(sighting(1.0, [1, 5], x=[320, 500]))
    target.update(sighting(2.6, []))
    assert target.status.state is LockState.LOST
    return target


def test_a_lost_target_is_found_again_under_another_id_by_its_looks() -> None:
    target = lost()
    assert target.update(sighting(2.7, [8], off=[0.1], looks=[0.15])).index is None
    assert target.update(sighting(2.8, [8], off=[0.1], looks=[0.03])) == Choice(0, is_new=True)
    assert target.status.reason == 'found again: looks like track 1 did'


def test_nobody_is_found_again_who_is_too_far_off_or_another_class_or_was_seen_beside_it() -> None:
    target = lost()
    assert target.update(sighting(2.7, [8], off=[0.5], looks=[0.03])).index is None
    assert target.update(sighting(2.8, [9], off=[0.1], looks=[0.03], labels=['dog'])).index is None
    assert target.update(sighting(2.9, [5], off=[0.1], looks=[0.03])).index is None
    # After a minute it may be anywhere.
    assert target.update(sighting(62.0, [10], off=[0.5], looks=[0.03])).index == 0


def test_a_lost_id_that_now_looks_like_somebody_else_does_not_come_back() -> None:
    target = lost()
    assert target.update(sighting(2.7, [1], off=[0.1], looks=[0.3])).index is None
    assert target.status.state is LockState.LOST


def test_a_policy_looks_for_the_one_that_was_lost_before_it_takes_another() -> None:
    target = tracking()
    target.update(sighting(2.6, []))
    target.update(sighting(2.7, []))
    assert (target.status.state, target.status.reason) == (LockState.SEARCHING, 'track 1 was lost')
    seen = sighting(2.8, [7, 8], x=[320, 500], off=[0.1, 0.1], looks=[0.4, 0.03])
    assert target.update(seen) == Choice(1, is_new=True)
    assert target.status.reason == 'found again: looks like track 1 did'


def test_release_ends_every_state_and_the_policy_with_it() -> None:
    target = tracking()
    target.release('released by request')
    assert (target.status.state, target.status.reason) == (LockState.IDLE, 'released by request')
    assert target.update(sighting(1.2, [1])).index is None
    target.search('asked to search')
    assert target.update(sighting(1.3, [1])).index == 0
