# SPDX-License-Identifier: Apache-2.0
"""Each transition of the lock."""

from __future__ import annotations

import numpy as np
import pytest

from gremsy_common.detections import Tracks
from gremsy_tracker.target_lock import Choice, LockState, Sighting, TargetLock
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
) -> Sighting:
    count = len(ids)
    centres = np.array(x if x is not None else [320.0] * count)
    half = np.array(sizes if sizes is not None else [30.0] * count)
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
    return Sighting(tracks, np.abs(centres - 320), off_rad, None if off_rad is None else off_rad < 0.05)


def lock(**changes: object) -> TargetLock:
    return TargetLock(TrackerParameters(**changes))


def tracking(**changes: object) -> TargetLock:
    target = lock(auto_lock='nearest', **changes)
    target.update(sighting(1.0, [1]))
    assert target.status.state is LockState.TRACKING
    return target


def test_without_a_policy_nothing_is_locked() -> None:
    target = lock()
    assert target.update(sighting(1.0, [1])) == Choice(None)
    assert (target.status.state, target.status.reason) == (LockState.IDLE, 'no target was chosen')


def test_nearest_takes_the_one_nearest_to_the_image_centre_of_the_classes_allowed() -> None:
    target = lock(auto_lock='nearest', lock_classes=('person',))
    assert target.status.state is LockState.SEARCHING
    choice = target.update(sighting(1.0, [4, 5, 6], x=[310, 100, 350], labels=['dog', 'person', 'person']))
    assert choice == Choice(2, is_new=True)
    assert target.status.reason == 'chosen by `auto_lock` nearest'
    assert (target.status.target_id, target.status.label) == (6, 'person')


def test_largest_takes_the_largest_box() -> None:
    target = lock(auto_lock='largest')
    assert target.update(sighting(1.0, [4, 5], sizes=[30, 60])).index == 1


def test_a_doubtful_track_is_not_taken_by_a_policy() -> None:
    target = lock(auto_lock='nearest')
    assert target.update(sighting(1.0, [1], scores=[0.3])).index is None


def test_a_chosen_id_is_waited_for() -> None:
    target = lock()
    target.select_id(7)
    assert target.update(sighting(1.0, [1])).index is None
    assert target.status.state is LockState.SEARCHING
    assert target.update(sighting(1.1, [1, 7])) == Choice(1, is_new=True)
    assert target.status.reason == 'chosen by request'


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
    target.select_id(1)
    target.update(sighting(1.0, [1]))
    target.update(sighting(3.0, []))
    assert (target.status.state, target.status.reason) == (LockState.LOST, 'not seen for 1.5 s')
    assert target.update(sighting(3.1, [1])) == Choice(0, is_new=True)
    assert target.status.reason == 'came back'


def test_after_losing_its_target_a_policy_takes_another() -> None:
    target = tracking()
    target.update(sighting(3.0, [2]))
    assert target.status.state is LockState.LOST
    assert target.update(sighting(3.1, [2])) == Choice(0, is_new=True)


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


def test_release_ends_every_state_and_the_policy_with_it() -> None:
    target = tracking()
    target.release('released by request')
    assert (target.status.state, target.status.reason) == (LockState.IDLE, 'released by request')
    assert target.update(sighting(1.2, [1])).index is None
    target.search('asked to search')
    assert target.update(sighting(1.3, [1])).index == 0
