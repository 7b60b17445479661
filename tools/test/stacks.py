# SPDX-License-Identifier: Apache-2.0
"""Starts what docker/compose.sim.yaml describes: by Docker, or where there is none service by service by buildah.

What buildah does not do is left out: limits, read-only roots, networks apart (every service has the host's). Nor do
images come that only a registry has, so that the suite's own video server stands where MediaMTX is.
"""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import yaml

from gremsy_bringup.describe.video_server_choice import free_video_server
from gremsy_camera.trial.trial_camera import free_port
from gremsy_common.claims import isolated
from tools.test.compose_files import load

FILE = Path(__file__).resolve().parents[2] / 'docker' / 'compose.sim.yaml'
KEY = 'key-of-the-tests-of-the-stack'
_PATIENCE_S = 180.0


@dataclass(frozen=True)
class Stack:
    """One that runs and is healthy.

    Attributes:
        origins: addresses of the same page, PORT's first.
        key: which may control.
        end: ends it as an operator would, and tells the exit status of each service; None where somebody else does.
    """

    origins: tuple[str, ...]
    key: str
    end: Callable[[], dict[str, int]] | None


def why_no_docker() -> str | None:
    """In a sentence why Docker cannot start it; None where it can."""
    if shutil.which('docker') is None:
        return 'docker is not installed'
    asked = subprocess.run(['docker', 'compose', 'version'], capture_output=True, check=False)
    return 'docker has no compose' if asked.returncode else None


@contextlib.contextmanager
def by_docker(domain: int) -> Iterator[Stack]:
    """`docker compose up --build --wait`, as a project of its own."""
    port, second = free_port(), free_port()
    project = f'gremsy-test-{os.getpid()}'
    variables = {
        'PORT': str(port), 'WEB_UI_PORT': str(second), 'API_KEY': KEY, 'ROS_DOMAIN_ID': str(domain),
        'UID': str(os.getuid() or 1000), 'GID': str(os.getgid() or 1000),
    }  # fmt: skip
    compose = ['docker', 'compose', '-p', project, '-f', str(FILE), '--env-file', os.devnull]

    def run(*words: str) -> str:
        environment = {**os.environ, **variables}
        done = subprocess.run([*compose, *words], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f'{words}: {done.stdout[-2000:]}{done.stderr[-4000:]}'
        return done.stdout

    def end() -> dict[str, int]:
        run('stop')
        rows = run('ps', '--all', '--format', '{{.Service}} {{.ExitCode}}').split()
        return {name: int(status) for name, status in zip(rows[::2], rows[1::2], strict=True)}

    try:
        run('up', '--build', '--detach', '--wait')
        yield Stack((f'http://127.0.0.1:{port}', f'http://127.0.0.1:{second}'), KEY, end)
    finally:
        run('down')


@contextlib.contextmanager
def by_buildah(builder, image: str, domain: int, folder: Path) -> Iterator[Stack]:
    """Each service in a container of `image`, once those that it waits for are healthy."""
    services = BuildahServices(builder, image, domain, folder)
    with contextlib.ExitStack() as running:
        for name in services.order():
            running.enter_context(services.started(name))

        def end() -> dict[str, int]:
            running.close()
            return services.ended

        yield Stack(services.origins, KEY, end)


class BuildahServices:
    """The file's services as commands in containers of one image.

    Attributes:
        ended: exit status of each that was ended.
    """

    def __init__(self, builder, image: str, domain: int, folder: Path) -> None:
        self._builder, self._image = builder, image
        self._port, self._second = free_port(), free_port()
        self._video = free_video_server()
        variables = {'PORT': str(self._port), 'API_KEY': KEY}
        self._services = load(FILE, variables)['services']
        self._environment = isolated(domain)
        self._robot_file = folder / 'my_robot.yaml'
        self._robot_file.write_text(
            yaml.safe_dump(
                {
                    '/**/stream': {'ros__parameters': self._video.stream_values},
                    '/**/web': {'ros__parameters': self._video.web_values},
                }
            )
        )
        self._robot_file.chmod(0o644)
        folder.chmod(0o755)
        self.ended: dict[str, int] = {}

    @property
    def origins(self) -> tuple[str, ...]:
        """Of `gremsy` and of `web-ui`."""
        return f'http://127.0.0.1:{self._port}', f'http://127.0.0.1:{self._second}'

    def order(self) -> list[str]:
        """Each after those that must be healthy before it."""
        order = TopologicalSorter({name: what.get('depends_on', {}) for name, what in self._services.items()})
        return list(order.static_order())

    @contextlib.contextmanager
    def started(self, name: str) -> Iterator[None]:
        """Runs it from its own first healthy answer on."""
        service = self._services[name]
        command, check = self._of_ours(name, service)
        environment = {**service.get('environment', {}), **self._environment, 'ROBOT_FILE': '/my_robot.yaml'}
        mounts = {self._robot_file: '/my_robot.yaml'}
        with self._builder.container(self._image) as container:
            with self._builder.running(container, *command, environment=environment, mounts=mounts) as process:
                deadline = time.monotonic() + _PATIENCE_S
                while self._builder.run(container, *check, environment=environment, check=False).returncode != 0:
                    assert process.status() is None, f'{name} ended:\n{process.last_words()}'
                    assert time.monotonic() < deadline, f'{name} is not healthy:\n{process.last_words()}'
                    time.sleep(0.5)
                yield
            self.ended[name] = process.status()

    def _of_ours(self, name: str, service: dict) -> tuple[list[str], list[str]]:
        """What it runs and what its health check runs."""
        if name == 'mediamtx':
            server = ['./gremsy', 'exec', 'python', '-m', 'gremsy_web.video_server.video_server_command']
            url = f'http://127.0.0.1:{self._video.api_port}/v3/paths/list'
            ask = f"import urllib.request as u; u.urlopen('{url}', timeout=3)"
            return [*server, *self._video.program_arguments], ['python3', '-c', ask]
        words = [*service['entrypoint'], *service['command']]
        # Docker's way from a network of its own to the host's.
        here = {'0.0.0.0': '127.0.0.1', 'host.docker.internal': '127.0.0.1', ':7777': f':{self._second}'}

        def moved(word: str) -> str:
            for there, at in here.items():
                word = word.replace(there, at)
            return word

        return [moved(word) for word in words], [moved(word) for word in service['healthcheck']['test'][1:]]
