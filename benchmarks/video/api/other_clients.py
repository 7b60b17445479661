# SPDX-License-Identifier: Apache-2.0
"""Processes of many clients at once: live sockets that listen, and clients that are slow, or silent, or never read."""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import socket
import time
from collections import Counter

from websockets.asyncio.client import connect

# A machine that is busy with other things takes seconds.
_CONNECT_S = 60.0
_EVERY_S = 1.0


async def listen(port: int, count: int, seconds: float) -> dict[str, object]:
    """`count` live sockets for so long: how often each got the gimbal's state and tracks; the lowest of all."""
    counts: list[Counter[str]] = [Counter() for _ in range(count)]

    async def one(number: int) -> None:
        async with connect(f'ws://127.0.0.1:{port}/api/live', max_queue=None, open_timeout=_CONNECT_S) as live:
            end_s = time.monotonic() + seconds
            while (left_s := end_s - time.monotonic()) > 0.0:
                with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
                    text = await asyncio.wait_for(live.recv(), left_s)
                    # The type comes first: 50 clients' JSON would cost more than what is measured.
                    counts[number][str(text)[9:20].split('"')[0]] += 1

    await asyncio.gather(*(one(number) for number in range(count)))
    return {
        'gimbal_hz_least': round(min(each['gimbal'] for each in counts) / seconds, 2),
        'tracks_hz_least': round(min(each['tracks'] for each in counts) / seconds, 2),
    }


async def misbehave(port: int, count: int, seconds: float) -> dict[str, object]:
    """`count` clients at once, of five kinds in turn; how many were still connected at the end, by kind."""
    end_s = time.monotonic() + seconds
    still: Counter[str] = Counter()

    async def one(number: int) -> None:
        kind = _KINDS[number % len(_KINDS)]
        loop, client = asyncio.get_running_loop(), socket.socket()
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            # From an address of its own, as another machine's.
            client.bind((f'127.0.0.{2 + number % 200}', 0))
            await asyncio.wait_for(loop.sock_connect(client, ('127.0.0.1', port)), _CONNECT_S)
            await loop.sock_sendall(client, _first(kind, port))
            while time.monotonic() < end_s:
                await asyncio.sleep(_EVERY_S)
                await loop.sock_sendall(client, _next(kind, port))
            still[kind] += 1
        except OSError:
            # The server has had enough of it, which is its right.
            return
        finally:
            client.close()

    await asyncio.gather(*(one(number) for number in range(count)))
    return {'still_connected': dict(still)}


_KINDS = ('silent', 'slow head', 'slow body', 'asks and never reads', 'live and never reads')


def _first(kind: str, port: int) -> bytes:
    host = f'Host: 127.0.0.1:{port}\r\n'
    if kind == 'slow head':
        return f'GET /api/status HTTP/1.1\r\n{host}X-A: '.encode()
    if kind == 'slow body':
        head = f'POST /api/gimbal/rate HTTP/1.1\r\n{host}Content-Type: application/json\r\n'
        return f'{head}Content-Length: 60000\r\n\r\n{{'.encode()
    if kind == 'asks and never reads':
        return f'GET /api/status HTTP/1.1\r\n{host}\r\n'.encode() * 20
    if kind == 'live and never reads':
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = f'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13'
        return f'GET /api/live HTTP/1.1\r\n{host}{upgrade}\r\n\r\n'.encode()
    return b''


def _next(kind: str, port: int) -> bytes:
    if kind == 'asks and never reads':
        return f'GET /api/tracks HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n'.encode()
    return b' ' if kind.startswith('slow') else b''


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('kind', choices=('listen', 'misbehave'))
    parser.add_argument('--port', type=int, required=True)
    parser.add_argument('--count', type=int, required=True)
    parser.add_argument('--seconds', type=float, required=True)
    given = parser.parse_args()
    what = listen if given.kind == 'listen' else misbehave
    print(json.dumps(asyncio.run(what(given.port, given.count, given.seconds))), flush=True)
