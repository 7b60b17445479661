# SPDX-License-Identifier: Apache-2.0
"""Options of the wire and of the power: who is on it, what it does to bytes, how long a restart takes."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import Span, param


@dataclass(frozen=True, kw_only=True)
class LinkOptions:
    """The link and its faults, the same in both directions, random for each plug."""

    system: int = param(1, 'MAVLink system of all three components; 4 on a PixyWE', Span(1, 255))
    gimbal_component: int = param(154, "the gimbal's component, 154 or 171 to 175", Span(1, 255))
    camera_component: int = param(
        101, "the camera's component, 100 to 105: 101 in the vendor's SDK, 100 in its Python one", Span(1, 255)
    )
    lost_byte_share: float = param(0.0, 'share of bytes that are lost', Span(0.0, 1.0))
    corrupted_byte_share: float = param(0.0, 'share of bytes that arrive as another byte', Span(0.0, 1.0))
    duplicated_message_share: float = param(0.0, 'share of messages that arrive twice', Span(0.0, 1.0))
    latency_s: float = param(0.0, 'latency, one way', Span(0.0, 10.0, 's'))
    jitter_s: float = param(0.0, 'up to this much more latency; nothing overtakes', Span(0.0, 10.0, 's'))
    fragment_bytes: int = param(0, 'a message arrives in pieces of this size, 0 whole', Span(0, 300, 'B'))
    fragment_gap_s: float = param(0.002, 'time between two pieces', Span(0.0, 1.0, 's'))
    paced_bytes_per_s: float = param(
        0.0, 'rate of the wire; 115200 baud 8N1 is 11520, 0 is unlimited', Span(0.0, 1e7, 'B/s')
    )
    send_buffer_bytes: int = param(4096, 'send buffer of a paced wire; what exceeds it is lost', Span(300, 1e6, 'B'))


@dataclass(frozen=True, kw_only=True)
class PowerOptions:
    """Start and restart."""

    boot_ms: int = param(12_000, "the device's clock at the start", Span(0, 2**32 - 1, 'ms'))
    boot_s: float = param(10.0, 'silence during a reboot', Span(0.0, 600.0, 's'))
    autotune_s: float = param(20.0, 'silence after auto-tune, which ends in a reboot', Span(0.0, 600.0, 's'))
    usb_reset_lines: bool = param(False, 'DTR drives RESET and RTS drives BOOT0, as on the USB cable')
