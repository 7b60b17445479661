# SPDX-License-Identifier: Apache-2.0
"""The default footage with fake `apt-get` and `dpkg-deb` programs on the PATH."""

import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from gremsy_camera.footage.footage import FootageUnavailable, cache_directory, default_footage, find_footage

MEMBER = './usr/share/doc/opencv-doc/examples/data/vtest.avi'
WITHOUT = 'or name a video of your own (`--video FILE`, or `source:=sim:/path/to/video`).'


class FakeDebian:
    """Programs that log their arguments; `package` is the tar that the package holds."""

    def __init__(self, folder: Path, monkeypatch) -> None:
        self.folder = folder
        self.programs = folder / 'bin'
        self.programs.mkdir()
        self.log = folder / 'log'
        self.package = folder / 'package.tar'
        monkeypatch.setenv('PATH', str(self.programs))

    def install(self, name: str, body: str) -> None:
        path = self.programs / name
        path.write_text(f'#!/bin/sh\nPATH=/usr/bin:/bin\necho {name} "$@" >> {self.log}\n{body}\n')
        path.chmod(0o755)

    def pack(self, members: dict[str, bytes]) -> None:
        with tarfile.open(self.package, 'w') as archive:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))

    def works(self, video: bytes) -> None:
        self.pack({'./usr/share/doc/opencv-doc/changelog.gz': b'x' * 5000, MEMBER: video, './usr/zzz': b'y' * 50_000})
        self.install('apt-get', f'cp {self.package} opencv-doc_1.0_all.deb')
        self.install('dpkg-deb', 'cat "$2"')

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def debian(tmp_path, monkeypatch):
    return FakeDebian(tmp_path, monkeypatch)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / 'cache'


@pytest.fixture
def fetch(cache, said, tmp_path):
    return lambda: default_footage(cache, said, installed=tmp_path / 'not-installed')


def test_cache_is_where_the_environment_says():
    assert cache_directory({'GREMSY_CACHE': '/data/gremsy'}) == Path('/data/gremsy')
    assert cache_directory({'XDG_CACHE_HOME': '/xdg'}) == Path('/xdg/gremsy')
    assert cache_directory({}) == Path.home() / '.cache' / 'gremsy'


def test_footage_that_is_there_is_taken_from_there(cache, tmp_path):
    installed = tmp_path / 'installed.avi'
    assert find_footage(cache, installed) is None
    installed.touch()
    assert find_footage(cache, installed) == installed
    cache.mkdir()
    (cache / 'vtest.avi').touch()
    assert find_footage(cache, installed) == cache / 'vtest.avi'


def test_footage_is_fetched_once_and_only_the_one_file_kept(debian, fetch, cache, make_video, said):
    video = make_video(3).read_bytes()
    debian.works(video)
    assert fetch() == cache / 'vtest.avi'
    assert (cache / 'vtest.avi').read_bytes() == video
    assert [path.name for path in cache.iterdir()] == ['vtest.avi']
    assert said.sentences == [
        "Fetching the demo footage from Debian's package opencv-doc (96 MB, once) ...",
        'Taking vtest.avi out of opencv-doc_1.0_all.deb ...',
        f'The demo footage is in {cache}/vtest.avi.',
    ]
    fetch()
    assert [call.split()[0] for call in debian.calls] == ['apt-get', 'dpkg-deb']


def test_without_apt_the_sentence_says_how_to_do_without(debian, fetch):
    with pytest.raises(FootageUnavailable) as raised:
        fetch()
    assert str(raised.value) == (
        "The demo footage comes from Debian's package opencv-doc and this machine has no `apt-get`: "
        f'run this on Debian or Ubuntu, {WITHOUT}'
    )


def test_a_failed_download_gives_apts_own_reason(debian, fetch, cache, monkeypatch):
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    debian.install('apt-get', 'echo "E: Unable to locate package opencv-doc" >&2; exit 100')
    debian.install('dpkg-deb', '')
    with pytest.raises(FootageUnavailable) as raised:
        fetch()
    assert str(raised.value) == (
        '`apt-get download opencv-doc` failed (E: Unable to locate package opencv-doc): '
        f'run `sudo apt-get update` and see that the network works, {WITHOUT}'
    )
    assert list(cache.iterdir()) == []


def test_root_updates_missing_package_lists_by_itself(debian, fetch, make_video, said, monkeypatch):
    monkeypatch.setattr(os, 'geteuid', lambda: 0)
    debian.works(make_video(3).read_bytes())
    lists = debian.folder / 'lists'
    debian.install(
        'apt-get',
        f'if [ "$1" = update ]; then touch {lists}; exit 0; fi\n'
        f'if [ ! -e {lists} ]; then echo "E: Unable to locate package opencv-doc"; exit 100; fi\n'
        f'cp {debian.package} opencv-doc_1.0_all.deb',
    )
    assert fetch().is_file()
    assert 'The package lists are missing or old: running `apt-get update` ...' in said.sentences


def test_a_package_without_the_footage_is_said(debian, fetch, make_video):
    debian.works(b'')
    debian.pack({'./usr/share/doc/opencv-doc/changelog.gz': b'x'})
    with pytest.raises(FootageUnavailable) as raised:
        fetch()
    assert str(raised.value) == (
        f'The package opencv-doc_1.0_all.deb holds no vtest.avi: look for a newer one, {WITHOUT}'
    )


def test_footage_that_does_not_play_never_reaches_the_cache(debian, fetch, cache):
    debian.works(b'no video' * 100)
    with pytest.raises(FootageUnavailable) as raised:
        fetch()
    assert str(raised.value) == (
        f'The fetched demo footage cannot be played: see that this OpenCV decodes MPEG-4 in AVI, {WITHOUT}'
    )
    assert list(cache.iterdir()) == []


def test_a_cache_without_room_is_said_before_the_download(debian, fetch, cache, monkeypatch):
    usage = shutil.disk_usage('/')._replace(free=1_000_000)
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage)
    with pytest.raises(FootageUnavailable) as raised:
        fetch()
    assert str(raised.value) == (
        f'The demo footage cannot be stored in {cache} (1 MB are free): set GREMSY_CACHE to a folder with 110 MB free, '
        f'{WITHOUT}'
    )


def test_a_cache_that_cannot_be_written_is_said(said, tmp_path):
    blocked = tmp_path / 'file'
    blocked.touch()
    with pytest.raises(FootageUnavailable) as raised:
        default_footage(blocked / 'cache', said, installed=tmp_path / 'not-installed')
    assert str(raised.value) == (
        f'The demo footage cannot be stored in {blocked}/cache (Not a directory): '
        f'set GREMSY_CACHE to a folder with 110 MB free, {WITHOUT}'
    )
