# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: N802, N815 - the names are those of the real modules
"""TensorRT and CUDA on plain memory: just the names that the suite uses, the GPU's memory as host memory.

A fake plan is JSON that says which tensors an engine has. A run answers every output with the mean of the input plus
0, 1, 2, ... Work given to a stream runs at once, or is kept while the stream captures.
"""

import ctypes
import json
import types
from pathlib import Path

import numpy as np

from gremsy_common.machine.cuda_probe import CudaProbe, Gpu
from gremsy_detector.backends.gpu.cuda_memory import CudaStream
from gremsy_detector.backends.tensorrt.engine_builder import BuiltEngine
from gremsy_detector.backends.tensorrt.engine_machine import Machine
from gremsy_detector.backends.tensorrt.tensorrt_library import TensorRt
from gremsy_detector.errors import ModelError
from gremsy_detector.model.onnx_facts import read_onnx_facts

ORIN = Gpu('Orin', '8.7', 16, 30 << 30)
LAPTOP = Gpu('NVIDIA GeForce RTX 4060 Laptop GPU', '8.9', 24, 8 << 30)
DESKTOP = Gpu('NVIDIA GeForce RTX 5080', '12.0', 84, 16 << 30)
TURING = Gpu('NVIDIA GeForce RTX 2070', '7.5', 36, 8 << 30)
HOPPER = Gpu('NVIDIA H200', '9.0', 132, 140 << 30)
NANO = Gpu('Orin', '8.7', 8, 7 << 30)
SUCCESS, OUT_OF_MEMORY, NOT_READY, LOST, NOT_CAPTURED = 0, 2, 600, 700, 900
ERROR_NAMES = {
    2: b'cudaErrorMemoryAllocation',
    700: b'cudaErrorIllegalAddress',
    900: b'cudaErrorStreamCaptureUnsupported',
}


