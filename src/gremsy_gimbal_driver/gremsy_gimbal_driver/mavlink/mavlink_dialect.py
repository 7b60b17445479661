# SPDX-License-Identifier: Apache-2.0
"""The MAVLink dialect in use, version 2, imported without touching the environment, and how messages are packed in it.

`ardupilotmega`, because `common` lacks MOUNT_STATUS 158 (gimbal.md 1.13). The v2 dialect is imported by its own name:
`MAVLINK20=1` only steers pymavlink's `mavutil`, which the suite does not use.
"""

from __future__ import annotations

import threading
from struct import Struct
from types import MappingProxyType

from pymavlink.dialects.v20 import ardupilotmega as dialect

from gremsy_gimbal_driver.mavlink.mavlink_events import Sender

__all__ = ['CHECKSUM_EXTRA', 'MESSAGE_STRUCT', 'MessagePacker', 'dialect']

CHECKSUM_EXTRA = MappingProxyType({number: int(message.crc_extra) for number, message in dialect.mavlink_map.items()})

MESSAGE_STRUCT = MappingProxyType(
    {number: Struct(message.unpacker.format) for number, message in dialect.mavlink_map.items()}
)


class MessagePacker:
    """One numbering for all messages of one sender; may be used from several threads.

    What the messages say is the business of the classes built on it.
    """

    def __init__(self, own: Sender) -> None:
        self.own = own
        self._mavlink = dialect.MAVLink(None, srcSystem=own.system, srcComponent=own.component)
        self._lock = threading.Lock()

    def command(self, to: Sender, command: int, *parameters: float, confirmation: int = 0) -> bytes:
        """COMMAND_LONG with up to seven parameters, the rest 0.

        `confirmation` is 0 in a command's first transmission and counts its repeats (common.xml). The vendor's SDK
        always sends 1 (gimbal.md 2); ArduPilot's mounts, which drive the same gimbals, send 0.
        """
        seven = [*parameters, *[0.0] * (7 - len(parameters))]
        return self._pack(dialect.MAVLink_command_long_message(to.system, to.component, command, confirmation, *seven))

    def _pack(self, message: dialect.MAVLink_message) -> bytes:
        with self._lock:
            packed = bytes(message.pack(self._mavlink))
            self._mavlink.seq = (self._mavlink.seq + 1) % 256
        return packed
