# SPDX-License-Identifier: Apache-2.0
"""Keeps a link open: opens it, notices its loss, opens it again with back-off. One thread reads, another may write."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from gremsy_gimbal_driver.links.link import Link, LinkError

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 0.25
"""A gimbal plugged in again must be back within a second, the handshake included; looking for a port costs 20 us."""


@dataclass(slots=True)
class LinkTraffic:
    """Running totals of one link.

    Attributes:
        refused_writes: messages that did not go out whole, those on a closed link not counted.
    """

    bytes_in: int = 0
    bytes_out: int = 0
    refused_writes: int = 0
    openings: int = 0


class LinkKeeper:
    """One thread calls `read`, which also opens the link, the first time too; any may call `write`.

    Args:
        link: not opened yet.
        opened: called after every opening with the descriptor.
        failed: called once per loss with the sentence that says why.
    """

    def __init__(self, link: Link, opened: Callable[[int], None], failed: Callable[[str], None]) -> None:
        self.link = link
        self._opened = opened
        self._failed = failed
        self._lock = threading.Lock()
        self.is_open = False
        """Whether bytes can go out now."""
        self._wait_s = 0.0
        self._reported = False
        self._reason = ''
        self._write_error = ''
        self._closing = threading.Event()
        self.traffic = LinkTraffic()

    @property
    def fault(self) -> str:
        """Why it is not open, or what is wrong although it is; empty when nothing is or nothing was tried yet."""
        return self.link.fault if self.is_open else self._reason

    def read(self, timeout_s: float) -> bytes:
        """What came; empty when nothing did, or while the link is lost (then it waits and tries to open it)."""
        if self._write_error:
            self._lose(self._write_error)
        if not self.is_open and not self._reopen():
            return b''
        try:
            data = self.link.read(timeout_s)
        except LinkError as error:
            self._lose(str(error))
            return b''
        self.traffic.bytes_in += len(data)
        return data

    def write(self, data: bytes) -> bool:
        """Whether all of it went out. A loss met here is left to the reader, whose next read reports and mends it."""
        with self._lock:
            if not self.is_open:
                return False
            try:
                whole = self.link.write(data)
            except LinkError as error:
                self._write_error = str(error)
                whole = False
            if whole:
                self.traffic.bytes_out += len(data)
            else:
                self.traffic.refused_writes += 1
            return whole

    def close(self) -> None:
        """Ends a wait in `read`, too. The reader must be ending already."""
        self._closing.set()
        with self._lock:
            self.is_open = False
            self.link.close()

    def interrupt(self) -> None:
        """Ends the wait for the next attempt; writing stays possible until `close`."""
        self._closing.set()

    def _reopen(self) -> bool:
        if self._closing.wait(self._wait_s):
            return False
        self._wait_s = min(max(2 * self._wait_s, _FIRST_WAIT_S), _LONGEST_WAIT_S)
        try:
            # Not under the lock: a name server can take seconds, and the writer has other links to serve.
            self.link.open()
        except LinkError as error:
            self._reason = str(error)
            self._report(self._reason)
            return False
        with self._lock:
            if self._closing.is_set():
                self.link.close()
                return False
            self.is_open = True
            self._reason = self._write_error = ''
            self.traffic.openings += 1
        self._wait_s, self._reported = _FIRST_WAIT_S, False
        self._opened(self.link.fileno())
        return True

    def _lose(self, reason: str) -> None:
        with self._lock:
            # From here on no writer touches the link, so closing, which may drain, holds nobody up.
            self.is_open = False
            self._write_error = ''
            self._reason = reason
        self.link.close()
        if not self._closing.is_set():
            self._report(reason)

    def _report(self, reason: str) -> None:
        if not self._reported:
            self._reported = True
            self._failed(reason)
