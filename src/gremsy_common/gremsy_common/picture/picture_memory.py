# SPDX-License-Identifier: Apache-2.0
"""Memory for pictures that comes again once nobody looks at the picture in it any more.

A GPU can read memory that it knows: it is told once of a block that comes again and again, and the CPU copies nothing.
A block begins at a page, so that none shares one with other data.
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

# Of the pictures of 4K on their way at once, two are usual; a consumer that holds more gets memory of its own.
_MOST_IDLE = 4


class PictureMemory:
    """Of one source of pictures; any thread may ask."""

    def __init__(self) -> None:
        # Again by the thread that has it: a picture may be let go wherever memory is allocated.
        self._lock = threading.RLock()
        self._idle: list[mmap.mmap] = []

    def new(self, shape: tuple[int, ...], dtype: str = 'uint8') -> NDArray[Any]:
        """An array with whatever was in the memory before; that comes again when the last view of it is gone."""
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
        # A view of a view holds the loan and not the view, whose end would come too early.
        return np.frombuffer(memoryview(loan), kind, size // kind.itemsize).reshape(shape)

    def _take_back(self, block: mmap.mmap) -> None:
        with self._lock:
            if len(self._idle) < _MOST_IDLE and all(len(each) == len(block) for each in self._idle):
                self._idle.append(block)


def block_of(owner: Any) -> Any:
    """The memory that comes again, of an owner of some that was lent; else the owner itself."""
    return getattr(owner, 'picture_block', owner)


@functools.lru_cache(maxsize=16)
def _loan(size: int) -> type[Any]:
    return type('Loan', (ctypes.c_uint8 * size,), {})
