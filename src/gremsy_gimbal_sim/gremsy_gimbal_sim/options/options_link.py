# SPDX-License-Identifier: Apache-2.0
"""Options of the wire and of the power: who is on it, what it does to bytes, how long a restart takes."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import param


@dataclass(frozen=True, kw_only=True)
class LinkOptions:
    """The link and its faults, the same in both directions, random for each plug."""

    system: int = param(1, 'MAVLink system of all three components; 4 on a PixyWE', low=1, high=255)
    gimbal_component: int = param(154, "the gimbal's component, 154 or 171 to 175", low=1, high=255)
    camera_component: int = param(
        101, "the camera's component, 100 to 105: 101 in the vendor's SDK, 100 in its Python one", low=1, high=255
    )
    lost_byte_share: float = param(0.0, 'share of bytes that are lost', low=0.0, high=1.0)
    corrupted_byte_share: float = param(0.0, 'share of bytes that arrive as another byte', low=0.0, high=1.0)
    duplicated_message_share: float = param(0.0, 'share of messages that arrive twice', low=0.0, high=1.0)
    latency_s: float = param(0.0, 'latency, one way', unit='s', low=0.0, high=10.0)
    jitter_s: float = param(0.0, 'up to this much more latency; nothing overtakes', unit='s', low=0.0, high=10.0)
    fragment_bytes: int = param(0, 'a message arrives in pieces of this size, 0 whole', unit='B', low=0, high=300)
    fragment_gap_s: float = param(0.002, 'time between two pieces', unit='s', low=0.0, high=1.0)
    paced_bytes_per_s: float = param(
        0.0, 'rate of the wire; 115200 baud 8N1 is 11520, 0 is unlimited', unit='B/s', low=0.0, high=1e7
    )
    send_buffer_bytes: int = param(
        4096, 'send buffer of a paced wire; what exceeds it is lost', unit='B', low=300, high=1e6
    )


@dataclass(frozen=True, kw_only=True)
class PowerOptions:
    """Start and restart."""

    boot_ms: int = param(12_000, "the device's clock at the start", unit='ms', low=0, high=2**32 - 1)
    boot_s: float = param(10.0, 'silence during a reboot', unit='s', low=0.0, high=600.0)
    autotune_s: float = param(20.0, 'silence after auto-tune, which ends in a reboot', unit='s', low=0.0, high=600.0)
    usb_reset_lines: bool = param(False, 'DTR drives RESET and RTS drives BOOT0, as on the USB cable')
