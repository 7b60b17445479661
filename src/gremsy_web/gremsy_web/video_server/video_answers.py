# SPDX-License-Identifier: Apache-2.0
"""WHEP over HTTP, answer by answer as MediaMTX 1.20.1 gives them, and the part of its control API that the suite reads.

Unlike MediaMTX this server gives no foreign page leave to read its answers, unless `--allow-origin` says so.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gremsy_web.video_server.video_paths import PathBoard, VideoPath, VideoRefusal, checked_name
from gremsy_web.video_server.whep_sessions import WhepSessions

_LONGEST_BODY = 128 * 1024
_MOST_ITEMS = 100
_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
_EXPOSED = {'Access-Control-Expose-Headers': 'ETag, ID, Accept-Patch, Link, Location'}
_OFFER, _FRAGMENT = 'application/sdp', 'application/trickle-ice-sdpfrag'


@dataclass(frozen=True, slots=True)
class VideoAnswers:
    """The two programs that answer: WHEP and the control API.

    Attributes:
        board: what is published.
        sessions: the viewers.
        allowed_origins: whose pages may read the answers; '*' for all.
        ice_servers: what viewers may use as well.
        own_hosts: what requests may call this server; none where it may be anything.
    """

    board: PathBoard
    sessions: WhepSessions
    allowed_origins: Sequence[str] = ()
    ice_servers: Sequence[str] = ()
    own_hosts: Sequence[str] = ()

    def whep(self) -> Starlette:
        """For the port of WHEP."""
        return self._program(
            Route('/{name:path}/whep/{secret}', self._session, methods=_METHODS),
            Route('/{name:path}/whep', self._path, methods=_METHODS),
        )

    def control(self) -> Starlette:
        """For the port of the control API."""
        return self._program(Route('/v3/paths/list', self._list), Route('/v3/paths/get/{name:path}', self._get))

    def _program(self, *routes: Route) -> Starlette:
        program = Starlette(
            routes=routes, exception_handlers={HTTPException: self._no_route, VideoRefusal: self._refused}
        )
        program.router.redirect_slashes = False
        if self.own_hosts:
            # A page elsewhere whose name begins to mean 127.0.0.1 would be of one origin with this server.
            program.add_middleware(TrustedHostMiddleware, allowed_hosts=list(self.own_hosts), www_redirect=False)
        return program

    async def _path(self, request: Request) -> Response:
        if request.method == 'OPTIONS':
            return self._options(request)
        if request.method != 'POST':
            return self._error(request, 405, 'method not allowed')
        name = checked_name(request.path_params['name'])
        session, answer = await self.sessions.begin(name, await _body(request, _OFFER))
        query = f'?{request.url.query}' if request.url.query else ''
        headers = {
            'ETag': '*',
            'ID': session.session_id,
            'Accept-Patch': _FRAGMENT,
            'Location': f'/{name}/whep/{session.secret}{query}',
            **_EXPOSED,
        }
        response = Response(answer, 201, {**self._common(request), **headers}, _OFFER)
        self._add_links(response)
        return response

    async def _session(self, request: Request) -> Response:
        if request.method == 'OPTIONS':
            return self._options(request)
        name, secret = request.path_params['name'], request.path_params['secret']
        if request.method not in ('PATCH', 'DELETE'):
            return Response('404 page not found', 404, self._common(request), 'text/plain')
        try:
            secret = str(uuid.UUID(secret))
        except ValueError:
            return self._error(request, 400, 'invalid secret')
        if request.method == 'DELETE':
            await self.sessions.end(self.sessions.find(name, secret))
            return JSONResponse({'status': 'ok'}, 200, self._common(request))
        fragment = await _body(request, _FRAGMENT)
        await self.sessions.find(name, secret).add_candidates(fragment)
        return Response(None, 204, self._common(request))

    def _options(self, request: Request) -> Response:
        headers = {
            **self._common(request),
            'Access-Control-Allow-Methods': 'OPTIONS, GET, POST, PATCH, DELETE',
            'Access-Control-Allow-Headers': 'Authorization, Content-Type, If-Match',
        }
        if 'Access-Control-Request-Method' in request.headers:
            return Response(None, 204, headers)
        exposed = {'Access-Control-Expose-Headers': 'Accept-Post, Link', 'Accept-Post': _OFFER}
        response = Response(None, 204, {**headers, **exposed})
        self._add_links(response)
        return response

    async def _list(self, request: Request) -> Response:
        items = [_described(path) for path in self.board]
        page, size = (_number(request, 'page', 0), _number(request, 'itemsPerPage', _MOST_ITEMS))
        if page is None or size is None or size < 1:
            return self._error(request, 400, 'invalid items per page')
        pages = -(-len(items) // size)
        chosen = items[page * size : (page + 1) * size]
        return JSONResponse({'itemCount': len(items), 'pageCount': pages, 'items': chosen}, 200, self._common(request))

    async def _get(self, request: Request) -> Response:
        name = checked_name(request.path_params['name'])
        path = next((each for each in self.board if each.name == name), None)
        if path is None:
            return self._error(request, 404, 'path not found')
        return JSONResponse(_described(path), 200, self._common(request))

    async def _no_route(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            return self._error(request, 405, 'method not allowed')
        return Response('404 page not found', error.status_code, self._common(request), 'text/plain')

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, VideoRefusal)
        return self._error(request, error.status, str(error))

    def _error(self, request: Request, status: int, text: str) -> Response:
        body = {'status': 'error', 'error': text}
        headers = {**self._common(request), 'Content-Type': 'application/json; charset=utf-8'}
        return JSONResponse(body, status, headers)

    def _common(self, request: Request) -> Mapping[str, str]:
        origin = request.headers.get('Origin', '')
        headers = {'Server': 'gremsy'}
        if '*' in self.allowed_origins:
            headers['Access-Control-Allow-Origin'] = '*'
        elif origin and origin in self.allowed_origins:
            headers |= {'Access-Control-Allow-Origin': origin, 'Vary': 'Origin'}
        return headers

    def _add_links(self, response: Response) -> None:
        for server in self.ice_servers:
            response.headers.append('Link', f'<{server}>; rel="ice-server"')


async def _body(request: Request, content_type: str) -> str:
    if request.headers.get('Content-Type', '').partition(';')[0].strip() != content_type:
        raise VideoRefusal(400, 'invalid Content-Type')
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_BODY:
            raise VideoRefusal(413, f'the body is longer than {_LONGEST_BODY} bytes')
    return body.decode('utf-8', 'replace')


def _number(request: Request, name: str, default: int) -> int | None:
    text = request.query_params.get(name, str(default))
    return int(text) if re.fullmatch(r'[0-9]{1,6}', text) else None


def _described(path: VideoPath) -> dict[str, object]:
    available = path.available.isoformat()
    return {
        'name': path.name,
        'confName': path.name,
        'source': {'type': 'rtspSession', 'id': path.publisher.session_id},
        'ready': True,
        'readyTime': available,
        'available': True,
        'availableTime': available,
        'online': True,
        'onlineTime': available,
        'tracks': ['H264'],
        'tracks2': [{'codec': 'H264'}],
        'inboundBytes': path.inbound_bytes,
        'outboundBytes': path.outbound_bytes,
        'inboundFramesInError': path.counts['pictures with packets missing'],
        'readers': [{'type': reader.kind, 'id': reader.session_id} for reader in path.readers.values()],
        'drops': dict(path.counts),
    }
