# SPDX-License-Identifier: Apache-2.0
"""TensorRT on an NVIDIA GPU: engines as they are, and ONNX files through the engine cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from gremsy_detector.backend_options import DEFAULT_OPTIONS, BackendOptions
from gremsy_detector.errors import InferenceError, ModelError
from gremsy_detector.model_facts import ModelFacts
from gremsy_detector.tensorrt.cuda_memory import CudaStream
from gremsy_detector.tensorrt.engine_cache import EngineCache, EngineRequest
from gremsy_detector.tensorrt.engine_file import (
    BUILD_AGAIN,
    EngineDamaged,
    EngineFile,
    EngineHeader,
    read_engine,
    read_header,
)
from gremsy_detector.tensorrt.engine_key import sha256_of_model
from gremsy_detector.tensorrt.engine_runner import EngineRunner
from gremsy_detector.tensorrt.library import EngineRefused, LoadedEngine, TensorRt, why_not
from gremsy_detector.tensorrt.machine import Machine


class TensorRtBackend:
    """Runs an `.engine` file (ours or Ultralytics'), or an `.onnx` file whose engine is built once and kept."""

    name: ClassVar[str] = 'tensorrt'
    suffixes: ClassVar[tuple[str, ...]] = ('.engine', '.onnx')
    preference: ClassVar[int] = 30
    builds: ClassVar[bool] = True

    def __init__(self, model: Path, options: BackendOptions = DEFAULT_OPTIONS, machine: Machine | None = None) -> None:
        self._model = model
        self._options = options
        self._machine = machine if machine is not None else Machine()
        self._stream: CudaStream | None = None
        self._engine: LoadedEngine | None = None
        self._runner: EngineRunner | None = None
        self._title = 'TensorRT'

    @staticmethod
    def unavailable() -> str | None:
        """TensorRT, cuda-python and a GPU that answers, asked for in this order; nothing of them is loaded."""
        return why_not()

    def open(self) -> ModelFacts:
        """Find or build the engine and load it; see `Backend.open`."""
        self.close()
        if not self._model.exists():
            raise ModelError(
                f"Model file {self._model} does not exist: set `model` to an existing file, or to 'default' for the "
                'one shipped.'
            )
        library = self._machine.library()
        cache = self._machine.cache(library, self._options.device, self._options.engine_dir, self._options.say)
        try:
            file = self._load(library, cache)
        except BaseException:
            self.close()
            raise
        assert self._engine is not None
        gpu = self._machine.gpu(self._options.device)
        precision = f', {file.header.precision}' if file.header is not None else ''
        self._title = f'{library.title}, {gpu.name}{precision}'
        return ModelFacts(self._model, self._engine.inputs, self._engine.outputs, file.metadata)

    def new_input(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Page-locked memory that the GPU reads by itself; see `Backend.new_input`."""
        return self._running().new_input(shape, dtype)

    def infer(self, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Run once; see `Backend.infer`."""
        return self._running().run(tensor)

    def close(self) -> None:
        """Free the engine, then the GPU's memory; arrays handed out stay valid until they are let go."""
        engine, self._engine = self._engine, None
        stream, self._stream = self._stream, None
        self._runner = None
        if engine is not None:
            engine.close()
        if stream is not None:
            stream.close()

    @property
    def description(self) -> str:
        """For diagnostics."""
        replays = ', CUDA graph' if self._runner is not None and self._runner.replays else ''
        return self._title + replays

    def _running(self) -> EngineRunner:
        if self._runner is None:
            raise InferenceError(f'{self.name} has no model open: call open() first.')
        return self._runner

    def _load(self, library: TensorRt, cache: EngineCache) -> EngineFile:
        """The engine's file, once the engine in it is ready to run."""
        # First: TensorRT takes the GPU that is current when it starts.
        self._stream = self._machine.new_stream(self._options.device)
        try:
            self._stream.open()
        except InferenceError as error:
            raise ModelError(str(error)) from error
        from_onnx = self._model.suffix.lower() == '.onnx'
        request = EngineRequest(self._model, self._options.precision)
        file = cache.obtain(request) if from_onnx else self._given_engine(library, cache)
        try:
            self._start(library, file)
        except EngineRefused as error:
            if not from_onnx:
                raise ModelError(
                    f'Engine {file.path} is refused by {library.title} ({error}): it is damaged, or was built with '
                    f'another TensorRT or for another GPU, so {BUILD_AGAIN}.'
                ) from error
            # Its key fits and yet it does not run, as after a driver update: what is built now, does.
            self._options.say(f'Engine {file.path} is refused by {library.title} ({error}): building it again.')
            file = cache.obtain(request, force=True)
            try:
                self._start(library, file)
            except EngineRefused as again:
                raise ModelError(
                    f'Engine {file.path} was just built and is refused by {library.title} ({again}): '
                    'run the model with `backend: onnxruntime`.'
                ) from again
        return file

    def _start(self, library: TensorRt, file: EngineFile) -> None:
        assert self._stream is not None
        self._engine = library.open_engine(file.plan)
        if len(self._engine.inputs) != 1:
            names = '; '.join(map(str, self._engine.inputs)) or 'none'
            raise ModelError(f'Engine {file.path} has the inputs {names}: the detector needs one, an image.')
        self._runner = EngineRunner(self._engine, self._stream)

    def _given_engine(self, library: TensorRt, cache: EngineCache) -> EngineFile:
        """The user's engine if it fits this machine and its model; else another, built from that model.

        Raises:
            ModelError: when it does not fit and none can be built here.
        """
        header = read_header(self._model)
        file: EngineFile | None = None
        reasons: list[str] = []
        try:
            file = read_engine(self._model)
        except EngineDamaged as error:
            if header is None:
                raise
            reasons.append(f'it is damaged ({error.reason})')
        else:
            if header is None:
                return file
            reasons += header.key.misfits(library.version, self._machine.gpu(self._options.device))
        onnx = self._model_of(header)
        if onnx is not None and sha256_of_model(onnx) != header.key.model_sha256:
            reasons.append(f'{onnx} has changed since it was built')
        if file is not None and not reasons:
            return file
        why = ', and '.join(reasons)
        if onnx is None or self._machine.builder_of(library) is None:
            raise ModelError(f'Engine {self._model} cannot be used, because {why}: {BUILD_AGAIN}.')
        self._options.say(f'Engine {self._model} cannot be used, because {why}: taking one made from {onnx}.')
        return cache.obtain(EngineRequest(onnx, header.key.precision, header.key.lean))

    def _model_of(self, header: EngineHeader) -> Path | None:
        """The ONNX file of an engine: where it was, or beside the engine."""
        built_from = Path(header.model)
        candidates = (built_from, self._model.with_name(built_from.name))
        return next((path for path in candidates if path.is_file()), None)


BACKEND = TensorRtBackend
