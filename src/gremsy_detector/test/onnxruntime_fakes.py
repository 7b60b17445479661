# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime with CUDA, on a fake GPU whose memory is the host's: its sessions compute on the CPU.

They read and write the addresses that they are told. What is no CUDA session is the real thing.
"""

import ctypes
import threading
import types

import numpy as np

from gremsy_detector.backends.gpu.cuda_memory import CudaStream
from gremsy_detector.backends.onnxruntime_providers import CUDA, load_onnxruntime
from src.gremsy_detector.test.tensorrt_fakes import FakeCuda

REAL = load_onnxruntime()


class Binding:
    """Addresses by name."""

    def __init__(self):
        self.inputs, self.outputs, self.values = {}, {}, {}

    def bind_input(self, name, device, number, dtype, shape, address):
        assert (device, number) == ('cuda', 0)
        self.inputs[name] = self._view(dtype, shape, address)

    def bind_output(self, name, device, number, dtype, shape, address):
        assert (device, number) == ('cuda', 0)
        self.outputs[name] = self._view(dtype, shape, address)

    def bind_ortvalue_input(self, name, value):
        self.values[name] = value

    @staticmethod
    def _view(dtype, shape, address):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return np.frombuffer((ctypes.c_uint8 * size).from_address(address), dtype).reshape(shape)


class FakeGpuRuntime:
    """The module `onnxruntime`; `sessions` has the options of every session made on CUDA, `runs` those of every run.

    `threads` has those that made or ran one.

    Args:
        fails: text with which a session cannot have a CUDA graph.
    """

    def __init__(self, fails=''):
        self.cuda = FakeCuda()
        self.fails = fails
        self.sessions, self.runs, self.threads = [], [], set()
        self.run_fails = False
        self.__version__ = REAL.__version__
        self.SessionOptions = REAL.SessionOptions
        self.OrtValue = types.SimpleNamespace(ortvalue_from_numpy=lambda array, *device: array)
        runtime = self

        class RunOptions:
            def __init__(self):
                self.entries = {}
                self.terminate = False

            def add_run_config_entry(self, key, value):
                self.entries[key] = value

        class Session:
            def __init__(self, model, settings, *, providers, provider_options, enable_fallback):
                self._on_gpu = providers[0] == CUDA.name
                if self._on_gpu:
                    assert int(provider_options[0]['user_compute_stream']) in runtime.cuda._handles
                    runtime.sessions.append(provider_options[0])
                    runtime.threads.add(threading.current_thread())
                    if runtime.fails and provider_options[0].get('enable_cuda_graph') == '1':
                        raise RuntimeError(runtime.fails)
                self._session = REAL.InferenceSession(model, settings, providers=['CPUExecutionProvider'])

            def __getattr__(self, name):
                return getattr(self._session, name)

            def get_providers(self):
                return [CUDA.name] if self._on_gpu else ['CPUExecutionProvider']

            def run(self, names, fed, options):
                assert not self._on_gpu, 'arrays are copied one by one'
                return self._session.run(names, fed)

            def io_binding(self):
                return Binding() if self._on_gpu else self._session.io_binding()

            def run_with_iobinding(self, binding, options):
                if not self._on_gpu:
                    self._session.run_with_iobinding(binding)
                    return
                runtime.runs.append(options.entries)
                runtime.threads.add(threading.current_thread())
                if runtime.run_fails:
                    raise RuntimeError('[ONNXRuntimeError] : 1 : FAIL : CUDNN failure 4.')
                runtime.cuda._submit(lambda: self._compute(binding))

            def _compute(self, binding):
                names = list(binding.outputs)
                answers = self._session.run(names, {**binding.inputs, **binding.values})
                for name, answer in zip(names, answers, strict=True):
                    binding.outputs[name][...] = answer

        self.RunOptions, self.InferenceSession = RunOptions, Session

    def get_available_providers(self):
        return [CUDA.name, 'CPUExecutionProvider']

    def new_stream(self, device):
        return CudaStream(device, self.cuda)
