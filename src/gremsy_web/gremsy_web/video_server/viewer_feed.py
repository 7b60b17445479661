# SPDX-License-Identifier: Apache-2.0
"""The pictures for one viewer: from a key frame on, not too many at a time, none while its connection is not up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from gremsy_web.video_server.video_paths import SharedPicture

# A second at 30 Hz. A viewer that far behind gains nothing by the rest of it.
_MOST_WAITING = 30


class FeedEnded(Exception):
    """There will be no more pictures."""


class ViewerFeed:
    """Between the path and one viewer's sender; both run in one loop.

    Args:
        ask_key_frame: called while pictures come that cannot be begun with.

    Attributes:
        sent_bytes: of pictures taken.
        discarded: pictures that were not taken in time.
    """

    def __init__(self, ask_key_frame: Callable[[], None]) -> None:
        self.sent_bytes = 0
        self._ask_key_frame = ask_key_frame
        self._waiting: deque[SharedPicture] = deque()
        self._wanted: asyncio.Future[SharedPicture] | None = None
        self._takes = False
        self._begun = False
        self._ended = False
        self.discarded = 0

    def put(self, picture: Callable[[], SharedPicture | None], key: bool) -> None:
        """A picture is there. It is not even cut for a viewer whose connection is not up."""
        if not self._takes or self._ended:
            return
        if not self._begun and not key:
            self._ask_key_frame()
            return
        cut = picture()
        if cut is None:
            return
        self._begun = True
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(cut)
            return
        if len(self._waiting) >= _MOST_WAITING:
            self.discarded += len(self._waiting) + 1
            self._waiting.clear()
            self._begun = False
            self._ask_key_frame()
            return
        self._waiting.append(cut)

    async def next(self) -> SharedPicture:
        """The next picture to send.

        Raises:
            FeedEnded: when the publisher has gone or the session has ended.
        """
        if not self._takes:
            self._takes = True
            self._ask_key_frame()
        picture = self._waiting.popleft() if self._waiting else await self._next_to_come()
        self.sent_bytes += sum(map(len, picture.payloads))
        return picture

    async def _next_to_come(self) -> SharedPicture:
        if self._ended:
            raise FeedEnded
        self._wanted = asyncio.get_running_loop().create_future()
        try:
            return await self._wanted
        finally:
            self._wanted = None

    def end(self) -> None:
        """No more pictures."""
        self._ended = True
        self._waiting.clear()
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_exception(FeedEnded())
