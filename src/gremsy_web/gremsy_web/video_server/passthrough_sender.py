# SPDX-License-Identifier: Apache-2.0
"""Makes a sender of aiortc send pictures that are encoded and cut already, under the RTP times that they have.

aiortc lets a track hand on encoded packets, but cuts them again for every viewer and adds a random number to their
times, from which the page could no longer tell which frame it shows. Both are decided where it asks for the next frame.
"""

from __future__ import annotations

from collections.abc import Callable

from aiortc import RTCRtpSender
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpsender import RTCEncodedFrame

from gremsy_web.video_server.viewer_feed import ViewerFeed


class _AsItIs(int):
    """An RTP time that stays what it is when the sender adds its random origin to it."""

    def __radd__(self, origin: int) -> int:
        return int(self)


class PlaceholderTrack(MediaStreamTrack):
    """The track that a sender must have; nothing is taken from it."""

    kind = 'video'

    async def recv(self) -> object:  # type: ignore[override]
        """Never called while `feed_sender` fits the installed aiortc."""
        raise NotImplementedError('aiortc asked the track itself for a frame: this version of it is not supported.')


def feed_sender(sender: RTCRtpSender, feed: ViewerFeed, picture_lost: Callable[[], None]) -> None:
    """Send what the feed has.

    Args:
        sender: of a connection that is not up yet.
        feed: the pictures.
        picture_lost: called when the viewer wants a key frame.
    """

    async def next_encoded_frame(codec: RTCRtpCodecParameters) -> RTCEncodedFrame:  # noqa: ARG001
        picture = await feed.next()
        if picture is None:
            raise MediaStreamError
        return RTCEncodedFrame(list(picture.payloads), _AsItIs(picture.timestamp), None)  # type: ignore[arg-type]

    sender._next_encoded_frame = next_encoded_frame  # type: ignore[method-assign]  # noqa: SLF001
    sender._send_keyframe = picture_lost  # type: ignore[method-assign]  # noqa: SLF001
