# SPDX-License-Identifier: Apache-2.0
"""The video server, from here: whether it is there, who reads, and its WHEP under the page's own origin."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
from starlette.responses import Response

from gremsy_web.access.access_keys import AccessKeys, Role
from gremsy_web.http.api_errors import ApiError
from gremsy_web.robot.robot_picture import RobotPicture
from gremsy_web.video.watches import Watches
from gremsy_web.web_parameters import WebParameters

# One that died is there again after a second.
_LOOK_EVERY_S = 0.5
_LOOK_WITHIN_S = 1.0
_WAY_OUT = 'start MediaMTX, or the suite with `video:=builtin`'
# What the encoder takes to begin, with room: it looks for watchers five times a second and publishes at once.
_PATIENCE_S = 5.0
# It publishes 0.05 to 0.1 s after it was told; whoever waits for longer waits for something else.
_RETRY_S, _LATER_RETRY_S, _SOON_S = 0.03, 0.15, 0.5
# MediaMTX lets an offer wait 5 s for the publisher (docker/mediamtx.yml) and 10 s for a camera that it pulls.
_ASKS_S = 6.0
_HANDED_BACK = ('content-type', 'etag', 'id', 'accept-patch', 'accept-post', 'link')
# Of what the RTP times are made: of the frames' stamps, or of the camera's own clock.
TIMES = 'x-gremsy-video-times'
# No answer, or none that says anything of a path.
_NO_STATE = (httpx.HTTPError, httpx.InvalidURL, ValueError, AttributeError)
_AWAY = 'The video server does not answer: it is being started again, or `video_url` is wrong.'


class VideoServerClient:
    """Asks the video server twice a second whether it is there, and stands between browsers and its WHEP.

    Args:
        parameters: of the node: where WHEP and the control API are.
        keys: give the token that the video server is shown; it asks `/api/video/auth` about that.
        watches: is updated with sessions and with who reads.
        notify: called with a path that is watched.
        picture: is told whether the server answers, and whether it has a path's video from the camera itself.
    """

    def __init__(
        self,
        parameters: WebParameters,
        keys: AccessKeys,
        watches: Watches,
        notify: Callable[[str], None],
        picture: RobotPicture,
    ) -> None:
        self._url = parameters.video_url.rstrip('/')
        self._api_url = parameters.video_api_url.rstrip('/')
        self._keys = keys
        self._watches = watches
        self._notify = notify
        self._picture = picture
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """On the server's loop."""
        # No proxy of the environment: the video server is on this machine.
        self._client = httpx.AsyncClient(timeout=_ASKS_S, trust_env=False)

    async def close(self) -> None:
        """Let the connections go."""
        if self._client is not None:
            await self._client.aclose()

    async def run(self) -> None:
        """See whether it is there, until it is cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _look(self) -> None:
        watched = self._watches.paths(time.monotonic())
        for path in watched:
            self._notify(path)
        # Where nothing is watched, that the first camera is not published is an answer, too.
        for path in sorted(watched) or [next(iter(self._picture.cameras), 'none')]:
            try:
                state = await self._state(path, _LOOK_WITHIN_S)
            except _NO_STATE as error:
                what = 'it does not answer' if isinstance(error, httpx.HTTPError) else 'its reply is not JSON'
                self._picture.video_server = f'{what} at {self._api_url}: {_WAY_OUT}'
                return
            self._watches.update(path, time.monotonic(), is_read=bool(state.get('readers')))
        self._picture.video_server = None

    async def _state(self, path: str, within_s: float) -> Mapping[str, Any]:
        """What the control API says of a path, empty for one that is not published; raises one of `_NO_STATE`."""
        assert self._client is not None
        answer = await self._client.get(f'{self._api_url}/v3/paths/get/{path}', timeout=within_s)
        state: Mapping[str, Any] = answer.json() if answer.status_code == 200 else {}
        self._picture.video_is_pulled(path, is_pulled(state))
        return state

    async def offer(self, path: str, body: bytes, content_type: str) -> Response:
        """Begin a session; waits while the encoder starts because of it."""
        began_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            self._watches.asked(path, now_s)
            self._notify(path)
            answer = await self._ask('POST', f'/{path}/whep', body, content_type)
            if answer.status_code != 404 or now_s > began_s + _PATIENCE_S:
                break
            await asyncio.sleep(_RETRY_S if now_s < began_s + _SOON_S else _LATER_RETRY_S)
        response = self._hand_back(answer)
        location = urlsplit(answer.headers.get('location', '')).path
        if answer.status_code == 201 and location:
            secret = location.rsplit('/', 1)[-1]
            self._watches.began(secret, path, time.monotonic())
            # Whoever just came can show nothing before the next key frame.
            self._notify(f'{path} key')
            response.headers['location'] = f'/video/{path}/whep/{secret}'
            response.headers[TIMES] = await self._whose_times(path)
        return response

    async def patch(self, path: str, secret: str, body: bytes, content_type: str, if_match: str) -> Response:
        """A candidate of the browser's."""
        return self._hand_back(await self._ask('PATCH', f'/{path}/whep/{secret}', body, content_type, if_match))

    async def delete(self, path: str, secret: str) -> Response:
        """End the session."""
        self._watches.ended(secret)
        return self._hand_back(await self._ask('DELETE', f'/{path}/whep/{secret}'))

    async def options(self, path: str) -> Response:
        """What may be posted, and the ICE servers."""
        return self._hand_back(await self._ask('OPTIONS', f'/{path}/whep'))

    async def _whose_times(self, path: str) -> str:
        """Before the first picture, whose stamp the page would else make of an RTP time that says nothing of it."""
        try:
            return 'camera' if is_pulled(await self._state(path, _ASKS_S)) else 'stamp'
        except _NO_STATE:
            # Readiness says that the API does not answer; all but pulled cameras need it for nothing.
            return 'stamp'

    async def _ask(
        self, method: str, path: str, body: bytes = b'', content_type: str = '', if_match: str = ''
    ) -> httpx.Response:
        assert self._client is not None
        headers = {'content-type': content_type, 'if-match': if_match}
        headers = {name: value for name, value in headers.items() if value}
        if not self._keys.is_open:
            headers['authorization'] = f'Bearer {self._keys.token(Role.VIEW, time.time() + 60.0)}'
        try:
            return await self._client.request(method, f'{self._url}{path}', content=body, headers=headers)
        except httpx.ReadTimeout as error:
            raise ApiError(404, 'The video server gets no video for this path: is its camera running?') from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ApiError(503, _AWAY) from error

    @staticmethod
    def _hand_back(answer: httpx.Response) -> Response:
        if answer.status_code >= 400:
            raise _error(answer)
        headers = {name: answer.headers[name] for name in _HANDED_BACK if name in answer.headers}
        return Response(answer.content, answer.status_code, headers)


def _error(answer: httpx.Response) -> ApiError:
    """The video server's own words, in our form."""
    if answer.status_code in (401, 403):
        return ApiError(503, 'The video server refuses this server: set its `authHTTPAddress` to our /api/video/auth.')
    try:
        words = str(answer.json()['error'])
    except (ValueError, KeyError, TypeError):
        words = 'no reason is given'
    status = answer.status_code if answer.status_code in (400, 404, 405, 406, 415) else 503
    # MediaMTX's word for a publisher or a camera that was waited for and did not come, which a browser tries again.
    status = 404 if words.endswith('has timed out') else status
    return ApiError(status, f'The video server answered {answer.status_code}: {words[:200].rstrip(".")}.')


def is_pulled(state: Mapping[str, Any]) -> bool:
    """Whether the server has a path's video from the camera itself, from its answer to `/v3/paths/get/PATH`.

    A static source is called by its kind ('rtspSource'), a publisher by its session ('rtspSession').
    """
    source = state.get('source')
    return isinstance(source, dict) and str(source.get('type', '')).endswith('Source')
