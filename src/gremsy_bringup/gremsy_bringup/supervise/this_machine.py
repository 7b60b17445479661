# SPDX-License-Identifier: Apache-2.0
"""What every start needs of the machine, asked before it: what fails for want of it says something else."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from gremsy_common.errors import SuiteError

SHARED_MEMORY = Path('/dev/shm')  # noqa: S108 asked for its room, nothing is written


class NoLoopback(SuiteError):
    """The interface by which this machine reaches itself is down."""


def refuse_no_loopback() -> None:
    """Raise NoLoopback where nothing is sent to 127.0.0.1, by which the suite's processes find each other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(('127.0.0.1', 9))
        except OSError as error:
            raise NoLoopback(
                f'This machine does not reach itself at 127.0.0.1 ({error.strerror}), by which the processes of the '
                'suite find each other: switch the loopback interface on (`sudo ip link set lo up`).'
            ) from error


def lack_of_shared_memory(wanted_bytes: int, folder: Path = SHARED_MEMORY) -> str:
    """What of it there is not, as the beginning of a sentence; empty where there is enough."""
    try:
        found = os.statvfs(folder)
    except OSError as error:
        return f'There is no shared memory at {folder} ({error.strerror})'
    if found.f_flag & os.ST_RDONLY:
        return f'The shared memory at {folder} is mounted read-only'
    free_bytes = found.f_bavail * found.f_frsize
    return f'The shared memory at {folder} has {free_bytes / 1e6:.0f} MB left' if free_bytes < wanted_bytes else ''
