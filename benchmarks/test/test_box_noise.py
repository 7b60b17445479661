# SPDX-License-Identifier: Apache-2.0
"""The box noise that the tracker believes, against what real detectors' boxes are off by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.tracker.box_noise_fit import Residuals, fit, residuals
from benchmarks.tracker.tracker_mot15 import NAMES, mot15, why_missing
from gremsy_tracker.tracking.box_filter import BoxNoise

_WHY_MISSING = why_missing()
shared = pytest.mark.skipif(_WHY_MISSING is not None, reason=str(_WHY_MISSING))


def invented(noise: BoxNoise, count: int = 6000) -> Residuals:
    """Boxes of all sizes and scores with errors drawn from that noise."""
    random = np.random.default_rng(4)
    height = np.exp(random.uniform(np.log(40), np.log(500), count))
    low = random.uniform(0, 500, (count, 2))
    boxes = np.concatenate([low, low + np.stack([0.4 * height, height], axis=1)], axis=1)
    scores = random.uniform(0.5, 1.0, count)
    error = random.standard_t(4, (count, 4)) * np.sqrt(noise.variance(boxes, scores))
    return Residuals(boxes, scores, error, np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64))


def test_the_fit_finds_the_noise_that_the_errors_were_drawn_from() -> None:
    true = BoxNoise((0.1, 0.03, 0.12, 0.08), 1.2, 3.0)
    found = fit([invented(true)])
    assert found.shares == pytest.approx(true.shares, rel=0.1)
    assert found.doubt == pytest.approx(true.doubt, abs=0.15)
    assert found.floor_px == pytest.approx(true.floor_px, rel=0.15)


def test_a_box_is_noisier_the_larger_it_is_and_the_less_sure() -> None:
    boxes = np.array([[0.0, 0, 40, 100], [0, 0, 80, 200], [0, 0, 40, 100]])
    std = np.sqrt(BoxNoise((0.1, 0.05, 0.2, 0.1), 2.0, 0.0).variance(boxes, np.array([1.0, 1.0, 0.5])))
    assert std[0] == pytest.approx([4, 5, 8, 10])
    assert std[1] == pytest.approx([8, 10, 16, 20])
    assert std[2] == pytest.approx(np.e * np.array([4, 5, 8, 10]))


@shared
@pytest.mark.parametrize('name', NAMES)
def test_the_noise_is_that_of_each_shared_sequence(name: str) -> None:
    known = residuals(mot15(name))
    shares = known.error_px / np.sqrt(BoxNoise().variance(known.boxes_px, known.scores))
    robust = 1.4826 * np.median(np.abs(shares), axis=0)
    # Student's t with four degrees of freedom, to whose scale the noise is fitted, has a robust sigma of 1.10.
    assert (robust > 0.75).all() and (robust < 1.6).all(), robust
    assert (np.abs(shares) > 4.0).mean() < 0.05


@shared
@pytest.mark.parametrize('at_least', [0.5, 0.7, 0.9, 0.98])
def test_the_noise_is_right_for_doubtful_boxes_and_for_sure_ones(at_least: float) -> None:
    upper = {0.5: 0.7, 0.7: 0.9, 0.9: 0.98, 0.98: 1.1}[at_least]
    shares = []
    for name in NAMES:
        known = residuals(mot15(name))
        rows = (known.scores >= at_least) & (known.scores < upper)
        shares.append((known.error_px / np.sqrt(BoxNoise().variance(known.boxes_px, known.scores)))[rows])
    robust = 1.4826 * np.median(np.abs(np.concatenate(shares)), axis=0)
    assert (robust > 0.75).all() and (robust < 1.5).all(), robust


@shared
def test_without_any_one_of_the_sequences_the_constants_are_nearly_the_same() -> None:
    known = {name: residuals(mot15(name)) for name in NAMES}
    for left_out in NAMES:
        found = fit([each for name, each in known.items() if name != left_out])
        assert found.shares == pytest.approx(BoxNoise().shares, rel=0.1)
        assert found.doubt == pytest.approx(BoxNoise().doubt, rel=0.15)
        assert 2.0 < found.floor_px < 3.6


def test_sequences_are_read_as_the_challenge_writes_them(tmp_path: Path) -> None:
    folder = tmp_path / 'KITTI-13'
    folder.mkdir()
    (folder / 'seqinfo.ini').write_text('[Sequence]\nname=KITTI-13\nframeRate=10\nseqLength=3\n')
    (folder / 'det.txt').write_text('1,-1,10,20,30,60,0.9,-1,-1,-1\n3,-1,11,20,30,60,0.6,-1,-1,-1\n')
    (folder / 'gt.txt').write_text('1,4,10,20,30,60,1,-1,-1,-1\n1,5,100,20,30,60,0,-1,-1,-1\n')
    sequence = mot15('KITTI-13', tmp_path)
    assert [len(each.scores) for each in sequence.pictures] == [1, 0, 1]
    assert sequence.pictures[0].boxes_px.tolist() == [[10, 20, 40, 80]]
    assert sequence.pictures[2].scores.tolist() == [0.6]
    assert sequence.pictures[0].true_ids.tolist() == [4]  # the other is marked to be ignored
    assert np.diff([each.stamp_ns for each in sequence.pictures]).tolist() == [100_000_000] * 2


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).mkdir()
        for file in ('det.txt', 'gt.txt', 'seqinfo.ini'):
            (tmp_path / name / file).touch()
    assert why_missing(tmp_path) is None
    (tmp_path / 'Venice-2' / 'gt.txt').unlink()
    assert why_missing(tmp_path) == (
        f'{tmp_path} lacks Venice-2/gt.txt: put the sequences of 2DMOT2015 with their boxes there.'
    )
