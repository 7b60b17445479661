# SPDX-License-Identifier: Apache-2.0
"""Pictures that the GPU reads where their source put them, which spares the CPU a copy into page-locked memory.

Cameras hand pictures over by reference, in memory that comes again. Each such block is registered with CUDA once, when
it is seen for the second time: registering takes as long as several copies. It stays so until its owner is freed,
whichever models look at it.
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

# A camera has a handful of buffers in flight; two of 4K with 16 each are 800 MB, which no process should lock.
_MOST_BYTES = 256 * 1024 * 1024
_MOST_SEEN = 64
_NEW = 'their memory does not come again'


class LentPictures:
    """Asked by one model before it takes a picture."""

    def __init__(self, stream: CudaStream) -> None:
        self._stream = stream
        self.reason = _NEW
        """Why the last picture was copied; empty where it was not."""

    def lends(self, pixels: NDArray[Any]) -> bool:
        """Whether the GPU can read these pixels where they lie; `reason` says why not."""
        self.reason = _blocks(self._stream.runtime).why_not(_owner(pixels), self._stream)
        return not self.reason


class _Blocks:
    """The memory of others that is registered in this process; any thread may ask."""

    def __init__(self) -> None:
        # Again by the thread that has it: an owner may be freed wherever memory is allocated.
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
                return f'{_MOST_BYTES >> 20} MiB of pictures are locked already'
            self._seen.pop(key).detach()
            refusal = stream.register(address, size)
            if refusal:
                self._refused[key] = f'CUDA does not take their memory: {refusal}'
            else:
                self._locked[key] = size
            _at_the_end_of(owner, self._forget, key, address, stream)
            return self._refused.get(key, '')

    def _note(self, owner: Any) -> None:
        try:
            finalizer = _at_the_end_of(owner, self._seen.pop, id(owner), None)
        except TypeError:
            # Of an owner that does not tell of its end, as `bytes`, the memory could be another's when it is read.
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
    """Those of CUDA in this process: what one model has registered, no other can register again."""
    return _Blocks()


def _at_the_end_of(owner: Any, call: Any, *arguments: Any) -> weakref.finalize[Any, Any]:
    finalizer = weakref.finalize(owner, call, *arguments)
    # At the end of the process the driver frees everything, and may be gone before this runs.
    finalizer.atexit = False
    return finalizer


def _owner(pixels: NDArray[Any]) -> Any:
    """Whose memory it is: the object at the end of the views."""
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
