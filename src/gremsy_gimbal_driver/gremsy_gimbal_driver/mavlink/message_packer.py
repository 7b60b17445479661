# SPDX-License-Identifier: Apache-2.0
"""Numbers and packs one sender's messages; what they say is the business of the classes built on it."""

from __future__ import annotations

import threading

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender


class MessagePacker:
    """One numbering for all messages of one sender; may be used from several threads."""

    def __init__(self, own: Sender) -> None:
        self._mavlink = dialect.MAVLink(None, srcSystem=own.system, srcComponent=own.component)
        self._lock = threading.Lock()

    def command(self, to: Sender, command: int, *parameters: float) -> bytes:
        """COMMAND_LONG with up to seven parameters, the rest 0; confirmation 1 as in the vendor's SDK (gimbal.md 2)."""
        seven = [*parameters, *[0.0] * (7 - len(parameters))]
        return self._pack(dialect.MAVLink_command_long_message(to.system, to.component, command, 1, *seven))

    def _pack(self, message: dialect.MAVLink_message) -> bytes:
        with self._lock:
            packed = bytes(message.pack(self._mavlink))
            self._mavlink.seq = (self._mavlink.seq + 1) % 256
        return packed
