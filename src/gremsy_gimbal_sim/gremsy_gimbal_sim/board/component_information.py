# SPDX-License-Identifier: Apache-2.0
"""COMPONENT_INFORMATION_BASIC 396, which pymavlink no longer has (gimbal.md 1.13): model, software, serial number.

Fields: https://mavlink.io/en/messages/common.html#COMPONENT_INFORMATION_BASIC
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_framing import checksum

MESSAGE_ID = 396
CHECKSUM_EXTRA = 50
LAYOUT = Struct('<QII32s32s24s24s32s')


@dataclass(frozen=True, slots=True)
class ComponentInformation:
    """Packs like a message of pymavlink."""

    boot_ms: int
    model: str
    software: str
    serial_number: str

    def pack(self, mavlink: dialect.MAVLink) -> bytes:
        """As MAVLink 2 bytes."""
        texts = (self.model, self.software, '1', self.serial_number)
        vendor, rest = b'GREMSY', [text.encode('ascii', 'replace') for text in texts]
        payload = LAYOUT.pack(0, self.boot_ms, 0, vendor, *rest).rstrip(b'\0')
        header = bytes((len(payload), 0, 0, mavlink.seq, mavlink.srcSystem, mavlink.srcComponent))
        body = header + MESSAGE_ID.to_bytes(3, 'little') + payload
        return b'\xfd' + body + checksum(body + bytes((CHECKSUM_EXTRA,))).to_bytes(2, 'little')
