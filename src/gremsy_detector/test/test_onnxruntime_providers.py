# SPDX-License-Identifier: Apache-2.0
"""Which provider runs a model: the best that really works, and whoever does not get his choice is told."""

import sys
import types

import numpy as np
import pytest

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.backends.backend import BackendOptions
from gremsy_detector.backends.onnxruntime_backend import BACKEND
from gremsy_detector.backends.onnxruntime_providers import (
    CPU,
    CUDA,
    OPENVINO,
    PROVIDERS,
    TENSORRT,
    load_onnxruntime,
    open_session,
    providers_to_try,
)
from gremsy_detector.errors import InferenceError, ModelError

EVERY = [provider.name for provider in PROVIDERS]
ANSWER = np.arange(7 * 20, dtype=np.float32).reshape(1, 7, 20)
WENT_ON = 'ONNX Runtime went on without it; its library or a driver is missing or of another version'


@pytest.mark.parametrize(
    ('wanted', 'available', 'tried'),
    [
        ('auto', EVERY, (CUDA, OPENVINO, CPU)),
        ('auto', ['AzureExecutionProvider', CPU.name], (CPU,)),
        ('auto', [OPENVINO.name, CPU.name], (OPENVINO, CPU)),
        ('tensorrt', EVERY, (TENSORRT, CPU)),
        ('cuda', EVERY, (CUDA, CPU)),
        ('cpu', EVERY, (CPU,)),
    ],
)
def test_the_best_provider_that_is_there_comes_first_and_the_cpu_last(wanted, available, tried):
    assert providers_to_try(wanted, available) == tried


@pytest.mark.parametrize(
    ('wanted', 'sentence'),
    [
        ('rocm', "Parameter `provider` is 'rocm': use one of auto, openvino, cpu."),
        ('CUDAExecutionProvider', "Parameter `provider` is 'CUDAExecutionProvider': use one of auto, openvino, cpu."),
        (
            'cuda',
            (
                "Parameter `provider` is 'cuda', which this ONNX Runtime was built without: use one of auto, openvino, "
                'cpu, or install an ONNX Runtime with CUDA.'
            ),
        ),
    ],
)
def test_a_provider_that_is_not_there_is_refused_with_those_that_are(wanted, sentence):
    with pytest.raises(ParameterError) as refused:
        providers_to_try(wanted, [OPENVINO.name, CPU.name])
    assert str(refused.value) == sentence


class FakeSession:
    def __init__(self, names):
        self.names = names

    def get_providers(self):
        return self.names


class FakeRuntime:
    """Makes sessions; `raises` and `ignores` are the providers that fail aloud and in silence."""

    def __init__(self, raises=(), ignores=()):
        self.raises, self.ignores = raises, ignores
        self.asked = []

    def make(self, names, options):
        self.asked.append((names, options))
        for name in names:
            if name in self.raises:
                raise RuntimeError(f'[ONNXRuntimeError] : 1 : FAIL : no {name}.\nmore')
        return FakeSession([name for name in names if name not in self.ignores])


def test_the_first_provider_that_works_is_taken_with_its_options():
    runtime, said = FakeRuntime(), []
    session, provider = open_session(runtime.make, (CUDA, CPU), {CUDA: {'device_id': '1'}}, said.append)
    assert (provider, said) == (CUDA, [])
    assert session.get_providers() == [CUDA.name, CPU.name]
    assert runtime.asked == [([CUDA.name, CPU.name], [{'device_id': '1'}, {}])]


def test_a_provider_that_fails_to_load_falls_to_the_next_and_says_so():
    runtime, said = FakeRuntime(raises=[CUDA.name]), []
    _, provider = open_session(runtime.make, (CUDA, OPENVINO, CPU), {}, said.append)
    assert provider is OPENVINO
    assert said == [f'ONNX Runtime cannot use CUDA (no {CUDA.name}): trying OpenVINO.']


def test_a_provider_that_is_left_out_in_silence_is_noticed():
    runtime, said = FakeRuntime(ignores=[CUDA.name, OPENVINO.name]), []
    session, provider = open_session(runtime.make, (CUDA, OPENVINO, CPU), {}, said.append)
    assert provider is CPU
    assert session.get_providers() == [CPU.name]
    assert said == [
        f'ONNX Runtime cannot use CUDA ({WENT_ON}): trying OpenVINO.',
        f'ONNX Runtime cannot use OpenVINO ({WENT_ON}): trying CPU.',
    ]


def test_tensorrt_leaves_to_cuda_what_it_cannot_do():
    runtime = FakeRuntime()
    _, provider = open_session(runtime.make, (TENSORRT, CPU), {}, [].append)
    assert provider is TENSORRT
    assert runtime.asked[0][0] == [TENSORRT.name, CUDA.name, CPU.name]


