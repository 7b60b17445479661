# SPDX-License-Identifier: Apache-2.0
"""The driver's buffers: mapped, filled by the driver, lent until an image is made of them, and given back."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import threading
import weakref
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from gremsy_camera.live.raw_pictures import Bytes
from gremsy_camera.v4l2 import kernel_video as kernel
from gremsy_camera.v4l2.video_device import VideoDevice

Made = TypeVar('Made')

# One is decoded, one waits to be, one has just been read, and the driver has three to fill: with fewer it would stand
# still while this process is not scheduled.
_BUFFERS = 6
# With fewer than this the driver may have nowhere to put the next picture: then one is copied rather than kept.
_LEAST_QUEUED = 2


class Loan:
    """One picture in the driver's memory, until it is used, dropped, or copied because the driver needs the memory.

    Attributes:
        stamp_ns: of the clock that the flags name.
        flags, sequence: the driver's.
    """

    def __init__(self, pool: CaptureBuffers, buffer: kernel.Buffer, used: list[tuple[int, int]]) -> None:
        self._pool = pool
        self._index = int(buffer.index)
        self._used = used
        self.stamp_ns = int(buffer.timestamp.tv_sec) * 1_000_000_000 + int(buffer.timestamp.tv_usec) * 1000
        self.flags = int(buffer.flags)
        self.sequence = int(buffer.sequence)
        self._copies: list[Bytes] | None = None
        self._given_back = False
        # Reentrant: dropping the last reference runs `give_back` wherever that happens to be.
        self._lock = threading.RLock()

    def __del__(self) -> None:
        self.give_back()

    @property
    def sizes(self) -> list[int]:
        """Bytes of each plane."""
        return [end - begin for begin, end in self._used]

    def use(self, work: Callable[[list[Bytes]], Made]) -> Made:
        """Do something with the bytes of the planes, and give the buffer back."""
        with self._lock:
            try:
                return work(self._copies if self._copies is not None else self._planes())
            finally:
                self._copies = []
                self.give_back()

    def peek(self, work: Callable[[list[Bytes]], Made]) -> Made:
        """Do something with the bytes of the planes before they are used."""
        with self._lock:
            return work(self._copies if self._copies is not None else self._planes())

    def copy(self) -> None:
        """Keep the bytes and give the buffer back now."""
        with self._lock:
            if self._copies is None:
                self._copies = [plane.copy() for plane in self._planes()]
                self.give_back()

    def give_back(self) -> None:
        """Let the driver fill it again."""
        with self._lock:
            if not self._given_back:
                self._given_back = True
                self._pool.queue(self._index)

    def _planes(self) -> list[Bytes]:
        maps = self._pool.maps[self._index]
        return [
            np.frombuffer(each, np.uint8, end - begin, begin)
            for each, (begin, end) in zip(maps, self._used, strict=True)
        ]


class CaptureBuffers:
    """All buffers of one stream. `queue` may be called from any thread, the rest by the one that reads."""

    def __init__(self, device: VideoDevice) -> None:
        self._device = device
        self._lock = threading.RLock()
        self._lent: weakref.WeakSet[Loan] = weakref.WeakSet()
        self._queued = 0
        self._closed = False
        self.maps: list[list[mmap.mmap]] = []

    def start(self) -> None:
        """Map them, hand all to the driver and let it begin.

        Raises:
            OSError: EBUSY where another process streams, ENOSPC where the USB bus has no bandwidth left.
        """
        request = kernel.RequestBuffers(count=_BUFFERS, type=self._device.buffer_type, memory=kernel.MEMORY_MMAP)
        self._device.ioctl(kernel.REQBUFS, request)
        for index in range(int(request.count)):
            self.maps.append(self._map(index))
            self.queue(index)
        self._device.ioctl(kernel.STREAMON, kernel.BufferType(self._device.buffer_type))

    def take(self) -> Loan:
        """The oldest picture that the driver has filled.

        Raises:
            BlockingIOError: there is none.
            OSError: ENODEV where the device is gone.
        """
        buffer, planes = self._buffer(0)
        self._device.ioctl(kernel.DQBUF, buffer)
        with self._lock:
            self._queued -= 1
        maps = self.maps[buffer.index]
        used = [(0, int(buffer.bytesused))]
        if self._device.multi_planar:
            used = [(int(plane.data_offset), int(plane.bytesused)) for plane in planes[: len(maps)]]
        # A driver that says more than fits would send us beyond the memory.
        within = [
            (min(begin, len(each)), min(max(begin, end), len(each)))
            for each, (begin, end) in zip(maps, used, strict=True)
        ]
        loan = Loan(self, buffer, within)
        self._lent.add(loan)
        if self._queued < _LEAST_QUEUED:
            loan.copy()
        return loan

    def queue(self, index: int) -> None:
        """Give a buffer to the driver; nothing once closed."""
        with self._lock:
            if self._closed:
                return
            buffer, _ = self._buffer(index)
            try:
                self._device.ioctl(kernel.QBUF, buffer)
            except OSError:
                # The device is gone, or the stream is over: the next `take` says so, to the thread that reads.
                return
            self._queued += 1

    def close(self) -> None:
        """Stop the driver and unmap; what is still lent keeps a copy, since mapped memory keeps the device busy."""
        for loan in list(self._lent):
            loan.copy()
        with self._lock:
            if self._closed:
                return
            self._closed = True
        # Of a device that is gone there is nothing to stop.
        with contextlib.suppress(OSError):
            self._device.ioctl(kernel.STREAMOFF, kernel.BufferType(self._device.buffer_type))
        for each in [each for maps in self.maps for each in maps]:
            try:
                each.close()
            except BufferError:
                # An exception of a decoder still refers to the bytes: unmapped when that is dropped.
                continue
        self.maps = []

    def _map(self, index: int) -> list[mmap.mmap]:
        buffer, planes = self._buffer(index)
        self._device.ioctl(kernel.QUERYBUF, buffer)
        places = [(int(buffer.length), int(buffer.m.offset))]
        if self._device.multi_planar:
            places = [(int(plane.length), int(plane.m.mem_offset)) for plane in planes[: buffer.length]]
        return [self._device.system.map(self._device.descriptor, length, offset) for length, offset in places]

    def _buffer(self, index: int) -> tuple[kernel.Buffer, ctypes.Array[kernel.Plane]]:
        buffer = kernel.Buffer(index=index, type=self._device.buffer_type, memory=kernel.MEMORY_MMAP)
        planes = (kernel.Plane * kernel.MAX_PLANES)()
        if self._device.multi_planar:
            buffer.m.planes = ctypes.cast(planes, ctypes.POINTER(kernel.Plane))
            # After QUERYBUF the driver has made this how many there are.
            buffer.length = len(self.maps[index]) if index < len(self.maps) else kernel.MAX_PLANES
        return buffer, planes
