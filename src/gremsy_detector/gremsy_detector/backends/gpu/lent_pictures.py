# SPDX-License-Identifier: Apache-2.0
"""Pictures that the GPU reads in place, which saves the CPU a copy into page-locked memory.

Cameras pass pictures by reference, in memory that they reuse. Each such block is registered with CUDA once, on its
second appearance: registering takes as long as several copies. It stays registered until its owner is freed, whichever
models use it.
"""

from __future__ import annotations

import functools
import threading
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_common.picture.picture_memory import block_of
from gremsy_detector.backends.gpu.cuda_memory import CudaStream

# A camera has a handful of buffers in flight. Two 4K cameras with 16 each would lock 800 MB.
_MOST_BYTES = 256 * 1024 * 1024
_MOST_SEEN = 64
_NEW = 'their memory is not reused'


class LentPictures:
    """Tells one model whether a picture can be read in place."""

    def __init__(self, stream: CudaStream) -> None:
        self._stream = stream
        self.reason = _NEW
        """Why the last picture was copied; empty where it was not."""

    def lends(self, pixels: NDArray[Any]) -> bool:
        """Whether the GPU can read these pixels where they lie; `reason` says why not."""
        self.reason = _blocks(self._stream.runtime).why_not(_owner(pixels), self._stream)
        return not self.reason


class _Blocks:
    """All memory that is registered in this process; thread-safe."""

    def __init__(self) -> None:
        # Reentrant: an owner may be freed, and `_forget` called, wherever memory is allocated.
        self._lock = threading.RLock()
        self._locked: dict[int, int] = {}
        self._refused: dict[int, str] = {}
        self._seen: dict[int, weakref.finalize[Any, Any]] = {}

    def why_not(self, owner: Any, stream: CudaStream) -> str:
        """Why the GPU cannot read an owner's memory; empty where it can, from now on too."""
        key = id(owner)
        with self._lock:
            if key in self._locked:
                return ''
            if key in self._refused:
                return self._refused[key]
            if key not in self._seen:
                self._note(owner)
                return _NEW
            address, size = _place(owner)
            if size + sum(self._locked.values()) > _MOST_BYTES:
                return f'{_MOST_BYTES >> 20} MiB of pictures are already locked'
            self._seen.pop(key).detach()
            refusal = stream.register(address, size)
            if refusal:
                self._refused[key] = f'CUDA refuses to register their memory: {refusal}'
            else:
                self._locked[key] = size
            _at_the_end_of(owner, self._forget, key, address, stream)
            return self._refused.get(key, '')

    def _note(self, owner: Any) -> None:
        try:
            finalizer = _at_the_end_of(owner, self._seen.pop, id(owner), None)
        except TypeError:
            # An owner without weak references (`bytes`) could be freed unnoticed, and its memory reused.
            return
        while len(self._seen) >= _MOST_SEEN:
            self._seen.pop(next(iter(self._seen))).detach()
        self._seen[id(owner)] = finalizer

    def _forget(self, key: int, address: int, stream: CudaStream) -> None:
        with self._lock:
            self._refused.pop(key, None)
            locked = self._locked.pop(key, None) is not None
        if locked:
            stream.unregister(address)


@functools.cache
def _blocks(_runtime: Any) -> _Blocks:
    """One per process: CUDA refuses to register the same memory twice."""
    return _Blocks()


def _at_the_end_of(owner: Any, call: Any, *arguments: Any) -> weakref.finalize[Any, Any]:
    finalizer = weakref.finalize(owner, call, *arguments)
    # At the end of the process the driver frees everything, and may be gone before this runs.
    finalizer.atexit = False
    return finalizer


def _owner(pixels: NDArray[Any]) -> Any:
    """The object that owns the memory, at the end of the chain of views."""
    owner: Any = pixels
    while True:
        if isinstance(owner, np.ndarray) and owner.base is not None:
            owner = owner.base
        elif isinstance(owner, memoryview):
            owner = owner.obj
        else:
            return block_of(owner)


def _place(owner: Any) -> tuple[int, int]:
    """Address and bytes."""
    whole = owner if isinstance(owner, np.ndarray) else np.frombuffer(owner, np.uint8)
    return whole.ctypes.data, whole.nbytes
