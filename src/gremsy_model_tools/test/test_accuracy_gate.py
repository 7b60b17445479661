# SPDX-License-Identifier: Apache-2.0
"""int8 of the default model, both ways: calibrated on real frames it passes, on spoiled ones fp16 is kept."""

import json

import cv2
import numpy as np
import pytest

from gremsy_detector.backends.onnxruntime_backend import BACKEND
from gremsy_detector.detector import Detector
from gremsy_detector.model.default_model import SHA256, default_model_path

pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')
pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')

from onnx import TensorProto, numpy_helper

from gremsy_model_tools.precision.agreement import Agreement, ClassAgreement
from gremsy_model_tools.precision.gate import DEFAULT_LIMIT, LEAST_BOXES, judge, verdict_path
from gremsy_model_tools.precision.graph_facts import precision_of
from gremsy_model_tools.precision.onnx_file import metadata_of, read_model, signed, write_model
from gremsy_model_tools.precision.prepare import prepare_model

# 140 people to check on, in a tenth of the time that a user's check takes.
CALIBRATION_FRAMES = range(0, 500, 40)
CHECK_FRAMES = range(540, 790, 20)


def folder_of(folder, images):
    folder.mkdir()
    for number, image in enumerate(images):
        cv2.imwrite(str(folder / f'{number}.png'), image)
    return folder


@pytest.fixture(scope='module')
def footage(vtest_footage, tmp_path_factory):
    """Two folders of frames of the real footage: the beginning to calibrate on, the end to check on."""
    capture = cv2.VideoCapture(str(vtest_footage))
    frames = {}
    for number in range(CHECK_FRAMES[-1] + 1):
        assert capture.grab()
        if number in CALIBRATION_FRAMES or number in CHECK_FRAMES:
            frames[number] = capture.retrieve()[1]
    capture.release()
    folder = tmp_path_factory.mktemp('footage')
    return (
        folder_of(folder / 'calibration', [frames[number] for number in CALIBRATION_FRAMES]),
        folder_of(folder / 'check', [frames[number] for number in CHECK_FRAMES]),
    )


@pytest.fixture(scope='module')
def good(footage, tmp_path_factory):
    calibration, check = footage
    said = []
    prepared = prepare_model(
        default_model_path(),
        'int8',
        tmp_path_factory.mktemp('good'),
        calibration=calibration,
        check=check,
        say=said.append,
    )
    return prepared, said


def test_int8_calibrated_on_real_frames_passes(good):
    prepared, said = good
    assert prepared.precision == 'int8'
    assert prepared.agreement.map50_95 > DEFAULT_LIMIT
    assert prepared.sentence == (
        f'nanodet_g_416.onnx: int8 agrees with the original by {prepared.agreement.map50_95:.3f} (mAP .5:.95; '
        f'{prepared.agreement.map50:.3f} at .5) on 13 frames, and the limit is 0.8.'
    )
    assert said == [
        'nanodet_g_416.onnx: calibrating int8 on 13 frames.',
        'nanodet_g_416.onnx: comparing int8 with the original on 13 frames.',
    ]


def test_the_int8_file_is_half_the_size_and_says_the_same_of_itself(good):
    path = good[0].path
    # The original keeps float16 weights: 7.6 MB, and 4.1 here.
    assert path.stat().st_size < 0.6 * default_model_path().stat().st_size
    model, original = read_model(path), read_model(default_model_path())
    assert precision_of(model) == 'int8'
    assert metadata_of(model) == {**metadata_of(original), 'channel_order': 'bgr'}


def test_the_pairs_are_what_tensorrt_takes(good):
    """Symmetric int8, weights per channel, no quantised bias, a pair before each layer and none behind."""
    model = read_model(good[0].path)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    producers = {name: node for node in model.graph.node for name in node.output}
    pairs = [node for node in model.graph.node if node.op_type in ('QuantizeLinear', 'DequantizeLinear')]
    for node in pairs:
        zero = constants[node.input[2]]
        assert zero.data_type == TensorProto.INT8
        assert not numpy_helper.to_array(zero).any()
    layers = [
        node
        for node in model.graph.node
        if node.op_type == 'Conv' and producers[node.input[0]].op_type == 'DequantizeLinear'
    ]
    # All of them read int8 and answer float16, and no scale is too small for it.
    assert all(numpy_helper.to_array(constants[node.input[1]]).min() >= np.finfo(np.float16).tiny for node in pairs)
    assert {constants[node.input[1]].data_type for node in pairs} == {TensorProto.FLOAT16}
    # 34 convolutions, less the three that the boxes are made of.
    assert len(layers) == 31
    for node in layers:
        weights = producers[node.input[1]]
        assert weights.op_type == 'DequantizeLinear'
        assert len(numpy_helper.to_array(constants[weights.input[1]])) == constants[weights.input[0]].dims[0]
        assert constants[node.input[2]].data_type == TensorProto.FLOAT16
    quantised = [node.input[0] for node in pairs if node.op_type == 'QuantizeLinear']
    behind = {name for name in quantised if producers[name].op_type == 'Conv'}
    # Of one convolution that feeds another directly, the result is what the other reads.
    read_by_layers = {producers[producers[node.input[0]].input[0]].input[0] for node in layers}
    assert set(quantised) == read_by_layers
    assert len(behind) < 4


