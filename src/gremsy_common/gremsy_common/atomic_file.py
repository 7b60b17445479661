# SPDX-License-Identifier: Apache-2.0
"""Writes a file so that nobody ever finds half of it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def write_whole(path: Path, *parts: bytes, scratch: Path | None = None) -> None:
    """Write another file, flush it to the disk, and put it in the place of `path`.

    Whoever opens `path` finds the old content or the new, also after a power cut.

    Args:
        path: of the file.
        parts: of its content.
        scratch: folder for the other file, on the same disk; None for that of `path`.

    Raises:
        OSError: when the disk refuses; nothing is left behind.
    """
    descriptor, name = tempfile.mkstemp(prefix=f'.{path.name[:100]}.', dir=scratch or path.parent)
    try:
        with os.fdopen(descriptor, 'wb') as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes it private; what is written here may be read by whoever may read the folder.
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Make the new name last: the file's own flush does not cover its folder's entry."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
