# SPDX-License-Identifier: Apache-2.0
"""A process that answers every request with the same bytes at once: what this machine, as it is now, gives anybody."""

from __future__ import annotations

import asyncio

_BODY = b'{' + b' ' * 1500 + b'}'
_ANSWER = f'HTTP/1.1 200 OK\r\nContent-Length: {len(_BODY)}\r\n\r\n'.encode() + _BODY


class Bare(asyncio.Protocol):
    """Of one connection; it is told apart where a request ends, and nothing else of it is read."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._before = b''

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Of asyncio.Protocol; a body ends with a brace, as those of the benchmark do."""
        self._before += data
        if self._transport is not None and self._before.endswith((b'\r\n\r\n', b'}')):
            self._before = b''
            self._transport.write(_ANSWER)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Bare, '127.0.0.1', 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == '__main__':
    asyncio.run(_serve())