def test_the_verdict_lies_beside_the_file(good):
    prepared, _ = good
    report = json.loads(verdict_path(prepared.path).read_text(encoding='utf-8'))
    assert (report['precision'], report['passed'], report['limit']) == ('int8', True, DEFAULT_LIMIT)
    assert report['map50_95'] == pytest.approx(prepared.agreement.map50_95, abs=1e-6)
    assert report['original_sha256'] == SHA256
    person = next(each for each in report['classes'] if each['name'] == 'person')
    assert person['counted'] and person['truth_boxes'] > 80 and person['ap50'] > 0.9


def test_the_int8_file_runs_in_the_detector_as_it_is(good, footage_image, make_frame):
    detector = Detector(BACKEND(good[0].path))
    model = detector.open()
    assert (model.input.dtype, model.input.shape) == ('uint8', (1, 416, 416, 3))
    assert 'person' in detector.detect(make_frame(footage_image(60))).detections.labels
    detector.close()


@pytest.mark.slow
def test_the_same_frames_give_the_same_file_and_verdict(good, footage, tmp_path):
    calibration, check = footage
    again = prepare_model(default_model_path(), 'int8', tmp_path, calibration=calibration, check=check)
    assert again.agreement == good[0].agreement
    assert again.path.read_bytes() == good[0].path.read_bytes()


@pytest.mark.parametrize('spoiled', ['black', pytest.param('noise', marks=pytest.mark.slow)])
def test_a_spoiled_calibration_fails_and_fp16_is_kept(footage, tmp_path, spoiled):
    _, check = footage
    random = np.random.default_rng(4)
    images = [
        np.zeros((576, 768, 3), np.uint8) if spoiled == 'black' else random.integers(0, 256, (576, 768, 3), np.uint8)
        for _ in range(10)
    ]
    out = tmp_path / 'out'
    stale = out / 'nanodet_g_416.int8.bgr8.onnx'
    write_model(signed(read_model(default_model_path())), stale)
    prepared = prepare_model(
        default_model_path(), 'int8', out, calibration=folder_of(tmp_path / spoiled, images), check=check
    )
    report = json.loads(verdict_path(stale).read_text(encoding='utf-8'))
    assert prepared.precision == 'fp16'
    assert prepared.path == out / 'nanodet_g_416.fp16.bgr8.onnx'
    assert prepared.sentence == (
        f'nanodet_g_416.onnx: int8 agrees with the original by {report["map50_95"]:.3f} (mAP .5:.95; '
        f'{report["map50"]:.3f} at .5) on 13 frames, which is below the limit of 0.8, so fp16 is kept; '
        f'fp16 agrees with the original by {prepared.agreement.map50_95:.3f} (mAP .5:.95; '
        f'{prepared.agreement.map50:.3f} at .5) on 13 frames, and the limit is 0.8.'
    )
    # Measured here .39 (black) and .71 (noise), against .97 of the good calibration and .99 of fp16.
    assert (report['passed'], report['map50_95'] < DEFAULT_LIMIT) == (False, True)
    assert prepared.agreement.map50_95 > 0.95
    assert not stale.exists()


def measured(precision=0.9, boxes=100, counted=True):
    of_class = ClassAgreement('person', boxes, boxes, precision, precision, counted)
    return Agreement(precision if counted else 0.0, precision if counted else 0.0, (of_class,), 7)


def test_the_limit_itself_passes():
    assert judge(measured(0.8), 'int8', 0.8).passed
    assert not judge(measured(0.799), 'int8', 0.8).passed


def test_frames_without_objects_prove_nothing():
    verdict = judge(measured(boxes=3, counted=False), 'int8')
    assert not verdict.passed
    assert verdict.sentence == (
        f'int8 cannot be judged: the original sees fewer than {LEAST_BOXES} objects of any class in the 7 frames to '
        'check on'
    )


@pytest.mark.slow
def test_int8_that_cannot_be_judged_gives_way_to_fp16(tmp_path, footage):
    """Real frames to calibrate on, and nothing to see in those to check on."""
    grey = folder_of(tmp_path / 'grey', [np.full((64, 64, 3), 90, np.uint8)] * 3)
    prepared = prepare_model(default_model_path(), 'int8', tmp_path / 'out', calibration=footage[0], check=grey)
    assert prepared.precision == 'fp16'
    assert prepared.sentence == (
        'nanodet_g_416.onnx: int8 cannot be judged: the original sees fewer than 20 objects of any class in the 3 '
        'frames to check on, so fp16 is kept; runs in fp16, unchecked: the frames to check on show nothing.'
    )


@pytest.mark.slow
def test_without_frames_to_check_on_the_last_quarter_is_held_back(tmp_path, footage):
    said = []
    prepare_model(default_model_path(), 'int8', tmp_path, calibration=footage[0], say=said.append)
    assert said[:2] == [
        'nanodet_g_416.onnx: calibrating int8 on 10 frames.',
        'nanodet_g_416.onnx: comparing int8 with the original on 3 frames.',
    ]
