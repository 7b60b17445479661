# SPDX-License-Identifier: Apache-2.0
"""The built-in video server as a whole, at free ports."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

pytest.importorskip('aiortc', reason='run ./gremsy setup --extra web')

from gremsy_web.http.http_connection import HttpConnection
from gremsy_web.listening_socket import Address
from gremsy_web.video_server.video_server import VideoServer
from gremsy_web.video_server.video_server_options import VideoServerOptions
from src.gremsy_web.test.web_stand_ins import PATIENCE_S


def test_who_never_sends_a_whole_request_keeps_nobody_out(monkeypatch):
    monkeypatch.setattr(HttpConnection, 'look_s', 0.2)

    async def play():
        free = Address('127.0.0.1', 0)
        server = VideoServer(VideoServerOptions(rtsp=free, whep=free, control=free))
        _, port, _ = await server.open()
        try:
            reader, writer = await asyncio.open_connection('127.0.0.1', port)
            writer.write(b'POST /eo/whep HTTP/1.1\r\n')
            # Ended, with a farewell or without.
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b''
            writer.close()
        finally:
            await server.close()

    asyncio.run(play())
