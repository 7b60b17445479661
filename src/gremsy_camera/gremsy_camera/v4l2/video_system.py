# SPDX-License-Identifier: Apache-2.0
"""The few system calls that a camera is spoken to with, in one class: tests can answer as recorded devices did."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import select
import stat
from pathlib import Path

# Of every V4L2 device (Linux, Documentation/admin-guide/devices.txt).
_VIDEO_MAJOR = 81


class VideoSystem:
    """The machine's own; every method raises OSError as the kernel does."""

    def open(self, path: str) -> int:
        """A descriptor to read and write without blocking; ENOTTY for what is no V4L2 device, which stays unopened."""
        status = Path(path).stat()
        # Looked at before it is opened: opening another kind of device may do something (a watchdog reboots).
        if not stat.S_ISCHR(status.st_mode) or os.major(status.st_rdev) != _VIDEO_MAJOR:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY), path)
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self, descriptor: int) -> None:
        """Let go of it."""
        os.close(descriptor)

    def ioctl(self, descriptor: int, request: int, argument: ctypes.Structure) -> None:
        """Ask the driver; it answers into the argument."""
        while True:
            try:
                fcntl.ioctl(descriptor, request, argument, True)
            except InterruptedError:
                # fcntl.ioctl is not among the calls that Python itself repeats after a signal (PEP 475).
                continue
            return

    def map(self, descriptor: int, length: int, offset: int) -> mmap.mmap:
        """The driver's buffer as memory."""
        return mmap.mmap(descriptor, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)

    def wait(self, descriptor: int, timeout_s: float) -> bool:
        """Whether the driver has something to say, a buffer or an error, within the timeout."""
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(max(0.0, timeout_s * 1000.0)))
