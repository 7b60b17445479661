# SPDX-License-Identifier: Apache-2.0
"""What a release is: an image that is named by tag and digest, and the files that start it; both make its name."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gremsy_deploy.errors import DeployError

_IMAGE = re.compile(
    r'(?P<name>[a-z0-9][a-z0-9._:/-]*?):(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})(?:@(?P<digest>sha256:[0-9a-f]{64}))?'
)
# These names are moved with every build.
_MOVING = {'latest', 'local', 'main', 'master', 'nightly', 'edge', 'dev'}
# Of the robot and not of a release: a link to each stands in every release.
SHARED = ('config', 'engines', 'logs', 'metrics', 'models', 'recordings', 'secrets')
_FILES = ('compose.yaml', 'mediamtx.yml')
_RESOLVE_S = 60.0


@dataclass(frozen=True)
class Image:
    """An image that means the same for ever."""

    name: str
    tag: str
    digest: str

    @property
    def reference(self) -> str:
        return f'{self.name}:{self.tag}@{self.digest}'


@dataclass(frozen=True)
class Release:
    """What goes to `releases/NAME` on a robot."""

    name: str
    image: Image
    # By path within the release.
    files: Mapping[str, bytes]

    def archive(self) -> bytes:
        """A tar; `release.env` is its last file, so that who has it has all."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode='w', format=tarfile.PAX_FORMAT) as tar:
            for folder in SHARED:
                link = tarfile.TarInfo(folder)
                link.type, link.linkname = tarfile.SYMTYPE, f'../../shared/{folder}'
                tar.addfile(link)
            for path in sorted(self.files, key=lambda path: (path == 'release.env', path)):
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode = len(self.files[path]), 0o644
                tar.addfile(entry, io.BytesIO(self.files[path]))
        return buffer.getvalue()


def image_of(text: str, resolve: Callable[[str], str] | None = None) -> Image:
    """The image of REPOSITORY:TAG@sha256:...; without the digest `resolve` is asked for it."""
    match = _IMAGE.fullmatch(text)
    if not match:
        raise DeployError(f'{text!r} is no image: REPOSITORY:TAG@sha256:DIGEST, or without what follows the @')
    if match['tag'] in _MOVING:
        raise DeployError(f'{match["tag"]!r} may be another image tomorrow: give a tag that never changes')
    return Image(match['name'], match['tag'], match['digest'] or (resolve or digest_of)(text))


def digest_of(reference: str) -> str:
    """What the registry has under a tag, asked by the docker of this machine."""
    command = ['docker', 'buildx', 'imagetools', 'inspect', reference, '--format', '{{.Manifest.Digest}}']
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_RESOLVE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeployError(
            f'the digest of {reference} cannot be looked up here ({error}): name it, {reference}@sha256:...'
        ) from None
    digest = done.stdout.strip()
    if done.returncode or not re.fullmatch(r'sha256:[0-9a-f]{64}', digest):
        raise DeployError(f'the registry gives no digest of {reference}: {(done.stderr or digest).strip()}')
    return digest


def release_of(image: Image, docker_folder: Path, builder: Image | None = None) -> Release:
    """The release of an image with the files of this checkout (`docker_folder`: where compose.yaml is)."""
    paths = [docker_folder / name for name in _FILES] + sorted((docker_folder / 'grafana').rglob('*.*'))
    files = {str(path.relative_to(docker_folder)): path.read_bytes() for path in paths if path.is_file()}
    files['agent'] = (docker_folder / 'robot' / 'agent').read_bytes()
    lines = [
        f'IMAGE={image.name}',
        f'TAG={image.tag}@{image.digest}',
        f'BUILDER={builder.reference if builder else ""}',
    ]
    files['release.env'] = ''.join(f'{line}\n' for line in lines).encode()
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(f'{path}\0{len(files[path])}\0'.encode() + files[path])
    return Release(f'{image.tag}-{total.hexdigest()[:12]}', image, files)
