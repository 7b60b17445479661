# SPDX-License-Identifier: Apache-2.0
"""The whole server as an ASGI application: guard, routes, errors, live socket, page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from gremsy_web.access.request_guard import RequestGuard
from gremsy_web.http.api_errors import ApiError, error_body, sentence_of
from gremsy_web.http.api_page import API_PAGE_POLICY, api_page
from gremsy_web.http.camera_routes import camera_routes
from gremsy_web.http.command_routes import control_routes, gimbal_routes, setting_routes, target_routes
from gremsy_web.http.page_files import PageMount, page_build
from gremsy_web.http.reading_routes import health_routes, session_routes, state_routes
from gremsy_web.http.video_routes import video_routes
from gremsy_web.http.web_services import WebServices
from gremsy_web.live.live_socket import LiveSockets

PAGE_FOLDER = Path(__file__).resolve().parents[1] / 'page'
_NO_PAGE = 'The operator page is not built: run npm ci && npm run build in src/gremsy_web/page.'
_NO_JSON = 'The body must be a JSON object: send it with the header `Content-Type: application/json`.'
_ABOUT = (
    'Lengths in px of the source image, angles in rad (azimuth positive to the left, tilt positive down), stamps in ns '
    'as decimal text. Every error is {"error": sentence, "field": name or null}. What can move something needs the '
    'lease of POST /api/control/take; POST /api/gimbal/stop never does. News come over the WebSocket /api/live.'
)


def make_application(services: WebServices, page_folder: Path = PAGE_FOLDER) -> RequestGuard:
    """The application, guarded; its start and end are those of the server that runs it."""
    build = page_build(page_folder)
    live = LiveSockets(services, build)

    @asynccontextmanager
    async def running(_app: FastAPI) -> AsyncIterator[None]:
        services.hub.open(asyncio.get_running_loop())
        await services.video.open()
        runs = (services.desk, services.desk.pulse, live, services.video)
        tasks = [asyncio.create_task(each.run()) for each in runs]
        try:
            yield
        finally:
            services.desk.end_motion()
            services.hub.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await services.video.close()

    app = FastAPI(
        title='Gremsy vision suite',
        version='0.1.0',
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=running,
    )
    _answer_errors(app)
    for router in (
        health_routes(services),
        state_routes(services),
        session_routes(services),
        control_routes(services),
        target_routes(services),
        gimbal_routes(services),
        camera_routes(services),
        setting_routes(services),
        video_routes(services),
    ):
        app.include_router(router, responses=_ERRORS)

    @app.get('/docs', include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(api_page(app.openapi()), headers={'content-security-policy': API_PAGE_POLICY})

    @app.websocket('/api/live')
    async def live_socket(socket: WebSocket) -> None:
        await live.serve(socket)

    if (page_folder / 'index.html').is_file():
        app.router.routes.append(PageMount(page_folder, build))
    else:

        @app.get('/', include_in_schema=False)
        async def no_page() -> PlainTextResponse:
            return PlainTextResponse(_NO_PAGE, 503)

    return RequestGuard(app, services.keys, services.requests, services.failures)


def _answer_errors(app: FastAPI) -> None:
    def answer(status: int, sentence: str, field: str | None = None) -> Response:
        return Response(error_body(sentence, field), status, media_type='application/json')

    @app.exception_handler(ApiError)
    async def api_error(_request: Request, error: ApiError) -> Response:
        return answer(error.status, str(error), error.field)

    @app.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> Response:
        errors = error.errors()
        whole = bool(errors) and tuple(errors[0].get('loc', ())) == ('body',)
        if whole and 'json' not in request.headers.get('content-type', ''):
            # Without this header curl sends a form, and the framework takes the body for a text.
            return answer(422, _NO_JSON)
        broken = bool(errors) and errors[0].get('type') == 'json_invalid'
        return answer(400 if broken else 422, *sentence_of(errors))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        sentences = {
            # As the framework says it of a body that Python's JSON reader breaks on.
            400: 'The body is not JSON that can be read: send one JSON object in UTF-8, not nested deeply.',
            404: 'There is nothing at this address: /docs lists the addresses.',
            405: f'{request.method} is not possible at this address: /docs lists what is possible.',
        }
        made = answer(error.status_code, sentences.get(error.status_code, f'{str(error.detail).rstrip(".")}.'))
        made.headers.update(error.headers or {})
        return made

    @app.exception_handler(Exception)
    async def fault(_request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({'error': f'The server has a fault: {type(error).__name__}.', 'field': None}, 500)


_ERROR_SCHEMA = {
    'type': 'object',
    'required': ['error', 'field'],
    'properties': {'error': {'type': 'string'}, 'field': {'type': ['string', 'null']}},
}
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {'description': words, 'content': {'application/json': {'schema': _ERROR_SCHEMA}}}
    for status, words in {
        400: 'The body is not JSON, or the video server refuses it.',
        401: 'The key is missing or wrong.',
        403: 'The role does not allow this, or the request is from another site.',
        404: 'There is no such resource.',
        409: 'Not now: no lease, disarmed, the frame is gone, or the robot refused.',
        413: 'The body is too large.',
        415: 'The body is of another type.',
        422: 'A field is missing or wrong.',
        429: 'Too many requests.',
        503: 'The robot or the video server does not answer.',
    }.items()
}