def test_what_the_last_provider_says_is_the_models_fault():
    with pytest.raises(RuntimeError, match='no CPU'):
        open_session(FakeRuntime(raises=[CPU.name]).make, (CPU,), {}, [].append)


# From here on with the real library, whose only useful provider may be the CPU.
onnxruntime = pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')


def test_the_description_says_version_provider_and_threads(write_model):
    path = write_model(ANSWER)
    for options, threads in ((BackendOptions(provider='cpu'), '1 thread'), (BackendOptions(2, 0, 'cpu'), '2 threads')):
        backend = BACKEND(path, options)
        backend.open()
        assert backend.description == f'ONNX Runtime {onnxruntime.__version__} CPU, {threads}'
        backend.close()


def test_an_unknown_provider_refuses_the_start(write_model):
    with pytest.raises(ParameterError, match=r"Parameter `provider` is 'gpu': use one of auto, .*cpu"):
        BACKEND(write_model(ANSWER), BackendOptions(provider='gpu')).open()


@pytest.mark.filterwarnings('ignore:Specified provider')
def test_a_listed_provider_whose_library_is_missing_leaves_the_cpu_and_a_sentence(write_model, monkeypatch):
    """The real session, asked for a CUDA that it does not have, as on a machine with onnxruntime-gpu and no driver."""
    if CUDA.name in onnxruntime.get_available_providers():
        pytest.skip('this ONNX Runtime has CUDA')
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: [CUDA.name, CPU.name])
    said = []
    backend = BACKEND(write_model(ANSWER), BackendOptions(say=said.append))
    backend.open()
    assert backend.description == f'ONNX Runtime {onnxruntime.__version__} CPU, 1 thread'
    assert len(said) == 1
    assert said[0].startswith('ONNX Runtime cannot use CUDA (')
    assert said[0].endswith('): trying CPU.')
    backend.close()


def test_a_model_that_no_provider_loads_is_refused_with_what_the_library_says(write_model, monkeypatch):
    path = write_model(ANSWER)

    def refuse(*_, **__):
        raise RuntimeError('[ONNXRuntimeError] : 10 : INVALID_GRAPH : /onnxruntime_src/graph.cc:12 f(int x) A cycle.')

    monkeypatch.setattr(onnxruntime, 'InferenceSession', refuse)
    with pytest.raises(ModelError) as refused:
        BACKEND(path).open()
    assert str(refused.value) == (
        f'Model file {path} is not a model that ONNX Runtime {onnxruntime.__version__} can load (A cycle): '
        'it is truncated, corrupt or not ONNX, so copy or export it again.'
    )


def test_on_a_gpu_every_run_binds_its_input_again(write_model, monkeypatch):
    """The CPU stands in for the GPU: the calls are those of CUDA, their effect is checked on the answers."""
    backend = BACKEND(write_model(ANSWER, slope=np.ones_like(ANSWER)))
    backend.open()
    monkeypatch.setattr(backend, '_provider', CUDA)
    assert backend.description == f'ONNX Runtime {onnxruntime.__version__} CUDA (device 0)'
    tensor = np.zeros((1, 3, 64, 64), np.float32)
    for value in (0.0, 0.25, 0.5):
        tensor[...] = value
        np.testing.assert_array_equal(backend.infer(tensor)[0], ANSWER + np.float32(value))
    backend.close()


def test_a_gpu_that_is_lost_is_an_inference_error(write_model, monkeypatch):
    path = write_model(ANSWER)
    backend = BACKEND(path)
    backend.open()

    class Lost:
        def run(self, *_):
            raise RuntimeError('[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : CUDA failure 999: unknown error ; GPU=0.')

    monkeypatch.setattr(backend, '_session', Lost())
    with pytest.raises(InferenceError) as failed:
        backend.infer(np.zeros((1, 3, 64, 64), np.float32))
    assert str(failed.value) == f'onnxruntime failed on {path}: CUDA failure 999: unknown error ; GPU=0.'


def test_what_is_logged_outside_a_session_is_heard_from_errors_on(monkeypatch):
    # ONNX Runtime 1.31 warned at every start: "No registered plugin EP device found for 'CUDAExecutionProvider'".
    runtime = types.SimpleNamespace(severities=[])
    runtime.set_default_logger_severity = runtime.severities.append
    monkeypatch.setitem(sys.modules, 'onnxruntime', runtime)
    assert load_onnxruntime() is runtime
    # 0 verbose, 1 info, 2 warning, 3 error, 4 fatal: onnxruntime.set_default_logger_severity.
    assert runtime.severities == [3]
