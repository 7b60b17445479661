# SPDX-License-Identifier: Apache-2.0
"""Which engine may stand in for which, and what an engine's name says."""

import hashlib
import os
from dataclasses import replace

import pytest

from gremsy_detector.backends.tensorrt.engine_key import EngineKey, EngineTarget, sha256_of_model
from gremsy_detector.backends.tensorrt.tensorrt_kinds import FULL, RTX
from gremsy_detector.errors import ModelError
from src.gremsy_detector.test.tensorrt_fakes import DESKTOP, HOPPER, LAPTOP, NANO, ORIN, TURING


def full(version, gpu=ORIN):
    return EngineTarget(FULL, version, gpu)


KEY = EngineKey('a' * 64, '10.3.0', ORIN.identity, '8.7', 'fp16', (1, 3, 640, 640))

RTX_KEY = replace(KEY, kind=RTX.name, tensorrt_version='1.7.1.116', gpu='', compute_capability='8.0+')


def test_a_key_serves_itself():
    assert KEY.serves(KEY)
    assert KEY.misfits(full('10.3.0')) == []


@pytest.mark.parametrize(
    'change',
    [
        {'model_sha256': 'b' * 64},
        {'tensorrt_version': '10.3.1'},
        {'gpu': NANO.identity},
        {'compute_capability': '8.9'},
        {'precision': 'int8'},
        {'shape': (1, 3, 640, 384)},
        {'kind': 'tensorrt_rtx'},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_of_any_part_makes_another_engine(change):
    other = replace(KEY, **change)
    assert not other.serves(KEY) and not KEY.serves(other)
    assert other.file_name('m') != KEY.file_name('m')


def test_a_lean_engine_serves_whoever_does_not_ask_for_one_but_not_the_reverse():
    lean = replace(KEY, lean=True)
    assert lean.serves(KEY)
    assert not KEY.serves(lean)
    assert lean.file_name('m') != KEY.file_name('m')


@pytest.mark.parametrize(
    ('built', 'here', 'fits'),
    [
        ('10.3.0', '10.3.0', True),
        ('10.3.0', '10.3.0.26', True),
        ('10.9.0', '10.16.1', True),
        ('10.16.1', '10.9.0', False),
        ('10.16.1', '11.0.0', False),
        ('11.0.0', '10.16.1', False),
    ],
)
def test_a_lean_engine_fits_later_versions_of_its_major_and_others_only_their_own(built, here, fits):
    lean = replace(KEY, tensorrt_version=built, lean=True)
    assert lean.serves(replace(KEY, tensorrt_version=here)) is fits
    assert (lean.misfits(full(here)) == []) is fits
    assert (replace(lean, lean=False).misfits(full(here)) == []) is (built == here)


def test_two_boards_of_one_name_are_told_apart():
    assert KEY.misfits(full('10.3.0', NANO)) == [
        'it was built for Orin with 16 multiprocessors (compute capability 8.7) and this machine has '
        'Orin with 8 multiprocessors (8.7)'
    ]


def test_a_file_name_is_readable_and_harmless():
    name = KEY.file_name('yolo11n')
    assert name.startswith('yolo11n-fp16-640x640-trt10.3.0-sm87-') and name.endswith('.engine')
    hostile = replace(KEY, precision='../x').file_name('../../etc/pass wd\n' + 'x' * 500)
    assert '/' not in hostile and '\n' not in hostile and len(hostile) < 200


def test_a_key_survives_its_json_form():
    for key in (KEY, RTX_KEY):
        assert EngineKey.from_json(key.as_json() | {'shape': list(key.shape)}) == key


def test_a_header_from_before_there_were_two_kinds_is_one_of_the_full_tensorrt():
    old = KEY.as_json() | {'shape': list(KEY.shape)}
    del old['kind']
    assert EngineKey.from_json(old) == KEY
    with pytest.raises(ValueError, match='its key lacks a part'):
        EngineKey.from_json(old | {'kind': 1})
    # What version 0.4 of the suite called it: under another name, nothing would replace it.
    assert KEY.file_name('yolo11n') == 'yolo11n-fp16-640x640-trt10.3.0-sm87-5b8f69289bc5.engine'


@pytest.mark.parametrize('lean', [False, True])
@pytest.mark.parametrize('version', ['1.7.1.116', '10.3.0'])
def test_no_kind_takes_the_others_engine_whatever_its_version(version, lean):
    """As if one had reached the other's version."""
    one = replace(KEY, tensorrt_version=version, lean=lean)
    other = replace(one, kind=RTX.name)
    assert not one.serves(other) and not other.serves(one)
    assert one.file_name('m') != other.file_name('m')
    assert other.misfits(full(version)) == [
        f'it was built with TensorRT for RTX {version} and this is TensorRT {version}'
    ]
    assert one.misfits(EngineTarget(RTX, version, LAPTOP)) == [
        f'it was built with TensorRT {version} and this is TensorRT for RTX {version}'
    ]


def test_an_engine_for_rtx_serves_every_gpu_that_nvidia_makes_it_for():
    assert (RTX_KEY.gpu, RTX_KEY.compute_capability) == ('', '8.0+')
    for gpu in (LAPTOP, DESKTOP, None):
        target = EngineTarget(RTX, '1.7.1.116', gpu)
        assert RTX_KEY.misfits(target) == []
        assert (target.gpu, target.compute_capability) == ('', '8.0+')
    assert RTX_KEY.file_name('yolo11n').startswith('yolo11n-fp16-640x640-rtx1.7.1.116-sm80up-')
    assert RTX_KEY.misfits(EngineTarget(RTX, '1.8.0.1', LAPTOP)) == [
        'it was built with TensorRT for RTX 1.7.1.116 and this machine has 1.8.0.1'
    ]


def test_a_turing_card_has_engines_of_its_own():
    turing = EngineTarget(RTX, '1.7.1.116', TURING)
    assert (turing.gpu, turing.compute_capability) == ('', '7.5')
    assert RTX_KEY.misfits(turing) == [
        'it was built for compute capability 8.0+ and this machine has NVIDIA GeForce RTX 2070 with 36 multiprocessors '
        '(7.5)'
    ]


# NVIDIA's support matrix of TensorRT-RTX 1.5 (7.5, 8.6, 8.9, 12.0, 12.1), its page on AOT engines (8.0, "and later").
@pytest.mark.parametrize(
    ('runs', 'capability'),
    [
        *((True, each) for each in ('7.5', '8.0', '8.6', '8.9', '12.0', '12.1', '13.0')),
        *((False, each) for each in ('7.0', '7.2', '8.7', '9.0', '10.0', '11.0')),
    ],
)
def test_tensorrt_for_rtx_runs_on_rtx_cards_alone(runs, capability):
    gpu = replace(HOPPER, compute_capability=capability)
    assert (RTX.refusal(gpu) is None) is runs
    assert FULL.refusal(gpu) is None


def test_a_kind_says_why_it_refuses_a_gpu():
    assert RTX.refusal(HOPPER) == (
        'NVIDIA H200 has compute capability 9.0, and TensorRT for RTX runs on 7.5, 8.0, 8.6, 8.9, 12.0 and later ones'
    )


def test_weights_beside_the_model_count_as_its_content(tmp_path):
    model = tmp_path / 'm.onnx'
    model.write_bytes(b'graph')
    alone = sha256_of_model(model)
    beside = tmp_path / 'm.onnx.data'
    beside.write_bytes(b'weights')
    first = sha256_of_model(model)
    beside.write_bytes(b'weightz')
    assert len({alone, first, sha256_of_model(model)}) == 3


def test_a_model_that_is_gone_is_named(tmp_path):
    with pytest.raises(ModelError, match=r'm\.onnx cannot be read \(No such file or directory\): check its'):
        sha256_of_model(tmp_path / 'm.onnx')


@pytest.mark.parametrize('name', ['weights.bin', 'weights/all of them'])
def test_weights_count_whatever_their_file_is_called(tmp_path, name):
    """Trained again and exported again, the graph is the same to the byte, and its engine is not."""
    onnx = pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')
    model = onnx.helper.make_model(onnx.helper.make_graph([], 'graph', [], []))
    onnx.external_data_helper.set_external_data(
        model.graph.initializer.add(name='w', dims=[2], data_type=onnx.TensorProto.UINT8, raw_data=b'ab'), name
    )
    path, weights = tmp_path / 'm.onnx', tmp_path / name
    weights.parent.mkdir(exist_ok=True)
    path.write_bytes(model.SerializeToString())
    weights.write_bytes(b'ab')
    first = sha256_of_model(path)
    weights.write_bytes(b'cd')
    assert sha256_of_model(path) != first


@pytest.mark.parametrize('location', ['../secret', '/dev/zero', 'pipe', 'none', ''])
def test_what_is_no_file_of_weights_is_not_read(tmp_path, location):
    onnx = pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')
    folder = tmp_path / 'models'
    folder.mkdir()
    os.mkfifo(folder / 'pipe')
    (tmp_path / 'secret').write_bytes(b'ab')
    model = onnx.helper.make_model(onnx.helper.make_graph([], 'graph', [], []))
    onnx.external_data_helper.set_external_data(
        model.graph.initializer.add(name='w', dims=[2], data_type=onnx.TensorProto.UINT8, raw_data=b'ab'), location
    )
    (folder / 'm.onnx').write_bytes(model.SerializeToString())
    assert sha256_of_model(folder / 'm.onnx') == hashlib.sha256(model.SerializeToString()).hexdigest()
