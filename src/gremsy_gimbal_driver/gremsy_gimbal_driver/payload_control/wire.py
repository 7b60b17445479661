# SPDX-License-Identifier: Apache-2.0
"""What payload control writes, and the values of PARAM_EXT: little-endian u32 at the start of a 128 byte field.

The vendor's own SDK fills that field with `strcpy`, so that 256 arrives as 0 (gimbal.md 1.12 bug 2).
"""

from __future__ import annotations

import struct
import threading

from gremsy_gimbal_driver.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink_encoder import Encoder
from gremsy_gimbal_driver.mavlink_events import Sender

LARGEST_VALUE = 0xFFFFFFFF
LONGEST_NAME = 16

_VALUE_BYTES = 128
_FORMATS = {
    dialect.MAV_PARAM_EXT_TYPE_UINT8: '<B',
    dialect.MAV_PARAM_EXT_TYPE_INT8: '<b',
    dialect.MAV_PARAM_EXT_TYPE_UINT16: '<H',
    dialect.MAV_PARAM_EXT_TYPE_INT16: '<h',
    dialect.MAV_PARAM_EXT_TYPE_UINT32: '<I',
    dialect.MAV_PARAM_EXT_TYPE_INT32: '<i',
    dialect.MAV_PARAM_EXT_TYPE_REAL32: '<f',
}


class PayloadWire:
    """Packs for one sender; may be used from several threads.

    PARAM_EXT messages have a sequence of their own, which a router may count as lost frames until `Encoder` packs them.
    """

    def __init__(self, encoder: Encoder, own: Sender) -> None:
        self._encoder = encoder
        self._mavlink = dialect.MAVLink(None, srcSystem=own.system, srcComponent=own.component)
        self._lock = threading.Lock()

    def command(self, to: Sender, command: int, *parameters: float) -> bytes:
        """COMMAND_LONG."""
        return self._encoder.command(to, command, *parameters)

    def set_extended_parameter(self, to: Sender, name: str, value: int) -> bytes:
        """PARAM_EXT_SET 323, UINT32."""
        raw = struct.pack('<I', value).ljust(_VALUE_BYTES, b'\0')
        kind = dialect.MAV_PARAM_EXT_TYPE_UINT32
        return self._pack(
            dialect.MAVLink_param_ext_set_message(to.system, to.component, name.encode('ascii'), raw, kind)
        )

    def read_extended_parameter(self, to: Sender, name: str) -> bytes:
        """PARAM_EXT_REQUEST_READ 320, by name."""
        return self._pack(
            dialect.MAVLink_param_ext_request_read_message(to.system, to.component, name.encode('ascii'), -1)
        )

    def list_extended_parameters(self, to: Sender) -> bytes:
        """PARAM_EXT_REQUEST_LIST 321."""
        return self._pack(dialect.MAVLink_param_ext_request_list_message(to.system, to.component))

    def _pack(self, message: dialect.MAVLink_message) -> bytes:
        with self._lock:
            packed = bytes(message.pack(self._mavlink))
            self._mavlink.seq = (self._mavlink.seq + 1) % 256
        return packed


def extended_value(raw: bytes, kind: int) -> float:
    """The number in the value field of PARAM_EXT_VALUE or _ACK, whose trailing zeros may be cut off.

    An unknown type is read as u32: that is what the vendor's SDKs do with every one.
    """
    layout = _FORMATS.get(kind, '<I')
    size = struct.calcsize(layout)
    value: int | float = struct.unpack(layout, raw[:size].ljust(size, b'\0'))[0]
    return value
