# SPDX-License-Identifier: Apache-2.0
"""Which RTP time a frame has, at a media server that has the camera's video from the camera itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VideoTime:
    """Of one frame.

    Attributes:
        stamp_ns: its capture, ROS clock.
        rtp: what everybody who reads that server gets as its RTP time: ticks of 90 kHz, 32 bits.
    """

    stamp_ns: int
    rtp: int
