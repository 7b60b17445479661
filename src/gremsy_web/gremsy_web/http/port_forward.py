# SPDX-License-Identifier: Apache-2.0
"""`ros2 run gremsy_web port_forward`: a second port with the same page, API, sockets and video sessions behind it.

Bytes are handed on as they are, so that each port is one whole origin, and whoever comes is one address to the server
behind. It needs neither ROS nor the page's packages.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence

from gremsy_web.listening_socket import Address, listening_socket

_CHUNK_BYTES = 65536
_CONNECT_S = 5.0
_GOODBYE_S = 1.0
_NOBODY = (
    b'HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nRefresh: 2\r\nCache-Control: no-store\r\n'
    b'Connection: close\r\n\r\nThe vision suite does not answer yet: it is starting, or it has stopped. '
    b'This page tries again every 2 s.\n'
)
_FULL = (
    b'HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 2\r\n'
    b'Connection: close\r\n\r\nToo many connections: close some and try again.\n'
)


class PortForward:
    """Listens at one address and hands every connection on to another, until it is closed."""

    def __init__(self, listen: Address, to: Address, most_connections: int = 1000) -> None:
        self._listen = listen
        self._to = to
        self._most = most_connections
        self._server: asyncio.Server | None = None
        self._running: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where it listens; of use where 0 was asked for."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def open(self) -> None:
        """Listen.

        Raises:
            OSError: the address is taken or none of this machine.
        """
        listening = listening_socket(self._listen.host, self._listen.port)
        self._server = await asyncio.start_server(self._on_connection, sock=listening)

    async def close(self) -> None:
        """Let everybody go."""
        if self._server is not None:
            self._server.close()
        for each in self._running:
            each.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=_GOODBYE_S)

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            # OSError: one of the two went away in the middle, which both notice by themselves. Only `close` cancels,
            # and asyncio's server would report that as an error.
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._running.discard(task)
            await _end(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._running) > self._most:
            await _refuse(reader, writer, _FULL)
            return
        try:
            there = asyncio.open_connection(self._to.host, self._to.port)
            back, onward = await asyncio.wait_for(there, _CONNECT_S)
        except (OSError, asyncio.TimeoutError):
            await _refuse(reader, writer, _NOBODY)
            return
        try:
            await asyncio.gather(_hand_on(reader, onward), _hand_on(back, writer))
        finally:
            await _end(onward)


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes) -> None:
    """After the request was read, or the answer is lost to a reset."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(reader.read(_CHUNK_BYTES), _GOODBYE_S)
    writer.write(answer)


async def _hand_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """One direction; its end is handed on too, while the other may go on."""
    while chunk := await source.read(_CHUNK_BYTES):
        sink.write(chunk)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    # It may be gone already.
    with contextlib.suppress(OSError, asyncio.TimeoutError, asyncio.CancelledError):
        await asyncio.wait_for(writer.wait_closed(), _GOODBYE_S)


async def _run(forward: PortForward, listen: Address) -> int:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        await forward.open()
    except OSError as error:
        reason = error.strerror or error
        print(f'Cannot listen at {listen} ({reason}): choose another --listen.', file=sys.stderr)
        return 2
    print(f'Forwarding port {forward.port}.', flush=True)
    await ended.wait()
    await forward.close()
    return 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Forward until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog='port_forward', description='A second port with the same page, API, sockets and video behind it.'
    )
    parser.add_argument('--listen', type=Address.of, default=Address('0.0.0.0', 7777), help='default: 0.0.0.0:7777')  # noqa: S104 -- its purpose
    parser.add_argument('--to', type=Address.of, default=Address('127.0.0.1', 6783), help='default: 127.0.0.1:6783')
    parser.add_argument('--most-connections', type=int, default=1000, help='at a time; more are refused')
    options = parser.parse_args(arguments)
    forward = PortForward(options.listen, options.to, options.most_connections)
    sys.exit(asyncio.run(_run(forward, options.listen)))


if __name__ == '__main__':
    main()
