# SPDX-License-Identifier: Apache-2.0
"""The folder of one run: made, held against a second run at the same time, emptied of what an earlier one left."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

from gremsy_bringup.demo_options import DemoError

_LEFT_BY_A_RUN = ('trace', 'log', 'demo*.mp4', 'summary.json', 'pointing.png', 'processes.log', 'parameters.yaml')


class ReportFolder:
    """Held from `open` to `close` by a lock on the folder itself, which the kernel frees however the process ends."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._descriptor: int | None = None

    def open(self) -> None:
        """Make it and hold it.

        Raises:
            DemoError: when it cannot be made or written to, or another run writes there.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DemoError(
                f'The report folder {self.path} cannot be made ({error.strerror}): name another with `--report`.'
            ) from error
        if not os.access(self.path, os.W_OK):
            raise DemoError(f'The report folder {self.path} cannot be written to: name another with `--report`.')
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise DemoError(
                f'Another demo writes its report to {self.path}: wait for it, or name another folder with `--report`.'
            ) from error
        self._descriptor = descriptor

    def clear(self) -> None:
        """Remove what an earlier run left: its traces would be taken for this run's. Other files stay."""
        for pattern in _LEFT_BY_A_RUN:
            for path in self.path.glob(pattern):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def close(self) -> None:
        """Let others write there."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
