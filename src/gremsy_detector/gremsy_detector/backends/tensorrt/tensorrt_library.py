# SPDX-License-Identifier: Apache-2.0
"""Which TensorRT this machine has, and the one place that knows how its kinds and versions differ.

10.3 (JetPack 6), later 10.x and 11 run from this code, as the full library or as the lean runtime, and so does
TensorRT for RTX 1.4 to 1.7. What differs: 11 has no precision flags, no calibrator and only strongly typed networks; 10
and that for RTX type them weakly unless the network flag STRONGLY_TYPED is given. That for RTX measures nothing when it
builds, so it has no use for a timing cache; it has no lean runtime; and it hands out the kernels that it compiles at
the start. Precision lives in the ONNX, so nothing else of the old interface is used. Every name that is used is in the
tests' fakes, and those are held against the real modules of each version.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections import deque
from collections.abc import Callable
from typing import Any

from gremsy_common.installing import pip_install
from gremsy_common.machine.cuda_probe import CudaProbe, probe_cuda
from gremsy_detector.backends.tensorrt.tensorrt_kinds import FULL, KINDS, Kind
from gremsy_detector.model.model_facts import TensorFacts

_NUMPY_NAMES = {
    'FLOAT': 'float32',
    'HALF': 'float16',
    'UINT8': 'uint8',
    'INT8': 'int8',
    'INT32': 'int32',
    'INT64': 'int64',
    'BOOL': 'bool',
}
_NEWEST_MAJOR_WITH_WEAK_TYPING = 10


class EngineRefused(Exception):
    """TensorRT did not take an engine; the text is its own reason, without a full stop."""


class TensorRt:
    """A TensorRT library that is loaded; there is one of a kind per process, because it keeps its first logger."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.version = str(module.__version__)
        self.major = int(self.version.split('.')[0])
        self.has_builder = all(hasattr(module, name) for name in ('Builder', 'OnnxParser'))
        self.kind = _kind_of(module.__name__)
        self._variant = '' if self.kind.portable else _variant_of(module.__name__)
        self._errors: deque[str] = deque(maxlen=20)
        self.logger = _logger(module, self._errors.append)

    @property
    def title(self) -> str:
        """Kind, version and variant, for people."""
        return f'{self.kind.title} {self.version} {self._variant}'.rstrip()

    @property
    def network_flags(self) -> int:
        """Of a network whose types are the ONNX file's."""
        if not self.kind.portable and self.major > _NEWEST_MAJOR_WITH_WEAK_TYPING:
            return 0
        return 1 << int(self.module.NetworkDefinitionCreationFlag.STRONGLY_TYPED)

    @property
    def measures(self) -> bool:
        """Whether a build tries kernels out on the GPU, which takes memory for them, and a timing cache spares."""
        return not self.kind.portable

    def aim(self, config: Any, compute_capability: str) -> None:
        """Have a build make an engine for GPUs that it would else leave out."""
        if compute_capability in self.kind.built_for:
            config.num_compute_capabilities = 1
            capability = getattr(self.module.ComputeCapability, f'SM{compute_capability.replace(".", "")}')
            config.set_compute_capability(capability, 0)

    def open_engine(self, plan: Any, kernels: bytes = b'') -> LoadedEngine:
        """Deserialise a plan and make what runs it.

        Args:
            plan: its bytes; they may go afterwards.
            kernels: that an engine of this plan gave; what does not fit is compiled again.

        Raises:
            EngineRefused: when TensorRT takes it for garbage, foreign or of another version, or lacks memory.
        """
        self._errors.clear()
        runtime: Any = self.module.Runtime(self.logger)
        if runtime is not None and self._variant == 'dispatch':
            # The dispatch runtime runs nothing itself: it passes the engine to a lean runtime of the engine's version.
            runtime = runtime.load_runtime(f'libnvinfer_lean.so.{self.major}')
        if runtime is None:
            raise EngineRefused(self.last_error('it gives no runtime'))
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise EngineRefused(self.last_error('it gives no reason'))
        cache, new_context = self._contexts_of(engine, kernels)
        return LoadedEngine(self, runtime, engine, new_context, cache)

    def last_error(self, otherwise: str) -> str:
        """The last error that TensorRT logged since the previous call, in one line without a full stop."""
        text = ' '.join(self._errors[-1].split()) if self._errors else otherwise
        self._errors.clear()
        return text[:300].rstrip('. ')

    def is_input(self, mode: Any) -> bool:
        """Whether a tensor's mode says so."""
        return bool(mode == self.module.TensorIOMode.INPUT)

    def _contexts_of(self, engine: Any, kernels: bytes) -> tuple[Any, Callable[[], Any]]:
        """The cache of compiled kernels (None where nothing is compiled), and a function that makes a context."""
        if not self.kind.portable:
            return None, engine.create_execution_context
        config = engine.create_runtime_config()
        cache = config.create_runtime_cache()
        if kernels:
            # It checks them itself, and stays empty where they are another version's or GPU's.
            cache.deserialize(kernels)
        config.set_runtime_cache(cache)
        # Lazily, a CUDA graph could be captured with the kernels that only stand in for the compiled ones.
        config.dynamic_shapes_kernel_specialization_strategy = (
            self.module.DynamicShapesKernelSpecializationStrategy.EAGER
        )
        return cache, lambda: engine.create_execution_context(runtime_config=config)


