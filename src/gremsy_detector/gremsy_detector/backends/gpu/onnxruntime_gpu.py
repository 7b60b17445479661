# SPDX-License-Identifier: Apache-2.0
"""What ONNX Runtime runs on CUDA: the graph made for it where there is one, on one stream, and pictures before it.

One thread makes the sessions and runs them, whoever asks: with CUDA graphs, ONNX Runtime 1.31 keeps graphs and handles
for each thread that ever ran a session (0.5 GB of an H200) until the session ends, also when the thread has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from gremsy_detector.backends.backend import BackendOptions
from gremsy_detector.backends.gpu.cuda_memory import CudaStream
from gremsy_detector.backends.gpu.engine_runner import Engine, EngineRuns
from gremsy_detector.backends.gpu.gpu_pictures import GpuPictures
from gremsy_detector.backends.gpu.graph_maker import CHANNELS_LAST, GpuGraphs, what_comes_down
from gremsy_detector.backends.gpu.model_thread import ModelThread
from gremsy_detector.backends.gpu.onnxruntime_engine import OnnxRuntimeEngine
from gremsy_detector.backends.onnxruntime_providers import CPU, CUDA, facts_of, in_short
from gremsy_detector.backends.tensorrt.engine_cache import default_engine_folder
from gremsy_detector.errors import ModelError
from gremsy_detector.image.picture_form import PictureForm, PictureSlot
from gremsy_detector.model.model_description import InputDescription
from gremsy_detector.model.model_facts import ModelFacts
from gremsy_detector.model.onnx_facts import read_onnx_facts

Run = Callable[[], AbstractContextManager[Any]]
T = TypeVar('T')


class OnnxRuntimeGpu:
    """One model on one GPU; `open`, `new_session`, `start`, and then `new_input`, `picture` and `run`."""

    _runs: EngineRuns

    def __init__(
        self,
        model: Path,
        options: BackendOptions,
        runtime: Any,
        stream: CudaStream,
        graphs: Callable[[], GpuGraphs],
    ) -> None:
        self._path = self._model = model
        self._options = options
        self._runtime = runtime
        self._stream = stream
        self._find_graphs = graphs
        self._graphs: GpuGraphs | None = None
        self._settings: Any = None
        self._run: Run | None = None
        self._chosen = ''
        self._pictures = GpuPictures(model.name, options)
        self._captured = ''
        self._started = False
        self._thread: ModelThread | None = None

    def open(self) -> None:
        """Take the GPU, and find or make the graph for it.

        Raises:
            ImportError: without cuda-python.
            InferenceError: when the GPU cannot be used.
            ModelError: when sizes are left open that have to be known.
        """
        several = not isinstance(read_onnx_facts(self._model).inputs[0].shape[0], int)
        if several and self._options.images > 1:
            raise ModelError('several images may go in one run')
        self._stream.open()
        self._thread = ModelThread(f'model {self._model.name}')
        try:
            self._graphs = self._find_graphs()
            folder = self._options.engine_dir
            self._path = self._graphs.gpu_model(
                self._model,
                self._options.precision,
                folder.expanduser() if folder is not None else default_engine_folder(),
                self._options.say,
            )
            self._chosen = what_comes_down(read_onnx_facts(self._path).metadata)
            self._chosen += ', one image at a time' if several else ''
        except ModelError as error:
            self._chosen = f'the file as it is ({str(error).rstrip(". ")})'
            self._options.say(f'{self._model.name} runs on the GPU as it is: {error}')
        facts = read_onnx_facts(self._path)
        tensors = (*facts.inputs, *facts.outputs)
        open_sizes = [each for each in tensors if not all(isinstance(size, int) for size in each.shape)]
        if open_sizes:
            raise ModelError(f'{self._path.name} leaves the size of {open_sizes[0]} open')

    def new_session(self, settings: Any) -> Any:
        """On CUDA, with its runs captured where they can be."""
        self._settings = settings
        # In float32 it multiplies with 10 of 23 bits where that is faster (TF32), unless the user asked for float32.
        # With the channels last, cuDNN is then faster by 9 % (yolov8n) and 20 % (yolov8m), and as fast with the shipped
        # model; in float32 proper it is slower (H200).
        exact = self._options.precision == 'fp32'
        last = not exact and read_onnx_facts(self._path).metadata.get(CHANNELS_LAST) == 'True'
        fast = {'use_tf32': str(int(not exact)), 'prefer_nhwc': str(int(last))}
        options = {**self._captured_on_stream(), **fast}
        try:
            self._captured = ', CUDA graph'
            return self._session(str(self._path), options)
        except Exception as error:  # noqa: BLE001 - its exceptions share no base class but this
            # As where an operator has no form on CUDA.
            self._captured = f', no CUDA graph ({in_short(error)})'
            return self._session(str(self._path), {**options, 'enable_cuda_graph': '0'})

    def start(self, session: Any, facts: ModelFacts, constants: dict[str, NDArray[Any]], run: Run) -> None:
        """Get ready for runs.

        Args:
            session: that of `new_session`.
            facts: its image and outputs.
            constants: constants for other inputs.
            run: gives the options of one run.
        """
        device = self._options.device
        values = {
            name: self._runtime.OrtValue.ortvalue_from_numpy(value, 'cuda', device) for name, value in constants.items()
        }
        engine = OnnxRuntimeEngine(session, facts.inputs, facts.outputs, device, run, values)
        self._runs, self._run, self._started = EngineRuns(engine, self._stream), run, True

    def new_input(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Page-locked memory; see `Backend.new_input`."""
        return self._runs.new_input(shape, dtype)

    def run(self, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Run once, on the model's thread; see `Backend.infer`."""
        return self._on_thread(lambda: self._runs.run(tensor))

    def picture(self, tensor: NDArray[Any], form: PictureForm, description: InputDescription) -> PictureSlot | None:
        """See `TakesPictures`."""
        graphs = self._graphs
        if graphs is None:
            return None

        def make_front() -> Engine:
            assert self._run is not None
            session = self._session(graphs.picture_front(form, description), self._captured_on_stream())
            inputs, outputs = (tuple(map(facts_of, each())) for each in (session.get_inputs, session.get_outputs))
            return OnnxRuntimeEngine(session, inputs, outputs, self._options.device, self._run)

        return self._pictures.slot(self._runs, lambda: self._runs.picture(tensor, form, description, make_front))

    @property
    def remark(self) -> str:
        """What is done on the GPU, for diagnostics."""
        half = 'fp16, ' if self._options.precision == 'fp16' and self._path != self._model else ''
        return f'{half}{self._pictures.remark} and {self._chosen}{self._captured}'

    def close(self) -> None:
        """Release everything; harmless where nothing was opened."""
        if self._thread is not None and not self._thread.close():
            # Freed under a run, its memory would be somebody else's while the GPU still writes to it.
            self._options.say(
                f'{self._model.name} hangs in a run on the GPU: its memory there is only freed when this process ends.'
            )
            return
        if self._started:
            self._started = False
            self._runs.close()
        self._run = self._settings = None
        self._stream.close()

    def _captured_on_stream(self) -> dict[str, str]:
        device, stream = str(self._options.device), str(self._stream.handle)
        return {'device_id': device, 'user_compute_stream': stream, 'enable_cuda_graph': '1'}

    def _session(self, model: str | bytes, options: dict[str, str]) -> Any:
        return self._on_thread(
            lambda: self._runtime.InferenceSession(
                model,
                self._settings,
                providers=[CUDA.name, CPU.name],
                provider_options=[options, {}],
                enable_fallback=0,
            )
        )

    def _on_thread(self, job: Callable[[], T]) -> T:
        assert self._thread is not None
        return self._thread.do(job)
