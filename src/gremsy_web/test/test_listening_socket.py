# SPDX-License-Identifier: Apache-2.0
"""An answer leaves at once: asyncio switches Nagle's algorithm off on what the socket accepts."""

from __future__ import annotations

import asyncio
import socket

import pytest

from gremsy_web.listening_socket import listening_socket


@pytest.mark.parametrize('host', ['127.0.0.1', '::1'])
def test_small_answers_are_not_held_back(host):
    async def nodelay():
        accepted = asyncio.get_running_loop().create_future()

        def on_connection(_reader, writer):
            accepted.set_result(writer.get_extra_info('socket').getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        try:
            bound = listening_socket(host, 0)
        except OSError as error:
            pytest.skip(f'This machine has no {host}: {error}')
        async with await asyncio.start_server(on_connection, sock=bound):
            _, writer = await asyncio.open_connection(host, bound.getsockname()[1])
            found = await accepted
            writer.close()
            return found

    assert asyncio.run(nodelay()) == 1


def test_an_address_that_is_taken_leaves_no_socket():
    with listening_socket('127.0.0.1', 0) as first, pytest.raises(OSError, match='in use'):
        listening_socket('127.0.0.1', first.getsockname()[1])
