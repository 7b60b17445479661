# SPDX-License-Identifier: Apache-2.0
"""Whatever lies where the model should be: one sentence that names the file and the way out, never a crash."""

import os

import numpy as np
import pytest

from gremsy_detector.backends.onnxruntime import BACKEND
from gremsy_detector.default_model import default_model_path
from gremsy_detector.detector import Detector
from gremsy_detector.errors import ModelError

onnxruntime = pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')

KNOWN_OUTPUTS = '[1, 4+classes, N] (YOLOv8, 11), [1, N, 4+classes] (transposed) and [1, N, 6] (end-to-end)'


def refusal(path):
    with pytest.raises(ModelError) as refused:
        Detector(BACKEND(path)).open()
    return str(refused.value)


def test_a_missing_file_is_named_with_the_way_out(tmp_path):
    path = tmp_path / 'none.onnx'
    assert refusal(path) == (
        f"Model file {path} does not exist: set `model` to an existing file, or to 'default' for the one shipped."
    )


def test_a_folder_is_not_a_model(tmp_path):
    assert refusal(tmp_path) == f'Model file {tmp_path} is a folder: set `model` to a file in it.'


def test_an_empty_file_is_named(tmp_path):
    path = tmp_path / 'empty.onnx'
    path.touch()
    assert refusal(path) == f'Model file {path} is empty: copy or export it again.'


@pytest.mark.skipif(os.geteuid() == 0, reason='root reads every file')
def test_a_file_without_permission_is_named(tmp_path):
    path = tmp_path / 'secret.onnx'
    path.write_bytes(b'x')
    path.chmod(0)
    assert refusal(path) == (
        f'Model file {path} cannot be read (Permission denied): check its permissions and its disk.'
    )


def contents():
    whole = default_model_path().read_bytes()
    spoiled = bytearray(whole)
    spoiled[100:4000] = np.random.default_rng(5).bytes(3900)
    return {
        'truncated_at_half': whole[: len(whole) // 2],
        'truncated_by_a_byte': whole[:-1],
        'first_100_bytes': whole[:100],
        'spoiled_head': bytes(spoiled),
        'random': np.random.default_rng(0).bytes(50_000),
        'text': b'this is not a model\n' * 50,
        'html': b'<!DOCTYPE html><html>404</html>',
        'zeros': bytes(10_000),
        'git_lfs_pointer': b'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7600000\n',
    }


@pytest.mark.parametrize('kind', list(contents()))
def test_a_file_that_is_no_whole_model_is_named(kind, tmp_path):
    path = tmp_path / f'{kind}.onnx'
    path.write_bytes(contents()[kind])
    sentence = refusal(path)
    assert sentence.startswith(
        f'Model file {path} is not a model that ONNX Runtime {onnxruntime.__version__} can load ('
    )
    assert sentence.endswith('): it is truncated, corrupt or not ONNX, so copy or export it again.')
    assert '\n' not in sentence


def test_a_model_of_another_kind_is_refused_with_what_it_answers(write_model):
    path = write_model(np.zeros((1, 1000)))
    assert refusal(path) == (
        f'Model file {path} answers with the outputs [1, 1000] and has 3 class names: '
        f'known is one output, {KNOWN_OUTPUTS}.'
    )


def test_a_model_whose_names_do_not_fit_its_output_is_refused(write_model):
    path = write_model(np.zeros((1, 84, 100)))
    assert refusal(path) == (
        f'Model file {path} answers with the outputs [1, 84, 100] and has 3 class names: '
        f'known is one output, {KNOWN_OUTPUTS}.'
    )


def test_a_model_that_takes_no_image_is_refused(write_model):
    path = write_model(np.zeros((1, 7, 100)), input_shape=(1, 10))
    assert refusal(path) == (
        f'Model file {path} has the inputs images float32 [1, 10]: known is one input, '
        '[1, 3, height, width] float32, float16 or uint8, or [1, height, width, 3] uint8.'
    )


def test_a_model_that_asks_for_an_absurd_image_is_refused_before_memory_is(write_model):
    path = write_model(np.zeros((1, 7, 100)), input_shape=(1, 3, 200000, 200000))
    assert refusal(path) == (
        f'Model file {path} asks for an input of 200000x200000 pixels: export it with a side of at most 4096.'
    )


def test_a_model_that_loads_but_does_not_run_is_refused(write_model):
    path = write_model(np.zeros((1, 7, 100)), input_shape=('batch', 3, 'h', 'w'), reshape_input_to=(1, 3, 32, 32))
    sentence = refusal(path)
    assert sentence.startswith(
        f'Model file {path} loads but does not run on an input of [1, 3, 64, 64] (onnxruntime failed on {path}: '
    )
    assert sentence.endswith('): export it again, or free memory if that is what it lacks.')


def test_external_data_cannot_reach_out_of_the_models_folder(write_model, tmp_path):
    onnx = pytest.importorskip('onnx')
    outside = tmp_path / 'secret'
    outside.write_bytes(bytes(1 * 7 * 20 * 4))
    (tmp_path / 'models').mkdir()
    model = onnx.load(write_model(np.zeros((1, 7, 20))))
    tensor = model.graph.initializer[0]
    tensor.ClearField('raw_data')
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key='location', value='../secret')
    path = tmp_path / 'models' / 'm.onnx'
    path.write_bytes(model.SerializeToString())
    assert refusal(path).startswith(f'Model file {path} is not a model that ONNX Runtime')
