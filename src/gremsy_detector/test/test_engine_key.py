# SPDX-License-Identifier: Apache-2.0
"""Which engine may stand in for which, and what an engine's name says."""

from dataclasses import replace

import pytest

from gremsy_detector.errors import ModelError
from gremsy_detector.tensorrt.engine_key import EngineKey, sha256_of_model
from src.gremsy_detector.test.tensorrt_fakes import NANO, ORIN

KEY = EngineKey('a' * 64, '10.3.0', ORIN.identity, '8.7', 'fp16', (1, 3, 640, 640))


def test_a_key_serves_itself():
    assert KEY.serves(KEY)
    assert KEY.misfits('10.3.0', ORIN) == []


@pytest.mark.parametrize(
    'change',
    [
        {'model_sha256': 'b' * 64},
        {'tensorrt_version': '10.3.1'},
        {'gpu': NANO.identity},
        {'compute_capability': '8.9'},
        {'precision': 'int8'},
        {'shape': (1, 3, 640, 384)},
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
    assert (lean.misfits(here, ORIN) == []) is fits
    assert (replace(lean, lean=False).misfits(here, ORIN) == []) is (built == here)


def test_two_boards_of_one_name_are_told_apart():
    assert KEY.misfits('10.3.0', NANO) == [
        'it was built for Orin with 16 multiprocessors (compute capability 8.7) and this machine has '
        'Orin with 8 multiprocessors (8.7)'
    ]


def test_a_file_name_is_readable_and_harmless():
    name = KEY.file_name('yolo11n')
    assert name.startswith('yolo11n-fp16-640x640-trt10.3.0-sm87-') and name.endswith('.engine')
    hostile = replace(KEY, precision='../x').file_name('../../etc/pass wd\n' + 'x' * 500)
    assert '/' not in hostile and '\n' not in hostile and len(hostile) < 200


def test_a_key_survives_its_json_form():
    assert EngineKey.from_json(KEY.as_json() | {'shape': list(KEY.shape)}) == KEY


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