class FakeCuda:
    """`cuda.bindings.runtime`; `failing` maps a function's name to the status that it answers with."""

    cudaError_t = types.SimpleNamespace(
        cudaSuccess=SUCCESS, cudaErrorMemoryAllocation=OUT_OF_MEMORY, cudaErrorNotReady=NOT_READY
    )
    cudaMemcpyKind = types.SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
    cudaStreamCaptureMode = types.SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)
    cudaStreamNonBlocking = 1
    cudaHostAllocDefault, cudaHostRegisterPortable = 0, 1

    def __init__(self):
        self.failing = {}
        self.calls = []
        self._memory = {}
        self._registered = {}
        self._handles = {}
        self._next = 1000
        self._captured = None
        self._pending = SUCCESS
        self._looks = 0

    # What tests look at.

    @property
    def _live(self):
        return len(self._memory) + len(self._handles)

    def _submit(self, work):
        if self._captured is not None:
            self._captured.append(work)
        else:
            work()

    def _view(self, address, size):
        return np.frombuffer((ctypes.c_uint8 * size).from_address(address), np.uint8)

    def _status(self, name):
        self.calls.append(name)
        return self.failing.get(name, SUCCESS)

    def _new_handle(self, name, what):
        status = self._status(name)
        if status != SUCCESS:
            return status, None
        self._next += 1
        self._handles[self._next] = what
        return SUCCESS, self._next

    def _drop(self, name, handle):
        self.calls.append(name)
        del self._handles[handle]
        return (SUCCESS,)

    def _allocate(self, name, size):
        status = self._status(name)
        if status != SUCCESS:
            return status, 0
        block = (ctypes.c_uint8 * size)()
        address = ctypes.addressof(block)
        self._memory[address] = block
        return SUCCESS, address

    def _release(self, name, address, blocks):
        self.calls.append(name)
        del blocks[address]
        return (SUCCESS,)

    # The names of the real module.

    def cudaSetDevice(self, device):
        return (self._status('cudaSetDevice'),)

    def cudaStreamCreateWithFlags(self, flags):
        return self._new_handle('cudaStreamCreateWithFlags', 'stream')

    def cudaStreamDestroy(self, stream):
        return self._drop('cudaStreamDestroy', stream)

    def cudaHostAlloc(self, size, flags):
        return self._allocate('cudaHostAlloc', size)

    def cudaFreeHost(self, address):
        return self._release('cudaFreeHost', address, self._memory)

    def cudaHostRegister(self, address, size, flags):
        status = self._status('cudaHostRegister')
        if status == SUCCESS:
            assert address not in self._registered
            self._registered[address] = size
        return (status,)

    def cudaHostUnregister(self, address):
        return self._release('cudaHostUnregister', address, self._registered)

    def cudaMemcpy2DAsync(self, target, target_pitch, source, source_pitch, width, height, kind, stream):
        status = self._status('cudaMemcpy2DAsync')
        end = source + (height - 1) * source_pitch + width
        assert any(begin <= source and end <= begin + size for begin, size in self._registered.items())
        if status == SUCCESS:

            def copy():
                for row in range(height):
                    ctypes.memmove(target + row * target_pitch, source + row * source_pitch, width)

            self._submit(copy)
        return (status,)

    def cudaMalloc(self, size):
        return self._allocate('cudaMalloc', size)

    def cudaFree(self, address):
        return self._release('cudaFree', address, self._memory)

    def cudaMemcpyAsync(self, target, source, size, kind, stream):
        status = self._status('cudaMemcpyAsync')
        if status == SUCCESS:
            self._submit(lambda: ctypes.memmove(target, source, size))
        return (status,)

    def cudaMemGetInfo(self):
        return SUCCESS, 3 << 20, 8 << 30

    def cudaStreamQuery(self, stream):
        # Not at the first look.
        self._looks += 1
        status = self._status('cudaStreamQuery')
        return (NOT_READY if status == SUCCESS and self._looks % 2 else status,)

    def cudaStreamBeginCapture(self, stream, mode):
        status = self._status('cudaStreamBeginCapture')
        if status == SUCCESS:
            self._captured = []
        return (status,)

    def cudaStreamEndCapture(self, stream):
        works, self._captured = self._captured, None
        return self._new_handle('cudaStreamEndCapture', works)

    def cudaGraphInstantiate(self, graph, flags):
        return self._new_handle('cudaGraphInstantiate', self._handles[graph])

    def cudaGraphDestroy(self, graph):
        return self._drop('cudaGraphDestroy', graph)

    def cudaGraphExecDestroy(self, graph):
        return self._drop('cudaGraphExecDestroy', graph)

    def cudaGraphLaunch(self, graph, stream):
        status = self._status('cudaGraphLaunch')
        if status == SUCCESS:
            for work in self._handles[graph]:
                work()
        return (status,)

    def cudaGetLastError(self):
        self.calls.append('cudaGetLastError')
        return (SUCCESS,)

    def cudaGetErrorName(self, status):
        return SUCCESS, ERROR_NAMES[status]


def fake_plan(version='10.3.0', input_shape=(1, 3, 64, 64), dtype='FLOAT', outputs=((1, 7, 20),), largest=None):
    """A plan that the fake runtime of the same version takes; -1 in a shape is dynamic."""
    tensors = [['images', True, list(input_shape), dtype]]
    tensors += [[f'output{index}', False, list(shape), 'FLOAT'] for index, shape in enumerate(outputs)]
    return json.dumps({'version': version, 'tensors': tensors, 'largest': largest or list(input_shape)}).encode()


DTYPES = {'FLOAT': 'float32', 'HALF': 'float16', 'UINT8': 'uint8', 'BF16': 'bfloat16'}


