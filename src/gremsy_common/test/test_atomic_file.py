# SPDX-License-Identifier: Apache-2.0
"""Nothing is replaced but what the suite made itself."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from gremsy_common.atomic_file import NotOurs, NotWritable, refuse_others, refuse_unwritable, write_new


def is_note(path) -> bool:
    return path.read_text().startswith('note')


def sentence(path) -> str:
    return f"'{path}' exists, and is not a note: move it away, or name another file."


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


@pytest.mark.parametrize('name', ['file/it', 'file/new/it', 'dangling/it'])
def test_a_place_where_no_file_can_be_made_is_refused_before_the_work(name, tmp_path):
    (tmp_path / 'file').touch()
    (tmp_path / 'dangling').symlink_to(tmp_path / 'none')
    path, folder = tmp_path / name, tmp_path / name.partition('/')[0]
    with pytest.raises(NotWritable) as refused:
        refuse_unwritable(path)
    assert str(refused.value) == (
        f"'{path}' cannot be written, because '{folder}' is no folder that you may write to: name another file."
    )


def test_a_folder_that_can_be_made_is_no_reason_to_refuse(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse_unwritable(tmp_path / 'new' / 'newer' / 'it')
    refuse_unwritable(Path('new/it'))
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_is_written_whole_and_over_nothing(tmp_path):
    write_new(tmp_path / 'it', b'one ', b'two')
    assert (tmp_path / 'it').read_bytes() == b'one two'
    (tmp_path / 'link').symlink_to(tmp_path / 'none')
    for name in ('it', 'link'):
        with pytest.raises(FileExistsError):
            write_new(tmp_path / name, b'three')
    assert (tmp_path / 'it').read_bytes() == b'one two'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['it', 'link']


def test_a_new_file_on_a_file_system_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_) -> None:
        raise PermissionError(1, 'Operation not permitted')  # what vfat answers

    monkeypatch.setattr(os, 'link', refuse)
    write_new(tmp_path / 'it', b'one')
    with pytest.raises(FileExistsError):
        write_new(tmp_path / 'it', b'two')
    assert [path.name for path in tmp_path.iterdir()] == ['it'] and (tmp_path / 'it').read_bytes() == b'one'
