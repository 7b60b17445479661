# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on the CPU, one thread, with every buffer made once."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gremsy_detector.backend_options import DEFAULT_OPTIONS, BackendOptions
from gremsy_detector.errors import InferenceError, ModelError
from gremsy_detector.model_facts import ModelFacts, TensorFacts

_DTYPES = {
    'tensor(float)': 'float32',
    'tensor(float16)': 'float16',
    'tensor(uint8)': 'uint8',
    'tensor(double)': 'float64',
    'tensor(int32)': 'int32',
    'tensor(int64)': 'int64',
}
_ERRORS_ONLY = 3


class OnnxRuntimeBackend:
    """Runs an `.onnx` file with the CPU execution provider."""

    name: ClassVar[str] = 'onnxruntime'
    suffixes: ClassVar[tuple[str, ...]] = ('.onnx',)
    preference: ClassVar[int] = 10
    builds: ClassVar[bool] = False

    def __init__(self, model: Path, options: BackendOptions = DEFAULT_OPTIONS) -> None:
        self._model = model
        self._options = options
        self._session: Any = None
        self._facts: ModelFacts | None = None
        self._binding: Any = None
        self._bound_input: NDArray[Any] | None = None
        self._bound_outputs: list[NDArray[Any]] = []
        self._version = ''

    @staticmethod
    def unavailable() -> str | None:
        """ONNX Runtime is a run-time dependency, but no apt package has it: it may be missing on a robot."""
        if importlib.util.find_spec('onnxruntime') is None:
            return 'is not installed (pip install onnxruntime)'
        return None

    def open(self) -> ModelFacts:
        """Load the file into a session; see `Backend.open`."""
        _check_file(self._model)
        runtime = importlib.import_module('onnxruntime')
        options = runtime.SessionOptions()
        # One thread: two became 1.5-3 times slower than one as soon as the other core had the rest of the loop to do.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # A waiting worker must not spin away the core that the camera and the tracker need.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        # Its errors come as exceptions with the same text; its warnings on stderr name no file.
        options.log_severity_level = _ERRORS_ONLY + 1
        try:
            self._session = runtime.InferenceSession(str(self._model), options, providers=['CPUExecutionProvider'])
        except Exception as error:  # its exceptions share no base class but this
            raise ModelError(
                f'Model file {self._model} is not a model that ONNX Runtime {runtime.__version__} can load '
                f'({_in_short(error)}): it is truncated, corrupt or not ONNX, so copy or export it again.'
            ) from error
        self._version = runtime.__version__
        self._facts = ModelFacts(
            path=self._model,
            inputs=tuple(_facts_of(tensor) for tensor in self._session.get_inputs()),
            outputs=tuple(_facts_of(tensor) for tensor in self._session.get_outputs()),
            metadata=dict(self._session.get_modelmeta().custom_metadata_map),
        )
        return self._facts

    def new_input(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Plain memory; see `Backend.new_input`."""
        return np.zeros(shape, dtype=dtype)

    def infer(self, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Run once; see `Backend.infer`."""
        if self._session is None or self._facts is None:
            raise InferenceError(f'{self.name} has no model open: call open() first.')
        try:
            if tensor is not self._bound_input:
                return self._bind(tensor)
            if self._binding is None:
                return list(self._session.run(None, {self._facts.inputs[0].name: tensor}))
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # its exceptions share no base class but this
            raise InferenceError(f'{self.name} failed on {self._model}: {_in_short(error)}.') from error
        return self._bound_outputs

    def close(self) -> None:
        """Free the session."""
        self._session = self._facts = self._binding = self._bound_input = None
        self._bound_outputs = []

    @property
    def description(self) -> str:
        """For diagnostics."""
        return f'ONNX Runtime {self._version} CPU, 1 thread'.replace('  ', ' ')

    def _bind(self, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """The first run on an input array; from the second on, nothing is allocated.

        The outputs' true sizes are only known after a run (axes may be dynamic), and those of a file whose number of
        boxes is decided by the data may change from run to run: they are left to ONNX Runtime.
        """
        assert self._facts is not None
        outputs = [np.asarray(each) for each in self._session.run(None, {self._facts.inputs[0].name: tensor})]
        self._binding, self._bound_input, self._bound_outputs = None, tensor, outputs
        fixed = all(isinstance(size, int) for facts in self._facts.outputs for size in facts.shape)
        if not fixed or not tensor.flags.c_contiguous:
            return outputs
        self._bound_outputs = [np.empty_like(each, order='C') for each in outputs]
        binding = self._session.io_binding()
        _bind_each(binding.bind_input, self._facts.inputs, [tensor])
        _bind_each(binding.bind_output, self._facts.outputs, self._bound_outputs)
        self._binding = binding
        return outputs


BACKEND = OnnxRuntimeBackend


def _bind_each(bind: Any, facts: Sequence[TensorFacts], arrays: Sequence[NDArray[Any]]) -> None:
    for tensor, array in zip(facts, arrays, strict=True):
        bind(tensor.name, 'cpu', 0, array.dtype.type, array.shape, array.ctypes.data)


def _check_file(model: Path) -> None:
    """The faults of a file that need no ONNX Runtime to see.

    Raises:
        ModelError: naming the file.
    """
    if model.is_dir():
        raise ModelError(f'Model file {model} is a folder: set `model` to a file in it.')
    try:
        with model.open('rb') as file:
            first = file.read(1)
    except FileNotFoundError as error:
        raise ModelError(
            f"Model file {model} does not exist: set `model` to an existing file, or to 'default' for the one shipped."
        ) from error
    except OSError as error:
        raise ModelError(
            f'Model file {model} cannot be read ({error.strerror}): check its permissions and its disk.'
        ) from error
    if not first:
        raise ModelError(f'Model file {model} is empty: copy or export it again.')


def _facts_of(tensor: Any) -> TensorFacts:
    return TensorFacts(tensor.name, tuple(tensor.shape), _DTYPES.get(tensor.type, tensor.type))


def _in_short(error: Exception) -> str:
    """The first line of what ONNX Runtime says, without its numeric code and the full stop."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = lines[0]
    if text.startswith('[ONNXRuntimeError]'):
        text = text.split(' : ', 2)[-1]
    return text[:200].rstrip('. ')