class LoadedEngine:
    """An engine with a context that runs it; `close` frees both."""

    title = 'TensorRT'
    recordable = True

    def __init__(
        self, library: TensorRt, runtime: Any, engine: Any, new_context: Callable[[], Any], cache: Any = None
    ) -> None:
        """Make its context.

        Raises:
            EngineRefused: when it lacks memory.
        """
        # A runtime must outlive its engines, an engine its contexts, and so must the kernels' cache.
        self._library, self._runtime, self._engine, self._new_context = library, runtime, engine, new_context
        self._cache = cache
        self._context = new_context()
        if self._context is None:
            raise EngineRefused(library.last_error('not enough GPU memory to run it'))
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        taken = [library.is_input(engine.get_tensor_mode(name)) for name in names]
        self.inputs = tuple(self._facts(name) for name, is_input in zip(names, taken, strict=True) if is_input)
        self.outputs = tuple(self._facts(name) for name, is_input in zip(names, taken, strict=True) if not is_input)

    def another_context(self) -> LoadedEngine:
        """The same engine with another context: what is set and captured on one leaves the other as it is.

        Raises:
            EngineRefused: when it lacks memory.
        """
        return LoadedEngine(self._library, self._runtime, self._engine, self._new_context, self._cache)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        """Whether the engine takes that shape."""
        return bool(self._context.set_input_shape(name, shape))

    def input_range(self, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Least and largest shape that the engine was built for."""
        least, _, largest = self._engine.get_tensor_profile_shape(name, 0)
        return tuple(least), tuple(largest)

    def shape(self, name: str) -> tuple[int, ...]:
        """Of a tensor once the input's is set; -1 where only a run tells."""
        return tuple(self._context.get_tensor_shape(name))

    def set_address(self, name: str, address: int) -> bool:
        """Where on the GPU a tensor lies."""
        return bool(self._context.set_tensor_address(name, address))

    def enqueue(self, stream: int) -> bool:
        """Start one run on a CUDA stream; it ends later."""
        return bool(self._context.execute_async_v3(stream))

    def last_error(self) -> str:
        """Why the last call was refused."""
        return self._library.last_error('it gives no reason')

    def kernels(self) -> bytes:
        """What was compiled for this GPU, for the next start; empty where nothing is, or it cannot be had."""
        content = None if self._cache is None else self._cache.serialize()
        return b'' if content is None else bytes(content)

    def close(self) -> None:
        """Free the context, then the engine, then the runtime."""
        self._context = None
        self._cache = None
        # It holds the engine and its configuration.
        self._new_context = lambda: None
        self._engine = None
        self._runtime = None

    def _facts(self, name: str) -> TensorFacts:
        return tensor_facts(name, self._engine.get_tensor_shape(name), self._engine.get_tensor_dtype(name))


def tensor_facts(name: str, shape: Any, dtype: Any) -> TensorFacts:
    """TensorRT's words for a tensor in ours."""
    sizes = tuple(int(size) if int(size) >= 0 else None for size in shape)
    return TensorFacts(str(name), sizes, _NUMPY_NAMES.get(dtype.name, str(dtype.name).lower()))


def installed_module(kind: Kind = FULL) -> str | None:
    """The name of the module that would be loaded; nothing is imported."""
    return next((name for name in kind.modules if importlib.util.find_spec(name) is not None), None)


def not_installed(kind: Kind = FULL, module: Callable[[Kind], str | None] = installed_module) -> str | None:
    """Why TensorRT cannot even build here: it is missing, as the end of a sentence; None when it is there."""
    return None if module(kind) is not None else f'is not installed ({kind.how_to_install})'


def why_not(
    kind: Kind = FULL,
    module: Callable[[Kind], str | None] = installed_module,
    cuda: Callable[[], CudaProbe] = probe_cuda,
    has_cuda_python: Callable[[], bool] = lambda: _has_cuda_python(),
) -> str | None:
    """Why TensorRT cannot run here, as the end of a sentence with the way out; None when it can.

    Nothing of TensorRT or CUDA is loaded into this process; the GPU is asked for only where the rest is there.
    """
    missing = not_installed(kind, module)
    if missing is not None:
        return missing
    if not has_cuda_python():
        return f'lacks cuda-python, which handles its memory ({pip_install("cuda-python")})'
    found = cuda()
    if found.reason:
        return f'has no GPU to run on: {found.reason}'
    refusals = [kind.refusal(gpu) for gpu in found.gpus]
    return None if None in refusals else f'has no GPU to run on: {refusals[0]}'


@functools.cache
def load_library(kind: Kind = FULL) -> TensorRt:
    """Import TensorRT, once; only where `why_not` has nothing against it, or to build with a kind that needs no GPU.

    Raises:
        EngineRefused: when it is missing or its shared libraries do not load.
    """
    name = installed_module(kind)
    if name is None:
        raise EngineRefused(f'{kind.title} is not installed ({kind.how_to_install})')
    try:
        return TensorRt(importlib.import_module(name))
    except (ImportError, OSError) as error:
        raise EngineRefused(f'Python module {name} does not load ({error})') from error


def _kind_of(module: str) -> Kind:
    return next((kind for kind in KINDS if module in kind.modules), FULL)


def _variant_of(module: str) -> str:
    """`lean` or `dispatch`; empty for the whole library."""
    return module.partition('_')[2].removesuffix('_bindings').removesuffix('bindings')


def _has_cuda_python() -> bool:
    try:
        return importlib.util.find_spec('cuda.bindings.runtime') is not None
    except ImportError:
        return False


def _logger(module: Any, keep: Callable[[str], None]) -> Any:
    serious = (module.ILogger.ERROR, module.ILogger.INTERNAL_ERROR)

    class KeepsErrors(module.ILogger):
        """Passes on errors only: TensorRT's warnings name no file and end up on stderr otherwise."""

        def __init__(self) -> None:
            module.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in serious:
                keep(message)

    return KeepsErrors()
