# SPDX-License-Identifier: Apache-2.0
"""A session of ONNX Runtime on CUDA as the runner takes it: on the runner's stream, in the runner's memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from gremsy_detector.backends.onnxruntime_providers import in_short
from gremsy_detector.model.model_facts import TensorFacts


class OnnxRuntimeEngine:
    """One session with one input, whose sizes are all fixed.

    It captures its runs in a CUDA graph of its own (`enable_cuda_graph`). One of ours around it would be wrong: every
    replay would give memory free that ONNX Runtime gives free once, at the run's end (`CudaStream::CleanUpOnRunEnd`).
    """

    title = 'ONNX Runtime'
    recordable = False

    def __init__(
        self,
        session: Any,
        inputs: tuple[TensorFacts, ...],
        outputs: tuple[TensorFacts, ...],
        device: int,
        run: Callable[[], AbstractContextManager[Any]],
        constants: dict[str, Any] | None = None,
        numbers: Iterator[int] | None = None,
    ) -> None:
        """Nothing runs.

        Args:
            session: on CUDA, on the runner's stream.
            inputs: the image.
            outputs: in the file's order.
            device: number of the GPU.
            run: gives the options of one run.
            constants: OrtValues on the GPU for other inputs, by name.
            numbers: of CUDA graphs: every input of a session has one of its own.
        """
        self.inputs, self.outputs = inputs, outputs
        self._session = session
        self._device = device
        self._run = run
        self._constants = {} if constants is None else constants
        self._numbers = itertools.count(1) if numbers is None else numbers
        self._number = str(next(self._numbers))
        self._binding = session.io_binding()
        for name, value in self._constants.items():
            self._binding.bind_ortvalue_input(name, value)
        self._last_error = ''

    def another_context(self) -> OnnxRuntimeEngine:
        """The same session with other bindings and a CUDA graph of its own."""
        return OnnxRuntimeEngine(
            self._session, self.inputs, self.outputs, self._device, self._run, self._constants, self._numbers
        )

    def set_input_shape(self, _name: str, _shape: tuple[int, ...]) -> bool:
        """Never another: its sizes are fixed."""
        return False

    def input_range(self, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The one shape, twice."""
        return self.shape(name), self.shape(name)

    def shape(self, name: str) -> tuple[int, ...]:
        """Of a tensor."""
        return tuple(size for size in self._facts(name).shape if isinstance(size, int))

    def set_address(self, name: str, address: int) -> bool:
        """Where on the GPU a tensor lies."""
        facts = self._facts(name)
        bind = self._binding.bind_input if facts in self.inputs else self._binding.bind_output
        bind(name, 'cuda', self._device, np.dtype(facts.dtype).type, self.shape(name), address)
        return True

    def enqueue(self, _stream: int) -> bool:
        """Start one run on the stream that the session was made for."""
        try:
            with self._run() as options:
                options.add_run_config_entry('gpu_graph_id', self._number)
                # The runner waits, once, for all that was started.
                options.add_run_config_entry('disable_synchronize_execution_providers', '1')
                self._session.run_with_iobinding(self._binding, options)
        except Exception as error:  # noqa: BLE001 - its exceptions share no base class but this
            self._last_error = in_short(error)
            return False
        return True

    def last_error(self) -> str:
        """Why the last call was refused."""
        return self._last_error

    def close(self) -> None:
        """Release the session."""
        self._binding = self._session = None

    def _facts(self, name: str) -> TensorFacts:
        return next(each for each in (*self.inputs, *self.outputs) if each.name == name)
