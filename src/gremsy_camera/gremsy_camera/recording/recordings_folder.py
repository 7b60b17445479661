# SPDX-License-Identifier: Apache-2.0
"""The folder of recordings: new files only, room for them, and a list by which a file is known to be a recording.

Cameras and processes may share a folder. What lies in it and is not on the list is never touched.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from gremsy_camera.errors import RecordingError
from gremsy_camera.recording.recording_parameters import RecordingParameters
from gremsy_common.atomic_file import refuse_others, write_whole
from gremsy_common.claims import try_lock

LIST_NAME = '.recordings.jsonl'
_VERSION_KEY = 'gremsy_recordings'
_MARK = re.compile('gremsy recording [0-9a-f]{16}')
# Where a recording's mark stands: in the metadata at the beginning of MP4 and MCAP, in the first line of a table.
_HEAD_BYTES = 65536
_MOST_NUMBERS = 100_000
# Some 300 recordings; a list of so few costs nothing.
_TIDY_FROM_BYTES = 65536
_GB = 1_000_000_000


class RecordingFile:
    """A new file that is being written, locked against deletion by another recorder."""

    def __init__(self, path: Path, mark: str, descriptor: int, folder: RecordingsFolder) -> None:
        self.path = path
        self.mark = mark
        self.size = 0
        self._file = os.fdopen(descriptor, 'wb', buffering=0)
        self._folder = folder

    def write(self, data: bytes | memoryview) -> int:
        """All of it, at the end.

        Raises:
            OSError: when the disk refuses.
        """
        rest = memoryview(data).cast('B')
        count = len(rest)
        while rest:
            written = self._file.write(rest)
            rest = rest[written:]
            self.size += written or 0
        return count

    def tell(self) -> int:
        """Bytes written."""
        return self.size

    def flush(self) -> None:
        """Nothing is held back here; `sync` is what makes it last."""

    def sync(self) -> None:
        """Make what was written last through a power cut.

        Raises:
            OSError: when the disk refuses, or somebody deleted the file.
        """
        os.fdatasync(self._file.fileno())
        if not os.fstat(self._file.fileno()).st_nlink:
            # It could be written to for hours, and nobody would ever find it.
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))

    def cut_to(self, size: int) -> None:
        """Leave out what was written after that many bytes."""
        os.ftruncate(self._file.fileno(), size)
        self._file.seek(size)
        self.size = size

    def discard(self) -> None:
        """Take it back: nothing that anybody wants is in it."""
        self._file.close()
        self.path.unlink(missing_ok=True)
        self._folder.note(deleted=self.path.name, mark=self.mark)

    def finish(self) -> None:
        """Make it last, and note its size by which it is known again.

        Raises:
            OSError: when the disk refuses; the file is closed all the same.
        """
        if self._file.closed:
            return
        try:
            os.fsync(self._file.fileno())
            self._folder.note(closed=self.path.name, mark=self.mark, bytes=self.size)
        finally:
            self._file.close()


@dataclass(frozen=True, slots=True)
class _Listed:
    """A recording by the list; `size` is None while it is being written, and after a crash."""

    name: str
    mark: str
    size: int | None


class RecordingsFolder:
    """Used by one thread; nothing is touched before `prepare`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._list = folder / LIST_NAME
        self._known: dict[str, _Listed] = {}
        self._known_size = self._known_inode = 0
        self._known_head = b''
        # Numbers of files that were deleted since are not given again: names are in the order of time.
        self._last_number: dict[tuple[str, ...], int] = {}

    def check(self, limits: RecordingParameters) -> None:
        """Whether recording can begin, as far as that is seen without touching anything.

        Raises:
            RecordingError: naming what is in the way.
        """
        self._refuse_misnamed()
        there = self.path if self.path.exists() else self.path.parent
        if not os.access(there, os.W_OK | os.X_OK):
            raise RecordingError(self._cannot('be written to', os.strerror(errno.EACCES)))
        with self._explained('be read'):
            if not limits.record_delete_oldest and (problem := self._problem(limits)):
                raise RecordingError(problem)

    def prepare(self) -> None:
        """Make the folder where only it is missing, and see that it can be written to.

        Raises:
            RecordingError: naming what is in the way.
            NotOurs: when something else has the list's name.
        """
        self._refuse_misnamed()
        with self._explained('be made'):
            self.path.mkdir(exist_ok=True)
        refuse_others(self._list, 'list of recordings', _is_list)
        with self._explained('be written to'):
            self.note()

    def free_stem(self, stem: str) -> str:
        """The stem, or with `-2`, `-3` ... where recordings of it are there already."""
        candidate, number = stem, 1
        with contextlib.suppress(OSError):
            names = [path.name for path in self.path.iterdir()]
            while any(name.startswith(f'{candidate}_') for name in names):
                number += 1
                candidate = f'{stem}-{number}'
        return candidate

    def create(self, stem: str, *suffixes: str) -> tuple[RecordingFile, ...]:
        """New files `stem_001.suffix`, under the first number that is free for all of them.

        Raises:
            RecordingError: when there is no name left.
            OSError: when they cannot be made.
        """
        kind = (stem, *suffixes)
        for number in range(self._last_number.get(kind, 0) + 1, _MOST_NUMBERS):
            self._last_number[kind] = number
            names = [f'{stem}_{number:03d}{suffix}' for suffix in suffixes]
            if any(os.path.lexists(self.path / name) for name in names):
                continue
            # Another camera of the folder may have taken the name in between.
            with contextlib.suppress(FileExistsError):
                return self._created(names)
        raise RecordingError(
            f"'{self.path}' has no free name left for recordings called '{stem}': name another folder."
        )

    def make_room(self, limits: RecordingParameters) -> tuple[str, ...]:
        """Delete the oldest recordings until the limits are kept, if that is asked for; their names.

        Raises:
            RecordingError: when they cannot be kept.
        """
        deleted: list[str] = []
        while problem := self._problem(limits):
            name = self._delete_oldest() if limits.record_delete_oldest else None
            if name is None:
                raise RecordingError(problem)
            deleted.append(name)
        return tuple(deleted)

    def note(self, **entry: object) -> None:
        """Append to the list, flushed to the disk.

        Raises:
            OSError: when the disk refuses.
        """
        with self._locked_list() as file:
            size = file.seek(0, os.SEEK_END)
            lines: list[dict[str, object]] = [] if size else [{_VERSION_KEY: 1}]
            if entry:
                lines.append(entry)
            if size:
                file.seek(size - 1)
                # A power cut may have torn the last line; it must not take the next one with it.
                torn = file.read(1) != b'\n'
                file.write(b'\n' if torn else b'')
            file.write(b''.join(json.dumps(line).encode() + b'\n' for line in lines))
            file.flush()
            os.fsync(file.fileno())

    def tidy(self) -> None:
        """Leave out of the list what has been deleted since or taken away, once that is the greater part of it.

        Raises:
            OSError: when the disk refuses; the list is as it was.
        """
        with self._locked_list() as file:
            size = file.seek(0, os.SEEK_END)
            if size < _TIDY_FROM_BYTES:
                return
            file.seek(0)
            listed: dict[str, _Listed] = {}
            for entry in _entries(file.read().decode('utf-8', errors='replace')):
                _learn(listed, entry)
            # The token tells it from the list before, whose inode and size it may come to have.
            lines: list[dict[str, object]] = [{_VERSION_KEY: 1, 'tidied': secrets.token_hex(8)}]
            for each in listed.values():
                if os.path.lexists(self.path / each.name):
                    lines.append({'made': each.name, 'mark': each.mark})
                    if each.size is not None:
                        lines.append({'closed': each.name, 'mark': each.mark, 'bytes': each.size})
            text = b''.join(json.dumps(line).encode() + b'\n' for line in lines)
            if 2 * len(text) < size:
                write_whole(self._list, text)

    def free_bytes(self) -> int:
        """What this user may still write on the disk."""
        room = os.statvfs(self.path if self.path.is_dir() else self.path.parent)
        return room.f_bavail * room.f_frsize

    def _problem(self, limits: RecordingParameters) -> str:
        no_older = ' and no older recording is left to delete' if limits.record_delete_oldest else ''
        way_out = '' if limits.record_delete_oldest else ', or set `record_delete_oldest`'
        free_gb = self.free_bytes() / _GB
        if free_gb < limits.record_keep_free_gb:
            return (
                f"Only {free_gb:.1f} GB are free where '{self.path}' is, less than the "
                f'{limits.record_keep_free_gb:g} GB of `record_keep_free_gb`{no_older}: make room{way_out}.'
            )
        most_gb = limits.record_limit_gb
        if most_gb and (taken_gb := sum(size for _, size in self._there()) / _GB) >= most_gb:
            return (
                f"The recordings in '{self.path}' take {taken_gb:.1f} GB, and `record_limit_gb` is "
                f'{most_gb:g}{no_older}: move some away, raise it{way_out}.'
            )
        return ''

    def _created(self, names: list[str]) -> tuple[RecordingFile, ...]:
        made: list[RecordingFile] = []
        try:
            for name in names:
                mark = f'gremsy recording {secrets.token_hex(8)}'
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                descriptor = os.open(self.path / name, flags, 0o644)
                made.append(RecordingFile(self.path / name, mark, descriptor, self))
                try_lock(descriptor)
            for each in made:
                self.note(made=each.path.name, mark=each.mark)
        except BaseException:
            for each in made:
                with contextlib.suppress(OSError):
                    each.discard()
            raise
        return tuple(made)

    @contextlib.contextmanager
    def _locked_list(self) -> Iterator[IO[bytes]]:
        """The list, which nobody else writes to or replaces in the meantime."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        while True:
            with os.fdopen(os.open(self._list, flags, 0o644), 'ab+') as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                # Who had the lock before may have put another list in its place.
                if self._is_in_place(file):
                    yield file
                    return

    def _is_in_place(self, file: IO[bytes]) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._list.lstat())
        except FileNotFoundError:
            return False

    def _listed(self) -> dict[str, _Listed]:
        """What the list says; of a list that is known already, only what was appended since is read."""
        try:
            with self._list.open('rb') as file:
                seen = os.fstat(file.fileno())
                head = file.readline(_HEAD_BYTES)
                same = (seen.st_ino, head) == (self._known_inode, self._known_head)
                if not same or seen.st_size < self._known_size:
                    self._known, self._known_size = {}, 0
                    self._known_inode, self._known_head = seen.st_ino, head
                file.seek(self._known_size)
                added = file.read()
        except FileNotFoundError:
            return {}
        # A line that is being written now is read the next time.
        added = added[: added.rfind(b'\n') + 1]
        self._known_size += len(added)
        for entry in _entries(added.decode('utf-8', errors='replace')):
            _learn(self._known, entry)
        return self._known

    def _there(self) -> list[tuple[_Listed, int]]:
        """Each recording that is there, with its size, oldest first, by the order in which they were begun."""
        found = []
        for each in self._listed().values():
            with contextlib.suppress(OSError):
                seen = (self.path / each.name).lstat()
                # Another size is another file, or one that its owner has worked on.
                if stat.S_ISREG(seen.st_mode) and each.size in (None, seen.st_size):
                    found.append((each, seen.st_size))
        return found

    def _delete_oldest(self) -> str | None:
        for each, _ in self._there():
            if _delete(self.path / each.name, each.mark):
                self.note(deleted=each.name, mark=each.mark)
                return each.name
        return None

    def _refuse_misnamed(self) -> None:
        if not self.path.parent.is_dir():
            raise RecordingError(
                f"There is no folder '{self.path.parent}' to record in: mount the disk that it is on, make it, or name "
                'another in `record_dir`.'
            )
        if os.path.lexists(self.path) and not self.path.is_dir():
            raise RecordingError(
                f"'{self.path}' is not a folder: name one in `record_dir` that recordings can be written to."
            )

    def _cannot(self, what: str, why: str) -> str:
        return f"'{self.path}' cannot {what} ({why}): name another folder in `record_dir`."

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RecordingError(self._cannot(what, str(error.strerror))) from error


def _learn(listed: dict[str, _Listed], entry: dict[str, Any]) -> None:
    """Take one line of the list in; what is begun again under a name is the newest."""
    mark, name = str(entry.get('mark')), str(entry.get('made') or entry.get('closed') or entry.get('deleted'))
    # What no recorder writes would have other files deleted: one of another folder, or with whatever mark.
    if '/' in name or not name.isprintable():
        return
    if 'made' in entry and _MARK.fullmatch(mark):
        listed.pop(name, None)
        listed[name] = _Listed(name, mark, None)
    elif 'closed' in entry and name in listed and listed[name].mark == mark:
        size = entry.get('bytes')
        listed[name] = _Listed(name, mark, size if isinstance(size, int) else None)
    elif 'deleted' in entry:
        listed.pop(name, None)


def _entries(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        # Also numbers with more digits than Python reads, and lists in lists without an end.
        with contextlib.suppress(ValueError, RecursionError):
            entry = json.loads(line)
            if isinstance(entry, dict):
                yield entry


def _is_list(path: Path) -> bool:
    with path.open('rb') as file:
        first = file.readline(_HEAD_BYTES)
    return not first or _VERSION_KEY in json.loads(first)


def _delete(path: Path, mark: str) -> bool:
    """Whether it was a recording with that mark which nobody is writing, and is gone now."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    with os.fdopen(descriptor, 'rb+', buffering=0) as file:
        if not try_lock(file.fileno()):
            return False
        if mark.encode() not in file.read(_HEAD_BYTES):
            return False
        try:
            path.unlink()
        except OSError:
            return False
    return True
