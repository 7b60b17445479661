# SPDX-License-Identifier: Apache-2.0
"""A second port is the same page: over a real server, with a real socket, and when nobody is behind it."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip('fastapi', reason='run ./gremsy setup --extra web')

import httpx

from gremsy_web.http.port_forward import PortForward
from gremsy_web.listening_socket import Address
from src.gremsy_web.test.web_stand_ins import CONTROL_KEY, KEYS, PATIENCE_S, Stand, Talk

BEARER = {'Authorization': f'Bearer {CONTROL_KEY}'}


class Forwarding:
    """A `PortForward` on a loop of its own."""

    def __init__(self, port, **options):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._forward = PortForward(Address('127.0.0.1', 0), Address('127.0.0.1', port), **options)

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def __enter__(self):
        self._thread.start()
        self._do(self._forward.open())
        self.port = self._forward.port
        self.url = f'http://127.0.0.1:{self.port}'
        return self

    def __exit__(self, *_):
        self._do(self._forward.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def stand():
    made = Stand(KEYS)
    made.see()
    with made.serving() as made.port:
        yield made


def test_page_api_and_session_are_one_origin_at_the_second_port(stand):
    with Forwarding(stand.port) as forward, httpx.Client(base_url=forward.url) as client:
        assert '<html' in client.get('/').text
        # What a browser at the second port sends: its own origin, and the cookie that it was given there.
        headers = {'Origin': forward.url, 'X-Gremsy': '1'}
        assert client.get('/api/status').status_code == 401
        assert client.post('/api/session', json={'key': CONTROL_KEY}, headers=headers).status_code == 200
        assert client.get('/api/status').status_code == 200
        assert client.post('/api/gimbal/stop', json={}, headers=headers).status_code == 200
        other = {**headers, 'Origin': f'http://127.0.0.1:{stand.port + 1}'}
        assert client.post('/api/gimbal/stop', json={}, headers=other).status_code == 403


def test_the_live_socket_goes_through_and_its_end_too(stand):
    with Forwarding(stand.port) as forward:
        with Talk(forward.port, **BEARER) as talk:
            talk.say('take', name='Ann')
            assert talk.until('control')['holder'] == 'Ann'
        # The lease ends with the socket, so the server heard that it ended.
        with Talk(stand.port, **BEARER) as talk:
            deadline = time.monotonic() + PATIENCE_S
            while talk.until('state')['control']['holder'] is not None:
                assert time.monotonic() < deadline


def test_while_nobody_is_behind_it_the_browser_is_told_and_tries_again():
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    with Forwarding(port) as forward:
        answer = httpx.get(forward.url)
    assert (answer.status_code, answer.headers['refresh']) == (502, '2')
    assert answer.text == (
        'The vision suite does not answer yet: it is starting, or it has stopped. This page tries again every 2 s.\n'
    )


def test_one_too_many_is_refused_and_the_others_go_on(stand):
    with Forwarding(stand.port, most_connections=1) as forward, httpx.Client(base_url=forward.url) as first:
        assert first.get('/health').status_code == 200
        assert httpx.get(forward.url + '/health').status_code == 503
        assert first.get('/health').status_code == 200


def test_a_client_that_vanishes_leaves_no_connection_behind(stand):
    with Forwarding(stand.port, most_connections=2) as forward:
        for _ in range(20):
            with socket.create_connection(('127.0.0.1', forward.port)) as client:
                client.sendall(b'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n')
                # Gone by reset, in mid-request.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\x01\0\0\0\0\0\0\0')
        deadline = time.monotonic() + PATIENCE_S
        while httpx.get(forward.url + '/health').status_code != 200:
            assert time.monotonic() < deadline


@pytest.mark.parametrize('text', ['7777', '[7777', 'robot:', 'robot:http', 'robot:70000', 'robot:-1'])
def test_what_is_no_address_is_said(text):
    with pytest.raises(argparse.ArgumentTypeError, match='is not an address: write HOST:PORT, as'):
        Address.of(text)


def test_ipv6_addresses_and_every_address():
    assert Address.of('[::]:7777') == Address('::', 7777)
    assert str(Address.of('[::1]:80')) == '[::1]:80'
    assert Address.of(':7777') == Address('0.0.0.0', 7777)


def test_the_program_needs_the_standard_library_alone():
    """As `docker/compose.sim.yaml` starts it, in an image whose page's packages are elsewhere."""
    code = (
        'import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); '
        "runpy.run_module('gremsy_web.http.port_forward', {}, '__main__')"
    )
    sources = str(Path(__file__).parents[1])
    ended = subprocess.run(
        [sys.executable, '-I', '-S', '-c', code, sources, '--help'], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, '')


def test_the_program_forwards_until_it_is_told_to_end(stand):
    command = [sys.executable, '-m', 'gremsy_web.http.port_forward', '--listen', '127.0.0.1:0']
    command += ['--to', f'127.0.0.1:{stand.port}']
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as program:
        said = program.stdout.readline()
        port = re.fullmatch(r'Forwarding port (\d+)\.\n', said)[1]
        assert httpx.get(f'http://127.0.0.1:{port}/health').json() == {'status': 'alive'}
        program.send_signal(signal.SIGTERM)
        assert program.wait(PATIENCE_S) == 0


def test_a_port_that_is_taken_ends_the_program_with_a_sentence():
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, '-m', 'gremsy_web.http.port_forward', '--listen', f'127.0.0.1:{port}']
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f'Cannot listen at 127.0.0.1:{port} (')
    assert ended.stderr.endswith('): choose another --listen.\n')
