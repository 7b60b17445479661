# SPDX-License-Identifier: Apache-2.0
"""The processes that the video goes through: the robot, a video server, the page's server."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.bench_progress import wait_until
from benchmarks.transport.transport_processes import environment
from benchmarks.video.process_costs import cpu_s
from gremsy_bringup.supervise import exec_guarded

REPOSITORY = Path(__file__).resolve().parents[2]
BUILT_IN, MEDIAMTX = 'built_in', 'mediamtx'
_LOOPBACK = '127.0.0.1'
_PATIENCE_S = 20.0
_until = partial(wait_until, benchmark='video benchmark', patience_s=_PATIENCE_S)
_GRACE_S = 8.0


@dataclass(frozen=True, slots=True)
class Ports:
    """Free ones of loopback."""

    rtsp: int
    whep: int
    control: int
    ice: int
    page: int

    @classmethod
    def free(cls) -> Ports:
        """All different."""
        held = [socket.create_server((_LOOPBACK, 0)) for _ in range(5)]
        ports = [each.getsockname()[1] for each in held]
        for each in held:
            each.close()
        return cls(*ports)


@dataclass
class Chain:
    """What runs, by name; of one server and one robot."""

    folder: Path
    server: str
    publisher: str = 'node'
    ports: Ports = field(default_factory=Ports.free)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def page(self) -> str:
        """Address of the operator's page."""
        return f'http://{_LOOPBACK}:{self.ports.page}/'

    @property
    def truth(self) -> Path:
        """What was in each picture, as the camera knows it."""
        return self.folder / 'truth.jsonl'

    @property
    def traces(self) -> Path:
        """The nodes' traces."""
        return self.folder / 'traces'

    def start_server(self) -> None:
        """The video server; returns once it listens."""
        ports = self.ports
        if self.server == BUILT_IN:
            words = [sys.executable, '-m', 'gremsy_web.video_server.video_server_command']
            for option, port in (('--rtsp', ports.rtsp), ('--whep', ports.whep), ('--api', ports.control)):
                words += [option, f'{_LOOPBACK}:{port}']
            self._start('server', words)
        else:
            program = shutil.which('mediamtx')
            assert program is not None
            addresses = {
                'MTX_RTSPADDRESS': f'{_LOOPBACK}:{ports.rtsp}',
                'MTX_WEBRTCADDRESS': f'{_LOOPBACK}:{ports.whep}',
                'MTX_WEBRTCLOCALUDPADDRESS': f'{_LOOPBACK}:{ports.ice}',
                'MTX_APIADDRESS': f'{_LOOPBACK}:{ports.control}',
                'MTX_METRICS': 'no',
                'MTX_AUTHHTTPADDRESS': f'http://{_LOOPBACK}:{ports.page}/api/video/auth',
            }
            self._start('server', [program, str(REPOSITORY / 'docker' / 'mediamtx.yml')], addresses)
        for port in (ports.rtsp, ports.whep, ports.control):
            _until(partial(listens, port), f'the video server {self.server} does not listen')

    def start_page(self) -> None:
        """The page's node; returns once it listens."""
        ports = self.ports
        values = {
            'port': ports.page,
            'video_url': f'http://{_LOOPBACK}:{ports.whep}',
            'video_api_url': f'http://{_LOOPBACK}:{ports.control}',
        }
        self._start('page', [sys.executable, '-m', 'gremsy_web.web_node', *_ros('/bench', values)])
        _until(lambda: listens(ports.page), "the page's server does not listen")

    def start_robot(self) -> None:
        """Camera and publisher; returns once there are pictures."""
        address = f'rtsp://{_LOOPBACK}:{self.ports.rtsp}'
        node = self.publisher == 'node'
        values = {
            'truth': self.truth,
            'trace_dir': self.traces,
            'server': address if node else f'{address}/eo',
            **({'server_api': f'http://{_LOOPBACK}:{self.ports.control}'} if node else {}),
        }
        words = [sys.executable, '-m', 'benchmarks.video.video_robot', self.publisher, *_ros('/bench/eo', values)]
        # One topic for the cameras of a robot, as a start of the suite has it.
        words += ['-r', 'stream/watch:=/bench/stream/watch']
        self._start('robot', words)
        _until(lambda: self.truth.exists() and self.truth.stat().st_size > 0, 'the camera gives no picture')

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End one."""
        process = self.running.pop(name, None)
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def cpu_s(self, name: str) -> float:
        """CPU time of that process so far, all its threads."""
        return cpu_s(self.running[name].pid)

    def _start(self, name: str, words: Sequence[str], more: Mapping[str, str] | None = None) -> None:
        log = (self.folder / f'{name}.log').open('ab')
        variables = {**environment(profile=False), 'PYTHONPATH': _python_path(), **(more or {})}
        try:
            # Nothing of it outlives a benchmark that is killed.
            guarded = [sys.executable, exec_guarded.__file__, str(os.getpid()), *words]
            self.running[name] = subprocess.Popen(guarded, cwd=self.folder, env=variables, stdout=log, stderr=log)
        finally:
            log.close()


@contextlib.contextmanager
def running_chain(folder: Path, server: str, publisher: str = 'node') -> Iterator[Chain]:
    """Server, page and robot, ended on the way out: who publishes first, which would call the server's end a fault."""
    folder.mkdir(parents=True)
    chain = Chain(folder, server, publisher)
    try:
        chain.start_page()
        chain.start_server()
        chain.start_robot()
        yield chain
    finally:
        for name in ('robot', 'page', 'server'):
            chain.end(name)


def why_no_mediamtx() -> str | None:
    """In one sentence; None where there is one."""
    return None if shutil.which('mediamtx') else 'no mediamtx is on PATH'


def listens(port: int) -> bool:
    """Whether anybody takes connections there."""
    try:
        socket.create_connection((_LOOPBACK, port), 1).close()
    except OSError:
        return False
    return True


def _ros(namespace: str, values: Mapping[str, object]) -> list[str]:
    words = ['--ros-args', '-r', f'__ns:={namespace}']
    for name, value in values.items():
        words += ['-p', f'{name}:={value}']
    return words


def _python_path() -> str:
    return os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get('PYTHONPATH', '')])])
