# SPDX-License-Identifier: Apache-2.0
"""The number in the value field of PARAM_EXT_VALUE and PARAM_EXT_ACK."""

from __future__ import annotations

import struct

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect

LARGEST_VALUE = 0xFFFFFFFF
"""Whatever the type says, the vendor's SDKs write a u32 (gimbal.md 1.13)."""

_FORMATS = {
    dialect.MAV_PARAM_EXT_TYPE_UINT8: '<B',
    dialect.MAV_PARAM_EXT_TYPE_INT8: '<b',
    dialect.MAV_PARAM_EXT_TYPE_UINT16: '<H',
    dialect.MAV_PARAM_EXT_TYPE_INT16: '<h',
    dialect.MAV_PARAM_EXT_TYPE_UINT32: '<I',
    dialect.MAV_PARAM_EXT_TYPE_INT32: '<i',
    dialect.MAV_PARAM_EXT_TYPE_REAL32: '<f',
}


def extended_value(raw: bytes, kind: int) -> float:
    """By its type; an unknown type is read as u32. Trailing zeros of the field may be cut off."""
    layout = _FORMATS.get(kind, '<I')
    size = struct.calcsize(layout)
    value: int | float = struct.unpack(layout, raw[:size].ljust(size, b'\0'))[0]
    return value
