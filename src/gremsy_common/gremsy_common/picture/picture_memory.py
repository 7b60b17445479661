# SPDX-License-Identifier: Apache-2.0
"""Memory for pictures that is reused once the picture in it is no longer referenced.

A GPU can read memory that is registered with it, which saves the CPU a copy. Registering is slow, so the blocks are
reused. Each begins at a page boundary, so that none shares a page with other data.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import threading
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Usually two pictures of a camera are in use at once; blocks beyond this are freed when they come back.
_MOST_IDLE = 4


class PictureMemory:
    """The blocks of one source of pictures; thread-safe."""

    def __init__(self) -> None:
        # Reentrant: a picture may be freed, and `_take_back` called, wherever memory is allocated.
        self._lock = threading.RLock()
        self._idle: list[mmap.mmap] = []

    def new(self, shape: tuple[int, ...], dtype: str = 'uint8') -> NDArray[Any]:
        """An uninitialised array; its memory is reused when the last view of it is gone."""
        kind = np.dtype(dtype)
        size = max(1, int(np.prod(shape, dtype=np.int64)) * kind.itemsize)
        with self._lock:
            if self._idle and len(self._idle[-1]) != size:
                self._idle.clear()
            block = self._idle.pop() if self._idle else mmap.mmap(-1, size)
        loan: Any = _loan(size).from_buffer(block)
        loan.picture_block = block
        finalizer = weakref.finalize(loan, self._take_back, block)
        finalizer.atexit = False
        # The finalizer is on the loan: a slice of this array references the loan, but not the array itself.
        return np.frombuffer(memoryview(loan), kind, size // kind.itemsize).reshape(shape)

    def _take_back(self, block: mmap.mmap) -> None:
        with self._lock:
            if len(self._idle) < _MOST_IDLE and all(len(each) == len(block) for each in self._idle):
                self._idle.append(block)


def block_of(owner: Any) -> Any:
    """The memory that is reused, of an owner of some that was lent; else the owner itself."""
    return getattr(owner, 'picture_block', owner)


@functools.lru_cache(maxsize=16)
def _loan(size: int) -> type[Any]:
    return type('Loan', (ctypes.c_uint8 * size,), {})
