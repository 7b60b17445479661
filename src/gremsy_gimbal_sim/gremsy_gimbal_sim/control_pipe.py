# SPDX-License-Identifier: Apache-2.0
"""Lines for the running payload, from standard input or from a named pipe."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from gremsy_gimbal_sim.wire.ports import PortUnavailable

_LARGEST_READ = 4096


class ControlPipe:
    """Hands over whole lines.

    Args:
        path: of the pipe, made where it is missing; `-` for standard input.
        line: called with each line.
    """

    def __init__(self, path: str, line: Callable[[str], None]) -> None:
        self._path = path
        self._line = line
        self._descriptor = -1
        self._made = False
        self._half = b''

    def open(self) -> None:
        """Raises PortUnavailable."""
        if self._path == '-':
            self._descriptor = sys.stdin.fileno()
            return
        pipe = Path(self._path)
        try:
            if not pipe.exists():
                os.mkfifo(pipe)
                self._made = True
            # Also for writing, so that the end of one writer is not the end of the pipe.
            self._descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
            if not stat.S_ISFIFO(os.fstat(self._descriptor).st_mode):
                raise FileExistsError(0, 'it is not a pipe')
        except OSError as error:
            self.close()
            raise PortUnavailable(
                f'The control pipe {pipe} cannot be opened ({error.strerror}): give --control another path.'
            ) from error

    def close(self) -> None:
        """Idempotent; a pipe that was made here goes."""
        if self._path != '-' and self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        if self._made:
            Path(self._path).unlink(missing_ok=True)
            self._made = False

    def fileno(self) -> int:
        """To wait on; -1 once standard input has ended."""
        return self._descriptor

    def read(self) -> None:
        """Take what came; nothing once it is closed, as a waiting loop may learn that a moment later."""
        if self._descriptor < 0:
            return
        try:
            data = os.read(self._descriptor, _LARGEST_READ)
        except BlockingIOError:
            return
        if not data:
            self.close()
            return
        *lines, self._half = (self._half + data).split(b'\n')
        for line in lines:
            if line.strip():
                self._line(line.decode('utf-8', 'replace'))
