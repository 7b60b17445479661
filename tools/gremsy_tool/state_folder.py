# SPDX-License-Identifier: Apache-2.0
"""The mark in the state folder: set-up replaces `venv`, `build`, `install` and `log` only where it made them itself."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

from gremsy_tool.errors import GremsyError, disk_full
from gremsy_tool.layout import STATE
from gremsy_tool.stamps import read_json

if TYPE_CHECKING:
    from gremsy_tool.layout import WorkspaceLayout

MARK_NAME = 'gremsy_state.txt'
_MARK = 'Made by ./gremsy setup, which may replace and remove what lies in this folder.\n'
# What an empty folder may hold: an ext4 disk's own folder, and the lock of a set-up that was stopped at once.
_NOBODYS = {'lost+found', 'lock'}


def claim(layout: WorkspaceLayout) -> None:
    """Make and mark the state folder, if it is not marked.

    Raises:
        GremsyError: It cannot be made, or it holds what set-up did not make.
    """
    root = layout.root
    mark = root / MARK_NAME
    try:
        if root.resolve() in (Path('/'), Path.home().resolve()):
            raise GremsyError(f'{STATE} is {root}, which cannot hold a workspace: set it to a new folder.')
        root.mkdir(parents=True, exist_ok=True)
        if is_marked(layout):
            return
        if not _may_be_marked(layout):
            raise GremsyError(
                f'{STATE} is {root}, which holds files that ./gremsy did not make, and set-up replaces folders there: '
                'set it to a new or an empty folder.'
            )
        mark.write_text(_MARK, encoding='utf-8')
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise disk_full(root) from error
        raise GremsyError(
            f'The folder {root} cannot be written to ({error.strerror}): set {STATE} to one that can.'
        ) from error


def is_marked(layout: WorkspaceLayout) -> bool:
    """Whether set-up has marked the state folder as its own."""
    mark = layout.root / MARK_NAME
    return mark.is_file() and mark.read_bytes() == _MARK.encode()


def _may_be_marked(layout: WorkspaceLayout) -> bool:
    """Whether it is the repository's own folder, one that a version before the mark made, or an empty one."""
    root = layout.root
    if root == layout.repository / '.gremsy' or all(path.name in _NOBODYS for path in root.iterdir()):
        return True
    return any(
        read_json(venv / 'gremsy_groups.json').get('path') == str(venv)
        for venv in (root / 'venv', *root.glob('*/venv'))
    )
