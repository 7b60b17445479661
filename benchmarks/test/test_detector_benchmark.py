# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of the detector's benchmark on cases counted by hand, and that its object has the keys asked for."""

from __future__ import annotations

import argparse
import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.detector import detector_benchmark
from benchmarks.detector.detector_frames import SIZE_PX, footage_frames
from benchmarks.detector.detector_int8 import int8_figures
from benchmarks.detector.detector_peer import PeerAgreement, UltralyticsPeer, agreement, unavailable, write_yolo
from benchmarks.detector.detector_sharing import two_cameras, with_open_batch
from benchmarks.detector.detector_stages import ANCHORS, CLASSES, OBJECTS, AnsweringBackend, crowded_output
from benchmarks.detector.detector_timing import WARM_UP, medians_ms, over, take_turns
from benchmarks.detector.detector_ways import BareRun, FrameWay, MessageWay
from gremsy_common.errors import SuiteError
from gremsy_common.types.detections import Detections
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_detector.detector import Detector, Selection
from gremsy_detector.model.default_model import default_model_path


def detections(*rows: tuple[list[float], float, str]) -> Detections:
    boxes = np.array([row[0] for row in rows], dtype=np.float64).reshape(-1, 4)
    return Detections(0, 'eo', boxes, np.array([row[1] for row in rows]), np.array([row[2] for row in rows], np.str_))


@pytest.fixture
def grey_frame() -> Frame:
    return Frame(lock_read_only(np.full((1080, 1920, 3), 90, np.uint8)), 5, 'eo')


def test_every_way_goes_first_in_turn_and_the_warm_up_is_left_out() -> None:
    calls: list[tuple[str, int]] = []
    times = iter(range(0, 10_000, 7))  # each look at the clock is 7 ns after the last
    ways = {name: lambda number, name=name: calls.append((name, number)) for name in 'abc'}
    took = take_turns(ways, 3, clock_ns=lambda: next(times))
    assert took == {'a': [7, 7, 7], 'b': [7, 7, 7], 'c': [7, 7, 7]}
    assert len(calls) == 3 * (3 + WARM_UP)
    assert [calls[3 * turn] for turn in range(WARM_UP, WARM_UP + 3)] == [('a', 0), ('b', 1), ('c', 2)]


def test_medians_are_of_milliseconds() -> None:
    assert medians_ms({'node': [3_000_000, 90_000_000, 2_100_000]}) == {'node': 3.0}


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    # The machine is half as fast in the middle and trips once; the ratio of the medians would be 1.6.
    took = {'node': [12, 24, 24, 30], 'bare': [10, 20, 20, 10]}
    assert over(took, 'node', 'bare') == 1.2


def test_agreement_pairs_the_nearest_of_a_class_once() -> None:
    ours = detections(([0, 0, 10, 10], 0.9, 'car'), ([0, 0, 10.25, 10], 0.8, 'car'), ([5, 5, 9, 9], 0.7, 'dog'))
    theirs = detections(([0, 0, 10.5, 10], 0.82, 'car'), ([0, 0.125, 10, 10], 0.9, 'car'), ([5, 5, 9, 9], 0.7, 'cat'))
    found = agreement(ours, theirs)
    assert found == PeerAgreement(ours=3, theirs=3, unmatched=2, box_px=0.25, score=pytest.approx(0.02))


@pytest.mark.parametrize(('count', 'other'), [(0, 0), (0, 1), (1, 0)])
def test_agreement_counts_what_only_one_side_has(count: int, other: int) -> None:
    one = [([0.0, 0, 1, 1], 0.5, 'car')]
    found = agreement(detections(*one[:count]), detections(*one[:other]))
    assert found == PeerAgreement(count, other, count + other, 0.0, 0.0)


def test_the_crowd_has_as_many_objects_as_it_says(grey_frame: Frame) -> None:
    output = crowded_output()
    assert output.shape == (1, 4 + CLASSES, ANCHORS)
    assert (output[0, 4:].max(axis=0) > Selection().candidate_confidence).sum() == OBJECTS * 8
    made = Detector(AnsweringBackend(output))
    made.open()
    # Objects of one class may lie on top of each other, and an answer may fall beside the others of its object.
    assert OBJECTS * 0.8 <= len(made.detect(grey_frame).candidates) <= OBJECTS * 1.5


def test_both_ways_of_the_node_give_the_same_boxes(vtest_footage: Path) -> None:
    frame = footage_frames(vtest_footage, (30,))[0]
    with FrameWay(default_model_path()) as by_frame, MessageWay(default_model_path(), [frame]) as by_message:
        found, sent = by_frame(frame), by_message(0)
    assert len(found) > 0
    assert [each.results[0].hypothesis.score for each in sent.detections] == found.scores.tolist()


