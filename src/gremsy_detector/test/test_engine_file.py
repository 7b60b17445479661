# SPDX-License-Identifier: Apache-2.0
"""Engine files: written whole or not at all, and nothing damaged is taken for an engine."""

import json
import os

import numpy as np
import pytest

from gremsy_common import atomic_file
from gremsy_detector.backends.tensorrt.engine_file import (
    MAGIC,
    EngineHeader,
    read_engine,
    read_header,
    write_engine,
    write_whole,
)
from gremsy_detector.backends.tensorrt.engine_key import EngineKey
from gremsy_detector.errors import ModelError
from gremsy_detector.model.model_facts import TensorFacts

KEY = EngineKey('a' * 64, '10.3.0', 'Orin', '8.7', 'fp16', (1, 3, 64, 64))
HEADER = EngineHeader(
    KEY,
    'fp16',
    '/models/ünï.onnx',
    (TensorFacts('images', (1, 3, None, 'w'), 'uint8'),),
    (TensorFacts('output0', (1, 7, 20), 'float32'),),
    {'names': "{0: 'ä'}"},
    '2026-01-01T00:00:00+00:00',
)
PLAN = np.random.default_rng(3).bytes(5000)
AGAIN = 'build it again with `ros2 run gremsy_model_tools build_engine MODEL.onnx`'


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'm.engine'
    write_engine(path, HEADER, PLAN)
    return path


def refusal(path):
    with pytest.raises(ModelError) as refused:
        read_engine(path)
    return str(refused.value)


def test_what_is_written_is_read(path):
    file = read_engine(path)
    assert file.plan == PLAN
    assert file.metadata == HEADER.metadata
    assert file.header.key == KEY
    assert (file.header.model, file.header.inputs, file.header.outputs) == (HEADER.model, HEADER.inputs, HEADER.outputs)
    assert read_header(path) == file.header


