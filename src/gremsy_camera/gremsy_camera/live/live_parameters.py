# SPDX-License-Identifier: Apache-2.0
"""What the camera's parameters ask of a live source."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import Span, param
from gremsy_common.parameters.parameter_forms import TextForm


@dataclass(frozen=True)
class LiveParameters:
    """The same for every camera that runs on its own."""

    reader: str = param(
        'auto',
        'Library that reads a network camera; `auto` takes the first one that this machine has.',
        choices=('auto', 'pyav', 'gstreamer', 'opencv'),
    )
    decoder: str = param(
        'auto',
        'Decoder of the video; `auto` takes hardware where that works.',
        choices=('auto', 'hardware', 'software'),
    )
    transport: str = param(
        'auto',
        'Transport of the RTP packets; `auto` takes TCP, which loses none, and UDP where the camera refuses TCP.',
        choices=('auto', 'tcp', 'udp'),
    )
    via: str = param(
        'auto',
        'Where the stream is read from; `auto` takes the server at `server_url`, and the camera while that is '
        'unreachable.',
        choices=('auto', 'camera', 'server'),
    )
    server_url: str = param(
        '', "The camera's stream at a media server, such as `rtsp://127.0.0.1:8554/eo`; empty for no server."
    )
    max_delay_ms: float = param(
        100.0, 'Longest time that RTP packets over UDP wait for a missing one.', Span(0.0, 2000.0, 'ms')
    )
    stamps: str = param(
        'auto',
        'Where capture times come from: `auto` takes the best that the camera reports; `camera` does too, and '
        "trusts the camera's clock however far off it is; `arrival` ignores the camera's times; `sei` reads the time "
        'code in the video.',
        choices=('auto', 'camera', 'arrival', 'sei'),
    )
    transport_delay_ms: float = param(
        0.0,
        'Shortest time from capture to arrival, subtracted from the arrival where the camera reports no capture '
        "time or its clock differs from this machine's.",
        Span(0.0, 5000.0, 'ms'),
    )
    stamp_offset_ms: float = param(
        0.0,
        'Added to the capture times that the camera reports; `camera_check` measures it.',
        Span(-5000.0, 5000.0, 'ms'),
    )
    stall_after_s: float = param(
        0.8,
        'A camera that sends no picture for this long, and for three periods of its rate, is reopened.',
        Span(0.1, 60.0, 's'),
    )
    frozen_after_s: float = param(
        5.0,
        'A camera that sends the same picture for this long is considered frozen; 0 for never.',
        Span(0.0, 600.0, 's'),
    )
    secrets_file: str = param(
        '',
        'File of NAME=VALUE lines for `${NAME}` in `source` and `server_url`, in addition to the environment; '
        'empty for none.',
        form=TextForm.PATH,
    )
