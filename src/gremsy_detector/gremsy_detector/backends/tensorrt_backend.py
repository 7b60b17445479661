# SPDX-License-Identifier: Apache-2.0
"""TensorRT on an NVIDIA GPU: engines as they are, and ONNX files through the engine cache.

`TensorRtBackend` is that of the full TensorRT; `tensorrt_rtx` makes one of the other kind from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from gremsy_detector.backends.backend import DEFAULT_OPTIONS, BackendOptions
from gremsy_detector.backends.gpu.cuda_memory import CudaStream
from gremsy_detector.backends.gpu.engine_runner import EngineRuns
from gremsy_detector.backends.gpu.gpu_pictures import GpuPictures
from gremsy_detector.backends.gpu.graph_maker import what_comes_down
from gremsy_detector.backends.tensorrt.engine_cache import EngineCache, EngineRequest
from gremsy_detector.backends.tensorrt.engine_file import (
    BUILD_AGAIN,
    EngineDamaged,
    EngineFile,
    EngineHeader,
    read_engine,
    read_header,
)
from gremsy_detector.backends.tensorrt.engine_key import EngineTarget, sha256_of_model
from gremsy_detector.backends.tensorrt.engine_machine import Machine
from gremsy_detector.backends.tensorrt.kernel_file import KernelFile
from gremsy_detector.backends.tensorrt.picture_fronts import PictureFronts
from gremsy_detector.backends.tensorrt.tensorrt_kinds import FULL, Kind, title_of
from gremsy_detector.backends.tensorrt.tensorrt_library import EngineRefused, LoadedEngine, TensorRt, why_not
from gremsy_detector.errors import InferenceError, ModelError
from gremsy_detector.image.picture_form import PictureForm, PictureSlot
from gremsy_detector.model.model_description import InputDescription
from gremsy_detector.model.model_facts import ModelFacts


class TensorRtBackend:
    """Runs an `.engine` file (ours or Ultralytics'), or an `.onnx` file whose engine is built once and kept."""

    name: ClassVar[str] = 'tensorrt'
    suffixes: ClassVar[tuple[str, ...]] = ('.engine', '.onnx')
    preference: ClassVar[int] = 30
    builds: ClassVar[bool] = True
    kind: ClassVar[Kind] = FULL

    def __init__(self, model: Path, options: BackendOptions = DEFAULT_OPTIONS, machine: Machine | None = None) -> None:
        self._model = model
        self._options = options
        self._machine = machine if machine is not None else Machine(kind=self.kind)
        self._stream: CudaStream | None = None
        self._engine: LoadedEngine | None = None
        self._runs: EngineRuns | None = None
        self._kernels_to_keep: _Kernels | None = None
        self._fronts: PictureFronts[_Pictures, LoadedEngine] | None = None
        self._pictures = GpuPictures(model.name, options)
        self._chosen = ''
        self._title = self.kind.title

    @staticmethod
    def unavailable() -> str | None:
        """TensorRT, cuda-python and a GPU that answers, asked for in this order; nothing of them is loaded."""
        return why_not(FULL)

    def open(self) -> ModelFacts:
        """Find or build the engine and load it; see `Backend.open`."""
        self.close()
        if not self._model.exists():
            raise ModelError(
                f"Model file {self._model} does not exist: set `model` to an existing file, or to 'default' for the "
                'one shipped.'
            )
        library = self._machine.library()
        target = self._machine.target(library, self._options.device)
        cache = self._machine.cache(library, target, self._options.engine_dir, self._options.say)
        try:
            file = self._load(library, target, cache)
        except BaseException:
            self.close()
            raise
        assert self._engine is not None
        gpu = self._machine.gpu(self._options.device)
        precision = f', {file.header.precision}' if file.header is not None else ''
        self._title = f'{library.title}, {gpu.name}{precision}'
        self._chosen = f'the file as it is ({file.as_it_is})' if file.as_it_is else what_comes_down(file.metadata)
        self._pictures = GpuPictures(self._model.name, self._options)
        self._fronts = self._new_fronts(library, cache)
        return ModelFacts(self._model, self._engine.inputs, self._engine.outputs, file.metadata)

    @property
    def most_images(self) -> int:
        """As many as the engine was built for."""
        if self._engine is None or not self._engine.inputs:
            return 1
        facts = self._engine.inputs[0]
        if not facts.shape or isinstance(facts.shape[0], int):
            return 1
        return max(1, self._engine.input_range(facts.name)[1][0])

    @property
    def concurrent(self) -> bool:
        """Never: there is one stream."""
        return False

    def new_input(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Page-locked memory that the GPU reads by itself; see `Backend.new_input`."""
        try:
            return self._running().new_input(shape, dtype)
        except EngineRefused as error:
            raise InferenceError(f'{self._title} cannot take one more input ({error}).') from error

    def picture(self, tensor: NDArray[Any], form: PictureForm, description: InputDescription) -> PictureSlot | None:
        """See `TakesPictures`."""
        runs, fronts = self._running(), self._fronts
        if fronts is None:
            return None

        def make_front() -> LoadedEngine:
            return fronts.take((form, description))

        return self._pictures.slot(runs, lambda: runs.picture(tensor, form, description, make_front))

    def infer(self, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Run once; see `Backend.infer`."""
        outputs = self._running().run(tensor)
        if self._kernels_to_keep is not None:
            self._keep_kernels(self._kernels_to_keep)
        return outputs

    def close(self) -> None:
        """Free the engine, then the GPU's memory; arrays that were given out stay valid while referenced."""
        fronts, self._fronts = self._fronts, None
        if fronts is not None:
            fronts.close()
        runs, self._runs = self._runs, None
        stream, self._stream = self._stream, None
        engine, self._engine = self._engine, None
        self._kernels_to_keep = None
        if runs is not None:
            runs.close()
        elif engine is not None:
            engine.close()
        if stream is not None:
            stream.close()

    @property
    def description(self) -> str:
        """For diagnostics."""
        if self._runs is None:
            return self._title
        replays = ', CUDA graph' if self._runs.replays else ''
        return f'{self._title}, {self._pictures.remark} and {self._chosen}{replays}'

    def _running(self) -> EngineRuns:
        if self._runs is None:
            raise InferenceError(f'{self.name} has no model open: call open() first.')
        return self._runs

    def _load(self, library: TensorRt, target: EngineTarget, cache: EngineCache) -> EngineFile:
        """The engine's file, once the engine in it is ready to run."""
        # First: TensorRT takes the GPU that is current when it starts.
        self._stream = self._machine.new_stream(self._options.device)
        try:
            self._stream.open()
        except InferenceError as error:
            raise ModelError(str(error)) from error
        from_onnx = self._model.suffix.lower() == '.onnx'
        request = EngineRequest(self._model, self._options.precision, images=self._options.images, best_boxes=True)
        file = cache.obtain(request) if from_onnx else self._given_engine(library, target, cache)
        if file.as_it_is:
            self._options.say(f'{self._model.name} runs on the GPU as it is: {file.as_it_is}.')
        try:
            self._start(library, target, file)
        except EngineRefused as error:
            if not from_onnx:
                raise ModelError(
                    f'Engine {file.path} is refused by {library.title} ({error}): it is damaged, or was built with '
                    f'another TensorRT or for another GPU, so {BUILD_AGAIN}.'
                ) from error
            if file.fresh or self.kind.portable:
                raise self._refused(file, library, error) from error
            # Its key fits and yet it does not run, as after a driver update: what is built now, does.
            self._options.say(f'Engine {file.path} is refused by {library.title} ({error}): building it again.')
            file = cache.obtain(request, force=True)
            try:
                self._start(library, target, file)
            except EngineRefused as again:
                raise self._refused(file, library, again) from again
        return file

    @staticmethod
    def _refused(file: EngineFile, library: TensorRt, error: EngineRefused) -> ModelError:
        """What no further build would change."""
        was = 'was just built and is' if file.fresh else 'is'
        return ModelError(
            f'Engine {file.path} {was} refused by {library.title} ({error}): run the model with `backend: onnxruntime`.'
        )

    def _start(self, library: TensorRt, target: EngineTarget, file: EngineFile) -> None:
        assert self._stream is not None
        kernels = self._kernels_of(target, file)
        self._engine = library.open_engine(file.plan, kernels.content if kernels is not None else b'')
        if len(self._engine.inputs) != 1:
            names = '; '.join(map(str, self._engine.inputs)) or 'none'
            raise ModelError(f'Engine {file.path} has the inputs {names}: the detector needs one, an image.')
        self._runs = EngineRuns(self._engine, self._stream)
        self._kernels_to_keep = kernels

    def _new_fronts(self, library: TensorRt, cache: EngineCache) -> PictureFronts[_Pictures, LoadedEngine] | None:
        try:
            graphs = self._machine.graphs()
        except ModelError as error:
            self._pictures.refuse(str(error))
            return None
        stream = self._stream
        assert stream is not None

        def make(pictures: _Pictures) -> LoadedEngine:
            form, _ = pictures
            # TensorRT builds for the GPU that is the thread's.
            stream.use()
            return library.open_engine(cache.picture_front(graphs.picture_front(*pictures), form.shape).plan)

        return PictureFronts(make, LoadedEngine.close)

    def _kernels_of(self, target: EngineTarget, file: EngineFile) -> _Kernels | None:
        """Those that were compiled at an earlier start; None where there is nothing to compile."""
        if not self.kind.portable or file.header is None or target.hardware is None:
            return None
        kept = self._machine.kernels(file.path, file.header.plan_sha256, target.hardware)
        return _Kernels(kept, kept.read())

    def _keep_kernels(self, kernels: _Kernels) -> None:
        """Once the first run has compiled whatever is needed; a folder that cannot be written costs only time."""
        self._kernels_to_keep = None
        content = self._engine.kernels() if self._engine is not None else b''
        if not content or content == kernels.content:
            return
        try:
            kernels.file.write(content)
        except OSError as error:
            self._options.say(
                f'The kernels compiled for this GPU cannot be kept in {kernels.file.path.parent} ({error.strerror}): '
                'every start compiles them again.'
            )

    def _given_engine(self, library: TensorRt, target: EngineTarget, cache: EngineCache) -> EngineFile:
        """The user's engine if it fits this machine and its model; else another, built from that model.

        Raises:
            ModelError: when it does not fit and none can be built here.
        """
        header = read_header(self._model)
        if header is not None:
            self._refuse_another_kind(header.key.kind)
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
                # Ultralytics builds with the full one.
                self._refuse_another_kind(FULL.name)
                return file
            reasons += header.key.misfits(target)
        onnx = self._model_of(header)
        if onnx is not None and sha256_of_model(onnx) != header.key.model_sha256:
            reasons.append(f'{onnx} has changed since it was built')
        if file is not None and not reasons:
            return file
        why = ', and '.join(reasons)
        if onnx is None or self._machine.builder_of(library) is None:
            raise ModelError(f'Engine {self._model} cannot be used, because {why}: {BUILD_AGAIN}.')
        self._options.say(f'Engine {self._model} cannot be used, because {why}: taking one made from {onnx}.')
        images = header.key.shape[0] if header.key.shape else 1
        return cache.obtain(EngineRequest(onnx, header.key.precision, header.key.lean, images, best_boxes=True))

    def _refuse_another_kind(self, kind: str) -> None:
        """Before the runtime sees the engine, and without building another in its place: there is a back end for it.

        Raises:
            ModelError: when it is one of the other TensorRT.
        """
        if kind != self.kind.name:
            raise ModelError(
                f'Engine {self._model} is one of {title_of(kind)}, which {self.kind.title} does not run: '
                f'set `backend` to `{kind}`, or {BUILD_AGAIN}.'
            )

    def _model_of(self, header: EngineHeader) -> Path | None:
        """The ONNX file of an engine: where it was, or beside the engine."""
        built_from = Path(header.model)
        candidates = (built_from, self._model.with_name(built_from.name))
        return next((path for path in candidates if path.is_file()), None)


_Pictures = tuple[PictureForm, InputDescription]


@dataclass(frozen=True, slots=True)
class _Kernels:
    """What was compiled for the GPU at an earlier start, empty for nothing, and where it is kept."""

    file: KernelFile
    content: bytes


BACKEND = TensorRtBackend
