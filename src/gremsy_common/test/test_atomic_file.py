# SPDX-License-Identifier: Apache-2.0
"""Nothing is replaced but what the suite made itself."""

from __future__ import annotations

import os
import socket

import pytest

from gremsy_common.atomic_file import NotOurs, refuse_others


def is_note(path) -> bool:
    return path.read_text().startswith('note')


def sentence(path) -> str:
    return f"'{path}' is in the way, and is no note: move it away, or name another file."


def test_nothing_and_a_file_of_ours_may_be_replaced(tmp_path):
    refuse_others(tmp_path / 'none', 'note', is_note)
    ours = tmp_path / 'ours'
    ours.write_text('note 1')
    refuse_others(ours, 'note', is_note)


@pytest.mark.parametrize('kind', ['other', 'empty', 'binary', 'folder', 'link', 'loop', 'pipe', 'socket'])
def test_anything_else_is_refused_and_stays(kind, tmp_path):
    path, ours = tmp_path / 'it', tmp_path / 'ours'
    ours.write_text('note 1')
    listening = socket.socket(socket.AF_UNIX)
    make = {
        'other': lambda: path.write_text('my own'),
        'empty': path.touch,
        'binary': lambda: path.write_bytes(b'\xff\xfe'),
        'folder': path.mkdir,
        'link': lambda: path.symlink_to(ours),
        'loop': lambda: path.symlink_to(path),
        'pipe': lambda: os.mkfifo(path),
        'socket': lambda: listening.bind(os.path.relpath(path)),
    }
    make[kind]()
    before = path.lstat()
    with pytest.raises(NotOurs) as refused:
        refuse_others(path, 'note', is_note)
    assert str(refused.value) == sentence(path)
    assert path.lstat() == before
    listening.close()