class FakeRuntimeLibrary:
    """The module `tensorrt_lean`, of a version, on a fake GPU."""

    def __init__(self, cuda, version='10.3.0', name='tensorrt_lean'):
        self.__version__ = version
        self.__name__ = name
        module = self
        self._fail = set()
        self._closed = []

        class ILogger:
            ERROR, INTERNAL_ERROR, _WARNING = 1, 0, 2

            def __init__(self):
                pass

        class TensorIOMode:
            INPUT, _OUTPUT = 'input', 'output'

        class IExecutionContext:
            def __init__(self, engine):
                self._engine = engine
                self._addresses = {}
                self._input = None

            def set_input_shape(self, name, shape):
                self._input = tuple(shape)
                return 'set_input_shape' not in module._fail

            def get_tensor_shape(self, name):
                return self._engine._shape(name, self._input)

            def set_tensor_address(self, name, address):
                self._addresses[name] = address
                return 'set_tensor_address' not in module._fail

            def execute_async_v3(self, stream):
                if 'execute_async_v3' in module._fail:
                    module._logger.log(ILogger.ERROR, 'IExecutionContext::enqueueV3: Error Code 1: Cuda Runtime\n (x)')
                    return False
                assert cuda._handles[stream] == 'stream'
                cuda._submit(self._compute)
                return True

            def _compute(self):
                arrays = {}
                for name, _, _, dtype in self._engine._tensors:
                    shape = self.get_tensor_shape(name)
                    kind = np.dtype(DTYPES[dtype])
                    size = int(np.prod(shape)) * kind.itemsize
                    arrays[name] = cuda._view(self._addresses[name], size).view(kind).reshape(shape)
                mean = np.float32(arrays['images'].mean(dtype=np.float64))
                for name, is_input, _, _ in self._engine._tensors:
                    if not is_input:
                        arrays[name].reshape(-1)[:] = mean + np.arange(arrays[name].size)

        class ICudaEngine:
            _new_context = IExecutionContext

            def __init__(self, plan):
                self._tensors = plan['tensors']
                self._largest = plan['largest']

            def _shape(self, name, given):
                index, shape = next((i, each[2]) for i, each in enumerate(self._tensors) if each[0] == name)
                if index == 0:
                    return tuple(given or shape)
                # -1 of an output follows the input's height; -2 is decided by the data.
                follow = (given or self._tensors[0][2])[2]
                return tuple(follow if size == -1 else -1 if size == -2 else size for size in shape)

            @property
            def num_io_tensors(self):
                return len(self._tensors)

            def get_tensor_name(self, index):
                return self._tensors[index][0]

            def get_tensor_mode(self, name):
                taken = next(each[1] for each in self._tensors if each[0] == name)
                return TensorIOMode.INPUT if taken else TensorIOMode._OUTPUT

            def get_tensor_dtype(self, name):
                return types.SimpleNamespace(name=next(each[3] for each in self._tensors if each[0] == name))

            def get_tensor_shape(self, name):
                return tuple(next(each[2] for each in self._tensors if each[0] == name))

            def get_tensor_profile_shape(self, name, profile):
                least = [1 if size == -1 else size for size in self._tensors[0][2]]
                return [tuple(least), tuple(self._largest), tuple(self._largest)]

            def create_execution_context(self):
                if 'create_execution_context' in module._fail:
                    module._logger.log(ILogger.ERROR, 'Error Code 2: OutOfMemory (Requested size was 400 bytes.)')
                    return None
                return self._new_context(self)

        class Runtime:
            def __init__(self, logger):
                module._logger = logger

            def load_runtime(self, path):
                module._loaded = path
                return None if 'load_runtime' in module._fail else self

            def deserialize_cuda_engine(self, plan):
                try:
                    content = json.loads(bytes(plan))
                    version = content['version']
                except (ValueError, KeyError, TypeError):
                    module._logger.log(ILogger._WARNING, 'Using an engine plan file across different models')
                    module._logger.log(ILogger.ERROR, 'IRuntime::deserializeCudaEngine: Error Code 1: Magic tag.')
                    return None
                if version != module.__version__ or 'deserialize' in module._fail:
                    module._logger.log(ILogger.ERROR, 'Error Code 6: the engine plan file is not compatible.')
                    return None
                return module.ICudaEngine(content)

        self.ILogger, self.TensorIOMode, self.Runtime = ILogger, TensorIOMode, Runtime
        self.IExecutionContext, self.ICudaEngine = IExecutionContext, ICudaEngine