def test_the_bare_run_answers_as_the_model_does() -> None:
    bare = BareRun(default_model_path())
    assert [each.shape for each in bare()] == [(1, 84, 3549)]
    assert bare()[0].max() > 0


def test_pictures_are_of_the_size_that_cameras_send(vtest_footage: Path) -> None:
    frames = footage_frames(vtest_footage, (0, 10))
    assert [(frame.width, frame.height) for frame in frames] == [SIZE_PX, SIZE_PX]
    with pytest.raises(SuiteError, match=r'vtest.avi has no frame 100000: use the footage that the demo fetches\.'):
        footage_frames(vtest_footage, (100_000,))


def test_without_ultralytics_the_object_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, 'find_spec', lambda _: None)
    assert unavailable() == 'ultralytics is not installed: run ./gremsy bench detector, which installs it.'


def test_the_object_has_the_keys_asked_for(monkeypatch: pytest.MonkeyPatch, vtest_footage: Path) -> None:
    del vtest_footage  # skips where there is none
    threads = cv2.getNumThreads()
    monkeypatch.setattr(detector_benchmark, '_ROUNDS', {'nanodet': 2, 'yolov8n': 2, 'int8': 2})
    monkeypatch.setattr(detector_benchmark, 'int8_figures', lambda *_: {'size_mb': {'fp32': 7.28}})
    monkeypatch.setattr(detector_benchmark, 'sharing_figures', lambda: {'shared_over_own': 1.0})
    monkeypatch.setattr(detector_benchmark, '_STAGE_ROUNDS', 3)
    monkeypatch.setattr(detector_benchmark, '_STRIDE', 60)
    monkeypatch.setattr(detector_benchmark, 'unavailable', lambda: 'not today.')
    figures = json.loads(json.dumps(detector_benchmark.run(argparse.Namespace(gpu=False))))
    assert {'node_over_model', 'preprocess_ms', 'preprocess_float_ms', 'decode_nms_ms', 'over_ultralytics'} <= set(
        figures
    )
    assert figures['node_over_model'].keys() == figures['node_over_model_message'].keys() == {'nanodet'}
    assert figures['ultralytics_unavailable'] == 'not today.'
    assert figures['over_ultralytics'] is None
    assert figures['default_precision'] >= 0.9
    assert figures['default_recall'] >= 0.85
    assert figures['default']['frames'] == 14
    assert figures['int8'] == {'size_mb': {'fp32': 7.28}}
    assert figures['two_cameras'] == {'shared_over_own': 1.0}
    assert all(figures[key] > 0 for key in ('preprocess_ms', 'preprocess_float_ms', 'decode_nms_ms'))
    assert set(figures['nanodet']['ms']) == {'bare', 'node', 'message'}
    assert cv2.getNumThreads() == threads


@pytest.mark.parametrize('case', ['own', 'shared', 'in_turn', 'together'])
def test_two_cameras_detect_in_every_case(case: str, vtest_footage: Path, tmp_path: Path) -> None:
    frames = footage_frames(vtest_footage, (30, 230))
    model = with_open_batch(default_model_path(), tmp_path / 'batched.onnx')
    figures = two_cameras(case, model, frames, 3)
    assert figures['images_per_s'] > 0
    assert figures['ms_p50'] > 0


@pytest.mark.slow
def test_int8_is_half_the_size_and_the_gate_tells_good_frames_from_black_ones(vtest_footage: Path) -> None:
    frames = footage_frames(vtest_footage, (30,))
    figures = int8_figures(default_model_path(), vtest_footage, frames, 2)
    assert figures['size_mb']['int8'] < 0.6 * figures['size_mb']['fp32']
    assert figures['agreement']['int8']['map50_95'] > 0.8 > figures['gate']['spoiled']['map50_95']
    assert [figures['gate'][key]['passed'] for key in ('good', 'spoiled')] == [True, False]
    assert [figures['gate'][key]['kept'] for key in ('good', 'spoiled')] == ['int8', 'fp16']


@pytest.mark.skipif(unavailable() is not None, reason='./gremsy setup --extra ultralytics installs it')
def test_ultralytics_finds_the_same_boxes(tmp_path: Path, vtest_footage: Path) -> None:
    frames = footage_frames(vtest_footage, (30, 430))
    model = write_yolo('yolov8n', tmp_path, frames)
    peer = UltralyticsPeer(model, Selection())
    with FrameWay(model) as ours:
        agreed = [agreement(ours(frame), peer(frame)) for frame in frames]
    assert all(10 <= each.ours <= 100 for each in agreed)
    assert all(each.unmatched == 0 and each.box_px < 0.5 and each.score < 0.01 for each in agreed)
    assert peer.describe(agreed)['box_difference_px_max'] < 0.5
