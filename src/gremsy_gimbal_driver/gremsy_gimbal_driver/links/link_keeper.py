# SPDX-License-Identifier: Apache-2.0
"""Keeps a link open: opens it, notices its loss, opens it again with back-off. One thread reads, another may write."""

from __future__ import annotations

import threading
from collections.abc import Callable

from gremsy_gimbal_driver.links.link import Link, LinkError

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 0.5
"""A gimbal plugged in again must be back within a second, the handshake included."""


class LinkKeeper:
    """`read` is called by one thread and does the opening, the first too; `write` by any.

    Args:
        link: not opened yet.
        opened: called after every opening with the descriptor.
        failed: called once per loss with the sentence that says why.
    """

    def __init__(self, link: Link, opened: Callable[[int], None], failed: Callable[[str], None]) -> None:
        self._link = link
        self._opened = opened
        self._failed = failed
        self._lock = threading.Lock()
        self._is_open = False
        self._wait_s = 0.0
        self._said = False
        self._closing = threading.Event()
        self.openings = 0

    @property
    def is_open(self) -> bool:
        """Whether bytes can go out now."""
        return self._is_open

    @property
    def name(self) -> str:
        """The link's."""
        return self._link.name

    @property
    def is_datagram(self) -> bool:
        """The link's."""
        return self._link.is_datagram

    def read(self, timeout_s: float) -> bytes:
        """What came; empty when nothing did, or while the link is lost (then it waits and tries to open it)."""
        if not self._is_open and not self._reopen():
            return b''
        try:
            return self._link.read(timeout_s)
        except LinkError as error:
            self._lose(str(error))
            return b''

    def write(self, data: bytes) -> bool:
        """Whether all of it went out."""
        with self._lock:
            if not self._is_open:
                return False
            try:
                return self._link.write(data)
            except LinkError:
                # The reader meets the same loss, says so and opens the link again.
                return False

    def close(self) -> None:
        """Ends a wait in `read`, too. The reader must have been told to end."""
        self._closing.set()
        with self._lock:
            self._is_open = False
            self._link.close()

    def interrupt(self) -> None:
        """Ends the wait for the next attempt; writing stays possible until `close`."""
        self._closing.set()

    def _reopen(self) -> bool:
        if self._closing.wait(self._wait_s):
            return False
        self._wait_s = min(max(2 * self._wait_s, _FIRST_WAIT_S), _LONGEST_WAIT_S)
        try:
            with self._lock:
                self._link.open()
                self._is_open = True
                self.openings += 1
        except LinkError as error:
            self._say(str(error))
            return False
        self._wait_s, self._said = _FIRST_WAIT_S, False
        self._opened(self._link.fileno())
        return True

    def _lose(self, reason: str) -> None:
        with self._lock:
            self._is_open = False
            self._link.close()
        if not self._closing.is_set():
            self._say(reason)

    def _say(self, reason: str) -> None:
        if not self._said:
            self._said = True
            self._failed(reason)
