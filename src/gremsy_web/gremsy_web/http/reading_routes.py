# SPDX-License-Identifier: Apache-2.0
"""What can be asked without changing anything, and signing in."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from gremsy_web.access.access_keys import Role
from gremsy_web.access.request_guard import COOKIE, FORGERY_HEADER, WRONG_KEY, address_of
from gremsy_web.http import response_bodies as responses
from gremsy_web.http.api_errors import ApiError
from gremsy_web.http.request_bodies import SessionBody
from gremsy_web.http.web_services import OVERLAY, WebServices
from gremsy_web.live.live_hub import viewer_samples
from gremsy_web.live.live_messages import control_content, node_content, state_content
from gremsy_web.robot.prometheus_text import CONTENT_TYPE, Sample, prometheus_text, robot_samples
from gremsy_web.robot.readiness import parts_of
from gremsy_web.robot.robot_picture import tracks_content


def health_routes(services: WebServices) -> APIRouter:
    """Whether it works, and the numbers."""
    router = APIRouter(tags=['health'])
    picture = services.picture

    @router.get('/health', **responses.answered_by(responses.AliveResponse))
    async def health() -> dict[str, str]:
        """The server lives. Needs no key."""
        return {'status': 'alive'}

    @router.get('/health/ready', response_model=None, responses=_READY)
    async def ready(request: Request) -> JSONResponse:
        """Whether everything works, with status 503 where not. Without a key only that; with one, part by part."""
        parts = parts_of(picture, time.monotonic())
        works = all(part.ready for part in parts)
        content: dict[str, Any] = {'ready': works}
        if request.state.caller is not None:
            content['parts'] = [
                {'name': each.name, 'ready': each.ready, 'reason': each.reason, 'warning': each.warning}
                for each in parts
            ]
        return JSONResponse(content, 200 if works else 503)

    @router.get('/metrics', response_class=PlainTextResponse)
    async def metrics() -> Response:
        """For Prometheus."""
        now_s = time.monotonic()
        samples = [*robot_samples(picture, parts_of(picture, now_s), now_s), *_own(services)]
        samples += viewer_samples(services.hub.clients.values())
        return Response(prometheus_text(samples), media_type=CONTENT_TYPE)

    return router


def state_routes(services: WebServices) -> APIRouter:
    """What is known of the robot."""
    router = APIRouter(prefix='/api', tags=['robot'])
    picture = services.picture

    @router.get('/status', **responses.answered_by(responses.StatusResponse))
    async def status() -> JSONResponse:
        """All of it: cameras, gimbal, nodes, who holds the controls."""
        content = {
            'robot': picture.robot,
            'stamp_ns': str(services.now_ns()),
            'gimbal': picture.gimbal(),
            **state_content(picture),
            'control': control_content(services.desk.hold),
            'live_clients': len(services.hub.clients),
        }
        return JSONResponse(content)

    @router.get('/nodes', **responses.answered_by(list[responses.NodeResponse]))
    async def nodes() -> JSONResponse:
        """Each node's own words."""
        return JSONResponse([node_content(node, time.monotonic()) for node in picture.nodes()])

    @router.get('/tracks', **responses.answered_by(responses.TracksResponse))
    async def tracks(camera: str = '') -> JSONResponse:
        """Of the newest image of a camera: boxes as x, y, width, height in its pixels."""
        seen = services.camera(camera)
        newest = seen.tracks.newest
        if newest is None:
            raise ApiError(503, f'Nothing has been tracked by camera {seen.name} yet.', 'camera')
        return JSONResponse(tracks_content(seen, newest))

    @router.get('/cameras', **responses.answered_by(list[responses.CameraResponse]))
    async def cameras() -> JSONResponse:
        """Name, size, age and video paths."""
        now_s = time.monotonic()
        rows = []
        for name, seen in picture.cameras.items():
            newest = seen.models.newest
            field_rad = newest.model.horizontal_field_rad if newest and newest.model.usable else None
            rows.append(
                {
                    'name': name,
                    'path': name,
                    'overlay_path': f'{name}_{OVERLAY}',
                    **seen.size_content(),
                    'age_s': seen.frames.age_s(now_s),
                    'rate_hz': round(seen.frames.rate_hz(now_s), 2),
                    'detector_hz': round(seen.results.rate_hz(now_s), 2),
                    'horizontal_field_rad': field_rad,
                }
            )
        return JSONResponse(rows)

    @router.get('/gimbal', **responses.answered_by(responses.GimbalResponse))
    async def gimbal() -> JSONResponse:
        """Where it looks, what it does, who moves it; null where unknown."""
        return JSONResponse(picture.gimbal())

    return router


def session_routes(services: WebServices) -> APIRouter:
    """Signing in and out."""
    router = APIRouter(tags=['session'])
    # With TLS the cookie never goes without it.
    by_tls = bool(services.parameters.certificate)

    @router.get('/api/session', **responses.answered_by(responses.SessionResponse))
    async def session(request: Request) -> dict[str, Any]:
        """Whether a key is needed, and what the caller may do."""
        caller = request.state.caller
        return {'key_needed': services.keys.is_open is False, 'role': None if caller is None else caller.role.value}

    @router.post('/api/session', **responses.answered_by(responses.SignedInResponse))
    async def sign_in(request: Request, body: SessionBody) -> JSONResponse:
        """A cookie for the page, for the key. The answer to a wrong one is always the same."""
        if request.headers.get(FORGERY_HEADER) != '1':
            raise ApiError(403, 'Signing in needs the header `X-Gremsy: 1`, which only our page sends.')
        address, now_s = address_of(request), time.monotonic()
        role = services.keys.role_of_key(body.key)
        if services.failures.is_spent(address, now_s):
            raise ApiError(429, 'Too many wrong keys came from this address: wait some seconds.')
        if services.keys.is_open:
            return JSONResponse({'role': Role.CONTROL.value})
        if role is None or role is Role.PUBLISH:
            services.failures.allows(address, now_s)
            raise ApiError(401, WRONG_KEY, 'key')
        answer = JSONResponse({'role': role.value})
        seconds = 3600.0 * services.parameters.session_hours
        token = services.keys.token(role, time.time() + seconds)
        answer.set_cookie(COOKIE, token, max_age=int(seconds), httponly=True, samesite='strict', secure=by_tls)
        return answer

    @router.delete('/api/session', **responses.answered_by(responses.SignedInResponse))
    async def sign_out() -> JSONResponse:
        """Take the cookie back."""
        answer = JSONResponse({'role': None})
        answer.delete_cookie(COOKIE, httponly=True, samesite='strict', secure=by_tls)
        return answer

    return router


def _own(services: WebServices) -> list[Sample]:
    return [
        Sample('gremsy_web_live_clients', len(services.hub.clients), {}),
        Sample('gremsy_web_live_dropped_total', services.hub.dropped, {}),
        Sample('gremsy_web_live_too_slow_total', services.hub.too_slow, {}),
        Sample('gremsy_web_requests_refused_total', services.requests.refused, {}),
        Sample('gremsy_web_motions_expired_total', services.desk.motion.expired, {}),
        Sample('gremsy_web_takeovers_total', services.desk.lease.taken_over, {}),
    ]


_READY: dict[int | str, dict[str, Any]] = {
    200: {'model': responses.ReadyResponse, 'description': 'Everything works.'},
    503: {'model': responses.ReadyResponse, 'description': 'Something does not.'},
}
