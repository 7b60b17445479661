# SPDX-License-Identifier: Apache-2.0
"""Writes a file so that nobody ever finds half of it, and that nothing of the user's is lost under its name."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from gremsy_common.errors import SuiteError

Part = bytes | memoryview


class NotOurs(SuiteError):
    """Something lies where a file is to be written, and was not made by the suite."""


class NotWritable(SuiteError):
    """A file cannot be made where it is to be written."""


def refuse_others(path: Path, kind: str, is_ours: Callable[[Path], bool]) -> None:
    """The one rule for every file that a user names: nothing is replaced but a file of the same kind that we made.

    To be called before the work whose result goes there, and again before it is written.

    Args:
        path: of the file to be written.
        kind: what it is, for the sentence.
        is_ours: whether a file that is there is one, by its content; whatever it raises means no.

    Raises:
        NotOurs: naming the file and the way out.
    """
    if not os.path.lexists(path):
        return
    ours = False
    if path.is_file() and not path.is_symlink():
        with contextlib.suppress(Exception):
            ours = is_ours(path)
    if not ours:
        raise NotOurs(f"'{path}' exists, and is not a {kind}: move it away, or name another file.")


def refuse_unwritable(path: Path) -> None:
    """Ask before the work whether its result can be kept.

    Args:
        path: of the file to be written; its folder may have to be made.

    Raises:
        NotWritable: naming the file and the way out.
    """
    folder = next(each for each in path.absolute().parents if os.path.lexists(each))
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise NotWritable(
            f"'{path}' cannot be written, because '{folder}' is no folder that you may write to: name another file."
        )


def write_whole(path: Path, *parts: Part, scratch: Path | None = None) -> None:
    """Write another file, flush it to the disk, and put it in the place of `path`.

    Whoever opens `path` finds the old content or the new, also after a power cut.

    Args:
        path: of the file.
        parts: of its content.
        scratch: folder for the other file, on the same disk; None for that of `path`.

    Raises:
        OSError: when the disk refuses; nothing is left behind.
    """
    with _scratch_file(path, parts, scratch or path.parent) as made:
        made.replace(path)
    _flush_folder(path.parent)


def write_new(path: Path, *parts: Part) -> None:
    """As `write_whole`, but never over anything.

    Raises:
        FileExistsError: when something has that name.
        OSError: when the disk refuses; nothing is left behind.
    """
    with _scratch_file(path, parts, path.parent) as made:
        try:
            # Unlike a renaming, it fails where the name is taken.
            os.link(made, path)
        except PermissionError:
            # File systems of memory cards know no second name.
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
            made.replace(path)
    _flush_folder(path.parent)


def keep_earlier(path: Path) -> Path:
    """Copy a file that is going to be replaced to the next free of `NAME.1.EXT`, `NAME.2.EXT`, ...

    Raises:
        OSError: when the disk refuses; no part of a copy is left behind.
    """
    for number in itertools.count(1):
        kept = path.with_name(f'{path.stem}.{number}{path.suffix}')
        with contextlib.suppress(FileExistsError):
            write_new(kept, path.read_bytes())
            break
    return kept


@contextlib.contextmanager
def _scratch_file(path: Path, parts: tuple[Part, ...], folder: Path) -> Iterator[Path]:
    """A file of that content, on the disk, which is gone afterwards unless it was renamed."""
    descriptor, name = tempfile.mkstemp(prefix=f'.{path.name[:100]}.', dir=folder)
    try:
        with os.fdopen(descriptor, 'wb') as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes it private; what is written here may be read by whoever may read the folder.
        Path(name).chmod(0o644)
        yield Path(name)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def _flush_folder(folder: Path) -> None:
    """Make the new name last: the file's own flush does not cover its folder's entry."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
