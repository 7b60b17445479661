# SPDX-License-Identifier: Apache-2.0
"""One set-up at a time in one state folder, together with the programs that it starts."""

from __future__ import annotations

import fcntl
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path


@contextmanager
def exclusive(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Holds the lock file; a second caller says that it waits.

    The kernel frees it when this process and all that `follow` started are gone: an installer that outlives a killed
    set-up still writes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a') as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f'Another ./gremsy is setting up {path.parent}; waiting for it to finish.')
            fcntl.flock(handle, fcntl.LOCK_EX)
        os.set_inheritable(handle.fileno(), True)
        yield


def follow(command: Sequence[str], env: Mapping[str, str], on_line: Callable[[str], None], cwd: Path) -> int:
    """Runs a program, hands on each line that it prints, and returns its exit status."""
    # Of this process's descriptors only the lock's is inheritable, and it must go along (see `exclusive`).
    with subprocess.Popen(
        command, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors='replace', close_fds=False,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            on_line(line)
    return process.returncode


@contextmanager
def beside(command: Sequence[str], env: Mapping[str, str], cwd: Path) -> Iterator[None]:
    """Runs a program in the background, and waits for its end; how it ends does not matter."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=cwd, env=dict(env), stdin=quiet, stdout=quiet, stderr=quiet, close_fds=False
    ) as process:
        try:
            yield
        except BaseException:
            process.terminate()
            raise
