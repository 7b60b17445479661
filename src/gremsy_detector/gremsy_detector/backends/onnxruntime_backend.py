# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on whatever it finds: CUDA, OpenVINO or the CPU, with every buffer made once.

On CUDA it computes for the runner of `backends/gpu`: page-locked memory, one stream, CUDA graphs, and what can be put
into the graph is done on the GPU. Where that is not to be had it copies arrays by itself, and its description says why.
"""

from __future__ import annotations

import importlib.util
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gremsy_common.installing import pip_install
from gremsy_detector.backends.backend import DEFAULT_OPTIONS, BackendOptions
from gremsy_detector.backends.gpu.cuda_memory import CudaStream
from gremsy_detector.backends.gpu.graph_maker import GpuGraphs, installed_graphs
from gremsy_detector.backends.gpu.onnxruntime_gpu import OnnxRuntimeGpu
from gremsy_detector.backends.onnxruntime_providers import (
    CPU,
    CUDA,
    ERRORS_ONLY,
    OPENVINO,
    TENSORRT,
    facts_of,
    in_short,
    load_onnxruntime,
    open_session,
    providers_to_try,
)
from gremsy_detector.errors import InferenceError, ModelError
from gremsy_detector.image.picture_form import PictureForm, PictureSlot
from gremsy_detector.model.model_description import InputDescription
from gremsy_detector.model.model_facts import ModelFacts
from gremsy_detector.model.model_metadata import image_size_px
from gremsy_detector.model.onnx_file_check import check_onnx_file

# The second input that D-FINE's and RT-DETR's authors export: width and height of the image, by which the network
# scales its boxes. Given the size of its own input, it answers in pixels of that input, as every other network here
# does; so it is a constant, which is fed along.
_SIZE_INPUT = 'orig_target_sizes'
# As many cameras as one machine has.
_MOST_IMAGES = 8
# One: two became 1.5-3 times slower than one as soon as the other core had the rest of the loop to do.
_USUAL_THREADS = 1


class OnnxRuntimeBackend:
    """Runs an `.onnx` file with one of ONNX Runtime's execution providers."""

    name: ClassVar[str] = 'onnxruntime'
    suffixes: ClassVar[tuple[str, ...]] = ('.onnx',)
    preference: ClassVar[int] = 10
    builds: ClassVar[bool] = False

    def __init__(
        self,
        model: Path,
        options: BackendOptions = DEFAULT_OPTIONS,
        *,
        new_stream: Callable[[int], CudaStream] = CudaStream,
        graphs: Callable[[], GpuGraphs] = installed_graphs,
    ) -> None:
        self._model = model
        self._options = options
        self._gpu_parts = (new_stream, graphs)
        self._gpu: OnnxRuntimeGpu | None = None
        self._gpu_remark = ''
        self._threads = options.threads or _USUAL_THREADS
        self._provider = CPU
        self._session: Any = None
        self._facts: ModelFacts | None = None
        self._fed_besides: dict[str, NDArray[np.int64]] = {}
        self._bound: dict[int, _Bound] = {}
        self._foreign: _Bound | None = None
        self._version = ''
        self._runs: set[Any] = set()
        self._runs_lock = threading.Lock()
        self._new_run: Any = None

    @staticmethod
    def unavailable() -> str | None:
        """ONNX Runtime is a run-time dependency, but no apt package has it: it may be missing on a robot."""
        if importlib.util.find_spec('onnxruntime') is None:
            return f'is not installed ({pip_install("onnxruntime")})'
        return None

    def open(self) -> ModelFacts:
        """Load the file into a session; see `Backend.open`.

        Raises:
            ParameterError: when the provider that was asked for by name is not there.
        """
        opset = check_onnx_file(self._model)
        runtime = load_onnxruntime()
        providers = providers_to_try(self._options.provider, runtime.get_available_providers())
        settings = self._session_options(runtime)

        gpu = self._plan_gpu(runtime) if CUDA in providers else None

        def make(names: list[str], provider_options: list[dict[str, Any]]) -> Any:
            if gpu is not None and names[0] == CUDA.name:
                return gpu.new_session(settings)
            # No fallback of its own: it prints to stdout, and hides on what it goes on.
            return runtime.InferenceSession(
                str(self._model), settings, providers=names, provider_options=provider_options, enable_fallback=0
            )

        try:
            self._session, self._provider = open_session(make, providers, self._provider_options(), self._options.say)
        except Exception as error:  # its exceptions share no base class but this
            if gpu is not None:
                gpu.close()
            raise ModelError(_refusal(self._model, runtime.__version__, opset, error)) from error
        if gpu is not None and self._provider is not CUDA:
            gpu.close()
            gpu = None
        self._gpu = gpu
        self._version = runtime.__version__
        self._new_run = runtime.RunOptions
        try:
            facts = ModelFacts(
                path=self._model,
                inputs=tuple(facts_of(tensor) for tensor in self._session.get_inputs()),
                outputs=tuple(facts_of(tensor) for tensor in self._session.get_outputs()),
                metadata=dict(self._session.get_modelmeta().custom_metadata_map),
            )
        except UnicodeDecodeError as error:
            self.close()
            raise ModelError(
                f'Model file {self._model} is corrupt (a name or its metadata is not UTF-8): copy or export it again.'
            ) from error
        self._facts, self._fed_besides = _without_size_input(facts)
        if gpu is not None:
            gpu.start(self._session, self._facts, self._fed_besides, self._run)
        return self._facts

    @property
    def most_images(self) -> int:
        """Without a bound of its own where the file leaves the number open."""
        # Given the size of one image, the authors' D-FINE and RT-DETR answer to one.
        if self._facts is None or self._fed_besides or isinstance(self._facts.inputs[0].shape[0], int):
            return 1
        return _MOST_IMAGES

    @property
    def concurrent(self) -> bool:
        """On the CPU, a run is computed by the thread that asks for it; a GPU's runs queue up all the same."""
        return self._provider is CPU

    def new_input(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Plain memory, or page-locked on CUDA; see `Backend.new_input`."""
        if self._gpu is not None:
            return self._gpu.new_input(shape, dtype)
        tensor = np.zeros(shape, dtype=dtype)
        self._bound[id(tensor)] = _Bound(tensor)
        return tensor

    def picture(self, tensor: NDArray[Any], form: PictureForm, description: InputDescription) -> PictureSlot | None:
        """On CUDA; see `TakesPictures`."""
        return None if self._gpu is None else self._gpu.picture(tensor, form, description)

    def infer(self, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Run once; see `Backend.infer`."""
        if self._gpu is not None:
            return self._gpu.run(tensor)
        if self._session is None or self._facts is None:
            raise InferenceError(f'{self.name} has no model open: call open() first.')
        bound = self._bound.get(id(tensor), self._foreign)
        if bound is None or bound.tensor is not tensor:
            # Not from `new_input`: it is bound for as long as it comes again and again.
            bound = self._foreign = _Bound(tensor)
        try:
            with self._run() as options:
                if not bound.tried:
                    return self._bind(bound, options)
                if bound.binding is None:
                    fed = {self._facts.inputs[0].name: tensor, **self._fed_besides}
                    return list(self._session.run(None, fed, options))
                if self._provider in (CUDA, TENSORRT):
                    # Binding is what copies the input to the GPU: once bound, the run would see the old image for ever.
                    bound.binding.bind_cpu_input(self._facts.inputs[0].name, tensor)
                self._session.run_with_iobinding(bound.binding, options)
        except Exception as error:  # its exceptions share no base class but this
            raise InferenceError(f'{self.name} failed on {self._model}: {in_short(error)}.') from error
        return bound.outputs

    def interrupt(self) -> None:
        """ONNX Runtime looks at this between two operators, and between two rounds of a loop."""
        with self._runs_lock:
            for options in self._runs:
                options.terminate = True

    @contextmanager
    def _run(self) -> Iterator[Any]:
        """The options of one run, by which it can be ended."""
        options = self._new_run()
        options.log_severity_level = ERRORS_ONLY + 1
        with self._runs_lock:
            self._runs.add(options)
        try:
            yield options
        finally:
            with self._runs_lock:
                self._runs.discard(options)

    def close(self) -> None:
        """Free the session, then the GPU's memory."""
        gpu, self._gpu = self._gpu, None
        self._session = self._facts = self._foreign = None
        self._bound = {}
        if gpu is not None:
            gpu.close()

    @property
    def description(self) -> str:
        """For diagnostics: version, provider, and where the CPU computes, threads."""
        on = f'{self._provider.title} (device {self._options.device})'
        if self._provider in (CPU, OPENVINO):
            on = f'{self._provider.title}, {self._threads} thread{"s" if self._threads > 1 else ""}'
        remark = self._gpu_remark if self._gpu is None else self._gpu.remark
        if self._provider is CUDA and remark:
            on = f'{on}, {remark}'
        return f'ONNX Runtime {self._version} {on}'.replace('  ', ' ')

    def _session_options(self, runtime: Any) -> Any:
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        # A waiting worker must not spin away the core that the camera and the tracker need.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        options.add_session_config_entry('session.inter_op.allow_spinning', '0')
        # Its errors come as exceptions with the same text; its warnings on stderr name no file.
        options.log_severity_level = ERRORS_ONLY + 1
        return options

    def _provider_options(self) -> dict[Any, dict[str, Any]]:
        device = {'device_id': str(self._options.device)}
        return {CUDA: device, TENSORRT: device, OPENVINO: {'num_of_threads': str(self._threads)}}

    def _plan_gpu(self, runtime: Any) -> OnnxRuntimeGpu | None:
        """What CUDA is to run; None, and a remark, where arrays are copied instead."""
        new_stream, graphs = self._gpu_parts
        gpu = OnnxRuntimeGpu(self._model, self._options, runtime, new_stream(self._options.device), graphs)
        try:
            gpu.open()
        except (ImportError, InferenceError, ModelError) as error:
            gpu.close()
            missing = 'cuda-python is not installed' if isinstance(error, ImportError) else str(error).rstrip('. ')
            self._gpu_remark = f'images copied to it one by one ({missing})'
            return None
        return gpu

    def _bind(self, bound: _Bound, options: Any) -> Sequence[NDArray[Any]]:
        """The first run on an input array; from the second on, nothing is allocated.

        The outputs' true sizes are only known after a run (axes may be dynamic), and those of a file whose number of
        boxes is decided by the data may change from run to run: they are left to ONNX Runtime.
        """
        assert self._facts is not None
        tensor = bound.tensor
        fed = {self._facts.inputs[0].name: tensor, **self._fed_besides}
        outputs = [np.asarray(each) for each in self._session.run(None, fed, options)]
        bound.tried = True
        fixed = all(isinstance(size, int) for facts in self._facts.outputs for size in facts.shape)
        if not fixed or not tensor.flags.c_contiguous:
            return outputs
        own = [np.empty_like(each, order='C') for each in outputs]
        binding = self._session.io_binding()
        _bind_each(binding.bind_input, fed)
        names = [each.name for each in self._facts.outputs]
        _bind_each(binding.bind_output, dict(zip(names, own, strict=True)))
        bound.outputs, bound.binding = own, binding
        return outputs


@dataclass(slots=True, eq=False)
class _Bound:
    """An input array, which must live as long as its place in memory is known, and what a run on it needs."""

    tensor: NDArray[Any]
    tried: bool = False
    binding: Any = None
    outputs: list[NDArray[Any]] = field(default_factory=list)


BACKEND = OnnxRuntimeBackend


def _bind_each(bind: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
    for name, array in arrays.items():
        bind(name, 'cpu', 0, array.dtype.type, array.shape, array.ctypes.data)


def _without_size_input(facts: ModelFacts) -> tuple[ModelFacts, dict[str, NDArray[np.int64]]]:
    """The facts with the image as the only input, and what to feed besides: nothing, for most models.

    Raises:
        ModelError: when the image's size is left to metadata that cannot be read.
    """
    if len(facts.inputs) != 2:
        return facts, {}
    image, sizes = facts.inputs
    known = (sizes.name, sizes.dtype, len(sizes.shape)) == (_SIZE_INPUT, 'int64', 2) and sizes.shape[1] == 2
    if not known or len(image.shape) != 4:
        return facts, {}
    stated_height, stated_width = image_size_px(facts)
    height, width = image.shape[2:]
    height_px = height if isinstance(height, int) and height > 0 else stated_height
    width_px = width if isinstance(width, int) and width > 0 else stated_width
    return replace(facts, inputs=(image,)), {_SIZE_INPUT: np.array([[width_px, height_px]], np.int64)}


def _refusal(model: Path, version: str, opset: int, error: Exception) -> str:
    """Why ONNX Runtime does not load a file, with the way out that fits."""
    text = str(error)
    library = f'ONNX Runtime {version}'
    form = re.search(r'Unsupported model IR version: (\d+), max supported IR version: (\d+)', text)
    if form:
        return (
            f'Model file {model} has ONNX format version {form[1]}, and {library} reads up to {form[2]}: '
            'export it with an older onnx package, or update ONNX Runtime.'
        )
    newest = re.search(r'Opset (\d+) is under development.*?is till opset (\d+)', text, re.DOTALL)
    if newest:
        return (
            f'Model file {model} uses opset {newest[1]}, and {library} knows up to {newest[2]}: '
            f'export it with opset={newest[2]} or less, or update ONNX Runtime.'
        )
    unknown = re.search(r'(\S+?)\(-?\d+\) is not a registered function/op', text)
    if unknown:
        return (
            f"Model file {model} uses the operator '{unknown[1][:60]}', which {library} does not have: "
            'export it with standard operators only.'
        )
    old = re.search(r'Could not find an implementation for (\S+?)\((\d+)\)', text)
    if old:
        return (
            f"Model file {model} uses the operator '{old[1][:60]}' of opset {old[2]} (the file's is {opset}), which "
            f'{library} does not have: export it again with opset=17.'
        )
    return (
        f'Model file {model} is not a model that {library} can load ({in_short(error)}): '
        'it is truncated, corrupt or not ONNX, so copy or export it again.'
    )
