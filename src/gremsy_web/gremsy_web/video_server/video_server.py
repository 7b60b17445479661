# SPDX-License-Identifier: Apache-2.0
"""The whole server: its three ports opened together, and everything ended together."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette

from gremsy_common.errors import SuiteError
from gremsy_web.http.http_connection import HttpConnection
from gremsy_web.listening_socket import Address, listening_socket
from gremsy_web.video_server.rtsp_server import RtspServer
from gremsy_web.video_server.video_answers import VideoAnswers
from gremsy_web.video_server.video_paths import PathBoard
from gremsy_web.video_server.video_server_options import VideoServerOptions
from gremsy_web.video_server.whep_sessions import WhepSessions

_LOOPBACK = ('127.0.0.1', 'localhost')


class VideoServerError(SuiteError):
    """The server cannot begin; the text says why and the way out."""


class VideoServer:
    """Runs in the loop that opened it."""

    def __init__(self, options: VideoServerOptions) -> None:
        self._options = options
        self._board = PathBoard()
        self._rtsp = RtspServer(self._board)
        self._sessions = WhepSessions(self._board, options.ice_hosts, options.most_viewers)
        self._http: list[tuple[_HttpServer, asyncio.Task[None]]] = []

    async def open(self) -> tuple[int, int, int]:
        """Begin; the ports of RTSP, WHEP and the control API.

        Raises:
            VideoServerError: for an address that cannot be listened on.
        """
        options = self._options
        try:
            rtsp = _listen(options.rtsp, '--rtsp')
            await self._rtsp.open(rtsp)
            whep = _listen(options.whep, '--whep')
            self._serve(whep, self._answers(options.whep).whep())
            control = _listen(options.control, '--api')
            self._serve(control, self._answers(options.control).control())
        except BaseException:
            await self.close()
            raise
        return rtsp.getsockname()[1], whep.getsockname()[1], control.getsockname()[1]

    async def close(self) -> None:
        """End all sessions, then stop listening."""
        await self._rtsp.close()
        await self._sessions.close()
        for server, _ in self._http:
            server.should_exit = True
        for _, task in self._http:
            await task
        self._http.clear()

    def _answers(self, address: Address) -> VideoAnswers:
        options = self._options
        own_hosts = _LOOPBACK if address.host in _LOOPBACK else ()
        return VideoAnswers(self._board, self._sessions, options.allowed_origins, options.ice_servers, own_hosts)

    def _serve(self, listening: socket.socket, program: Starlette) -> None:
        # Bodies are limited where they are read, heads by h11. At the end a browser that holds on is waited for 1 s.
        config = uvicorn.Config(
            program,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan='off',
            # Ends whoever never sends a whole request: 200 of such are as many as there may be.
            http=HttpConnection,
            ws='none',
            timeout_graceful_shutdown=1,
            limit_concurrency=200,
        )
        server = _HttpServer(config)
        self._http.append((server, asyncio.create_task(server.serve([listening]))))


class _HttpServer(uvicorn.Server):
    """Leaves the signals to who runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(address: Address, option: str) -> socket.socket:
    try:
        return listening_socket(address.host, address.port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise VideoServerError(
                f'{address} is taken, perhaps by a MediaMTX or another suite on this machine: stop that, or name '
                f'another address with {option}.'
            ) from error
        sentence = f'{address} cannot be listened on ({error.strerror}): name another with {option}.'
        raise VideoServerError(sentence) from error
