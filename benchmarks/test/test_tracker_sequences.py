# SPDX-License-Identifier: Apache-2.0
"""The sequences are what the tracker benchmark says they are."""

from __future__ import annotations

import itertools
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.tracker.tracker_sequences import Sequence, synthetic
from benchmarks.tracker.tracker_speed import crowd, update_ms
from benchmarks.tracker.tracker_tud import NAMES, SIZE_PX, tud
from gremsy_common.boxes import intersection_over_union
from gremsy_common.errors import SuiteError
from gremsy_tracker.tracking.camera_motion import move_points

KINDS = ('still', 'crowd', 'pan', 'pan_zoom')


@pytest.fixture(scope='module')
def sequences() -> dict[str, Sequence]:
    return {kind: synthetic(kind, 1, duration_s=6.0) for kind in KINDS}


def test_a_seed_gives_the_same_sequence_and_another_seed_another() -> None:
    one, again, other = (synthetic('pan', seed, duration_s=1.0).pictures for seed in (5, 5, 6))
    for a, b in zip(one, again, strict=True):
        assert a.stamp_ns == b.stamp_ns
        for name in ('boxes_px', 'scores', 'true_boxes_px', 'true_ids'):
            assert np.array_equal(getattr(a, name), getattr(b, name))
    assert not all(np.array_equal(a.boxes_px, b.boxes_px) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize('kind', KINDS)
def test_detections_are_true_boxes_with_jitter_and_misses_and_false_alarms(
    sequences: dict[str, Sequence], kind: str
) -> None:
    found = missed = false = 0
    for picture in sequences[kind].pictures:
        overlap = intersection_over_union(picture.true_boxes_px, picture.boxes_px)
        found += int((overlap.max(axis=1, initial=0.0) > 0.5).sum())
        missed += int((overlap.max(axis=1, initial=0.0) <= 0.5).sum())
        false += int((overlap.max(axis=0, initial=0.0) < 0.1).sum())
    assert found > 300
    assert 0.02 < missed / (found + missed) < 0.5
    assert false > 20
    scores = np.concatenate([each.scores for each in sequences[kind].pictures])
    assert 0.0 < scores.min() < 0.3
    assert 0.8 < scores.max() < 1.0


def test_people_cross_and_hide_each_other(sequences: dict[str, Sequence]) -> None:
    crossings = 0
    for picture in sequences['crowd'].pictures:
        crossings += bool(
            (np.triu(intersection_over_union(picture.true_boxes_px, picture.true_boxes_px), 1) > 0.3).any()
        )
    assert crossings > 30


@pytest.mark.parametrize('kind', KINDS)
def test_telemetry_tells_where_people_went_because_the_camera_moved(sequences: dict[str, Sequence], kind: str) -> None:
    """From one picture to the next, people themselves move by a few pixels; a panning camera moves them by 30."""
    raw, left = [], []
    pictures = sequences[kind].pictures
    for before, after in itertools.pairwise(pictures):
        assert after.after_from_before is not None
        _, i, j = np.intersect1d(before.true_ids, after.true_ids, return_indices=True)
        # Boxes are cut off at the image's edge: whole ones only.
        centres = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (before.true_boxes_px[i], after.true_boxes_px[j])]
        whole = np.ones(len(i), dtype=bool)
        for boxes in (before.true_boxes_px[i], after.true_boxes_px[j]):
            whole &= (boxes[:, :2] > 0).all(axis=1) & (boxes[:, 2:] < [640, 480]).all(axis=1)
        start, end = centres[0][whole], centres[1][whole]
        raw.extend(np.linalg.norm(end - start, axis=1))
        left.extend(np.linalg.norm(end - move_points(start, after.after_from_before)[0], axis=1))
    assert np.median(left) < 6.0
    if kind in ('still', 'crowd'):
        assert max(raw) < 15.0
    else:
        assert max(raw) > 2 * max(left)


def test_the_pictures_for_the_speed_have_as_many_boxes_as_they_say() -> None:
    for size in (1, 50):
        counts = [len(boxes) for boxes, _ in crowd(size, 40)]
        assert max(counts) <= size
        assert np.mean(counts) >= 0.9 * size


def test_contestants_are_timed_on_the_same_pictures_in_turns() -> None:
    asked: list[tuple[str, int]] = []

    class Counting:
        def __init__(self, name: str) -> None:
            self.name = name

        def __call__(self, stamp_ns: int, boxes_px: np.ndarray, scores: np.ndarray, motion: None) -> tuple:
            asked.append((self.name, len(boxes_px)))
            boxes_px += 1e6  # its own copy: nobody else sees it
            assert boxes_px.min() > 1e5 and len(scores) == len(boxes_px) and motion is None
            return boxes_px, np.zeros(len(boxes_px), dtype=np.int64)

    took = update_ms({name: lambda name=name: Counting(name) for name in ('a', 'b')}, {3: 4})  # type: ignore[misc]
    assert list(took) == ['3'] and set(took['3']) == {'a', 'b'}
    assert [name for name, _ in asked] == ['a', 'b'] * 9
    assert all(asked[n][1] == asked[n + 1][1] for n in range(0, len(asked), 2))


@pytest.mark.parametrize('name', NAMES)
def test_the_sequences_of_tud_are_boxes_without_identity(name: str) -> None:
    pytest.importorskip('motmetrics', reason='./gremsy setup --extra peers installs it')
    sequence = tud(name)
    assert len(sequence.pictures) == {'TUD-Campus': 71, 'TUD-Stadtmitte': 179}[name]
    assert sequence.size_px == SIZE_PX
    steps = np.diff([each.stamp_ns for each in sequence.pictures])
    assert (steps == 40_000_000).all()
    for picture in sequence.pictures:
        # From left to right, whatever the file's order.
        assert (np.diff(picture.boxes_px[:, 0]) >= 0).all()
        assert (picture.boxes_px[:, 2:] > picture.boxes_px[:, :2]).all()
        assert (picture.scores == 1.0).all() and picture.after_from_before is None
        assert len(set(picture.true_ids.tolist())) == len(picture.true_ids)


def test_without_motmetrics_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec('motmetrics') is not None:
        monkeypatch.setattr('benchmarks.tracker.tracker_tud.find_spec', lambda _: None)
    with pytest.raises(SuiteError) as caught:
        tud('TUD-Campus')
    assert str(caught.value) == ('The sequences of TUD come with motmetrics: ./gremsy setup --extra peers installs it.')
