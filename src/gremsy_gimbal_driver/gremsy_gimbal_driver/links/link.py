# SPDX-License-Identifier: Apache-2.0
"""What a link to a gimbal is: opened and closed explicitly, read with a time-out, written at once or not at all."""

from __future__ import annotations

from typing import Protocol

from gremsy_common.errors import SuiteError


class LinkError(SuiteError):
    """The link cannot be opened or was lost; the sentence names the device or address and the way out."""


class Link(Protocol):
    """One way to one gimbal. `open` may be called again after `close`."""

    @property
    def name(self) -> str:
        """Its name in messages: the URI without its options."""

    @property
    def is_datagram(self) -> bool:
        """Whether what is read are whole datagrams."""

    @property
    def fault(self) -> str:
        """What is wrong although it is open, as a sentence; empty while nothing is."""

    def open(self) -> None:
        """May wait for a name server, so no other thread may depend on it. Raises LinkError."""

    def close(self) -> None:
        """Does nothing where it is closed."""

    def fileno(self) -> int:
        """The open descriptor, for the deadman; writing to it reaches the gimbal and never waits."""

    def read(self, timeout_s: float) -> bytes:
        """What came, empty when nothing did in that time. Raises LinkError when the link was lost."""

    def write(self, data: bytes) -> bool:
        """Whether all of it went out; never waits for the other side. Raises LinkError when the link was lost."""