class FakeFullLibrary(FakeRuntimeLibrary):
    """The module `tensorrt` with its builder; `_log` lists what a build set."""

    def __init__(self, cuda, version='10.3.0', name='tensorrt'):
        super().__init__(cuda, version, name)
        module = self
        self._log = []

        class ITensor:
            name = dtype = shape = None

            def __init__(self, facts):
                names = {name: word for word, name in DTYPES.items()}
                self.name, self.dtype = facts.name, types.SimpleNamespace(name=names[facts.dtype])
                self.shape = tuple(size if isinstance(size, int) else -1 for size in facts.shape)

        class INetworkDefinition:
            def __init__(self):
                self._inputs, self._outputs = [], []

            @property
            def num_inputs(self):
                return len(self._inputs)

            @property
            def num_outputs(self):
                return len(self._outputs)

            def get_input(self, index):
                return self._inputs[index]

            def get_output(self, index):
                return self._outputs[index]

        class ParserError:
            def __init__(self, desc, node_name):
                self._desc, self._node_name = desc, node_name

            def desc(self):
                return self._desc

            def node_name(self):
                return self._node_name

            def node_operator(self):
                return 'GridSample'

        class OnnxParser:
            def __init__(self, network, logger):
                self._network = network

            def parse_from_file(self, path):
                facts = read_onnx_facts(Path(path))
                self._errors = [
                    ParserError('In node 3: UNSUPPORTED_NODE:\n no importer.', 'node_3')
                    for _ in [1]
                    if 'parse' in module._fail
                ]
                self._network._inputs = [ITensor(each) for each in facts.inputs]
                self._network._outputs = [ITensor(each) for each in facts.outputs]
                return not self._errors

            @property
            def num_errors(self):
                return len(self._errors)

            def get_error(self, index):
                return self._errors[index]

        class IOptimizationProfile:
            def set_shape(self, name, least, best, most):
                module._log.append(('profile', name, least, best, most))

        class ITimingCache:
            def __init__(self, content):
                self._content = content

            def serialize(self):
                return self._content + b'+'

        class IProgressMonitor:
            def __init__(self):
                pass

            def phase_start(self, phase_name, parent_phase, num_steps):
                raise NotImplementedError

            def step_complete(self, phase_name, step):
                raise NotImplementedError

            def phase_finish(self, phase_name):
                raise NotImplementedError

        class IBuilderConfig:
            progress_monitor = None

            def set_flag(self, flag):
                module._log.append(('flag', flag))

            def set_memory_pool_limit(self, pool, size):
                module._log.append(('limit', pool, size))

            def add_optimization_profile(self, profile):
                module._log.append(('add', type(profile).__name__))

            def create_timing_cache(self, content):
                return None if content == b'garbage' else ITimingCache(bytes(content))

            def set_timing_cache(self, cache, ignore_mismatch):
                self._cache = cache
                return not cache._content.startswith(b'other GPU')

            def get_timing_cache(self):
                return self._cache

        class Builder:
            def __init__(self, logger):
                module._logger = logger

            def create_network(self, flags):
                module._log.append(('network', flags))
                return INetworkDefinition()

            def create_builder_config(self):
                return module.IBuilderConfig()

            def create_optimization_profile(self):
                return IOptimizationProfile()

            def build_serialized_network(self, network, config):
                monitor = config.progress_monitor
                monitor.phase_start('Building Engine', None, 2)
                for step in range(2):
                    if not monitor.step_complete('Building Engine', step):
                        return None
                monitor.phase_finish('Building Engine')
                if 'build' in module._fail:
                    module._logger.log(module.ILogger.ERROR, 'Error Code 10: Could not find any implementation.')
                    return None
                taken = network.get_input(0)
                outputs = [network.get_output(index).shape for index in range(network.num_outputs)]
                return fake_plan(module.__version__, taken.shape, taken.dtype.name, outputs)

        self.Builder, self.OnnxParser, self.ParserError, self.ITensor = Builder, OnnxParser, ParserError, ITensor
        self.INetworkDefinition, self.IBuilderConfig = INetworkDefinition, IBuilderConfig
        self.IOptimizationProfile, self.IProgressMonitor = IOptimizationProfile, IProgressMonitor
        self.ITimingCache = ITimingCache
        self.BuilderFlag = types.SimpleNamespace(VERSION_COMPATIBLE='vc', EXCLUDE_LEAN_RUNTIME='no lean')
        self.MemoryPoolType = types.SimpleNamespace(WORKSPACE='workspace')
        self.NetworkDefinitionCreationFlag = types.SimpleNamespace(STRONGLY_TYPED=1)


