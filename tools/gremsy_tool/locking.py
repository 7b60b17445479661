# SPDX-License-Identifier: Apache-2.0
"""One set-up at a time in one state folder."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def exclusive(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Holds the lock file; a second caller says that it waits. The kernel frees it even after SIGKILL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a') as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f'Another ./gremsy is setting up {path.parent}; waiting for it to finish.')
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
