# SPDX-License-Identifier: Apache-2.0
"""A real MediaMTX of this machine, with `docker/mediamtx.yml` or another file, on free ports of loopback."""

import json
import os
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

from gremsy_camera.trial.trial_camera import free_port

PROGRAM = shutil.which('mediamtx')
FILE = Path(__file__).parents[3] / 'docker' / 'mediamtx.yml'
WITHIN_S = 20.0


class MediaMtx:
    """A real one; `stop` and `start` are its power switch, and the ports stay the same."""

    def __init__(self, folder, text, **environment):
        assert PROGRAM, 'mediamtx is not on PATH'
        self._folder, self.environment = folder, environment
        self._ports = {name: free_port() for name in ('RTSP', 'WEBRTC', 'API', 'METRICS', 'WEBRTCLOCALUDP')}
        self._file = folder / 'mediamtx.yml'
        self._file.write_text(text, encoding='utf-8')
        self._process = None

    def start(self):
        addresses = {f'MTX_{name}ADDRESS': f'127.0.0.1:{port}' for name, port in self._ports.items()}
        self._log = (self._folder / 'mediamtx.log').open('a+', encoding='utf-8')
        self._process = subprocess.Popen(
            [PROGRAM, str(self._file)],
            env={'PATH': os.environ['PATH'], **addresses, **self.environment},
            cwd=self._folder,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + WITHIN_S
        while not self.answers():
            assert self._process.poll() is None and time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def stop(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._log.close()

    @property
    def log(self):
        file = self._folder / 'mediamtx.log'
        return file.read_text(encoding='utf-8') if file.exists() else ''

    @property
    def api(self):
        return f'http://127.0.0.1:{self._ports["API"]}'

    @property
    def whep(self):
        return f'http://127.0.0.1:{self._ports["WEBRTC"]}'

    def server(self, user='', password=''):
        return f'rtsp://{f"{user}:{password}@" if user else ""}127.0.0.1:{self._ports["RTSP"]}'

    def answers(self):
        try:
            return urllib.request.urlopen(f'{self.api}/v3/info', timeout=5.0).status == 200
        except OSError:
            return False

    def path(self, name):
        try:
            with urllib.request.urlopen(f'{self.api}/v3/paths/get/{name}', timeout=5.0) as answer:
                return json.load(answer)
        except OSError:
            return None