def test_every_truncation_is_found(path):
    whole = path.read_bytes()
    for length in [*range(0, len(whole) - len(PLAN) + 3, 7), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert refusal(path).startswith(f'Engine {path} is '), length


def test_a_cut_plan_is_said_with_its_size(path):
    path.write_bytes(path.read_bytes()[:-10])
    assert refusal(path) == f'Engine {path} is damaged (it has 4990 of 5000 bytes): {AGAIN}.'


def test_a_single_changed_bit_of_the_plan_is_found(path):
    content = bytearray(path.read_bytes())
    content[-2000] ^= 4
    path.write_bytes(content)
    assert refusal(path) == f'Engine {path} is damaged (its content does not match its checksum): {AGAIN}.'


def test_bytes_after_the_plan_are_found(path):
    path.write_bytes(path.read_bytes() + b'x')
    assert refusal(path) == f'Engine {path} is damaged (it has 5001 of 5000 bytes): {AGAIN}.'


@pytest.mark.parametrize('seed', range(5))
def test_no_damage_to_the_head_gets_through_or_crashes(path, seed):
    """40 random changes each: whatever is still read must be the plan as it was written."""
    whole = path.read_bytes()
    generator = np.random.default_rng(seed)
    head = len(whole) - len(PLAN)
    refused = []
    for _ in range(40):
        content = bytearray(whole)
        for place in generator.integers(0, head, size=generator.integers(1, 6)):
            content[place] = generator.integers(0, 256)
        path.write_bytes(content)
        try:
            assert read_engine(path).plan == PLAN
        except ModelError as error:
            refused.append(str(error))
        read_header(path)
    assert len(refused) > 10
    assert not any('\n' in sentence for sentence in refused)


def spoiled(change):
    head = {
        'key': KEY.as_json(),
        'precision': 'fp16',
        'model': 'm',
        'inputs': [],
        'outputs': [],
        'metadata': {},
        'built_at': '',
        'plan_bytes': 0,
        'plan_sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    }
    change(head)
    return json.dumps(head).encode()


@pytest.mark.parametrize(
    ('head', 'reason'),
    [
        (b'[]', 'its header is not a JSON object'),
        (b'{"key"', 'its header is not JSON'),
        (b'[' * 100_000, 'its header is not JSON'),
        (b'\xff\xfe{}', 'its header is not JSON'),
        (b'', 'its header would have 0 bytes'),
        (b'{}', 'its header lacks a part'),
        (spoiled(lambda head: head.pop('key')), 'its header lacks a part'),
        (spoiled(lambda head: head['key'].pop('gpu')), 'its key lacks a part'),
        (spoiled(lambda head: head['key'].update(shape='x')), 'its key has no shape'),
        (spoiled(lambda head: head['key'].update(shape=[True])), 'its key has no shape'),
        (spoiled(lambda head: head['key'].update(lean=1)), 'its key lacks a part'),
        (spoiled(lambda head: head.update(metadata={'a': 1})), 'its header lacks a part'),
        (spoiled(lambda head: head.update(plan_bytes=1.5)), 'its header lacks a part'),
        (spoiled(lambda head: head.update(inputs=[1])), 'its header lacks the tensors'),
        (spoiled(lambda head: head.update(outputs=None)), 'its header lacks the tensors'),
        (spoiled(lambda head: head.update(plan_bytes=-1)), 'it has 0 of -1 bytes'),
    ],
)
def test_a_head_that_is_not_ours_is_refused_with_what_is_wrong(tmp_path, head, reason):
    path = tmp_path / 'm.engine'
    path.write_bytes(MAGIC + len(head).to_bytes(4, 'little') + head)
    assert refusal(path) == f'Engine {path} is damaged ({reason}): {AGAIN}.'


def test_a_head_that_claims_gigabytes_is_not_read(tmp_path):
    path = tmp_path / 'm.engine'
    path.write_bytes(MAGIC + b'\xff\xff\xff\xff' + b'{}')
    assert refusal(path) == f'Engine {path} is damaged (its header would have 4294967295 bytes): {AGAIN}.'
    assert read_header(path) is None


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'', 'its metadata would have 0 bytes'),
        (b'x', 'it ends within its metadata'),
        (b'text, not an engine', 'its metadata would have 1954047348 bytes'),
        (b'\x02\x00\x00\x00', 'it ends within its metadata'),
        (b'\x03\x00\x00\x00[1]plan', 'its metadata is not a JSON object'),
    ],
)
def test_a_foreign_file_is_refused(tmp_path, content, reason):
    path = tmp_path / 'm.engine'
    path.write_bytes(content)
    assert refusal(path) == (
        f'Engine {path} is neither one of build_engine nor one of Ultralytics ({reason}), so what it takes and what '
        f'its classes are is unknown: {AGAIN}.'
    )


def test_metadata_of_ultralytics_without_a_plan_is_damaged(tmp_path):
    path = tmp_path / 'y.engine'
    path.write_bytes(b'\x02\x00\x00\x00{}')
    assert refusal(path) == f'Engine {path} is damaged (it has no plan after its metadata): {AGAIN}.'


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    path = tmp_path / 'no.engine'
    assert refusal(path) == f'Engine {path} does not exist: set `model` to an existing file.'
    assert refusal(tmp_path) == f'Engine {tmp_path} is a folder: set `model` to a file in it.'
    assert read_header(path) is None and read_header(tmp_path) is None


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    path = tmp_path / 'pipe.engine'
    os.mkfifo(path)
    assert refusal(path) == f'Engine {path} cannot be read (it is no regular file): check its permissions and its disk.'
    assert read_header(path) is None


@pytest.mark.skipif(os.geteuid() == 0, reason='root reads every file')
def test_a_file_without_permission_is_named(path):
    path.chmod(0)
    assert refusal(path) == f'Engine {path} cannot be read (Permission denied): check its permissions and its disk.'


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(atomic_file.os, 'fsync', full)
    with pytest.raises(OSError, match='No space left'):
        write_whole(path, b'new')
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_new_content_is_on_the_disk_before_it_gets_the_name(path, monkeypatch):
    order = []
    flush, replace = os.fsync, atomic_file.Path.replace
    monkeypatch.setattr(atomic_file.os, 'fsync', lambda fd: (order.append('flush'), flush(fd))[1])
    monkeypatch.setattr(atomic_file.Path, 'replace', lambda *each: (order.append('name'), replace(*each))[1])
    write_whole(path, b'ne', b'w')
    assert order == ['flush', 'name', 'flush']
    assert path.read_bytes() == b'new'
