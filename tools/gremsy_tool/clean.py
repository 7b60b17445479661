# SPDX-License-Identifier: Apache-2.0
"""`./gremsy clean`: what the suite left on this machine, and its removal; never what a person made."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gremsy_tool.children import exclusive
from gremsy_tool.errors import GremsyError
from gremsy_tool.state_folder import is_marked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gremsy_tool.layout import WorkspaceLayout


@dataclass(frozen=True)
class Leftover:
    """Something on the disk: where, what it is, and the option that removes it (None: nothing here does)."""

    path: Path
    what: str
    removed_by: str | None


def leftovers(layout: WorkspaceLayout, env: Mapping[str, str]) -> list[Leftover]:
    """What is there of all that the suite, or a program that it called, wrote."""
    cache = cache_of(env)
    found = [
        Leftover(layout.root, 'workspace: virtual environment, ROS packages, logs, tests', '--yes'),
        *(Leftover(path, 'compiled Python beside the sources', '--yes') for path in _compiled(layout.repository)),
        # A running node holds one of them: without it a second one could start beside it.
        Leftover(
            Path(env.get('TMPDIR') or '/tmp') / f'gremsy-{os.getuid()}',  # noqa: S108
            'locks of nodes, gone with the next start of the machine',
            None,
        ),
        Leftover(cache / 'vtest.avi', "the demo's footage", '--cache'),
        Leftover(cache / 'engines', 'engines, which take minutes to build on a robot', '--cache'),
        # The uv that could empty it is ours and goes with the workspace; a cache is filled again by whoever needs it.
        Leftover(
            _cache_base(env) / 'uv',
            'shared with other programs of uv, which fill it again: delete it as you like',
            None,
        ),
        Leftover(_cache_base(env) / 'pip', 'shared with other programs: `pip cache purge` empties it', None),
        *(
            Leftover(path, f'made by {program}, shared with other programs: delete it as you like', None)
            for program, path in (
                ('Matplotlib', _cache_base(env) / 'matplotlib'),
                # An empty folder, after a whole run of the demo.
                ('ONNX Runtime', _cache_base(env) / 'Microsoft' / 'DeveloperTools' / '.onnxruntime'),
            )
        ),
        Leftover(Path.cwd() / 'gremsy_report', 'reports of the demo, yours', None),
    ]
    return [each for each in found if os.path.lexists(each.path)]


def clean(arguments: list[str], layout: WorkspaceLayout, env: Mapping[str, str]) -> int:
    """List it, or with --yes remove it.

    Raises:
        GremsyError: an unknown option, or a state folder that set-up did not mark as its own.
    """
    for option in arguments:
        if option not in ('--yes', '--cache'):
            raise GremsyError(f'clean has no option "{option}": it takes --yes and --cache.')
    found = leftovers(layout, env)
    if '--yes' not in arguments:
        _list(found)
        return 0
    chosen = [each for each in found if each.removed_by == '--yes' or each.removed_by in arguments]
    if layout.root.exists() and not is_marked(layout):
        raise GremsyError(f'{layout.root} was not made by ./gremsy setup, so it is left as it is: remove it by hand.')
    # Nobody sets it up at the same time.
    with exclusive(layout.lock_file, _report) if layout.root.exists() else nullcontext():
        freed = sum(_remove(each.path) for each in chosen)
    sys.stdout.write(f'{_size_text(freed)} freed.\n' if chosen else 'There is nothing to remove.\n')
    return 0


def _report(text: str) -> None:
    sys.stderr.write(f'{text}\n')


def _list(found: list[Leftover]) -> None:
    compiled = [each for each in found if each.path.name == '__pycache__']
    rows = [each for each in found if each not in compiled]
    for each in rows:
        how = f'./gremsy clean --yes{" --cache" * (each.removed_by == "--cache")}' if each.removed_by else 'left alone'
        sys.stdout.write(f'{_size_text(_size(each.path)):>8}  {each.path}\n          {each.what} ({how})\n')
    if compiled:
        size = _size_text(sum(_size(each.path) for each in compiled))
        sys.stdout.write(f'{size:>8}  {len(compiled)} __pycache__ folders in the checkout (./gremsy clean --yes)\n')
    if not found:
        sys.stdout.write('Nothing of the suite is on this machine but the checkout.\n')


def cache_of(env: Mapping[str, str]) -> Path:
    """Where footage and engines are kept, as `gremsy_camera.footage` says it."""
    given = env.get('GREMSY_CACHE')
    return Path(given).expanduser() if given else _cache_base(env) / 'gremsy'


def _cache_base(env: Mapping[str, str]) -> Path:
    return Path(env.get('XDG_CACHE_HOME') or '~/.cache').expanduser()


def _compiled(repository: Path) -> Iterator[Path]:
    for top in ('tools', 'src', 'benchmarks', 'underlay', '__pycache__'):
        folder = repository / top
        yield from [folder] if top == '__pycache__' else folder.rglob('__pycache__')


def _size(path: Path) -> int:
    """Bytes on the disk; a file with several names in it counts once, as `du` counts."""
    seen: dict[tuple[int, int], int] = {}
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                status = os.lstat(Path(folder) / name)
            except FileNotFoundError:
                continue  # a log that somebody rotates
            seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values()) if path.is_dir() else path.lstat().st_blocks * 512


def _size_text(size: int) -> str:
    for unit, name in ((10**9, 'GB'), (10**6, 'MB')):
        if size >= unit:
            return f'{size / unit:.1f} {name}' if size < 10 * unit else f'{size / unit:.0f} {name}'
    return f'{max(0, size) // 1000} kB'


def _remove(path: Path) -> int:
    size = _size(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return size
