# SPDX-License-Identifier: Apache-2.0
"""The server's own start: addresses, certificates, and its end."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import time

import httpx
import pytest

pytest.importorskip('fastapi', reason='run ./gremsy setup --extra web')

from gremsy_common.parameters.parameter_fields import ParameterError, from_values
from gremsy_web.http.http_connection import HttpConnection
from gremsy_web.http.web_application import make_application
from gremsy_web.http.web_server import ServerError, WebServer
from gremsy_web.web_parameters import WebParameters
from src.gremsy_web.test.web_stand_ins import CONTROL_KEY, KEYS, PATIENCE_S, Stand, Talk


def sentence_of(**parameters):
    server = WebServer(make_application(Stand().web), WebParameters(**parameters))
    with pytest.raises(ServerError) as caught:
        server.open()
    return str(caught.value)


def test_a_port_in_use_and_an_address_of_others_end_in_a_sentence():
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        assert sentence_of(port=port) == (
            f'The page cannot be served at 127.0.0.1:{port} (Address already in use): stop what listens there, or set '
            '`port`.'
        )
    # RFC 5737: an address of documentation, which no machine has.
    assert sentence_of(host='192.0.2.1', port=0) == (
        'The page cannot be served at 192.0.2.1:0 (Cannot assign requested address): set `host` and `port`.'
    )


def test_a_certificate_that_is_none_ends_in_a_sentence(tmp_path):
    path = tmp_path / 'none.pem'
    path.write_text('no certificate')
    said = sentence_of(port=0, certificate=str(path), certificate_key=str(path))
    assert said.startswith(f"The certificate '{path}' with the key '{path}' cannot be used (")
    assert said.endswith('): give PEM files of one pair.')


@pytest.mark.skipif(shutil.which('openssl') is None, reason='openssl makes the certificate, and is not installed')
def test_with_a_certificate_it_speaks_tls_and_its_cookie_goes_by_tls_only(tmp_path):
    certificate, key = tmp_path / 'page.pem', tmp_path / 'key.pem'
    made = ('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost')
    names = ('-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', str(key), '-out', str(certificate))
    subprocess.run([*made, *names], check=True, capture_output=True)
    stand = Stand(KEYS, port=0, certificate=str(certificate), certificate_key=str(key))
    server = WebServer(make_application(stand.web), stand.web.parameters)
    server.open()
    try:
        trust = ssl.create_default_context(cafile=str(certificate))
        url = f'https://localhost:{server.port}/api/session'
        answer = httpx.post(url, json={'key': CONTROL_KEY}, headers={'X-Gremsy': '1'}, verify=trust, trust_env=False)
        assert answer.status_code == 200
        assert 'Secure' in answer.headers['set-cookie']
        with pytest.raises(httpx.HTTPError):
            httpx.get(f'http://localhost:{server.port}/health', trust_env=False)
    finally:
        server.close()


class Raw:
    """A client that says what it is told to, and nothing by itself."""

    def __init__(self, port, *said, receive_buffer=65536):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(('127.0.0.1', port))
        for each in said:
            self.socket.sendall(each)

    def answers(self):
        """All that comes until the server closes."""
        heard = b''
        try:
            while content := self.socket.recv(65536):
                heard += content
        except ConnectionResetError:
            # As it is closed while something of ours is under way.
            pass
        return heard


def test_who_asks_for_nothing_whole_or_reads_nothing_is_closed_and_who_goes_on_asking_is_not(monkeypatch):
    monkeypatch.setattr(HttpConnection, 'look_s', 1.0)
    lost, was_lost = set(), HttpConnection.connection_lost

    def note(connection, error):
        lost.add(connection.client[1])
        was_lost(connection, error)

    # Of the server's side: a client that reads nothing does not hear that it was closed.
    monkeypatch.setattr(HttpConnection, 'connection_lost', note)
    stand = Stand(requests_per_s=1e6)
    stand.see()
    get = b'GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\n'
    with stand.serving() as port, Talk(port) as live, httpx.Client(base_url=f'http://127.0.0.1:{port}') as asks:
        silent, slow = Raw(port), Raw(port, get, b'X-A: ')
        done_once = Raw(port, get, b'\r\n')
        # More answers than the buffers on the way hold; so many that are asked for at once are answered in turn.
        deaf = Raw(port, (get + b'\r\n') * 3000, receive_buffer=4096)
        answered = 0
        slow.socket.sendall(b'x')
        waiting = {each.socket.getsockname()[1] for each in (silent, slow, deaf)}
        while not waiting <= lost:
            answered += asks.get('/health').status_code == 200
            time.sleep(0.02)
        assert answered > 10
        assert silent.answers() == b'' and slow.answers() == b''
        assert done_once.answers().startswith(b'HTTP/1.1 200 OK')
        live.say('clock', t0=1)
        assert live.until('clock')['t0'] == 1


@pytest.mark.parametrize(
    'said', [b'\x16\x03\x01 no HTTP at all\r\n\r\n', b'GET /' + b'a' * 100_000 + b' HTTP/1.1\r\n\r\n']
)
def test_what_is_no_http_is_answered_as_every_error_is(said):
    with Stand().serving() as port:
        head, _, body = Raw(port, said).answers().partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 400 ')
    assert json.loads(body) == {'error': 'This is not an HTTP request: it was refused.', 'field': None}


def test_its_end_leaves_the_port_free_and_nothing_moving():
    stand = Stand()
    stand.arm()
    with stand.serving() as port:
        url = f'http://127.0.0.1:{port}/api'
        lease = httpx.post(f'{url}/control/take', json={}, trust_env=False).json()['lease']
        body = {'lease': lease, 'azimuth_rad_s': 0.5, 'tilt_rad_s': 0.0, 'ttl_s': 1.0}
        assert httpx.post(f'{url}/gimbal/rate', json=body, trust_env=False).status_code == 200
    assert stand.robot.asked[-1] == ('rate', 0.0, 0.0)
    with socket.create_server(('127.0.0.1', port)):
        pass


@pytest.mark.parametrize(
    ('values', 'sentence'),
    [
        ({'cameras': ()}, 'Parameter `cameras` names none: name at least one camera.'),
        ({'cameras': ('eo', 'eo')}, 'Parameter `cameras` names one twice: name each camera once.'),
        (
            {'certificate': 'a.pem'},
            'Parameters `certificate` and `certificate_key` go together: set both or none.',
        ),
        (
            {'video_url': '127.0.0.1:8889'},
            "Parameter `video_url` is '127.0.0.1:8889': write it as http://127.0.0.1:8889.",
        ),
    ],
)
def test_parameters_that_contradict_each_other_end_in_a_sentence(values, sentence):
    with pytest.raises(ParameterError) as caught:
        from_values(WebParameters, values)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({}, 'The page is at http://127.0.0.1:6783/'),
        ({'host': '::1', 'certificate': 'cert.pem'}, 'The page is at https://[::1]:6783/'),
        (
            {'host': '0.0.0.0'},
            'The page is at http://127.0.0.1:6783/, and for other machines at '
            f'http://{socket.gethostname()}:6783/ or any address of this one.',
        ),
    ],
)
def test_where_it_is_is_said_as_a_browser_opens_it(parameters, words):
    assert WebServer(None, WebParameters(**parameters)).where == words
