# SPDX-License-Identifier: Apache-2.0
"""A process that asks the API at a fixed rate, whether it answers or not, and says how long each answer took.

Each answer's time counts from when its request was due and not from when it was sent: who waits for a slow answer
before asking again leaves out just those that would have been slow (coordinated omission, Tene 2013).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

# What a page, a dashboard and a program ask; the POST is a holder of the controls that says it is there.
_MIX = (
    ('GET', '/api/status', 25),
    ('GET', '/api/tracks', 25),
    ('GET', '/api/gimbal', 20),
    ('GET', '/api/cameras', 15),
    ('GET', '/api/nodes', 5),
    ('POST', '/api/control/take', 10),
)
_ANSWER_S = 5.0
_WARM_UP_S = 1.0


@dataclass
class Found:
    """Of one run; times in ms."""

    took: list[float] = field(default_factory=list)
    sent_late: list[float] = field(default_factory=list)
    by_path: dict[str, list[float]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    most_connections: int = 0

    def figures(self) -> dict[str, object]:
        """As JSON."""
        took = np.array(self.took)
        return {
            'ms_p50': _rounded(np.percentile(took, 50)),
            'ms_p95': _rounded(np.percentile(took, 95)),
            'p99_ms': _rounded(np.percentile(took, 99)),
            'ms_max': _rounded(took.max()),
            'sent_late_ms_p99': _rounded(np.percentile(np.array(self.sent_late), 99)),
            'answers': len(took),
            'not_200': sum(count for status, count in self.statuses.items() if status != 200),
            'connections': self.most_connections,
            'p99_ms_by_path': {
                path: _rounded(np.percentile(np.array(each), 99)) for path, each in sorted(self.by_path.items())
            },
        }


class Connection(asyncio.Protocol):
    """One kept alive; a request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b''
        self._answer: asyncio.Future[int] | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Of asyncio.Protocol: whole when head and body are there."""
        self._buffer += data
        head, blank, body = self._buffer.partition(b'\r\n\r\n')
        if not blank:
            return
        length = next(
            (int(line[15:]) for line in head.lower().split(b'\r\n') if line.startswith(b'content-length:')), 0
        )
        if len(body) >= length and self._answer is not None and not self._answer.done():
            self._buffer = body[length:]
            self._answer.set_result(int(head[9:12]))

    def connection_lost(self, _error: Exception | None) -> None:
        """Of asyncio.Protocol."""
        self.closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(0)

    async def ask(self, content: bytes) -> int:
        """The answer's status; 0 for none."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(content)
        try:
            return await asyncio.wait_for(self._answer, _ANSWER_S)
        except asyncio.TimeoutError:
            self.closed = True
            self._transport.abort()
            return 0


class OpenLoad:
    """Asks `rate_hz` times a second, each time by a connection that is free."""

    def __init__(self, port: int, rate_hz: float, lease: str) -> None:
        self._port = port
        self._rate_hz = rate_hz
        self._lease = lease
        self._free: list[Connection] = []
        self._open = 0
        self.found = Found()

    async def run(self, seconds: float) -> None:
        """Ask for so long, after a second that does not count."""
        begin_s = time.perf_counter() + 0.1
        chance = random.Random(0)
        paths = chance.choices(
            [(method, path) for method, path, _ in _MIX],
            [share for _, _, share in _MIX],
            k=round((seconds + _WARM_UP_S) * self._rate_hz),
        )
        asked = []
        for number, (method, path) in enumerate(paths):
            due_s = begin_s + number / self._rate_hz
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            asked.append(asyncio.create_task(self._ask(method, path, due_s, due_s - begin_s >= _WARM_UP_S)))
        await asyncio.gather(*asked)

    async def _ask(self, method: str, path: str, due_s: float, counts: bool) -> None:
        while self._free and self._free[-1].closed:
            self._free.pop()
        if self._free:
            connection = self._free.pop()
        else:
            self._open += 1
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(Connection, '127.0.0.1', self._port)
        late_s = time.perf_counter() - due_s
        status = await connection.ask(self._request(method, path))
        took_ms = (time.perf_counter() - due_s) * 1e3
        if not connection.closed:
            self._free.append(connection)
        if counts:
            self.found.statuses[status] += 1
            self.found.took.append(took_ms)
            self.found.sent_late.append(late_s * 1e3)
            self.found.by_path.setdefault(path, []).append(took_ms)
            self.found.most_connections = max(self.found.most_connections, self._open)

    def _request(self, method: str, path: str) -> bytes:
        head = f'{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n'
        if method == 'GET':
            return f'{head}\r\n'.encode()
        body = json.dumps({'lease': self._lease})
        return f'{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}'.encode()


def _rounded(value: float) -> float:
    return round(float(value), 3)


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('--port', type=int, required=True)
    parser.add_argument('--rate', type=float, required=True)
    parser.add_argument('--seconds', type=float, required=True)
    parser.add_argument('--lease', required=True)
    given = parser.parse_args()
    load = OpenLoad(given.port, given.rate, given.lease)
    asyncio.run(load.run(given.seconds))
    print(json.dumps(load.found.figures()), flush=True)
