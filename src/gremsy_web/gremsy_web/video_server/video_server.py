# SPDX-License-Identifier: Apache-2.0
"""The whole server: its three ports opened together, and everything ended together."""

from __future__ import annotations

import asyncio
import contextlib
import errno
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
            rtsp = await self._open_rtsp(options.rtsp)
            whep = await self._serve(options.whep, self._answers(options.whep).whep(), '--whep')
            control = await self._serve(options.control, self._answers(options.control).control(), '--api')
        except BaseException:
            await self.close()
            raise
        return rtsp, whep, control

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

    async def _open_rtsp(self, address: Address) -> int:
        try:
            return await self._rtsp.open(address.host, address.port)
        except OSError as error:
            raise _taken(address, '--rtsp', error) from error

    async def _serve(self, address: Address, program: Starlette, option: str) -> int:
        try:
            listening = listening_socket(address.host, address.port)
        except OSError as error:
            raise _taken(address, option, error) from error
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
        return int(listening.getsockname()[1])


class _HttpServer(uvicorn.Server):
    """Leaves the signals to who runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _taken(address: Address, option: str, error: OSError) -> VideoServerError:
    if error.errno == errno.EADDRINUSE:
        return VideoServerError(
            f'{address} is taken, perhaps by a MediaMTX or another suite on this machine: stop that, or name another '
            f'address with {option}.'
        )
    return VideoServerError(f'{address} cannot be listened on ({error.strerror}): name another with {option}.')
