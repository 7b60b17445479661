# SPDX-License-Identifier: Apache-2.0
"""The folder of one run: made, held against a second run at the same time, emptied of what an earlier one left.

Only a folder that carries our own mark is ever emptied, and of it only files with the names that a run gives them.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from gremsy_bringup.demo.demo_options import DemoError
from gremsy_common.claims import try_lock

MARK_NAME = '.gremsy_report'
_MARK = 'A report of `./gremsy demo`. The next one that is written here replaces its files; others stay.\n'
_FILES = re.compile(
    r'demo(-\d+)?\.mp4|summary\.json|pointing\.png|processes\.log|parameters(_cameras|_arguments)?\.yaml'
)
# What `FileTrace` writes, <name>-<pid>.jsonl, and rcutils: <program>_<pid>_<ms>.log.
_FILES_IN_FOLDERS = {'trace': re.compile(r'.+-\d+\.jsonl'), 'log': re.compile(r'.+_\d+_\d+\.log')}


class ReportFolder:
    """Held from `open` to `close` by a lock on the folder itself, which the kernel frees however the process ends."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._descriptor: int | None = None

    def open(self) -> None:
        """Make it, hold it and mark it.

        Raises:
            DemoError: when it cannot be made or written to, is not ours to write to, or another run writes there.
        """
        self._refuse_places_of_others()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DemoError(
                f'The report folder {self.path} cannot be made ({error.strerror}): name another with `--report`.'
            ) from error
        if not os.access(self.path, os.W_OK | os.R_OK | os.X_OK):
            raise DemoError(f'The report folder {self.path} cannot be written to: name another with `--report`.')
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        if not try_lock(descriptor):
            os.close(descriptor)
            raise DemoError(
                f'Another demo writes its report to {self.path}: wait for it, or name another folder with `--report`.'
            )
        self._descriptor = descriptor
        try:
            self._mark()
            self._refuse_odd_names()
        except BaseException:
            self.close()
            raise

    def clear(self) -> None:
        """Remove what an earlier run left: its traces would be taken for this run's. Only after `open`."""
        for path in self._left_by_a_run():
            path.unlink(missing_ok=True)
        for name in _FILES_IN_FOLDERS:
            folder = self.path / name
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def close(self) -> None:
        """Let others write there."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _refuse_places_of_others(self) -> None:
        if self.path.is_symlink():
            raise DemoError(
                f'The report folder {self.path} is a symbolic link to {self.path.readlink()}: '
                'name the folder itself with `--report`.'
            )
        # Also while they are empty: what is put there later is not ours, whatever its name.
        if self.path.resolve() in (Path('/'), Path.home().resolve()):
            raise DemoError(
                f'The report folder {self.path} cannot hold a report: give `--report` a new or an empty folder.'
            )

    def _mark(self) -> None:
        """See that the folder is ours, or make it so while it is empty."""
        mark = self.path / MARK_NAME
        if _is_plain_file(mark) and mark.read_bytes() == _MARK.encode():
            return
        if any(self.path.iterdir()):
            raise DemoError(
                f'The folder {self.path} holds files that are no report of the demo, and they would be mixed with it: '
                'name a new or an empty folder with `--report`.'
            )
        try:
            mark.write_text(_MARK, encoding='utf-8')
        except OSError as error:
            mark.unlink(missing_ok=True)
            raise DemoError(
                f'The report folder {self.path} cannot be written to ({error.strerror}): name another with `--report`.'
            ) from error

    def _refuse_odd_names(self) -> None:
        """A link or a folder under one of our names would lead the run's files elsewhere."""
        for path in self.path.iterdir():
            folder = path.name in _FILES_IN_FOLDERS
            right = path.is_dir() and not path.is_symlink() if folder else _is_plain_file(path)
            if (folder or _FILES.fullmatch(path.name)) and not right:
                raise DemoError(
                    f'In the report folder, {path} is not a {"folder" if folder else "file"} of the demo: '
                    'move it away, or name another folder with `--report`.'
                )

    def _left_by_a_run(self) -> Iterator[Path]:
        candidates = [path for path in self.path.iterdir() if _FILES.fullmatch(path.name)]
        for name, ours in _FILES_IN_FOLDERS.items():
            if (self.path / name).is_dir():
                candidates += [path for path in (self.path / name).iterdir() if ours.fullmatch(path.name)]
        yield from (path for path in candidates if _is_plain_file(path))


def _is_plain_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
