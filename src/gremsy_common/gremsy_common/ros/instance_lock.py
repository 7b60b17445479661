# SPDX-License-Identifier: Apache-2.0
"""One node of a full name per machine and ROS domain.

Two nodes of one name both answer services and both command the gimbal. The ROS graph only tells after discovery has
settled; a file lock tells at once and is freed by the kernel however the process ends.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from gremsy_common.claims import try_lock
from gremsy_common.errors import SuiteError


class AlreadyRunning(SuiteError):
    """A node of that full name runs on this machine in this domain."""


class InstanceLock:
    """Held by the node of that full name until released or the process ends."""

    def __init__(self, full_name: str, domain_id: int, directory: Path | None = None) -> None:
        self._full_name = full_name
        self._domain_id = domain_id
        folder = directory or Path(tempfile.gettempdir()) / f'gremsy-{os.getuid()}'
        self._path = folder / f'domain{domain_id}{full_name.replace("/", ".")}.lock'
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the name.

        Raises:
            AlreadyRunning: when another process has it; the sentence says which.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if not try_lock(descriptor):
            holder = os.read(descriptor, 32).decode(errors='replace').strip() or 'unknown'
            os.close(descriptor)
            raise AlreadyRunning(
                f'A node named {self._full_name} already runs on this machine in ROS domain {self._domain_id} '
                f'(process {holder}): stop it, or start this one in another namespace.'
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the name back. The file stays: removing it would race with a process that just opened it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
