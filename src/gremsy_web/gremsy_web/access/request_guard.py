# SPDX-License-Identifier: Apache-2.0
"""What every request passes before it reaches a route: host, origin, rate, key, role, forgery, size, time.

The rate of one address is a bucket that fills steadily and from which each request takes one.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gremsy_web.access.access_keys import AccessKeys, Caller, Role
from gremsy_web.http.api_errors import ApiError, error_body
from gremsy_web.listening_socket import is_loopback

# More than anybody's clients; of a flood of addresses the oldest are forgotten.
_MOST_ADDRESSES = 4096


class RateLimit:
    """Token buckets by address (Turner 1986); not for several threads.

    Args:
        per_s: requests a second in the long run.
        burst: how many may come at once.
    """

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self.refused = 0

    def allows(self, address: str, now_s: float) -> bool:
        """Whether one more may come now; counts it."""
        level = self._level(address, now_s)
        if level < 1.0:
            self.refused += 1
            self._keep(address, level, now_s)
            return False
        self._keep(address, level - 1.0, now_s)
        return True

    def is_spent(self, address: str, now_s: float) -> bool:
        """Whether the next one would be refused."""
        return self._level(address, now_s) < 1.0

    def _level(self, address: str, now_s: float) -> float:
        level, before_s = self._buckets.get(address, (self._burst, now_s))
        return min(self._burst, level + (now_s - before_s) * self._per_s)

    def _keep(self, address: str, level: float, now_s: float) -> None:
        self._buckets[address] = (level, now_s)
        self._buckets.move_to_end(address)
        if len(self._buckets) > _MOST_ADDRESSES:
            self._buckets.popitem(last=False)


COOKIE = 'gremsy_session'
FORGERY_HEADER = 'x-gremsy'
WRONG_KEY = 'The key is missing or wrong: send it as `Authorization: Bearer KEY`, or sign in on the page.'
_TOO_OFTEN = 'Too many requests come from this address: wait a second.'
_READING = ('GET', 'HEAD', 'OPTIONS')
# What needs a key; the rest is the page itself, which holds nothing of the robot's, and /health.
KEPT = ('/api/', '/video/', '/metrics', '/docs', '/openapi.json')
_WITHOUT_KEY = ('/api/session', '/api/video/auth')
# What who may only look on may do: to stop is nobody's privilege, and video is negotiated by POST.
_STOP = '/api/gimbal/stop'
_VIEWERS_MAY_POST = (_STOP, '/api/session')
# Nothing inline and nothing from elsewhere.
_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_HEADERS = {
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'content-security-policy': _POLICY,
}
# What only some may see is in no cache, unless the route says otherwise.
_KEPT_HEADERS = {**_HEADERS, 'cache-control': 'no-store'}
_LARGEST_BODY = 64 * 1024
# A body that is not whole after this is given up.
_BODY_WITHIN_S = 10.0


class RequestGuard:
    """An ASGI application around another one.

    Args:
        inner: what is guarded.
        keys: of those who may come in.
        requests: how often an address may ask.
        failures: how often it may be wrong about a key.
    """

    def __init__(self, inner: ASGIApp, keys: AccessKeys, requests: RateLimit, failures: RateLimit) -> None:
        self._inner = inner
        self._keys = keys
        self._requests = requests
        self._failures = failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or answer it here."""
        if scope['type'] not in ('http', 'websocket'):
            await self._inner(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            self._judge(connection)
        except ApiError as error:
            await _refuse(scope, receive, send, error)
            return
        if scope['type'] == 'websocket':
            await self._inner(scope, receive, send)
        else:
            await self._pass_on(connection, receive, send)

    def _judge(self, connection: HTTPConnection) -> None:
        """Leave the caller in the connection's state; raises ApiError."""
        scope, headers = connection.scope, connection.headers
        address, path, now_s = address_of(connection), scope['path'], time.monotonic()
        # Nobody's stop waits because somebody else of the same address (a proxy's, say) asks too often.
        if not self._requests.allows(address, now_s) and path != _STOP:
            raise ApiError(429, _TOO_OFTEN)
        self._judge_origin(connection)
        connection.state.caller = caller = self._caller(connection)
        # A socket has a browser's cookie; others send the key as their first message.
        if scope['type'] == 'websocket' or not path.startswith(KEPT) or path in _WITHOUT_KEY:
            return
        if caller is None or caller.role is Role.PUBLISH:
            tried = bool(headers.get('authorization') or headers.get('cookie'))
            if tried and not self._failures.allows(address, now_s):
                raise ApiError(429, _TOO_OFTEN)
            raise ApiError(401, WRONG_KEY)
        if scope['method'] in _READING:
            return
        if caller.by_cookie and headers.get(FORGERY_HEADER) != '1':
            raise ApiError(403, 'A request with a cookie needs the header `X-Gremsy: 1`, which only our page sends.')
        if caller.role is not Role.CONTROL and not (path in _VIEWERS_MAY_POST or path.startswith('/video/')):
            raise ApiError(403, 'This key may only view: use one with the role `control`.')

    def _caller(self, connection: HTTPConnection) -> Caller | None:
        if self._keys.is_open:
            return Caller(Role.CONTROL)
        # Of several the last counts: a proxy on the way appends its own.
        kind, _, secret = next(reversed(connection.headers.getlist('authorization')), '').partition(' ')
        if kind:
            role = self._keys.role_of(secret.strip(), time.time()) if kind.lower() == 'bearer' else None
            return None if role is None else Caller(role)
        role = self._keys.role_of(connection.cookies.get(COOKIE, ''), time.time())
        return None if role is None else Caller(role, by_cookie=True)

    def _judge_origin(self, connection: HTTPConnection) -> None:
        host, origins = connection.headers.get('host', ''), connection.headers.getlist('origin')
        if self._keys.is_open and not _is_loopback_name(host):
            # A foreign page whose name was made to lead here (DNS rebinding) comes with its own name.
            raise ApiError(403, 'Without a key this server answers to localhost only: open it as http://127.0.0.1.')
        asks = connection.scope.get('method') not in ('GET', 'HEAD')
        if asks and any(_netloc(origin) != host for origin in origins):
            raise ApiError(403, 'The request comes from the page of another site: open the page of this server.')

    async def _pass_on(self, connection: HTTPConnection, receive: Receive, send: Send) -> None:
        scope, length = connection.scope, connection.headers.get('content-length', '')
        if length.isdigit() and int(length) > _LARGEST_BODY:
            await _refuse(scope, receive, send, _too_large())
            return
        body = _LimitedBody(receive)
        refused = False

        async def guarded_send(message: Message) -> None:
            nonlocal refused
            if body.fault is not None and message['type'] == 'http.response.start':
                # The framework makes of a fault while it reads "an error parsing the body".
                refused = True
                await _refuse(scope, receive, send, body.fault)
            if refused:
                return
            if message['type'] == 'http.response.start':
                headers = MutableHeaders(scope=message)
                for name, value in (_KEPT_HEADERS if scope['path'].startswith(KEPT) else _HEADERS).items():
                    # An answer may have its own.
                    headers.setdefault(name, value)
            await send(message)

        await self._inner(scope, body.receive, guarded_send)


class _LimitedBody:
    """The receiving end of a request, up to a size and a time."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._deadline_s = time.monotonic() + _BODY_WITHIN_S
        self._size = 0
        self._whole = False
        self.fault: ApiError | None = None

    async def receive(self) -> Message:
        """Raises ApiError, and keeps it as `fault`."""
        if self._whole:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._deadline_s - time.monotonic()))
        except asyncio.TimeoutError as error:
            self.fault = ApiError(408, 'The body of the request did not arrive in time: send it again.')
            raise self.fault from error
        self._size += len(message.get('body', b''))
        if self._size > _LARGEST_BODY:
            self.fault = _too_large()
            raise self.fault
        self._whole = not message.get('more_body', False)
        return message


def _too_large() -> ApiError:
    return ApiError(413, f'The body is larger than {_LARGEST_BODY} bytes, which is the limit.')


def address_of(connection: HTTPConnection) -> str:
    """Of the client, as the socket says it."""
    return connection.client.host if connection.client else 'unknown'


def _is_loopback_name(host: str) -> bool:
    try:
        name = urlsplit(f'//{host}').hostname or ''
    except ValueError:
        # A bracket that is not closed, say.
        return False
    return name == 'localhost' or is_loopback(name)


def _netloc(url: str) -> str | None:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return None


async def _refuse(scope: Scope, receive: Receive, send: Send, error: ApiError) -> None:
    if scope['type'] == 'websocket':
        # Before it was accepted, this is answered with 403.
        await send({'type': 'websocket.close', 'code': 4403, 'reason': str(error)})
        return
    headers = dict(_HEADERS)
    if error.status == 429:
        headers['retry-after'] = '1'
    if error.status in (408, 413):
        headers['connection'] = 'close'
    response = Response(error_body(str(error), error.field), error.status, headers, 'application/json')
    await response(scope, receive, send)
