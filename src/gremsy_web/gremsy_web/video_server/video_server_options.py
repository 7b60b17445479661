# SPDX-License-Identifier: Apache-2.0
"""Where the video server listens and what it offers viewers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gremsy_web.listening_socket import Address


@dataclass(frozen=True, slots=True)
class VideoServerOptions:
    """What it is told.

    Attributes:
        rtsp: where publishers come.
        whep: where viewers come.
        control: where who looks at it comes.
        ice_hosts: addresses of this machine that no interface of it has.
        ice_servers: STUN or TURN servers that viewers may use as well.
        allowed_origins: whose pages may read the answers; '*' for all.
        most_viewers: at a time.
    """

    rtsp: Address = Address('127.0.0.1', 8554)
    whep: Address = Address('127.0.0.1', 8889)
    control: Address = Address('127.0.0.1', 9997)
    ice_hosts: Sequence[str] = ()
    ice_servers: Sequence[str] = ()
    allowed_origins: Sequence[str] = ()
    most_viewers: int = 50
