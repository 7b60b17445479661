# SPDX-License-Identifier: Apache-2.0
"""A bare server of HTTP on loopback that says what it is told to, byte by byte, as cameras do that know no RFC."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

MULTIPART = 'HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary={}\r\n\r\n'


class HttpCamera:
    """A server on loopback; `answer(request, connection)` is called for every connection, and may read on."""

    def __init__(self, answer, context=None):
        self.requests = []
        self._answer = answer
        self._context = context
        self._server = socket.create_server(('127.0.0.1', 0))
        self.port = self._server.getsockname()[1]
        self.uri = f'{"https" if context else "http"}://127.0.0.1:{self.port}/eo'
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        with contextlib.suppress(OSError):
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            while (request := self._request(connection)) and self._answer(request, connection):
                pass
        connection.close()

    def _request(self, connection):
        received = b''
        while b'\r\n\r\n' not in received:
            data = connection.recv(4096)
            if not data:
                return ''
            received += data
        self.requests.append(received.decode())
        return received.decode()

    def close(self):
        self._server.close()


def says(head, *pieces, pause_s=0.0, stay=False):
    """Answers every request with that."""

    def answer(_request, connection):
        connection.sendall(head.encode() if isinstance(head, str) else head)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause_s)
        if stay:
            connection.recv(1)
        return False

    return answer


def trusted_certificate(folder, monkeypatch):
    """A server's context with a certificate for 127.0.0.1 that this process trusts."""
    if shutil.which('openssl') is None:
        pytest.skip('openssl is not installed')
    certificate, key = folder / 'certificate.pem', folder / 'key.pem'
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=camera',
         '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv('SSL_CERT_FILE', str(certificate))
    return context
