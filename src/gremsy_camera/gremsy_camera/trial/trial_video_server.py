# SPDX-License-Identifier: Apache-2.0
"""Starts a video server to publish to, a process of Debian's Python on loopback, and collects what came to it.

`pytest_camera` makes a fixture of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import gremsy_camera
from gremsy_camera.trial.trial_camera import TrialCameraFailed, free_port

_PYTHON = '/usr/bin/python3'


@dataclass(frozen=True, slots=True)
class TrialVideoServerOptions:
    """What the server is like.

    Attributes:
        path: that takes a stream; any other is 404.
        user, password: who may publish; '' for anybody.
        authentication: 'basic' or 'digest'.
    """

    path: str = '/eo'
    user: str = ''
    password: str = ''
    authentication: str = 'basic'


class TrialVideoServer:
    """A server that runs; `stop` and `start` are its power switch, and the port stays the same."""

    def __init__(self, options: TrialVideoServerOptions) -> None:
        self.options = options
        self.port = free_port()
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[str] | None = None
        self._lock = threading.Lock()
        self._told: list[dict[str, Any]] = []

    @property
    def server(self) -> str:
        """Its address without a path, with the credentials that it asks for."""
        user, password = (quote(each, safe='') for each in (self.options.user, self.options.password))
        return f'rtsp://{f"{user}:{password}@" if user else ""}127.0.0.1:{self.port}'

    def start(self) -> None:
        """Switch it on, and wait until it listens.

        Raises:
            TrialCameraFailed: with what it said.
        """
        self._log = tempfile.TemporaryFile('w+', encoding='utf-8')  # noqa: SIM115 -- lives as long as the process
        package_root = str(Path(gremsy_camera.__file__).resolve().parents[1])
        inherited = {name: os.environ[name] for name in ('HOME', 'PATH', 'TMPDIR') if name in os.environ}
        self._process = process = subprocess.Popen(
            [
                _PYTHON,
                '-m',
                'gremsy_camera.trial.gstreamer_video_server',
                json.dumps({'port': self.port, **asdict(self.options)}),
            ],
            env={**inherited, 'PYTHONPATH': package_root, 'PYTHONDONTWRITEBYTECODE': '1'},
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert process.stdout is not None
        if process.stdout.readline().strip() != 'ready':
            self._log.seek(0)
            said = self._log.read()[-2000:]
            self.stop()
            raise TrialCameraFailed(f'The trial video server did not start. It said:\n{said}')
        threading.Thread(target=self._listen, args=(process.stdout,), daemon=True).start()

    def stop(self) -> None:
        """Cut the power: the connections end, and nothing listens."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        if self._log is not None:
            self._log.close()
            self._log = None

    def told(self, kind: str) -> list[dict[str, Any]]:
        """All that came so far and has such a field: 'rtp', 'report' or 'luma'."""
        with self._lock:
            return [each for each in self._told if kind in each]

    def wait_for(self, kind: str, count: int, timeout_s: float = 20.0, work: Callable[[], object] = dict) -> bool:
        """Whether so many came in time; until then `work` is repeated."""
        until_s = time.monotonic() + timeout_s
        while len(self.told(kind)) < count:
            if time.monotonic() > until_s:
                return False
            work()
            time.sleep(0.005)
        return True

    def _listen(self, pipe: IO[str]) -> None:
        for line in pipe:
            with self._lock:
                self._told.append(json.loads(line))
        pipe.close()
