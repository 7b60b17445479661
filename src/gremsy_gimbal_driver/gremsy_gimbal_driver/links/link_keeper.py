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


@dataclass(frozen=True, slots=True)
class Traffic:
    """Running totals of one link.

    Attributes:
        refused_writes: messages that did not go out whole, those on a closed link not counted.
    """

    bytes_in: int
    bytes_out: int
    messages_out: int
    refused_writes: int
    openings: int


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
        self._reason = ''
        self._write_error = ''
        self._closing = threading.Event()
        self._bytes_in = 0
        self._bytes_out = 0
        self._messages_out = 0
        self._refused = 0
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

    @property
    def trouble(self) -> str:
        """Why it is not open, or what is wrong although it is; empty when all is well or nothing was tried yet."""
        return self._link.trouble if self._is_open else self._reason

    @property
    def traffic(self) -> Traffic:
        """What went through so far."""
        return Traffic(self._bytes_in, self._bytes_out, self._messages_out, self._refused, self.openings)

    def read(self, timeout_s: float) -> bytes:
        """What came; empty when nothing did, or while the link is lost (then it waits and tries to open it)."""
        if self._write_error:
            self._lose(self._write_error)
        if not self._is_open and not self._reopen():
            return b''
        try:
            data = self._link.read(timeout_s)
        except LinkError as error:
            self._lose(str(error))
            return b''
        self._bytes_in += len(data)
        return data

    def write(self, data: bytes) -> bool:
        """Whether all of it went out. A loss met here is the reader's to say and mend: its next read does so."""
        with self._lock:
            if not self._is_open:
                return False
            try:
                whole = self._link.write(data)
            except LinkError as error:
                self._write_error = str(error)
                whole = False
            if whole:
                self._bytes_out += len(data)
                self._messages_out += 1
            else:
                self._refused += 1
            return whole

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
            # Not under the lock: a name server can take seconds, and the writer has other links to serve.
            self._link.open()
        except LinkError as error:
            self._reason = str(error)
            self._say(self._reason)
            return False
        with self._lock:
            if self._closing.is_set():
                self._link.close()
                return False
            self._is_open = True
            self._reason = self._write_error = ''
            self.openings += 1
        self._wait_s, self._said = _FIRST_WAIT_S, False
        self._opened(self._link.fileno())
        return True

    def _lose(self, reason: str) -> None:
        with self._lock:
            # From here on no writer touches the link, so closing, which may drain, holds nobody up.
            self._is_open = False
            self._write_error = ''
            self._reason = reason
        self._link.close()
        if not self._closing.is_set():
            self._say(reason)

    def _say(self, reason: str) -> None:
        if not self._said:
            self._said = True
            self._failed(reason)
