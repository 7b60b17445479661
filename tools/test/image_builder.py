# SPDX-License-Identifier: Apache-2.0
"""Builds and runs images without a daemon: Debian's buildah on a base that debootstrap makes, in a store of its own."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BASE = 'localhost/debian-slim'
SIM = 'gremsy-sim:local'
_MIRROR = 'http://deb.debian.org/debian'
# What official slim images lack too.
_LEFT_OUT = (
    'usr/share/doc',
    'usr/share/man',
    'usr/share/locale',
    'usr/share/info',
    'var/cache/apt',
    'var/lib/apt/lists',
)
_CHUNK_BYTES = 1 << 20


def why_not():
    """In a sentence why no image can be built here; None where it can."""
    missing = [name for name in ('buildah', 'debootstrap') if shutil.which(name) is None]
    if missing:
        return f'{" and ".join(missing)} is not installed: apt-get install buildah debootstrap'
    return None if os.geteuid() == 0 else 'debootstrap needs root'


@dataclass(frozen=True)
class Layer:
    """One layer's size as it is downloaded, and as it is on the disk."""

    compressed: int
    unpacked: int


class Running:
    """A command that runs.

    Attributes:
        said: its lines so far.
    """

    def __init__(self, command):
        self.said = []
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._reader = threading.Thread(target=lambda: self.said.extend(iter(self._process.stdout.readline, '')))
        self._reader.start()

    def status(self):
        """With which it ended; None while it runs."""
        return self._process.poll()

    def last_words(self):
        return ''.join(self.said[-40:])

    def end(self):
        """As Docker stops a container: its first process is asked to end, and the rest is killed 30 s later."""
        try:
            if self._process.poll() is None:
                os.kill(self._first_process(), signal.SIGTERM)
            self._process.wait(30.0)
        finally:
            self._process.kill()
            self._reader.join()

    def _first_process(self):
        """The one below buildah's own: buildah itself would kill it."""
        pid = self._process.pid
        while Path(f'/proc/{pid}/cmdline').read_text().startswith('buildah'):
            # Any of its threads may have started it.
            (pid,) = {
                int(word) for each in Path(f'/proc/{pid}/task').glob('*/children') for word in each.read_text().split()
            }
        return pid


class ImageBuilder:
    """A store of images in a folder."""

    def __init__(self, folder):
        self._folder = folder
        self._flags = ['--root', str(folder / 'store'), '--runroot', str(folder / 'run'), '--storage-driver', 'overlay']

    def buildah(self, *arguments, **options):
        """What it prints."""
        command = ['buildah', *self._flags, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY, **options)
        assert done.returncode == 0, f'{" ".join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}'
        return done.stdout.strip()

    def has(self, image):
        """Whether it is in the store."""
        command = ['buildah', *self._flags, 'inspect', '--type', 'image', image]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def make_base(self, suite='bookworm'):
        """The base image, as small as Debian's own slim one."""
        root = self._folder / suite
        command = ['debootstrap', '--variant=minbase', '--include=ca-certificates', suite, str(root), _MIRROR]
        subprocess.run(command, check=True, capture_output=True)
        for name in _LEFT_OUT:
            shutil.rmtree(root / name, ignore_errors=True)
        for name in ('var/cache/apt/archives/partial', 'var/lib/apt/lists/partial'):
            (root / name).mkdir(parents=True)
        container = self.buildah('from', 'scratch')
        subprocess.run(['cp', '-a', f'{root}/.', self.buildah('mount', container)], check=True)
        self.buildah('umount', container)
        self.buildah('commit', '-q', '--squash', container, BASE)
        self.buildah('rm', container)
        shutil.rmtree(root)

    def build(self, file, tag, target=None, **arguments):
        """Build a stage of a Dockerfile of the repository."""
        words = [f'--build-arg={name}={value}' for name, value in {**self._arguments(), **arguments}.items()]
        words += [f'--target={target}'] if target else []
        self.buildah(
            'bud', '--layers', '--isolation', 'chroot', '--network', 'host', '--format', 'docker',
            *self._mounts(), *words,
            '-f', file, '-t', tag, '.',
        )  # fmt: skip

    def configuration(self, image):
        """What Docker would call the image's config."""
        return json.loads(self.buildah('inspect', '--type', 'image', image))['Docker']['config']

    def layers(self, image):
        """From the base's on."""
        folder = self._folder / 'oci'
        shutil.rmtree(folder, ignore_errors=True)
        self.buildah('push', '-q', '--format', 'oci', image, f'oci:{folder}:x')

        def blob(digest):
            return folder / 'blobs' / digest.replace(':', '/')

        index = json.loads((folder / 'index.json').read_text())
        manifest = json.loads(blob(index['manifests'][0]['digest']).read_text())
        sizes = []
        for layer in manifest['layers']:
            unpacked = 0
            with gzip.open(blob(layer['digest'])) as content:
                while chunk := content.read(_CHUNK_BYTES):
                    unpacked += len(chunk)
            sizes.append(Layer(layer['size'], unpacked))
        shutil.rmtree(folder)
        return sizes

    @contextmanager
    def container(self, image):
        """A container of it, of which the name is given."""
        name = self.buildah('from', image)
        try:
            yield name
        finally:
            self.buildah('rm', name)

    def run(self, container, *command, environment=None, user=None, timeout_s=300.0, check=True):
        """A command in a container, to its end."""
        words = self._run(container, command, environment, user)
        done = subprocess.run(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=timeout_s
        )
        assert not check or done.returncode == 0, f'{command} ended with {done.returncode}:\n{done.stdout[-4000:]}'
        return done

    @contextmanager
    def running(self, container, *command, environment=None, mounts=None):
        """A command in a container, while the block lasts, with files of this machine where `mounts` puts them."""
        running = Running(self._run(container, command, environment, mounts=mounts))
        try:
            yield running
        finally:
            running.end()

    def _run(self, container, command, environment, user=None, mounts=None):
        variables = [f'--env={name}={value}' for name, value in (environment or {}).items()]
        volumes = [f'--volume={here}:{there}:ro' for here, there in (mounts or {}).items()]
        flags = ['--isolation', 'chroot', '--network', 'host', *variables, *volumes]
        return [
            'buildah',
            *self._flags,
            'run',
            *flags,
            *([f'--user={user}'] if user else []),
            container,
            '--',
            *command,
        ]

    @staticmethod
    def _mounts():
        """Where this machine reaches the package index by certificates or a mirror of its own."""
        return [f'--volume={path}:{path}:ro' for path in ('/etc/ssl/certs', '/etc/pip.conf') if Path(path).exists()]

    @staticmethod
    def _arguments():
        return {'PIP_CERT': os.environ['PIP_CERT']} if 'PIP_CERT' in os.environ else {}
