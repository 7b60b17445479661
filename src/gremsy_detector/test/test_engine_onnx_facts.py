# SPDX-License-Identifier: Apache-2.0
"""What an ONNX file says about itself, read without onnx; held against ONNX Runtime and against damage."""

import os

import numpy as np
import pytest

from gremsy_detector.backends.onnxruntime_backend import BACKEND
from gremsy_detector.errors import ModelError
from gremsy_detector.model.default_model import default_model_path
from gremsy_detector.model.onnx_facts import moves_bytes, read_onnx_facts

pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')


def facts_of_onnxruntime(path):
    backend = BACKEND(path)
    facts = backend.open()
    backend.close()
    return facts


def refusal(path):
    with pytest.raises(ModelError) as refused:
        read_onnx_facts(path)
    return str(refused.value)


def test_the_shipped_model_reads_as_onnxruntime_reads_it():
    assert read_onnx_facts(default_model_path()) == facts_of_onnxruntime(default_model_path())


@pytest.mark.parametrize(
    'form',
    [
        {'input_shape': ('batch', 3, 'height', 'width')},
        {'input_shape': (1, 3, None, 64)},
        {'input_shape': (1, 64, 64, 3), 'input_type': 'UINT8'},
        {'input_type': 'FLOAT16'},
        {'metadata': {'names': "{0: 'ä'}", 'empty': '', 'long': 'x' * 300}},
        {'metadata': {}},
    ],
    ids=lambda form: '-'.join(f'{key}={value}'[:30] for key, value in form.items()),
)
def test_every_form_reads_as_onnxruntime_reads_it(write_model, form):
    path = write_model(np.zeros((1, 7, 20)), **form)
    assert read_onnx_facts(path) == facts_of_onnxruntime(path)


def test_weights_that_are_listed_as_inputs_are_none(write_model):
    """As files of IR version 3 do."""
    onnx = pytest.importorskip('onnx')
    model = onnx.load(write_model(np.zeros((1, 7, 20))))
    model.graph.input.append(onnx.helper.make_tensor_value_info('base', onnx.TensorProto.FLOAT, (1, 7, 20)))
    path = write_model(np.zeros((1, 7, 20)), name='old.onnx')
    path.write_bytes(model.SerializeToString())
    assert [each.name for each in read_onnx_facts(path).inputs] == ['images']


@pytest.mark.parametrize(
    ('form', 'moves'),
    [
        ({'input_shape': (1, 64, 64, 3), 'input_type': 'UINT8'}, False),
        ({'input_shape': (1, 64, 64, 3), 'input_type': 'UINT8', 'reshape_input_to': (1, 64, 192)}, True),
        ({'reshape_input_to': (1, 3, 4096)}, False),
    ],
    ids=['bytes into a Cast', 'bytes into a Reshape', 'floats into a Reshape'],
)
def test_what_becomes_of_bytes_is_told(write_model, form, moves):
    assert moves_bytes(write_model(np.zeros((1, 7, 20)), **form)) is moves


def test_a_missing_file_a_folder_and_an_empty_file_are_named(tmp_path):
    path = tmp_path / 'no.onnx'
    assert refusal(path) == (
        f"Model file {path} does not exist: set `model` to an existing file, or to 'default' for the one shipped."
    )
    assert refusal(tmp_path) == f'Model file {tmp_path} is a folder: set `model` to a file in it.'
    path.touch()
    assert refusal(path) == f'Model file {path} is empty: copy or export it again.'


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'\x08\x07', 'it has 0 graphs'),
        (b'\x3a\x00\x3a\x00', 'it has 2 graphs'),
        (b'\x3a\xff\xff\xff\xff\x0f', '4294967295 bytes are missing'),
        (b'\x08' + b'\xff' * 12, 'it has a number of more than 10 bytes'),
        (b'\x08', '1 byte is missing'),
        (b'\x0b', 'it has a wire type 3'),
        (b'\x00\x00', 'it has a field number 0'),
    ],
)
def test_what_is_no_model_is_refused_with_the_reason(tmp_path, content, reason):
    path = tmp_path / 'm.onnx'
    path.write_bytes(content)
    assert refusal(path) == (
        f'Model file {path} is not ONNX ({reason}): it is truncated, corrupt or of another kind, so copy or export it '
        'again.'
    )


@pytest.mark.parametrize('seed', range(4))
def test_no_damage_crashes_it(tmp_path, write_model, seed):
    """Random changes, cuts and noise: facts or one sentence, nothing else."""
    whole = write_model(np.zeros((1, 7, 20))).read_bytes()
    generator = np.random.default_rng(seed)
    path = tmp_path / 'spoiled.onnx'
    refused = []
    for _ in range(60):
        content = bytearray(whole)
        for place in generator.integers(0, len(content), size=generator.integers(1, 9)):
            content[place] = generator.integers(0, 256)
        path.write_bytes(content[: generator.integers(1, len(content) + 1)])
        try:
            read_onnx_facts(path)
        except ModelError as error:
            refused.append(str(error))
    assert refused
    assert all('\n' not in sentence and str(path) in sentence for sentence in refused)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'pipe.onnx')
    assert refusal(tmp_path / 'pipe.onnx') == (
        f'Model file {tmp_path}/pipe.onnx is a pipe: set `model` to a regular file.'
    )
