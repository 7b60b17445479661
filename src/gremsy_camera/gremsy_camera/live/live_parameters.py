# SPDX-License-Identifier: Apache-2.0
"""What the camera's parameters ask of a live source."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import param
from gremsy_common.parameters.parameter_forms import TextForm


@dataclass(frozen=True)
class LiveParameters:
    """The same for every camera that runs on its own."""

    reader: str = param(
        'auto',
        choices=('auto', 'pyav', 'gstreamer', 'opencv'),
        doc='Library that reads a network camera; `auto` takes the first one that this machine has.',
    )
    decoder: str = param(
        'auto',
        choices=('auto', 'hardware', 'software'),
        doc='Decoder of the video; `auto` takes hardware where that works.',
    )
    transport: str = param(
        'auto',
        choices=('auto', 'tcp', 'udp'),
        doc='Transport of the RTP packets; `auto` takes TCP, which loses none, and UDP where the camera refuses TCP.',
    )
    via: str = param(
        'auto',
        choices=('auto', 'camera', 'server'),
        doc='Where the stream is read from; `auto` takes the server at `server_url`, and the camera while that is '
        'unreachable.',
    )
    server_url: str = param(
        '', doc="The camera's stream at a media server, such as `rtsp://127.0.0.1:8554/eo`; empty for no server."
    )
    max_delay_ms: float = param(
        100.0,
        unit='ms',
        low=0.0,
        high=2000.0,
        doc='Longest time that RTP packets over UDP wait for a missing one.',
    )
    stamps: str = param(
        'auto',
        choices=('auto', 'camera', 'arrival', 'sei'),
        doc='Where capture times come from: `auto` takes the best that the camera reports; `camera` does too, and '
        "trusts the camera's clock however far off it is; `arrival` ignores the camera's times; `sei` reads the time "
        'code in the video.',
    )
    transport_delay_ms: float = param(
        0.0,
        unit='ms',
        low=0.0,
        high=5000.0,
        doc='Shortest time from capture to arrival, subtracted from the arrival where the camera reports no capture '
        "time or its clock differs from this machine's.",
    )
    stamp_offset_ms: float = param(
        0.0,
        unit='ms',
        low=-5000.0,
        high=5000.0,
        doc='Added to the capture times that the camera reports; `camera_check` measures it.',
    )
    stall_after_s: float = param(
        0.8,
        unit='s',
        low=0.1,
        high=60.0,
        doc='A camera that sends no picture for this long, and for three periods of its rate, is reopened.',
    )
    frozen_after_s: float = param(
        5.0,
        unit='s',
        low=0.0,
        high=600.0,
        doc='A camera that sends the same picture for this long is considered frozen; 0 for never.',
    )
    secrets_file: str = param(
        '',
        doc='File of NAME=VALUE lines for `${NAME}` in `source` and `server_url`, in addition to the environment; '
        'empty for none.',
        form=TextForm.PATH,
    )
