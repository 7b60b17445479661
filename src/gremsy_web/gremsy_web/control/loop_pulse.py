# SPDX-License-Identifier: Apache-2.0
"""Whether the server's loop was held up just now: what it then reads may be older than it looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

# The longest time to live of a motion that is asked for.
_HELD_UP_S = 1.0
_BEAT_S = 0.1
# What waited in the sockets is read within milliseconds; with room for a machine that was starved.
_SETTLES_S = 0.25


class LoopPulse:
    """Beats on the loop; not for several threads.

    Args:
        now_s: the monotonic clock, which goes on while the process is stopped.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._beat_s: float | None = None
        self._held_up_s = float('-inf')
        self.held_up = 0

    def beat(self) -> None:
        """The loop goes on."""
        now_s = self._now_s()
        if self._beat_s is not None and now_s - self._beat_s > _HELD_UP_S:
            self._held_up_s = now_s
            self.held_up += 1
        self._beat_s = now_s

    @property
    def is_late(self) -> bool:
        """Whether a request that is read now may have waited for longer than any motion may last."""
        now_s = self._now_s()
        missed = self._beat_s is not None and now_s - self._beat_s > _HELD_UP_S
        return missed or now_s - self._held_up_s < _SETTLES_S

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self.beat()
            await asyncio.sleep(_BEAT_S)
