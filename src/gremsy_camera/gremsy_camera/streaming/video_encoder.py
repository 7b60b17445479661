# SPDX-License-Identifier: Apache-2.0
"""What an encoder of video to be watched is, and the times that it counts in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from gremsy_camera.streaming.rtp_sending import RTP_CLOCK_HZ
from gremsy_common.errors import SuiteError

_NS_PER_S = 1_000_000_000
_LONGEST_GAP_S = 10


class EncoderError(SuiteError):
    """An encoder cannot be had, or failed; the text names it and the way out."""


@dataclass(frozen=True, slots=True)
class VideoEncoderSettings:
    """How to encode.

    Attributes:
        width, height: of the pictures, px; both even.
        rate_hz: about so many pictures a second; each may also have at most its part of `kbps` (a VBV of one picture).
        kbps: kilobits per second.
        gop: pictures from one key frame to the next.
    """

    width: int
    height: int
    rate_hz: float
    kbps: int
    gop: int


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """One picture.

    Attributes:
        data: of H.264 in Annex B form; of a key frame with its parameter sets in front.
        stamp_ns: of the frame that it shows.
        key: whether decoding can begin with it.
    """

    data: bytes
    stamp_ns: int
    key: bool


class EncoderTimes:
    """Times for an encoder, which wants them to rise, whatever the stamps do."""

    def __init__(self, rate_hz: float) -> None:
        self._period = max(1, round(RTP_CLOCK_HZ / rate_hz))
        self._last = -1
        self._last_stamp_ns: int | None = None
        self._stamps: dict[int, int] = {}

    def begin(self, stamp_ns: int) -> int:
        """Ticks of 90 kHz for a frame that goes in."""
        if self._last_stamp_ns is None:
            ticks = 0
        else:
            step_ns = stamp_ns - self._last_stamp_ns
            steady = 0 < step_ns < _LONGEST_GAP_S * _NS_PER_S
            ticks = self._last + (max(1, step_ns * RTP_CLOCK_HZ // _NS_PER_S) if steady else self._period)
        self._last, self._last_stamp_ns = ticks, stamp_ns
        self._stamps[ticks] = stamp_ns
        return ticks

    def end(self, ticks: int) -> int:
        """The stamp of the picture that came out; those before it that never did are forgotten."""
        stamp_ns = self._stamps.pop(ticks)
        for each in [each for each in self._stamps if each < ticks]:
            del self._stamps[each]
        return stamp_ns


class VideoEncoder(ABC):
    """Used by one thread; the pictures come out in the order in which they went in: there are no B-frames.

    Attributes:
        name: as people know it: 'x264 (PyAV)'.
        settings: what it was made with.
    """

    def __init__(self, name: str, settings: VideoEncoderSettings) -> None:
        """Open it.

        Raises:
            EncoderError: why it cannot be used, as the end of a sentence.
        """
        self.name = name
        self.settings = settings
        self._times = EncoderTimes(settings.rate_hz)

    @abstractmethod
    def encode(self, planes: NDArray[Any], stamp_ns: int, *, key: bool) -> list[EncodedPicture]:
        """What is ready now; with the software encoders that is always this picture.

        Args:
            planes: I420, (height * 3 / 2, width) uint8.
            stamp_ns: of the frame; may be any, but they should rise.
            key: make it a key frame, whatever `gop` says.

        Raises:
            EncoderError: it failed, and has to be made again.
        """

    @abstractmethod
    def close(self) -> None:
        """Release what it holds; may be called twice."""
