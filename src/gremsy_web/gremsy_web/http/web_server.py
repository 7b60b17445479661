# SPDX-License-Identifier: Apache-2.0
"""uvicorn on a thread of its own, on a socket that was bound before, so that a port in use ends the start."""

from __future__ import annotations

import errno
import socket
import threading
from typing import Any

import uvicorn
from uvicorn.config import WS_PROTOCOLS

from gremsy_common.errors import SuiteError
from gremsy_web.http.http_connection import HttpConnection
from gremsy_web.listening_socket import Address, listening_socket
from gremsy_web.web_parameters import WebParameters

# uvicorn's newer one; Debian's uvicorn has only the older.
_SOCKETS = 'websockets-sansio' if 'websockets-sansio' in WS_PROTOCOLS else 'websockets'
_START_S = 10.0
_END_S = 5.0
_BACKLOG = 1024
_EVERY_ADDRESS = ('0.0.0.0', '::')  # noqa: S104 (only compared with)
_LARGEST_MESSAGE = 16 * 1024
# A client that does not answer within this is gone, and what it held with it.
_PING_S = 5.0


class ServerError(SuiteError):
    """A server that cannot start."""


class WebServer:
    """Runs an application between `open` and `close`, where `host`, `port` and the certificate's parameters say."""

    def __init__(self, application: Any, parameters: WebParameters) -> None:
        self._application = application
        self._parameters = parameters
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.port = parameters.port

    @property
    def where(self) -> str:
        """What somebody can open, at the port that it came to be: 0.0.0.0 is nothing that a browser goes to."""
        host, scheme = self._parameters.host, 'https' if self._parameters.certificate else 'http'
        if host in _EVERY_ADDRESS:
            return (
                f'The page is at {scheme}://127.0.0.1:{self.port}/, and for other machines at '
                f'{scheme}://{socket.gethostname()}:{self.port}/ or any address of this one.'
            )
        return f'The page is at {scheme}://{Address(host, self.port)}/'

    def open(self) -> None:
        """Listen and serve.

        Raises:
            ServerError: for an address that cannot be listened at, or a certificate that cannot be used.
        """
        certificate, key = self._parameters.certificate, self._parameters.certificate_key
        bound = self._bind()
        self.port = bound.getsockname()[1]
        config = uvicorn.Config(
            self._application,
            log_config=None,
            log_level='critical',
            # A log of requests would hold the URLs of video sessions, which are secrets.
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            http=HttpConnection,
            ws=_SOCKETS,
            ws_max_size=_LARGEST_MESSAGE,
            ws_max_queue=32,
            ws_ping_interval=_PING_S,
            ws_ping_timeout=_PING_S,
            # Deflating a message takes longer than sending it on the robot's own network.
            ws_per_message_deflate=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=1,
            backlog=_BACKLOG,
            ssl_certfile=certificate or None,
            ssl_keyfile=key or None,
        )
        try:
            config.load()
        except (OSError, ValueError) as error:
            bound.close()
            raise ServerError(
                f"The certificate '{certificate}' with the key '{key}' cannot be used ({type(error).__name__}): "
                'give PEM files of one pair.'
            ) from error
        self._server = server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: server.run(sockets=[bound]), name='web server', daemon=True)
        self._thread.start()
        self._await_start(server)

    def close(self) -> None:
        """End every connection and the thread."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(_END_S)
        self._server = self._thread = None

    def _await_start(self, server: uvicorn.Server) -> None:
        waited = threading.Event()
        for _ in range(int(_START_S / 0.02)):
            if server.started:
                return
            if self._thread is None or not self._thread.is_alive():
                break
            waited.wait(0.02)
        raise ServerError('The web server did not start: the error is in the lines above.')

    def _bind(self) -> socket.socket:
        host, port = self._parameters.host, self._parameters.port
        try:
            return listening_socket(host, port, _BACKLOG)
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            way_out = 'stop what listens there, or set `port`' if in_use else 'set `host` and `port`'
            raise ServerError(f'The page cannot be served at {host}:{port} ({error.strerror}): {way_out}.') from error
        except (OverflowError, UnicodeError) as error:
            raise ServerError(f'The page cannot be served at {host}:{port}: set `host` and `port`.') from error
