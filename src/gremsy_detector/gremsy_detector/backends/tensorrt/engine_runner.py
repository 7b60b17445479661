# SPDX-License-Identifier: Apache-2.0
"""Frame after frame through an engine: upload, run, download, with every buffer made once and one CUDA graph.

The first run of a shape goes call by call, since TensorRT sets itself up in it; then the three steps are captured, and
every later run is one launch. Where the capture is refused, every run goes call by call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gremsy_detector.backends.tensorrt.cuda_memory import CudaStream, DeviceMemory, Graph
from gremsy_detector.errors import InferenceError
from gremsy_detector.model.model_facts import TensorFacts


class Engine(Protocol):
    """What the runner needs of an engine; `library.LoadedEngine` is one."""

    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool: ...

    def input_range(self, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]: ...

    def shape(self, name: str) -> tuple[int, ...]: ...

    def set_address(self, name: str, address: int) -> bool: ...

    def enqueue(self, stream: int) -> bool: ...

    def said(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Buffers:
    """What one input shape needs."""

    staging: NDArray[Any]
    on_device: DeviceMemory
    results: list[NDArray[Any]]
    results_on_device: list[DeviceMemory]


class EngineRunner:
    """Runs one engine with one input on one stream; all memory is `stream`'s, and goes when that closes."""

    def __init__(self, engine: Engine, stream: CudaStream) -> None:
        self._engine = engine
        self._stream = stream
        self._input: NDArray[Any] | None = None
        self._buffers: _Buffers | None = None
        self._graph: Graph | None = None
        self._capture_wanted = True

    @property
    def replays(self) -> bool:
        """Whether a run is one launch of a CUDA graph."""
        return self._graph is not None

    def new_input(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """A page-locked array that `run` uploads from without a copy."""
        self._stream.use()
        self._input = self._stream.new_host_array(shape, dtype)
        # What was captured uploads from another array.
        self._let_go()
        return self._input

    def run(self, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Run once.

        Returns:
            The outputs, in memory that the next run uses again.

        Raises:
            InferenceError: when the tensor does not fit the engine, or the GPU fails.
        """
        self._stream.use()
        buffers = self._buffers
        if buffers is None or buffers.staging.shape != tensor.shape:
            self._let_go()
            buffers = self._buffers = self._prepare(tensor)
        if tensor is not buffers.staging:
            self._refuse_other_type(tensor)
            np.copyto(buffers.staging, tensor)
        if self._graph is not None:
            self._stream.launch(self._graph)
            self._stream.wait()
            return buffers.results
        self._start(buffers)
        self._stream.wait()
        if self._capture_wanted:
            self._graph = self._stream.capture(lambda: self._start(buffers))
            self._capture_wanted = False
        return buffers.results

    def _start(self, buffers: _Buffers) -> None:
        self._stream.upload(buffers.on_device, buffers.staging)
        if not self._engine.enqueue(self._stream.handle):
            raise InferenceError(f'TensorRT did not start the run: {self._engine.said()}.')
        for array, memory in zip(buffers.results, buffers.results_on_device, strict=True):
            self._stream.download(array, memory)

    def _prepare(self, tensor: NDArray[Any]) -> _Buffers:
        """Buffers for the tensor's shape, known to the engine."""
        self._refuse_other_type(tensor)
        facts = self._engine.inputs[0]
        self._set_shape(facts, tensor.shape)
        shapes = [(output, self._engine.shape(output.name)) for output in self._engine.outputs]
        for output, shape in shapes:
            if any(size < 0 for size in shape):
                raise InferenceError(
                    f"The engine's output {output} is of a size that only the data decides: export the model without "
                    'its own suppression, or with a fixed number of boxes.'
                )
        given = self._input
        own = given is not None and given.shape == tensor.shape and given.dtype == tensor.dtype
        staging = given if own and given is not None else self._stream.new_host_array(tensor.shape, facts.dtype)
        held: list[DeviceMemory] = []
        try:
            held.append(self._stream.new_device_memory(staging.nbytes))
            self._bind(facts.name, held[0])
            results: list[NDArray[Any]] = []
            for output, shape in shapes:
                results.append(self._stream.new_host_array(shape, output.dtype))
                held.append(self._stream.new_device_memory(math.prod(shape) * np.dtype(output.dtype).itemsize))
                self._bind(output.name, held[-1])
        except InferenceError:
            for memory in held:
                self._stream.free(memory)
            raise
        self._capture_wanted = True
        return _Buffers(staging, held[0], results, held[1:])

    def _set_shape(self, facts: TensorFacts, shape: tuple[int, ...]) -> None:
        fixed = tuple(size for size in facts.shape if isinstance(size, int))
        if len(fixed) == len(facts.shape):
            if fixed != shape:
                raise InferenceError(f"A tensor of {list(shape)} does not fit the engine's input {facts}.")
            return
        least, largest = self._engine.input_range(facts.name)
        fits = len(least) == len(shape) and all(
            low <= size <= high for low, size, high in zip(least, shape, largest, strict=True)
        )
        if not fits or not self._engine.set_input_shape(facts.name, shape):
            raise InferenceError(
                f'A tensor of {list(shape)} does not fit the engine, which was built for {facts.name} from '
                f'{list(least)} to {list(largest)}.'
            )

    def _bind(self, name: str, memory: DeviceMemory) -> None:
        if not self._engine.set_address(name, memory.address):
            raise InferenceError(f'TensorRT did not take the memory of {name}: {self._engine.said()}.')

    def _refuse_other_type(self, tensor: NDArray[Any]) -> None:
        facts = self._engine.inputs[0]
        if tensor.dtype.name != facts.dtype:
            raise InferenceError(f"A tensor of {tensor.dtype.name} does not fit the engine's input {facts}.")

    def _let_go(self) -> None:
        """Free what the present shape needs."""
        if self._graph is not None:
            self._stream.discard(self._graph)
            self._graph = None
        buffers, self._buffers = self._buffers, None
        if buffers is not None:
            for memory in (buffers.on_device, *buffers.results_on_device):
                self._stream.free(memory)
