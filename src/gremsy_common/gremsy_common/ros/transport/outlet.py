# SPDX-License-Identifier: Apache-2.0
"""How a heavy topic leaves the process: on a thread of its own, newest item only, not felt by who publishes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from gremsy_common.timing.worker import LatestSlot, Worker, yield_to_others

T = TypeVar('T')

# Of the thread, where the process has work of its own with the items: the loop's threads go first when the cores are
# short. In a process that does nothing but publish them, waiting would only make them old.
_NICENESS = 5


class Outlet(Worker, Generic[T]):
    """Sends what is put into `slot`, one item after another; one that waits when the next comes is dropped there."""

    def __init__(
        self, name: str, send: Callable[[T], None], on_error: Callable[[str], None], *, wanted_here: Callable[[], bool]
    ) -> None:
        super().__init__(
            f'publish {name}', self._send_next, lambda error: on_error(f'Could not publish {name}: {error}')
        )
        self.slot: LatestSlot[T] = LatestSlot()
        self._send = send
        self._wanted_here = wanted_here
        self._yielding = False

    def close(self) -> bool:
        """End after the item in hand; False when that takes longer than two seconds."""
        self.slot.close()
        return self.stop(timeout_s=2.0)

    def _send_next(self) -> None:
        item = self.slot.take(timeout_s=0.5)
        if item is None:
            return
        if not self._yielding and self._wanted_here():
            yield_to_others(_NICENESS)
            self._yielding = True
        self._send(item)
