# SPDX-License-Identifier: Apache-2.0
"""Video under the page's own origin: WHEP by way of here, single pictures, and who may publish and read."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request, Response

from gremsy_web.access.access_keys import Role
from gremsy_web.access.request_guard import address_of
from gremsy_web.http.api_errors import ApiError
from gremsy_web.http.request_bodies import VideoAuthBody
from gremsy_web.http.response_bodies import answered_by_picture
from gremsy_web.http.web_services import WebServices
from gremsy_web.listening_socket import is_loopback

_READS = ('read', 'playback')


def video_routes(services: WebServices) -> APIRouter:
    """WHEP, JPEG, authorisation."""
    router = APIRouter(tags=['video'])
    video = services.video

    @router.post('/video/{path}/whep', status_code=201, responses=_SDP_ANSWER, openapi_extra=_SDP)
    async def offer(request: Request, path: str) -> Response:
        """Begin to watch: an SDP offer for an SDP answer (WHEP); waits while the encoder starts."""
        content_type = request.headers.get('content-type', '')
        if content_type.split(';')[0].strip().lower() != 'application/sdp':
            raise ApiError(415, 'The body must be an SDP offer: send `Content-Type: application/sdp`.')
        return await video.offer(services.video_path(path), await request.body(), content_type)

    @router.options('/video/{path}/whep', status_code=204)
    async def options(path: str) -> Response:
        """ICE servers and what may be posted."""
        return await video.options(services.video_path(path))

    @router.patch('/video/{path}/whep/{secret}', status_code=204, openapi_extra=_CANDIDATE)
    async def patch(request: Request, path: str, secret: str) -> Response:
        """A candidate (trickle ICE)."""
        headers = request.headers
        body = await request.body()
        of = services.video_path(path), _secret(secret)
        return await video.patch(*of, body, headers.get('content-type', ''), headers.get('if-match', ''))

    @router.delete('/video/{path}/whep/{secret}')
    async def delete(path: str, secret: str) -> Response:
        """Watch no more."""
        return await video.delete(services.video_path(path), _secret(secret))

    @router.get('/video/{path}/jpeg', response_class=Response, **answered_by_picture('image/jpeg'))
    async def jpeg(path: str) -> Response:
        """The newest picture, for browsers without H.264; its stamp is in `X-Gremsy-Stamp`."""
        of = services.video_path(path)
        picture = await services.commands.jpeg(of)
        if picture is None:
            raise ApiError(503, f'No picture comes from {of}: is its camera running?', 'path')
        headers = {'x-gremsy-stamp': str(picture[0]), 'cache-control': 'no-store'}
        return Response(picture[1], media_type='image/jpeg', headers=headers)

    @router.post('/api/video/auth', include_in_schema=False)
    async def auth(request: Request, body: VideoAuthBody) -> Response:
        """MediaMTX asks whether somebody may publish or read; from this machine only."""
        if not is_loopback(address_of(request)):
            raise ApiError(403, 'Only the video server of this machine may call this.')
        if not _may(services, body):
            raise ApiError(401, 'The key is missing or wrong.')
        if body.action in _READS and body.path in services.video_paths():
            services.watches.asked(body.path, time.monotonic())
            services.commands.watch(body.path)
        return Response(status_code=204)

    return router


def _may(services: WebServices, body: VideoAuthBody) -> bool:
    keys, now_s = services.keys, time.time()
    roles = {keys.role_of(secret, now_s) for secret in (body.token, body.password) if secret}
    if body.action == 'publish':
        # Without a key for it, this machine's own encoder is who publishes.
        return Role.PUBLISH in roles if keys.has_publish_key else is_loopback(body.ip)
    if body.action in _READS:
        return bool(roles & {Role.VIEW, Role.CONTROL}) or (keys.is_open and is_loopback(body.ip))
    return is_loopback(body.ip)


def _secret(secret: str) -> str:
    if not secret.replace('-', '').isalnum() or len(secret) > 128:
        raise ApiError(404, 'There is no such video session.')
    return secret


_SDP: dict[str, Any] = {
    'requestBody': {'content': {'application/sdp': {'schema': {'type': 'string'}}}, 'required': True}
}
_CANDIDATE: dict[str, Any] = {
    'requestBody': {'content': {'application/trickle-ice-sdpfrag': {'schema': {'type': 'string'}}}, 'required': True}
}
_SDP_ANSWER: dict[int | str, dict[str, Any]] = {
    201: {'description': 'An SDP answer.', 'content': {'application/sdp': {'schema': {'type': 'string'}}}}
}
