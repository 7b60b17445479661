# SPDX-License-Identifier: Apache-2.0
"""GPU memory, one stream and CUDA graphs, through cuda-python.

Page-locked host memory is what the GPU copies from and to without a detour; it is handed out as NumPy arrays and freed
when the last view of it goes, so that an array which outlives its owner never points into nothing.
"""

from __future__ import annotations

import ctypes
import importlib
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_detector.errors import BackendLostError, InferenceError

# After these, CUDA answers every later call of the process with an error (CUDA runtime API, `cudaError_t`: an
# "inconsistent state", in which the process must end), or the GPU is not there any more.
_LOST = (
    'cudaErrorIllegalAddress',
    'cudaErrorLaunchFailure',
    'cudaErrorLaunchTimeout',
    'cudaErrorMisalignedAddress',
    'cudaErrorIllegalInstruction',
    'cudaErrorInvalidPc',
    'cudaErrorHardwareStackError',
    'cudaErrorAssert',
    'cudaErrorECCUncorrectable',
    'cudaErrorNvlinkUncorrectable',
    'cudaErrorNoDevice',
    'cudaErrorDevicesUnavailable',
    'cudaErrorUnknown',
)
_MIB = 1024 * 1024
_ASLEEP = 0.8
_SHARE_OF_NEW = 0.1
# 75 us with what the kernel adds.
_LOOK_AGAIN_S = 10e-6


class DeviceMemory:
    """Bytes that the GPU has an address of."""

    def __init__(self, address: int, size: int) -> None:
        self.address, self.size = address, size


