# SPDX-License-Identifier: Apache-2.0
"""What the camera's parameters want of a live source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """The same for every camera; each is a parameter of `camera` under this name.

    Attributes:
        reader: 'auto' for the first that can be used (`pyav`, `gstreamer`, `opencv`), or one of these.
        decoder: 'auto', 'hardware' or 'software'.
        transport: 'auto', 'tcp' or 'udp', of RTSP.
        via: 'auto', 'camera' or 'server': whom the stream is read from.
        server_url: the same stream at the server; '' for no server.
        max_delay_ms: longest time that packets wait for a missing one.
        stamps: 'auto', 'camera', 'arrival' or 'sei': where capture times come from.
        transport_delay_ms: taken from the arrival where nothing tells the capture time, and the delay of the quickest
            pictures where the camera's clock is not ours.
        stamp_offset_ms: added to capture times that the camera tells, as `camera_check` measures it.
        stall_after_s: a camera that sends no picture for so long, and for three periods, is opened again.
        frozen_after_s: a camera that sends one and the same picture for so long is frozen; 0 never is.
        secrets_file: file of NAME=VALUE lines for `${NAME}` in `source`, beside the environment; '' for none.
    """

    reader: str = 'auto'
    decoder: str = 'auto'
    transport: str = 'auto'
    via: str = 'auto'
    server_url: str = ''
    max_delay_ms: float = 100.0
    stamps: str = 'auto'
    transport_delay_ms: float = 0.0
    stamp_offset_ms: float = 0.0
    stall_after_s: float = 0.8
    frozen_after_s: float = 5.0
    secrets_file: str = ''
