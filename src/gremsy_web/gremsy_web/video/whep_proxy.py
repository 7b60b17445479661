# SPDX-License-Identifier: Apache-2.0
"""WHEP by way of this server, so that page, API and video are one origin: the session's URL is made ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from gremsy_web.http.api_errors import ApiError
from gremsy_web.video.video_reachable import is_pulled
from gremsy_web.video.watches import Watches

# What the encoder takes to begin, with room: it looks for watchers five times a second and publishes at once.
_PATIENCE_S = 5.0
# It publishes 0.05 to 0.1 s after it was told; whoever waits for longer waits for something else.
_RETRY_S, _LATER_RETRY_S, _SOON_S = 0.03, 0.15, 0.5
# MediaMTX lets an offer wait 5 s for the publisher (docker/mediamtx.yml) and 10 s for a camera that it pulls.
_ASKS_S = 6.0
_HANDED_BACK = ('content-type', 'etag', 'id', 'accept-patch', 'accept-post', 'link')
# Of what the RTP times are made: of the frames' stamps, or of the camera's own clock.
TIMES = 'x-gremsy-video-times'
_AWAY = 'The video server does not answer: it is being started again, or `video_url` is wrong.'


@dataclass(frozen=True, slots=True)
class Handed:
    """The video server's answer, as it goes to the browser."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class WhepProxy:
    """Between a browser and the video server's WHEP.

    Args:
        url: of the video server, as http://127.0.0.1:8889.
        token: gives what the video server is shown; it asks `/api/video/auth` about that.
        watches: is updated with sessions.
        notify: called with a path that is watched, at once.
        api_url: of the server's control API.
        pulled: called with whether the server has a path's video from the camera itself.
    """

    def __init__(
        self,
        url: str,
        token: Callable[[], str],
        watches: Watches,
        notify: Callable[[str], None],
        api_url: str,
        pulled: Callable[[str, bool], None],
    ) -> None:
        self._url = url.rstrip('/')
        self._api_url = api_url.rstrip('/')
        self._pulled = pulled
        self._token = token
        self._watches = watches
        self._notify = notify
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """On the server's loop."""
        # No proxy of the environment: the video server is on this machine.
        self._client = httpx.AsyncClient(timeout=_ASKS_S, trust_env=False)

    async def close(self) -> None:
        """Let the connections go."""
        if self._client is not None:
            await self._client.aclose()

    async def offer(self, path: str, body: bytes, content_type: str) -> Handed:
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
        handed = self._hand_back(answer)
        location = urlsplit(answer.headers.get('location', '')).path
        if answer.status_code == 201 and location:
            secret = location.rsplit('/', 1)[-1]
            self._watches.began(secret, path, time.monotonic())
            # Whoever just came can show nothing before the next key frame.
            self._notify(f'{path} key')
            handed.headers['location'] = f'/video/{path}/whep/{secret}'
            handed.headers[TIMES] = await self._whose_times(path)
        return handed

    async def patch(self, path: str, secret: str, body: bytes, content_type: str, if_match: str) -> Handed:
        """A candidate of the browser's."""
        return self._hand_back(await self._ask('PATCH', f'/{path}/whep/{secret}', body, content_type, if_match))

    async def delete(self, path: str, secret: str) -> Handed:
        """End the session."""
        self._watches.ended(secret)
        return self._hand_back(await self._ask('DELETE', f'/{path}/whep/{secret}'))

    async def options(self, path: str) -> Handed:
        """What may be posted, and the ICE servers."""
        return self._hand_back(await self._ask('OPTIONS', f'/{path}/whep'))

    async def _whose_times(self, path: str) -> str:
        """Before the first picture, whose stamp the page would else make of an RTP time that says nothing of it."""
        assert self._client is not None
        try:
            answer = await self._client.get(f'{self._api_url}/v3/paths/get/{path}')
            pulled = answer.status_code == 200 and is_pulled(answer.json())
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, AttributeError):
            # Readiness says that the API does not answer; all but pulled cameras need it for nothing.
            return 'stamp'
        self._pulled(path, pulled)
        return 'camera' if pulled else 'stamp'

    async def _ask(
        self, method: str, path: str, body: bytes = b'', content_type: str = '', if_match: str = ''
    ) -> httpx.Response:
        assert self._client is not None
        headers = {'content-type': content_type, 'if-match': if_match}
        headers = {name: value for name, value in headers.items() if value}
        token = self._token()
        if token:
            headers['authorization'] = f'Bearer {token}'
        try:
            return await self._client.request(method, f'{self._url}{path}', content=body, headers=headers)
        except httpx.ReadTimeout as error:
            raise ApiError(404, 'The video server gets no video for this path: is its camera running?') from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ApiError(503, _AWAY) from error

    @staticmethod
    def _hand_back(answer: httpx.Response) -> Handed:
        if answer.status_code >= 400:
            raise _error(answer)
        headers = {name: answer.headers[name] for name in _HANDED_BACK if name in answer.headers}
        return Handed(answer.status_code, answer.content, headers)


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
