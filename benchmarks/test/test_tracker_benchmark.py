# SPDX-License-Identifier: Apache-2.0
"""The judge of the tracker benchmark against a case counted by hand, and every contestant behind the same call."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('trackeval', reason='./gremsy setup --extra peers installs it')
pytest.importorskip('trackers', reason='./gremsy setup --extra peers installs it')
pytest.importorskip('norfair', reason='./gremsy setup --extra peers installs it')

from benchmarks.tracker import tracker_benchmark, tracker_left_out
from benchmarks.tracker.tracker_contestants import OURS, contestants, versions
from benchmarks.tracker.tracker_mot15 import mot15, why_missing
from benchmarks.tracker.tracker_scores import follow, score
from benchmarks.tracker.tracker_sequences import Sequence, SequencePicture, synthetic
from gremsy_tracker.tracking.box_filter import BoxNoise

BOX = np.array([[100.0, 100, 140, 200]])
T0 = 10**18


def two_people(pictures: int) -> Sequence:
    """Two who stand still and are seen perfectly."""
    boxes = np.concatenate([BOX, BOX + 200.0])
    ids = np.array([7, 9])
    return Sequence(
        'two',
        (640, 480),
        [
            SequencePicture(T0 + round(n * 1e9 / 30), boxes.copy(), np.full(2, 0.9), None, boxes, ids)
            for n in range(pictures)
        ],
    )


def test_a_perfect_answer_has_a_hundred_of_everything() -> None:
    sequence = two_people(10)
    answers = [(each.true_boxes_px, each.true_ids * 3) for each in sequence.pictures]
    assert score([(sequence, answers)]) == {'HOTA': 100.0, 'MOTA': 100.0, 'IDF1': 100.0, 'IDSW': 0}


def test_scores_agree_with_a_case_counted_by_hand() -> None:
    """Of ten pictures of two people: one has two ids, five pictures each; the other is missed four times; one false."""
    sequence = two_people(10)
    answers = []
    for number, picture in enumerate(sequence.pictures):
        rows = [0] if number < 4 else [0, 1]
        ids = np.array([1 if number < 5 else 2, 3])[rows]
        boxes = picture.true_boxes_px[rows]
        if number == 9:
            boxes, ids = np.concatenate([boxes, [[500.0, 0, 540, 90]]]), np.append(ids, 4)
        answers.append((boxes, ids))
    # 20 true boxes, 17 answered: 16 right, 4 missed, 1 false, 1 switch.
    # Identities: 5 of the first person under one id, 6 of the second: 2 x 11 / (20 + 17).
    # HOTA at each overlap (all are 1): detection 16 / 21; association of the first person's ten boxes 5/10 each (5 of
    # 10 true, ids of 5), of the second's six 6/10; the mean of the 16 is (10 x 0.5 + 6 x 0.6) / 16.
    hota = 100 * np.sqrt(16 / 21 * (10 * 0.5 + 6 * 0.6) / 16)
    assert score([(sequence, answers)]) == {
        'HOTA': pytest.approx(hota, abs=0.01),
        'MOTA': pytest.approx(100 * (1 - (4 + 1 + 1) / 20)),
        'IDF1': pytest.approx(100 * 2 * 11 / (20 + 17), abs=0.01),
        'IDSW': 1,
    }


def test_several_sequences_are_scored_by_their_pictures_together() -> None:
    """Nothing found in the short one: 30 of 40 boxes, not the mean of 100 % and 0 %."""
    long, short = two_people(15), two_people(5)
    runs = [
        (long, [(each.true_boxes_px, each.true_ids) for each in long.pictures]),
        (short, [(np.zeros((0, 4)), np.zeros(0, dtype=np.int64)) for _ in short.pictures]),
    ]
    assert score(runs)['MOTA'] == 75.0


@pytest.mark.parametrize('name', sorted(contestants()))
def test_every_contestant_keeps_two_people_apart_and_answers_in_their_boxes(name: str) -> None:
    sequence = two_people(30)
    answers = follow(contestants()[name](), sequence)
    boxes, ids = answers[-1]
    assert boxes.shape == (2, 4)
    assert ids.dtype == np.int64
    assert np.allclose(boxes[np.argsort(boxes[:, 0])], sequence.pictures[0].boxes_px, atol=2.0)
    assert score([(sequence, answers)])['IDSW'] == 0


@pytest.mark.parametrize('name', sorted(contestants()))
def test_every_contestant_answers_a_picture_without_boxes(name: str) -> None:
    contestant = contestants()[name]()
    for number in range(3):
        boxes, ids = contestant(T0 + number * 33_000_000, np.zeros((0, 4)), np.zeros(0), None)
        assert boxes.shape == (0, 4)
        assert ids.shape == (0,)


def test_the_figures_of_the_issue_are_under_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        'benchmarks.tracker.tracker_benchmark.contestants',
        lambda: {k: contestants()[k] for k in (OURS, 'trackers_sort')},
    )
    monkeypatch.setattr('benchmarks.tracker.tracker_benchmark.SEEDS', (1,))
    monkeypatch.setattr('benchmarks.tracker.tracker_speed.PICTURES_OF_SIZE', {1: 3, 50: 3})
    monkeypatch.setattr('benchmarks.tracker.tracker_benchmark.synthetic', lambda kind, seed: two_people(20 + seed))
    monkeypatch.setattr('benchmarks.tracker.tracker_left_out.why_missing', lambda: 'They are not here.')
    figures = tracker_benchmark.run(None)  # type: ignore[arg-type]
    assert set(figures['update_ms']) == {'1', '50'}
    assert all(set(row) == {OURS, 'trackers_sort'} for row in figures['update_ms'].values())
    assert set(figures['accuracy']) == {'still', 'crowd', 'pan', 'pan_zoom', 'TUD-Campus', 'TUD-Stadtmitte'}
    for table in figures['accuracy'].values():
        assert all(set(row) == {'HOTA', 'MOTA', 'IDF1', 'IDSW'} for row in table.values())
    assert set(dict(versions())) == set(figures['versions'])
    ratio = figures['update_ms']['50']['trackers_sort'] / figures['update_ms']['50'][OURS]
    assert figures['times_faster_than_fastest_peer']['50'] == pytest.approx(ratio, abs=0.01)
    assert figures['mot15_left_out'] == 'They are not here.'


def test_each_sequence_is_judged_with_constants_that_were_fitted_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted_to: list[tuple[str, list[str]]] = []
    sequences = {name: replace(two_people(12), name=name) for name in tracker_left_out.NAMES}

    def fitted(others: list[Sequence], _known: object) -> tuple[BoxNoise, float]:
        names = [each.name for each in others]
        fitted_to.append((next(iter(set(sequences) - set(names))), names))
        return BoxNoise(floor_px=len(fitted_to)), 0.05

    monkeypatch.setattr(tracker_left_out, 'why_missing', lambda: None)
    monkeypatch.setattr(tracker_left_out, 'mot15', lambda name: sequences[name])
    monkeypatch.setattr(tracker_left_out, 'fitted_to', fitted)
    makers = {name: contestants()[name] for name in (OURS, 'trackers_sort')}
    figures = tracker_left_out.mot15_left_out(makers)
    assert [left_out for left_out, _ in fitted_to] == list(tracker_left_out.NAMES)
    assert all(left_out not in names and len(names) == 3 for left_out, names in fitted_to)
    floors = [figures['mot15_fitted_without'][name]['floor_px'] for name in tracker_left_out.NAMES]
    assert floors == [1, 2, 3, 4]
    assert set(figures['mot15_left_out']) == {OURS, 'trackers_sort'}
    assert figures['mot15_left_out'][OURS]['IDSW'] == 0


@pytest.mark.parametrize(('kind', 'least'), [('still', (59.0, 71.0)), ('pan', (55.0, 62.0))])
def test_ours_keeps_a_seeded_accuracy(kind: str, least: tuple[float, float]) -> None:
    sequence = synthetic(kind, 1, duration_s=6.0)
    scores = score([(sequence, follow(contestants()[OURS](), sequence))])
    assert scores['HOTA'] >= least[0], scores
    assert scores['IDF1'] >= least[1], scores


@pytest.mark.skipif(why_missing() is not None, reason=str(why_missing()))
def test_ours_keeps_its_accuracy_on_a_real_sequence() -> None:
    """KITTI-13, the shortest: 31.2, 45.4 and 23 when this was written; the best peers 32.8, 47.8 and 16."""
    sequence = mot15('KITTI-13')
    scores = score([(sequence, follow(contestants()[OURS](), sequence))])
    assert scores['HOTA'] > 27.0 and scores['IDF1'] > 40.0 and scores['IDSW'] < 30, scores
