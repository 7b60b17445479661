# SPDX-License-Identifier: Apache-2.0
"""uvicorn's HTTP/1.1 connection, which ends one that asks for nothing whole, or takes nothing of its answer.

uvicorn waits for ever for the rest of a request's head, and for a client that reads nothing. A thousand of such use up
what files a process may have open, and then nobody else gets in, not even to stop the gimbal.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from gremsy_web.http.api_errors import error_body

# Longer than a client may be silent between two requests (`timeout_keep_alive`, 15 s), which uvicorn sees to itself.
_LOOK_S = 10.0
_NOT_HTTP = 'This is not an HTTP request: it was refused.'


class HttpConnection(H11Protocol):
    """Looked at every ten seconds: one that waits for the same as the last time, and got no further, is closed."""

    look_s = _LOOK_S
    _look_timer: asyncio.TimerHandle | None = None
    _seen: tuple[Any, ...] = ()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Of asyncio.Protocol."""
        super().connection_made(transport)
        self._look_timer = self.loop.call_later(self.look_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Of asyncio.Protocol."""
        if self._look_timer is not None:
            self._look_timer.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """As every other error: JSON, a sentence; what `msg` quotes of the request is left out."""
        del msg
        body = error_body(_NOT_HTTP)
        head = f'Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n'
        self.transport.write(b'HTTP/1.1 400 Bad Request\r\n' + head.encode() + body)
        self.transport.close()

    def _look(self) -> None:
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            # A live socket now, whose own protocol pings.
            return
        seen = self._waits_for()
        if seen and seen == self._seen:
            self.transport.abort()
            return
        self._seen = seen
        self._look_timer = self.loop.call_later(self.look_s, self._look)

    def _waits_for(self) -> tuple[Any, ...]:
        """Of the client, and how far that is; empty for nothing, and for a body, which has its own limit."""
        unread = self.transport.get_write_buffer_size()
        if unread:
            return ('that it reads', unread)
        if repr(self.conn.their_state) == 'IDLE' and (self.cycle is None or self.cycle.response_complete):
            # Whoever sends a byte of its head now and then gets no further by that. A cycle is a request; it is kept
            # whole, since a later one may get the number of one that is gone.
            return ('a request', self.cycle)
        return ()
