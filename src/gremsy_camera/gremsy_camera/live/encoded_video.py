# SPDX-License-Identifier: Apache-2.0
"""Video as it came, before decoding: for a recorder that copies the stream."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EncodedFormat:
    """What is needed to write packets into a file.

    Attributes:
        codec: 'h264', 'hevc' or 'mjpeg'.
        width, height: pixels.
        headers: parameter sets of H.264 and H.265 in Annex B form; b'' where they come in the stream.
    """

    codec: str
    width: int
    height: int
    headers: bytes = b''


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One access unit (one picture), in decoding order.

    Attributes:
        data: H.264 and H.265 in Annex B form (start codes), MJPEG a whole JPEG.
        stamp_ns: capture time, ROS clock, as far as it is known before decoding: where no more is, when it came.
            `EncodedTap.stamped` gives the one that the picture is published with.
        pts_ns: when it is shown, by the stream's own time from any zero: the `position_ns` of its `LivePicture`.
        dts_ns: when it is decoded, by the same time: never after `pts_ns`, and later from packet to packet.
        key: whether decoding can begin here.
    """

    data: bytes
    stamp_ns: int
    pts_ns: int
    dts_ns: int
    key: bool


class EncodedTap:
    """Takes packets while it wants any, this one never; `put` is called on the reader's thread and must only store."""

    @property
    def wanted(self) -> bool:
        """Whether somebody takes them: else no packet need be copied."""
        return False

    def put(self, video: EncodedFormat, packet: EncodedPacket) -> None:
        """The next packet; `video` differs from the last call's where the stream changed."""

    def stamped(self, pts_ns: int, stamp_ns: int) -> None:
        """The picture of that packet, decoded, has that capture time on `image_raw`; called where it has a position."""


NO_TAP = EncodedTap()
