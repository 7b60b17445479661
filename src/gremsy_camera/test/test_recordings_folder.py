# SPDX-License-Identifier: Apache-2.0
"""What may be deleted, what never, and what is said of folders in which nothing can be recorded."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from pathlib import Path

import pytest

from gremsy_camera.errors import RecordingError
from gremsy_camera.recording.recording_parameters import RecordingParameters
from gremsy_camera.recording.recordings_folder import LIST_NAME, RecordingsFolder
from gremsy_common.atomic_file import NotOurs

GB = 1_000_000_000


def limits(most_bytes: int, keep_free_bytes: int, *, delete_oldest: bool) -> RecordingParameters:
    return RecordingParameters(
        record_limit_gb=most_bytes / GB, record_keep_free_gb=keep_free_bytes / GB, record_delete_oldest=delete_oldest
    )


NO_LIMITS = limits(0, 0, delete_oldest=False)


@pytest.fixture
def folder(tmp_path):
    made = RecordingsFolder(tmp_path / 'recordings')
    made.prepare()
    return made


def record(folder: RecordingsFolder, stem='robot_eo', size=1000, suffix='.mp4', finish=True):
    (file,) = folder.create(stem, suffix)
    file.write(file.mark.encode() + b'.' * (size - len(file.mark)))
    if finish:
        file.finish()
    return file


def names(folder: RecordingsFolder) -> list[str]:
    return [each.name for each, _ in folder._there()]


def deleting_down_to(size: int) -> RecordingParameters:
    return limits(size, 0, delete_oldest=True)


def test_the_oldest_is_deleted_first_and_no_more_than_needed(folder):
    for _ in range(4):
        record(folder)
    assert folder.make_room(deleting_down_to(2500)) == ('robot_eo_001.mp4', 'robot_eo_002.mp4')
    assert names(folder) == ['robot_eo_003.mp4', 'robot_eo_004.mp4']
    assert folder.make_room(deleting_down_to(2500)) == ()


def test_nothing_is_deleted_without_being_asked_for(folder):
    record(folder)
    with pytest.raises(RecordingError) as refused:
        folder.make_room(limits(500, 0, delete_oldest=False))
    assert str(refused.value) == (
        f"The recordings in '{folder.path}' take 0.0 GB, and `record_limit_gb` is 5e-07: move some away, raise it, or "
        'set `record_delete_oldest`.'
    )
    assert names(folder) == ['robot_eo_001.mp4']


def test_the_age_is_the_order_of_the_list_not_that_of_clocks(folder):
    first = record(folder, 'z')
    record(folder, 'a')
    os.utime(first.path, (4e9, 4e9))
    assert folder.make_room(deleting_down_to(1500)) == ('z_001.mp4',)


def users_film(path: Path) -> Path:
    path.write_bytes(b'f' * 1000)
    return path


def test_a_users_files_survive_whatever_they_are_called(folder):
    mine = [users_film(folder.path / name) for name in ('robot_eo_001.mp4', 'holiday.mp4', 'x_001.mcap')]
    made = record(folder)
    assert made.path.name == 'robot_eo_002.mp4'
    with pytest.raises(RecordingError):
        folder.make_room(limits(0, 10**18, delete_oldest=True))
    assert [path.read_bytes() for path in mine] == [b'f' * 1000] * 3
    assert not made.path.exists()


@pytest.mark.parametrize(
    'change',
    [
        lambda path: path.write_bytes(b'f' * 1000),  # another file under the name
        lambda path: path.write_bytes(path.read_bytes() + b'more'),  # worked on
        lambda path: path.rename(path.with_name('kept.mp4')),  # put aside
        lambda path: (path.rename(path.with_name('kept.mp4')), path.symlink_to('kept.mp4')),
        lambda path: (path.rename(path.with_name('kept.mp4')), path.mkdir()),
    ],
    ids=['replaced', 'changed', 'renamed', 'linked', 'folder'],
)
def test_what_the_user_changed_is_the_users(folder, change):
    made = record(folder)
    change(made.path)
    there = sorted(path.name for path in folder.path.iterdir())
    with pytest.raises(RecordingError):
        folder.make_room(limits(0, 10**18, delete_oldest=True))
    assert sorted(path.name for path in folder.path.iterdir()) == there


def test_what_is_being_written_is_not_deleted(folder):
    going_on = record(folder, finish=False)
    done = record(folder)
    other = RecordingsFolder(folder.path)
    with pytest.raises(RecordingError):
        other.make_room(limits(0, 10**18, delete_oldest=True))
    assert going_on.path.exists() and not done.path.exists()
    going_on.finish()


def test_what_a_crash_left_open_is_a_recording_and_may_go(folder):
    left = record(folder, finish=False)
    left._file.close()
    assert folder.make_room(limits(500, 0, delete_oldest=True)) == ('robot_eo_001.mp4',)


def test_a_folder_copied_to_another_disk_is_still_known(folder, tmp_path):
    record(folder)
    copy = RecordingsFolder(tmp_path / 'copy')
    shutil.copytree(folder.path, copy.path)
    assert copy.make_room(limits(500, 0, delete_oldest=True)) == ('robot_eo_001.mp4',)


def test_without_its_list_nothing_is_known_as_a_recording(folder):
    made = record(folder)
    (folder.path / LIST_NAME).unlink()
    folder.prepare()
    with pytest.raises(RecordingError):
        folder.make_room(limits(0, 10**18, delete_oldest=True))
    assert made.path.exists()


def test_a_line_that_was_torn_by_a_power_cut_takes_no_other_with_it(folder):
    record(folder)
    with (folder.path / LIST_NAME).open('ab') as file:
        file.write(b'{"made": "robot_e')
    record(folder, 'b')
    assert names(folder) == ['robot_eo_001.mp4', 'b_001.mp4']


def test_two_cameras_in_one_folder_get_names_of_their_own(folder):
    other = RecordingsFolder(folder.path)
    other.prepare()
    made = [record(each, finish=False) for each in (folder, other, folder)]
    assert [file.path.name for file in made] == ['robot_eo_001.mp4', 'robot_eo_002.mp4', 'robot_eo_003.mp4']
    for file in made:
        file.finish()
    assert len(names(other)) == 3


def test_files_that_belong_together_have_one_number(folder):
    users_film(folder.path / 'a_001.stamps.csv')
    film, table = folder.create('a', '.mp4', '.stamps.csv')
    assert (film.path.name, table.path.name) == ('a_002.mp4', 'a_002.stamps.csv')
    assert not (folder.path / 'a_001.mp4').exists()
    film.finish()
    table.finish()


def test_a_stem_that_is_taken_gets_a_number(folder):
    assert folder.free_stem('a') == 'a'
    users_film(folder.path / 'a_001.mp4')
    assert folder.free_stem('a') == 'a-2'


def test_a_list_that_is_somebody_elses_is_left_alone(tmp_path):
    (tmp_path / LIST_NAME).write_text('my shopping\n')
    with pytest.raises(NotOurs) as refused:
        RecordingsFolder(tmp_path).prepare()
    assert str(refused.value) == (
        f"'{tmp_path / LIST_NAME}' exists, and is not a list of recordings: move it away, or name another file."
    )
    assert (tmp_path / LIST_NAME).read_text() == 'my shopping\n'


def test_only_the_folder_itself_is_made(tmp_path):
    """A disk that is not mounted must not be recorded to, as its folder on the root disk would be."""
    folder = RecordingsFolder(tmp_path / 'usb' / 'recordings')
    for attempt in (lambda: folder.check(NO_LIMITS), folder.prepare):
        with pytest.raises(RecordingError) as refused:
            attempt()
        assert str(refused.value) == (
            f"There is no folder '{tmp_path / 'usb'}' to record in: mount the disk that it is on, make it, or name "
            'another in `record_dir`.'
        )
    assert not (tmp_path / 'usb').exists()


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / 'file').write_text('mine')
    folder = RecordingsFolder(tmp_path / 'file')
    for attempt in (lambda: folder.check(NO_LIMITS), folder.prepare):
        with pytest.raises(RecordingError) as refused:
            attempt()
        assert str(refused.value) == (
            f"'{tmp_path / 'file'}' is not a folder: name one in `record_dir` that recordings can be written to."
        )


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    # Root may write anywhere, and tests often run as root: /proc refuses everybody.
    folder = RecordingsFolder(Path('/proc/recordings'))
    with pytest.raises(RecordingError) as refused:
        folder.prepare()
    assert str(refused.value) == (
        "'/proc/recordings' cannot be made (No such file or directory): name another folder in `record_dir`."
    )
    monkeypatch.setattr(os, 'access', lambda *_: False)
    with pytest.raises(RecordingError) as refused:
        RecordingsFolder(tmp_path / 'recordings').check(NO_LIMITS)
    assert str(refused.value) == (
        f"'{tmp_path / 'recordings'}' cannot be written to (Permission denied): name another folder in `record_dir`."
    )


def test_the_floor_of_free_space(folder):
    folder.check(limits(0, 1, delete_oldest=False))
    with pytest.raises(RecordingError) as refused:
        folder.check(limits(0, 10**18, delete_oldest=False))
    free_gb = folder.free_bytes() / GB
    assert str(refused.value) == (
        f"Only {free_gb:.1f} GB are free where '{folder.path}' is, less than the 1e+09 GB of `record_keep_free_gb`: "
        'make room, or set `record_delete_oldest`.'
    )
    with pytest.raises(RecordingError) as refused:
        folder.make_room(limits(0, 10**18, delete_oldest=True))
    assert str(refused.value) == (
        f"Only {free_gb:.1f} GB are free where '{folder.path}' is, less than the 1e+09 GB of `record_keep_free_gb` and "
        'no older recording is left to delete: make room.'
    )


def test_a_lock_is_held_while_a_file_is_written(folder):
    file = record(folder, finish=False)
    with file.path.open('rb+') as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    file.finish()
    with file.path.open('rb+') as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_what_another_process_records_and_deletes_is_noticed(folder):
    other = RecordingsFolder(folder.path)
    assert names(folder) == []
    record(other, 'a')
    record(other, 'b')
    assert names(folder) == ['a_001.mp4', 'b_001.mp4']
    with (folder.path / LIST_NAME).open('ab') as file:
        file.write(b'{"deleted": "a_001')
        file.flush()
        assert names(folder) == ['a_001.mp4', 'b_001.mp4']
        file.write(b'.mp4", "mark": ""}\n')
    assert names(folder) == ['b_001.mp4']
    # Another list under the name: of a folder that was emptied, or copied back.
    (folder.path / LIST_NAME).rename(folder.path / 'old')
    other.prepare()
    record(other, 'c')
    assert names(folder) == ['c_001.mp4']


@pytest.mark.parametrize(
    'line',
    [
        b'{"made": "holiday.mp4", "mark": ""}',
        b'{"made": "holiday.mp4"}',
        b'{"made": "../holiday.mp4", "mark": ""}',
        b'{"made": "../holiday.mp4", "mark": "gremsy recording 0123456789abcdef"}',
        b'{"made": "a\\u0000b", "mark": "gremsy recording 0123456789abcdef"}',
        b'{"made": "\\ud800", "mark": "gremsy recording 0123456789abcdef"}',
        b'{"closed": "holiday.mp4", "bytes": ' + b'9' * 5000 + b'}',
        b'[' * 100_000,
    ],
    ids=lambda line: line[:40].decode(),
)
def test_what_no_recorder_writes_into_the_list_has_nothing_deleted(folder, line):
    theirs = [folder.path / 'holiday.mp4', folder.path.parent / 'holiday.mp4']
    for path in theirs:
        path.write_bytes(b'None of gremsy recording 0123456789abcdef')
    with (folder.path / LIST_NAME).open('ab') as file:
        file.write(line + b'\n')
    record(folder)
    assert folder.make_room(deleting_down_to(1)) == ('robot_eo_001.mp4',)
    assert all(path.exists() for path in theirs)


def test_a_file_that_somebody_deletes_while_it_is_written_is_noticed(folder):
    file = record(folder, finish=False)
    file.sync()
    file.path.unlink()
    with pytest.raises(FileNotFoundError):
        file.sync()


@pytest.fixture
def soon_long(monkeypatch):
    """A list counts as long from 4 kB on: each entry is flushed to the disk, which takes its time."""
    monkeypatch.setattr('gremsy_camera.recording.recordings_folder._TIDY_FROM_BYTES', 4000)


@pytest.mark.usefixtures('soon_long')
def test_a_long_list_is_rid_of_what_is_gone(folder):
    """Of 70 recordings 60 were deleted by the limit, taken away by the user, or begun and never kept."""
    watching = RecordingsFolder(folder.path)
    for number in range(60):
        file = record(folder, f'old{number}')
        if number % 2:
            file.path.unlink()
    folder.make_room(deleting_down_to(1))
    kept = [record(folder, f'new{number}', size=1000 + number) for number in range(9)]
    going_on = record(folder, 'going_on', finish=False)
    path = folder.path / LIST_NAME
    there, before = watching._there(), path.stat().st_size
    folder.tidy()
    assert len(there) == 10 and path.stat().st_size < before / 4
    assert RecordingsFolder(folder.path)._there() == watching._there() == folder._there() == there
    assert sorted(each.name for each in folder.path.iterdir()) == sorted(
        [LIST_NAME, going_on.path.name, *(file.path.name for file in kept)]
    )
    going_on.finish()
    with kept[3].path.open('ab') as file:
        file.write(b'worked on')
    assert len(watching._there()) == 9
    assert watching.make_room(deleting_down_to(1))[-1] == 'going_on_001.mp4'
    folder.prepare()


@pytest.mark.usefixtures('soon_long')
@pytest.mark.parametrize('count', [5, 60])
def test_a_list_that_is_short_or_true_is_left_as_it_is(folder, count):
    for number in range(count):
        record(folder, f'n{number}')
    before = (folder.path / LIST_NAME).stat()
    folder.tidy()
    after = (folder.path / LIST_NAME).stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)


@pytest.mark.usefixtures('soon_long')
def test_what_is_noted_while_the_list_is_tidied_is_in_the_new_one(folder):
    """Four cameras of one folder record and delete, each tidying as it goes: nobody's line is lost."""

    def record_and_delete(name):
        own = RecordingsFolder(folder.path)
        own.prepare()
        for number in range(60):
            file = record(own, f'{name}{number}')
            if number % 10:
                file.discard()
            own.tidy()

    cameras = [threading.Thread(target=record_and_delete, args=(name,)) for name in 'abcd']
    for camera in cameras:
        camera.start()
    for camera in cameras:
        camera.join()
    assert sorted(names(folder)) == sorted(f'{name}{number}_001.mp4' for name in 'abcd' for number in range(0, 60, 10))


@pytest.mark.usefixtures('soon_long')
def test_a_disk_that_refuses_leaves_the_list_as_it_was(folder, monkeypatch):
    for number in range(60):
        record(folder, f'n{number}').path.unlink()
    text = (folder.path / LIST_NAME).read_bytes()

    def refuse(_descriptor):
        raise OSError(28, 'No space left on device')

    with monkeypatch.context() as patched:
        patched.setattr(os, 'fsync', refuse)
        with pytest.raises(OSError, match='No space left'):
            folder.tidy()
    assert (folder.path / LIST_NAME).read_bytes() == text
    assert [path.name for path in folder.path.iterdir()] == [LIST_NAME]