class FakeRtxLibrary(FakeFullLibrary):
    """The module `tensorrt_rtx`; `_compiled` counts the starts that had to compile, `_log` lists what a build set."""

    def __init__(self, cuda, version='1.7.1.116', name='tensorrt_rtx'):
        super().__init__(cuda, version, name)
        module = self
        self._compiled = 0

        class IRuntimeCache:
            _content = b''

            def deserialize(self, blob):
                fits = bytes(blob) == f'kernels of {version}'.encode()
                self._content = bytes(blob) if fits else b''
                return fits

            def serialize(self):
                return None if 'serialize' in module._fail else self._content

        class IRuntimeConfig:
            dynamic_shapes_kernel_specialization_strategy = 'lazy'

            def create_runtime_cache(self):
                return IRuntimeCache()

            def set_runtime_cache(self, cache):
                self._cache = cache
                return True

        class ICudaEngine(self.ICudaEngine):
            def create_runtime_config(self):
                return IRuntimeConfig()

            def create_execution_context(self, runtime_config):
                assert runtime_config.dynamic_shapes_kernel_specialization_strategy == 'eager'
                if not runtime_config._cache._content:
                    module._compiled += 1
                    runtime_config._cache._content = f'kernels of {version}'.encode()
                return super().create_execution_context()

        class IBuilderConfig(self.IBuilderConfig):
            num_compute_capabilities = 0

            def set_compute_capability(self, compute_capability, index):
                assert index < self.num_compute_capabilities
                module._log.append(('aim', compute_capability))
                return True

        self.IRuntimeCache, self.IRuntimeConfig, self.ICudaEngine = IRuntimeCache, IRuntimeConfig, ICudaEngine
        self.IBuilderConfig = IBuilderConfig
        self.ComputeCapability = types.SimpleNamespace(SM75='sm75')
        self.DynamicShapesKernelSpecializationStrategy = types.SimpleNamespace(EAGER='eager')


class FakeBuilder:
    """`EngineBuilder` that counts; `error` is raised instead of building."""

    def __init__(self, version='10.3.0'):
        self.version = version
        self.built = []
        self.error = None
        self.plan = b''

    def build(self, onnx, recipe, say):
        self.built.append((onnx, recipe))
        say('Building the engine.')
        if self.error is not None:
            raise self.error
        facts = read_onnx_facts(onnx)
        plan = self.plan or fake_plan(self.version, recipe.shape)
        return BuiltEngine(plan, facts.inputs, facts.outputs, timing_cache=b'timings')


def fake_prepare(model, precision, out_dir, *, calibration, check, say):
    """`PrecisionStep`: a copy; int8 is kept only where the folder to check on is not called `spoiled`."""
    say(f'Preparing {model.name}.')
    out = out_dir / f'{model.stem}.{precision}.onnx'
    out.write_bytes(model.read_bytes())
    spoiled = check is not None and check.name == 'spoiled'
    if check is not None:
        out.with_name(f'{out.name}.agreement.json').write_text(json.dumps({'passed': not spoiled}))
    kept = 'fp16' if spoiled else precision
    return types.SimpleNamespace(path=out, precision=kept, sentence=f'{model.name} runs in {kept}.')


def no_graphs():
    """Of a machine without gremsy_model_tools."""
    raise ModelError('gremsy_model_tools is not installed')


def fake_machine(cuda, module, *, gpu=ORIN, reason=None, builder=None, prepare=fake_prepare, graphs=no_graphs):
    """A `Machine` of fakes, which has that one TensorRT; without `builder`, the module's own if it has one."""
    library = TensorRt(module)
    parts = {} if builder is None else {'builder_of': lambda _: builder}

    def unless_it_is_the_other(otherwise):
        return lambda kind: otherwise if kind is library.kind else f'is not installed ({kind.how_to_install})'

    return Machine(
        kind=library.kind,
        unavailable=unless_it_is_the_other(reason),
        not_installed=unless_it_is_the_other(None),
        load=lambda kind: library,
        probe=lambda: CudaProbe((gpu,), '13.0', ''),
        new_stream=lambda device: CudaStream(device, cuda),
        prepare=prepare,
        graphs=graphs,
        **parts,
    )
