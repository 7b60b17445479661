# SPDX-License-Identifier: Apache-2.0
"""Asks the video server twice a second whether it is there, and who reads the paths that are watched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from gremsy_web.robot.robot_picture import RobotPicture
from gremsy_web.video.watches import Watches

# One that died is there again after a second.
_EVERY_S = 0.5
_ASKS_S = 1.0
_WAY_OUT = 'start MediaMTX, or the suite with `video:=builtin`'


class VideoServerWatch:
    """A task on the server's loop.

    Args:
        api_url: of the server's control API, as http://127.0.0.1:9997.
        first_path: is asked for where nothing is watched; that it is not published is an answer too.
        picture: is updated.
        watches: is read and updated.
        notify: called with a path that is watched.
    """

    def __init__(
        self, api_url: str, first_path: str, picture: RobotPicture, watches: Watches, notify: Callable[[str], None]
    ) -> None:
        self._url = api_url.rstrip('/')
        self._first = first_path
        self._picture = picture
        self._watches = watches
        self._notify = notify

    async def run(self) -> None:
        """Until it is cancelled."""
        async with httpx.AsyncClient(timeout=_ASKS_S, trust_env=False) as client:
            while True:
                await self._look(client)
                await asyncio.sleep(_EVERY_S)

    async def _look(self, client: httpx.AsyncClient) -> None:
        watched = self._watches.paths(time.monotonic())
        for path in watched:
            self._notify(path)
        for path in sorted(watched) or [self._first]:
            try:
                answer = await client.get(f'{self._url}/v3/paths/get/{path}')
                state = answer.json() if answer.status_code == 200 else {}
                readers, pulled = state.get('readers'), is_pulled(state)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError, AttributeError) as error:
                what = 'it does not answer' if isinstance(error, httpx.HTTPError) else 'its reply is not JSON'
                self._picture.video_server = f'{what} at {self._url}: {_WAY_OUT}'
                return
            self._picture.video_is_pulled(path, pulled)
            self._watches.update(path, time.monotonic(), is_read=bool(readers))
        self._picture.video_server = None


def is_pulled(state: Mapping[str, Any]) -> bool:
    """Whether the server has a path's video from the camera itself, from its answer to `/v3/paths/get/PATH`.

    A static source is called by its kind ('rtspSource'), a publisher by its session ('rtspSession').
    """
    source = state.get('source')
    return isinstance(source, dict) and str(source.get('type', '')).endswith('Source')
