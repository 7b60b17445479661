# SPDX-License-Identifier: Apache-2.0
"""What a reader of a stream is made for."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_camera.footage.pacing import Clock
from gremsy_camera.live.encoded_video import EncodedTap
from gremsy_camera.live.live_options import LiveOptions
from gremsy_camera.sources.source import Say
from gremsy_camera.streams.stream_address import StreamAddress


@dataclass(frozen=True, slots=True)
class ReaderRequest:
    """The stream and what is wanted of it."""

    address: StreamAddress
    options: LiveOptions
    clock: Clock
    tap: EncodedTap
    say: Say
