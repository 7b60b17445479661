# SPDX-License-Identifier: Apache-2.0
"""One contract for every back end that is found; what is not available here must say why."""

import subprocess
import sys

import numpy as np
import pytest

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.backends.backend_registry import choose_backend, find_backends
from gremsy_detector.errors import InferenceError, ModelError

BACKENDS = find_backends()
ANSWER = np.arange(7 * 20, dtype=np.float32).reshape(1, 7, 20)
each_backend = pytest.mark.parametrize('backend', BACKENDS, ids=lambda backend: backend.name)


@pytest.fixture
def model(backend, write_model):
    """A model file that the back end reads; a back end for another kind of file adds its own way to make one."""
    reason = backend.unavailable()
    if reason is not None:
        pytest.skip(f'{backend.name} {reason}')
    if '.onnx' not in backend.suffixes:
        pytest.skip(f'{backend.name} reads {", ".join(backend.suffixes)}, which this test cannot write')
    return write_model(ANSWER, slope=np.ones_like(ANSWER), metadata={'names': "{0: 'a'}", 'note': 'ä'})


def test_onnxruntime_is_among_the_back_ends():
    assert 'onnxruntime' in [backend.name for backend in BACKENDS]


def test_no_two_back_ends_share_a_name():
    names = [backend.name for backend in BACKENDS]
    assert len(set(names)) == len(names)


@each_backend
def test_its_suffixes_are_lower_case_with_a_dot(backend):
    assert backend.suffixes
    assert all(each.startswith('.') and each == each.lower() for each in backend.suffixes)


@each_backend
def test_a_reason_why_it_is_not_available_is_the_end_of_a_sentence(backend):
    reason = backend.unavailable()
    assert reason is None or (reason and not reason.endswith('.'))


def test_finding_the_back_ends_imports_no_library_of_theirs():
    code = (
        'import sys; from gremsy_detector.backends.backend_registry import find_backends; find_backends(); '
        "print(sorted({'onnxruntime', 'tensorrt', 'tensorrt_lean', 'cuda'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == '[]'


@each_backend
def test_making_one_reads_nothing(backend, tmp_path):
    backend(tmp_path / 'missing.onnx').close()


@each_backend
def test_it_tells_what_the_file_says(backend, model):
    made = backend(model)
    facts = made.open()
    assert [str(each) for each in facts.inputs] == ['images float32 [1, 3, 64, 64]']
    assert [str(each) for each in facts.outputs] == ['output0 float32 [1, 7, 20]']
    assert facts.metadata == {'names': "{0: 'a'}", 'note': 'ä'}
    assert facts.path == model
    assert made.description.strip()
    made.close()


@each_backend
def test_every_run_sees_the_present_content_of_the_same_tensor(backend, model):
    made = backend(model)
    made.open()
    tensor = np.zeros((1, 3, 64, 64), np.float32)
    for value in (0.0, 0.25, 0.5, 0.125):
        tensor[...] = value
        np.testing.assert_array_equal(made.infer(tensor)[0], ANSWER + np.float32(value))
    other = np.full_like(tensor, 0.75)
    np.testing.assert_array_equal(made.infer(other)[0], ANSWER + np.float32(0.75))
    np.testing.assert_array_equal(made.infer(tensor)[0], ANSWER + np.float32(0.125))
    made.close()


@each_backend
def test_each_input_has_outputs_of_its_own(backend, model):
    """One detector decodes its answer while another that shares the model runs."""
    made = backend(model)
    made.open()
    inputs = [made.new_input((1, 3, 64, 64), 'float32') for _ in range(3)]
    for _ in range(3):
        for number, tensor in enumerate(inputs):
            tensor[...] = number / 4
        answers = [made.infer(tensor)[0] for tensor in inputs]
        for number, answer in enumerate(answers):
            np.testing.assert_array_equal(answer, ANSWER + np.float32(number / 4))
    assert made.most_images == 1
    made.close()


@each_backend
def test_it_opens_again_after_closing_and_closes_twice(backend, model):
    made = backend(model)
    for _ in range(2):
        made.open()
        made.infer(np.zeros((1, 3, 64, 64), np.float32))
        made.close()
        made.close()
    with pytest.raises(InferenceError):
        made.infer(np.zeros((1, 3, 64, 64), np.float32))


@each_backend
def test_a_run_that_fails_raises_and_the_next_one_works(backend, model):
    made = backend(model)
    made.open()
    with pytest.raises(InferenceError):
        made.infer(np.zeros((1, 3, 32, 64), np.float32))
    tensor = np.zeros((1, 3, 64, 64), np.float32)
    np.testing.assert_array_equal(made.infer(tensor)[0], ANSWER)
    made.close()


class Absent:
    name = 'absent'
    suffixes = ('.onnx', '.plan')
    preference = 50

    @staticmethod
    def unavailable():
        return 'is not installed (apt install absent)'


class Present:
    name = 'present'
    suffixes = ('.onnx',)
    preference = 10

    @staticmethod
    def unavailable():
        return None


def test_the_preferred_back_end_that_is_available_is_chosen(tmp_path):
    assert choose_backend(tmp_path / 'm.ONNX', 'auto', (Absent, Present)) is Present


@pytest.mark.parametrize(
    ('file', 'wanted', 'kind', 'sentence'),
    [
        ('m.onnx', 'tflite', ParameterError, "Parameter `backend` is 'tflite': use one of auto, absent, present."),
        (
            'm.pt',
            'auto',
            ModelError,
            "Model file m.pt has an unknown ending '.pt': absent reads .onnx, .plan; present reads .onnx.",
        ),
        (
            'm.plan',
            'auto',
            ModelError,
            'Model file m.plan cannot be run on this machine: absent is not installed (apt install absent).',
        ),
        (
            'm.onnx',
            'absent',
            ModelError,
            'Model file m.onnx cannot be run on this machine: absent is not installed (apt install absent).',
        ),
        ('m.plan', 'present', ModelError, "Model file m.plan has an unknown ending '.plan': present reads .onnx."),
    ],
)
def test_a_choice_that_cannot_be_made_says_why(file, wanted, kind, sentence, tmp_path):
    from pathlib import Path

    with pytest.raises(kind) as refused:
        choose_backend(Path(file), wanted, (Absent, Present))
    assert str(refused.value) == sentence
