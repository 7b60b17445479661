# SPDX-License-Identifier: Apache-2.0
"""The pictures for one viewer: from a key frame on, not too many at a time, none while its connection is not up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gremsy_web.video_server.video_paths import SharedPicture

# A second at 30 Hz. A viewer that far behind gains nothing by the rest of it.
_MOST_WAITING = 30


class ViewerFeed:
    """Between the path and one viewer's sender; both run in one loop.

    Args:
        ask_key_frame: called while pictures come that cannot be begun with.

    Attributes:
        sent_bytes: of pictures taken.
        discarded: pictures that were not taken in time.
    """

    def __init__(self, ask_key_frame: Callable[[], None]) -> None:
        self.sent_bytes = self.discarded = 0
        self._ask_key_frame = ask_key_frame
        self._waiting: asyncio.Queue[SharedPicture | None] = asyncio.Queue(_MOST_WAITING)
        self._takes = False
        self._begun = False
        self._ended = False

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
        self._begun = not self._waiting.full()
        if self._begun:
            self._waiting.put_nowait(cut)
        else:
            self.discarded += self._clear() + 1
            self._ask_key_frame()

    async def next(self) -> SharedPicture | None:
        """The next picture to send; None when the publisher has gone or the session has ended."""
        if not self._takes:
            self._takes = True
            self._ask_key_frame()
        picture = await self._waiting.get()
        if picture is None:
            # For whoever asks again.
            self._waiting.put_nowait(None)
            return None
        self.sent_bytes += sum(map(len, picture.payloads))
        return picture

    def end(self) -> None:
        """No more pictures."""
        self._ended = True
        self._clear()
        self._waiting.put_nowait(None)

    def _clear(self) -> int:
        """How many waited."""
        waiting = self._waiting.qsize()
        for _ in range(waiting):
            self._waiting.get_nowait()
        return waiting
