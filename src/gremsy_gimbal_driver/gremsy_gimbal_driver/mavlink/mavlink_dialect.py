# SPDX-License-Identifier: Apache-2.0
"""The MAVLink dialect in use, version 2, imported without touching the environment.

`ardupilotmega`, because `common` lacks MOUNT_STATUS 158 (gimbal.md 1.13). The v2 dialect is imported by its own name:
`MAVLINK20=1` only steers pymavlink's `mavutil`, which the suite does not use.
"""

from __future__ import annotations

from struct import Struct
from types import MappingProxyType

from pymavlink.dialects.v20 import ardupilotmega as dialect

__all__ = ['CHECKSUM_EXTRA', 'MESSAGE_STRUCT', 'dialect']

CHECKSUM_EXTRA = MappingProxyType({number: int(message.crc_extra) for number, message in dialect.mavlink_map.items()})

MESSAGE_STRUCT = MappingProxyType(
    {number: Struct(message.unpacker.format) for number, message in dialect.mavlink_map.items()}
)
