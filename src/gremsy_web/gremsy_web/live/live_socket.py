# SPDX-License-Identifier: Apache-2.0
"""`WS /api/live`: one client's session, from hello to its end, and what every client gets twice a second."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from typing import Any, TypeGuard

from starlette.websockets import WebSocket, WebSocketDisconnect

from gremsy_common.errors import SuiteError
from gremsy_web.access.access_keys import Role
from gremsy_web.access.request_guard import RateLimit, address_of
from gremsy_web.control.control_lease import Hold
from gremsy_web.http.api_errors import LeaseRefused
from gremsy_web.http.web_services import OVERLAY, WebServices
from gremsy_web.live.live_hub import LiveClient
from gremsy_web.live.live_messages import control_content, state_content, text_of

_KEY_WITHIN_S = 3.0
# A client that takes nothing for so long is gone, or as good as.
_SEND_WITHIN_S = 5.0
_STATE_EVERY_S = 0.5
# A drag sends one at each of the screen's frames; twice of that, and some.
_MESSAGES_PER_S = 250.0
_MOST_RATE_RAD_S = 10.0
_WRONG_KEY, _TOO_MANY, _TOO_SLOW = 4401, 4429, 4408


class LiveMessageError(SuiteError):
    """A message that cannot be used."""


class LiveSockets:
    """Talks with every client.

    Args:
        services: of the server.
        page: what was built, so that an older page can tell.
    """

    def __init__(self, services: WebServices, page: str) -> None:
        self._services = services
        self._page = page

    async def serve(self, socket: WebSocket) -> None:
        """From the upgrade to the end."""
        await socket.accept()
        try:
            role = await self._role(socket)
        except (WebSocketDisconnect, asyncio.TimeoutError, LiveMessageError, KeyError):
            # KeyError: it sent bytes.
            await _close(socket, _WRONG_KEY, 'The key is missing or wrong.')
            return
        hub = self._services.hub
        client = LiveClient(secrets.token_urlsafe(9), role.value)
        if not hub.join(client):
            await _close(socket, _TOO_MANY, f'There are {hub.most} live sockets, which is the limit.')
            return
        client.queue(self._hello(client))
        sending = asyncio.create_task(self._send(socket, client))
        receiving = asyncio.create_task(self._receive(socket, client))
        try:
            await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            hub.leave(client)
            self._services.desk.drop(client.number)
            for task in (sending, receiving):
                task.cancel()
            await asyncio.gather(sending, receiving, return_exceptions=True)
        await _close(socket, 1000, '')

    async def run(self) -> None:
        """Tell everybody the state, until it is cancelled."""
        hub, desk, picture = self._services.hub, self._services.desk, self._services.picture
        while True:
            await asyncio.sleep(_STATE_EVERY_S)
            if not hub.clients:
                continue
            state, hold = state_content(picture), desk.hold
            for_all = text_of('state', **state, control=control_content(hold))
            for client in list(hub.clients.values()):
                own = hold is not None and hold.live == client.number
                text = text_of('state', **state, control=control_content(hold, client.number)) if own else for_all
                client.offer('state', text)

    async def _role(self, socket: WebSocket) -> Role:
        caller = socket.scope['state'].get('caller')
        if caller is not None and caller.role is not Role.PUBLISH:
            return Role(caller.role)
        text = await asyncio.wait_for(socket.receive_text(), _KEY_WITHIN_S)
        key = _parsed(text).get('key')
        services, address, now_s = self._services, address_of(socket), time.monotonic()
        role = services.keys.role_of(key, time.time()) if isinstance(key, str) else None
        if role is None or role is Role.PUBLISH or services.failures.is_spent(address, now_s):
            services.failures.allows(address, now_s)
            raise LiveMessageError('The key is missing or wrong.')
        return role

    def _hello(self, client: LiveClient) -> str:
        services = self._services
        cameras = [
            {'name': name, 'path': name, **seen.size_content(), 'overlay': True, 'overlay_path': f'{name}_{OVERLAY}'}
            for name, seen in services.picture.cameras.items()
        ]
        return text_of(
            'hello',
            robot=services.picture.robot,
            cameras=cameras,
            role=client.role,
            you=client.number,
            page=self._page,
            limits={name: list(each) for name, each in services.picture.limits_rad.items()},
            stale_after_s=services.parameters.stale_after_s,
            rate_ttl_s=services.parameters.rate_time_to_live_s,
        )

    async def _send(self, socket: WebSocket, client: LiveClient) -> None:
        while True:
            for text in await client.take():
                try:
                    await asyncio.wait_for(socket.send_text(text), _SEND_WITHIN_S)
                except asyncio.TimeoutError:
                    self._services.hub.too_slow += 1
                    await _close(socket, _TOO_SLOW, 'It takes nothing.')
                    return
                except (WebSocketDisconnect, RuntimeError):
                    return

    async def _receive(self, socket: WebSocket, client: LiveClient) -> None:
        limit = RateLimit(_MESSAGES_PER_S, 2 * _MESSAGES_PER_S)
        while True:
            try:
                text = await socket.receive_text()
            except (WebSocketDisconnect, RuntimeError, KeyError):
                # KeyError: it sent bytes.
                return
            came_ns = self._services.now_ns()
            content: dict[str, Any] = {}
            try:
                content = _parsed(text)
                if not limit.allows(client.number, time.monotonic()) and content.get('type') != 'stop':
                    raise LiveMessageError('Too many messages come from this socket: send at most one a frame.')
                await self._on_message(client, content, came_ns)
            except SuiteError as error:
                # Half of a surrogate pair is JSON, but no text that could be sent.
                kind = str(content.get('type', ''))[:32].encode(errors='replace').decode()
                client.queue(text_of('error', text=str(error), **{'for': kind}))

    async def _on_message(self, client: LiveClient, content: dict[str, Any], came_ns: int) -> None:
        desk, commands, kind = self._services.desk, self._services.commands, content.get('type')
        if kind == 'stop':
            client.queue(text_of('done', text=await desk.stop(), **{'for': 'stop'}))
        elif kind == 'clock':
            t0 = _number(content, 't0', -1e18, 1e18)
            client.queue(text_of('clock', t0=t0, t1_ns=str(came_ns), t2_ns=str(self._services.now_ns())))
        elif kind == 'painted':
            client.painted = self._painted(content)
        elif kind == 'auth':
            # Somebody sends the key although the cookie was good.
            return
        elif kind not in ('take', 'give', 'rate', 'zoom'):
            raise LiveMessageError('A message must have a `type`: take, give, rate, zoom, stop, clock or painted.')
        elif client.role != Role.CONTROL.value:
            raise LiveMessageError('This key may only view: use one with the role `control`.')
        elif kind == 'take':
            take_over = content.get('take_over', False)
            if not isinstance(take_over, bool):
                raise LiveMessageError('`take_over` must be true or false.')
            name = content.get('name')
            hold = desk.take(holder_name(name), client.number, take_over=take_over)
            client.queue(text_of('control', lease=hold.lease, holder=hold.holder, you=True))
        elif kind == 'give':
            desk.give(self._own(client).lease)
            client.queue(text_of('control', lease=None, holder=None, you=False))
        elif kind == 'zoom':
            desk.use(self._own(client).lease)
            commands.zoom(_number(content, 'factor', 1.0, 1000.0))
        else:
            azimuth = _number(content, 'azimuth_rad_s', -_MOST_RATE_RAD_S, _MOST_RATE_RAD_S)
            tilt = _number(content, 'tilt_rad_s', -_MOST_RATE_RAD_S, _MOST_RATE_RAD_S)
            desk.rate(self._own(client).lease, azimuth, tilt, self._services.parameters.rate_time_to_live_s)

    def _own(self, client: LiveClient) -> Hold:
        hold = self._services.desk.hold
        if hold is None or hold.live != client.number:
            who = 'Nobody holds' if hold is None else f'{hold.holder} holds'
            raise LeaseRefused(f'{who} the controls: take them first.')
        return hold

    def _painted(self, content: dict[str, Any]) -> tuple[str, dict[str, float]]:
        stats = content.get('stats')
        if not isinstance(stats, dict) or len(stats) > 32:
            raise LiveMessageError('`stats` must be an object of at most 32 numbers.')
        numbers = {str(name)[:32]: float(each) for name, each in stats.items() if _is_number(each)}
        camera = content.get('camera')
        if not isinstance(camera, str) or camera not in self._services.picture.cameras:
            known = ', '.join(self._services.picture.cameras)
            raise LiveMessageError(f'`camera` must be one of {known}.')
        return camera, numbers


def holder_name(given: object, otherwise: str = 'an operator') -> str:
    """What all see of who holds the controls: printable and short."""
    name = ''.join(each for each in given if each.isprintable())[:40].strip() if isinstance(given, str) else ''
    return name or otherwise


def _parsed(text: str) -> dict[str, Any]:
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LiveMessageError('A message must be JSON.') from error
    if not isinstance(content, dict):
        raise LiveMessageError('A message must be a JSON object.')
    return content


def _is_number(value: object) -> TypeGuard[float]:
    """Neither NaN nor infinite."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e18


def _number(content: dict[str, Any], name: str, low: float, high: float) -> float:
    value = content.get(name)
    if not _is_number(value) or not low <= value <= high:
        raise LiveMessageError(f'`{name}` must be a number from {low:g} to {high:g}.')
    return float(value)


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    # It may be closed already, or take not even that.
    with contextlib.suppress(RuntimeError, WebSocketDisconnect, asyncio.TimeoutError):
        await asyncio.wait_for(socket.close(code, reason), 1.0)
