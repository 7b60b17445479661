# SPDX-License-Identifier: Apache-2.0
"""The gimbal's own parameters (PARAM) and the camera's (PARAM_EXT) as MAVLink 2 bytes."""

from __future__ import annotations

import struct

from gremsy_gimbal_driver.mavlink.mavlink_dialect import MessagePacker, dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender

LONGEST_NAME = 16

_EXTENDED_BYTES = 128
_BY_NAME = -1


class ParameterMessages(MessagePacker):
    """Names are ASCII, at most 16 characters."""

    def read_parameter(self, gimbal: Sender, name: str) -> bytes:
        """PARAM_REQUEST_READ 20 by name."""
        return self._pack(
            dialect.MAVLink_param_request_read_message(gimbal.system, gimbal.component, name.encode('ascii'), _BY_NAME)
        )

    def read_parameter_at(self, gimbal: Sender, index: int) -> bytes:
        """PARAM_REQUEST_READ 20 by index, for the gaps of a list."""
        return self._pack(dialect.MAVLink_param_request_read_message(gimbal.system, gimbal.component, b'', index))

    def list_parameters(self, gimbal: Sender) -> bytes:
        """PARAM_REQUEST_LIST 21."""
        return self._pack(dialect.MAVLink_param_request_list_message(gimbal.system, gimbal.component))

    def set_parameter(self, gimbal: Sender, name: str, value: int) -> bytes:
        """PARAM_SET 23: the whole number cast to float as C casts it, not its bytes (gimbal.md 1.4)."""
        kind = dialect.MAV_PARAM_TYPE_INT16
        return self._pack(
            dialect.MAVLink_param_set_message(gimbal.system, gimbal.component, name.encode('ascii'), float(value), kind)
        )

    def read_extended_parameter(self, to: Sender, name: str) -> bytes:
        """PARAM_EXT_REQUEST_READ 320 by name."""
        return self._pack(
            dialect.MAVLink_param_ext_request_read_message(to.system, to.component, name.encode('ascii'), _BY_NAME)
        )

    def read_extended_parameter_at(self, to: Sender, index: int) -> bytes:
        """PARAM_EXT_REQUEST_READ 320 by index, for the gaps of a list."""
        return self._pack(dialect.MAVLink_param_ext_request_read_message(to.system, to.component, b'', index))

    def list_extended_parameters(self, to: Sender) -> bytes:
        """PARAM_EXT_REQUEST_LIST 321."""
        return self._pack(dialect.MAVLink_param_ext_request_list_message(to.system, to.component))

    def set_extended_parameter(self, to: Sender, name: str, value: int) -> bytes:
        """PARAM_EXT_SET 323 as UINT32: four bytes, low first, then zeros.

        The vendor's own SDK fills the field with `strcpy`, so that 256 arrives as 0 (gimbal.md 1.12 bug 2).
        """
        raw = struct.pack('<I', value).ljust(_EXTENDED_BYTES, b'\0')
        kind = dialect.MAV_PARAM_EXT_TYPE_UINT32
        return self._pack(
            dialect.MAVLink_param_ext_set_message(to.system, to.component, name.encode('ascii'), raw, kind)
        )