class Graph:
    """Captured work, ready to be started with one call."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle


class CudaStream:
    """One GPU, one stream on it, and what was allocated for it. One thread at a time uses it, any thread may."""

    def __init__(self, device: int = 0, runtime: Any = None) -> None:
        """Nothing happens before `open`.

        Args:
            device: number of the GPU.
            runtime: stands in for `cuda.bindings.runtime`.
        """
        self._device = device
        self._cuda = runtime
        self._stream: Any = None
        self._usual_wait_s = 0.0
        self._held: set[DeviceMemory] = set()
        self._graphs: set[Graph] = set()

    def open(self) -> None:
        """Create the stream, and with it the process's use of the GPU.

        Raises:
            InferenceError: when the GPU cannot be used.
        """
        if self._cuda is None:
            self._cuda = importlib.import_module('cuda.bindings.runtime')
        cuda = self._cuda
        self.use()
        # Non-blocking: other users of the GPU's default stream in this process do not hold it up.
        self._stream = self._check('make a stream', cuda.cudaStreamCreateWithFlags(cuda.cudaStreamNonBlocking))

    @property
    def handle(self) -> int:
        """The stream's address, as TensorRT takes it."""
        return int(self._stream)

    @property
    def runtime(self) -> Any:
        """Of CUDA: one for a process."""
        return self._cuda

    def use(self) -> None:
        """Make this GPU the calling thread's: CUDA's current device is a thread's own, and `open` ran on another."""
        self._check('be used', self._cuda.cudaSetDevice(self._device))

    def new_host_array(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """A zeroed, page-locked array; its memory goes with its last view."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        cuda = self._cuda
        status, pointer = cuda.cudaHostAlloc(max(size, 1), cuda.cudaHostAllocDefault)
        if status == cuda.cudaError_t.cudaErrorMemoryAllocation:
            cuda.cudaGetLastError()
            # Of the machine's memory, not of the GPU's (on a Jetson they are one).
            raise InferenceError(
                f'GPU {self._device} cannot page-lock {_in_mib(size)}: this machine is out of memory, so '
                'close other programs, or take a smaller model or input.'
            )
        address = int(self._check('lock memory', (status, pointer)))
        block = (ctypes.c_uint8 * max(size, 1)).from_address(address)
        finalizer = weakref.finalize(block, _free_host, cuda.cudaFreeHost, address)
        # At the end of the process the driver frees everything, and may be gone before this runs.
        finalizer.atexit = False
        array = np.frombuffer(memoryview(block), dtype=kind, count=size // kind.itemsize).reshape(shape)
        array[...] = 0
        return array

    def new_device_memory(self, size: int) -> DeviceMemory:
        """Memory on the GPU, freed by `free` or `close`."""
        address = int(self._check(f'allocate {_in_mib(size)}', self._cuda.cudaMalloc(max(size, 1))))
        memory = DeviceMemory(address, size)
        self._held.add(memory)
        return memory

    def free(self, memory: DeviceMemory) -> None:
        """Free device memory; harmless twice."""
        if memory in self._held:
            self._held.discard(memory)
            # A lost GPU returns an error and frees nothing; there is nothing left to do about it.
            self._cuda.cudaFree(memory.address)

    def upload(self, memory: DeviceMemory, array: NDArray[Any]) -> None:
        """Start copying a page-locked array to the GPU."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._check('take the input', self._copy(memory.address, array.ctypes.data, array.nbytes, kind))

    def upload_rows(self, memory: DeviceMemory, rows: NDArray[Any]) -> None:
        """Start copying rows that lie evenly apart in page-locked memory, without what is between them."""
        cuda, row_bytes = self._cuda, rows[0].nbytes
        copied = cuda.cudaMemcpy2DAsync(
            memory.address,
            row_bytes,
            rows.ctypes.data,
            rows.strides[0],
            row_bytes,
            len(rows),
            cuda.cudaMemcpyKind.cudaMemcpyHostToDevice,
            self._stream,
        )
        self._check('take the picture', copied)

    def register(self, address: int, size: int) -> str:
        """Page-lock existing memory for all GPUs; returns the name of CUDA's error, empty on success."""
        self.use()
        cuda = self._cuda
        status = cuda.cudaHostRegister(address, size, cuda.cudaHostRegisterPortable)[0]
        if status == cuda.cudaError_t.cudaSuccess:
            return ''
        cuda.cudaGetLastError()
        return self._name(status)

    def unregister(self, address: int) -> None:
        """Unlock it, on any thread."""
        # A lost GPU, or a driver that is gone at the end of the process, no longer locks anything.
        self._cuda.cudaHostUnregister(address)

    def download(self, array: NDArray[Any], memory: DeviceMemory) -> None:
        """Start copying from the GPU to a page-locked array."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._check('give the output', self._copy(array.ctypes.data, memory.address, array.nbytes, kind))

    def wait(self) -> None:
        """Until all that was started is done; the thread sleeps and lets go of the interpreter.

        Most of the usual time at a stretch, then shortly again and again: an event that blocks the thread wakes it
        0.25 ms late (a virtual machine with an H200) and costs no less of the CPU.

        Raises:
            InferenceError: when any of it failed.
        """
        cuda = self._cuda
        began_s = time.perf_counter()
        time.sleep(_ASLEEP * self._usual_wait_s)
        looked = 0
        while (status := cuda.cudaStreamQuery(self._stream)[0]) == cuda.cudaError_t.cudaErrorNotReady:
            looked += 1
            time.sleep(_LOOK_AGAIN_S)
        self._check('run', (status,))
        # Work that is done at the first query may have been done long before.
        took_s = time.perf_counter() - began_s if looked else _ASLEEP * self._usual_wait_s
        self._usual_wait_s += _SHARE_OF_NEW * (took_s - self._usual_wait_s)

    def map(self, array: NDArray[Any]) -> DeviceMemory:
        """A page-locked array as memory of the GPU, which reads and writes it through the bus at the same address."""
        return DeviceMemory(array.ctypes.data, array.nbytes)

    def capture(self, work: Callable[[], None]) -> Graph | None:
        """Record what `work` starts instead of running it; None when something in it cannot be recorded."""
        cuda = self._cuda
        # Thread-local: what the node's other threads do with the GPU in the meantime must not end this recording.
        mode = cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        if cuda.cudaStreamBeginCapture(self._stream, mode)[0] != cuda.cudaError_t.cudaSuccess:
            cuda.cudaGetLastError()
            return None
        recorded = True
        try:
            work()
        except InferenceError:
            recorded = False
        finally:
            # A stream left in capture mode would refuse every later call.
            status, graph = cuda.cudaStreamEndCapture(self._stream)
        if not recorded or status != cuda.cudaError_t.cudaSuccess:
            if graph is not None and int(graph) != 0:
                cuda.cudaGraphDestroy(graph)
            cuda.cudaGetLastError()
            return None
        status, ready = cuda.cudaGraphInstantiate(graph, 0)
        cuda.cudaGraphDestroy(graph)
        if status != cuda.cudaError_t.cudaSuccess:
            cuda.cudaGetLastError()
            return None
        made = Graph(ready)
        self._graphs.add(made)
        return made

    def launch(self, graph: Graph) -> None:
        """Start captured work."""
        self._check('run', self._cuda.cudaGraphLaunch(graph.handle, self._stream))

    def discard(self, graph: Graph) -> None:
        """Forget captured work; harmless twice."""
        if graph in self._graphs:
            self._graphs.discard(graph)
            self._cuda.cudaGraphExecDestroy(graph.handle)

    def free_bytes(self) -> int:
        """Free memory of the GPU."""
        status, free, _ = self._cuda.cudaMemGetInfo()
        return int(free) if status == self._cuda.cudaError_t.cudaSuccess else 0

    def close(self) -> None:
        """Free everything; harmless when not open."""
        if self._cuda is None:
            return
        if self._stream is not None or self._held:
            self._cuda.cudaSetDevice(self._device)
        for graph in tuple(self._graphs):
            self.discard(graph)
        for memory in tuple(self._held):
            self.free(memory)
        if self._stream is not None:
            self._cuda.cudaStreamDestroy(self._stream)
        self._stream = None

    def _copy(self, target: int, source: int, size: int, kind: Any) -> Any:
        return self._cuda.cudaMemcpyAsync(target, source, size, kind, self._stream)

    def _check(self, purpose: str, answer: Any) -> Any:
        """The result of a CUDA call, which answers with (status, result...).

        Raises:
            InferenceError: when the status is not success.
        """
        status = answer[0]
        if status == self._cuda.cudaError_t.cudaSuccess:
            return answer[1] if len(answer) > 1 else None
        # CUDA keeps an error until it is read: a later call that succeeded would return it.
        self._cuda.cudaGetLastError()
        if status == self._cuda.cudaError_t.cudaErrorMemoryAllocation:
            free = _in_mib(self.free_bytes())
            raise InferenceError(
                f'GPU {self._device} cannot {purpose}: it is out of memory ({free} are free), so close other programs '
                'that use it, or take a smaller model or input.'
            )
        name = self._name(status)
        raise (BackendLostError if name in _LOST else InferenceError)(
            f'GPU {self._device} cannot {purpose} ({name}): look at `dmesg` for what happened to it, '
            'and start the node again.'
        )

    def _name(self, status: Any) -> str:
        _, name = self._cuda.cudaGetErrorName(status)
        return name.decode(errors='replace') if isinstance(name, bytes) else str(name)


def _free_host(free: Callable[[int], Any], address: int) -> None:
    free(address)


def _in_mib(size: int) -> str:
    return f'{size / _MIB:.0f} MiB' if size >= _MIB else f'{size} bytes'
