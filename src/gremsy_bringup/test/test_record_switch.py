# SPDX-License-Identifier: Apache-2.0
"""Recording by MediaMTX, asked of a real one where it is on PATH, and of nobody."""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gremsy_bringup.deployment.record_switch import is_recording, switch

PATIENCE_S = 20.0
PROGRAM = shutil.which('mediamtx')
FILE = Path(__file__).parents[3] / 'docker' / 'mediamtx.yml'


@contextlib.contextmanager
def free_ports(count):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_server(('127.0.0.1', 0))).getsockname()[1] for _ in range(count)]


@pytest.fixture
def mediamtx(tmp_path):
    if PROGRAM is None:
        pytest.skip('mediamtx is not on PATH: see docker/mediamtx.yml')
    with free_ports(5) as ports:
        rtsp, api, metrics, webrtc, udp = ports
    environment = {
        'MTX_RTSPADDRESS': f'127.0.0.1:{rtsp}',
        'MTX_APIADDRESS': f'127.0.0.1:{api}',
        'MTX_METRICSADDRESS': f'127.0.0.1:{metrics}',
        'MTX_WEBRTCADDRESS': f'127.0.0.1:{webrtc}',
        'MTX_WEBRTCLOCALUDPADDRESS': f'127.0.0.1:{udp}',
    }
    url = f'http://127.0.0.1:{api}'

    @contextlib.contextmanager
    def running():
        with subprocess.Popen(
            [PROGRAM, str(FILE)], env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                deadline = time.monotonic() + PATIENCE_S
                while True:
                    with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', api), timeout=1.0):
                        break
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
                yield url
            finally:
                process.terminate()

    return running


def test_a_real_server_records_while_it_is_told_to(mediamtx):
    with mediamtx() as url:
        assert not is_recording(url)
        command = [sys.executable, '-m', 'gremsy_bringup.deployment.record_switch', '--api', url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout.readline() == 'MediaMTX records.\n'
            assert is_recording(url)
            assert subprocess.run([*command, '--check'], check=False, timeout=PATIENCE_S).returncode == 0
            program.send_signal(signal.SIGTERM)
            assert program.stdout.read() == 'MediaMTX has stopped recording.\n'
            assert program.wait(PATIENCE_S) == 0
        assert not is_recording(url)
        assert subprocess.run([*command, '--check'], check=False, timeout=PATIENCE_S).returncode == 1


def test_a_server_that_was_started_anew_is_told_again(mediamtx):
    with mediamtx() as url:
        assert switch(url, on=True) == ''
        assert is_recording(url)
    with mediamtx() as url:
        assert not is_recording(url)


def test_nobody_there_is_a_sentence():
    with free_ports(1) as (port,):
        url = f'http://127.0.0.1:{port}'
    assert not is_recording(url)
    said = switch(url, on=True)
    assert said.startswith(f'MediaMTX cannot be asked at {url} to begin recording (')
    assert said.endswith(').')
