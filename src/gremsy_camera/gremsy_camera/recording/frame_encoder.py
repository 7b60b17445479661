# SPDX-License-Identifier: Apache-2.0
"""Frames to H.264, for a source whose own video cannot be copied: 9 ms of a core for each of 1080p."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_camera.errors import RecordingError
from gremsy_camera.live.encoded_video import EncodedFormat, EncodedPacket
from gremsy_camera.recording.mp4_file import TICKS_PER_S
from gremsy_camera.recording.recording_libraries import import_writer
from gremsy_common.picture.i420_planes import even_size, i420_planes
from gremsy_common.types.frame import Frame

# OpenH264 before x264: BSD against GPL. Which of them is there is the wheel's choice.
_ENCODERS = ('libopenh264', 'libx264')
_KEY_EVERY_S = 1.0
_LONGEST_STEP_BACK_S, _LONGEST_GAP_S = 1.0, 10.0
_NS_PER_S = 1_000_000_000


def open_h264(av: Any, size: tuple[int, int], made: Callable[[str], Any]) -> str:
    """Open the first encoder of films that this PyAV has and that works here; its name, or empty for none.

    Args:
        av: PyAV.
        size: width and height, even.
        made: makes the codec context of the encoder with that name.
    """
    for name in _ENCODERS:
        if name not in av.codecs_available:
            continue
        context = made(name)
        (context.width, context.height), context.pix_fmt = size, 'yuv420p'
        # One thread and the cheapest preset: the loop needs the cores (640x480 takes about 3 ms a frame).
        context.thread_count = 1
        if name == 'libx264':
            context.options = {'preset': 'ultrafast', 'tune': 'zerolatency', 'crf': '23', 'forced-idr': '1'}
        else:
            # About what x264 takes: a tenth of a bit for each pixel of 30 pictures a second.
            context.bit_rate = max(500_000, 3 * size[0] * size[1])
        try:
            context.open()
        except (av.FFmpegError, ValueError):
            # Named in the list but not usable here (a build without the library): the next one may be.
            continue
        return name
    return ''


class FrameEncoder:
    """A packet for each frame of one size; a key frame each second."""

    def __init__(self, width: int, height: int) -> None:
        """Even sides are needed: an odd one loses its last row or column.

        Raises:
            RecordingError: when there is no encoder.
        """
        av = import_writer('mp4')
        self.size = even_size(width, height)
        self._av = av
        self._context: Any = None
        self.encoder = open_h264(av, self.size, self._made)
        if not self.encoder:
            raise RecordingError(
                'This PyAV has no encoder for H.264 (libopenh264, libx264), and the source gives no video to copy: set '
                '`record_format: mcap`.'
            )
        self._format = EncodedFormat('h264', *self.size)
        self._zero_ns: int | None = None
        self._last = -1
        self._next_key = 0
        self._stamps: dict[int, int] = {}

    def fits(self, frame: Frame) -> bool:
        """Whether frames of that size can be added."""
        return even_size(frame.width, frame.height) == self.size

    def encode(self, frame: Frame, picture: NDArray[np.uint8]) -> Iterator[tuple[EncodedFormat, EncodedPacket]]:
        """The packets that are ready with it.

        Args:
            frame: whose stamp counts.
            picture: what to show of it: (H, W, 3) BGR or (H, W) grey, of the encoder's size or one more.
        """
        if self._zero_ns is None:
            self._zero_ns = frame.stamp_ns
        time = round((frame.stamp_ns - self._zero_ns) * TICKS_PER_S / _NS_PER_S)
        if not -_LONGEST_STEP_BACK_S * TICKS_PER_S < time - self._last < _LONGEST_GAP_S * TICKS_PER_S:
            # A clock that was set: the film goes on, and its table has the stamps as they are.
            time = self._last + TICKS_PER_S // 30
            self._zero_ns = frame.stamp_ns - round(time * _NS_PER_S / TICKS_PER_S)
        time = max(self._last + 1, time)
        self._last = time
        made = self._av.VideoFrame.from_ndarray(i420_planes(picture), format='yuv420p')
        made.pts, made.time_base = time, Fraction(1, TICKS_PER_S)
        if time >= self._next_key:
            made.pict_type = self._av.video.frame.PictureType.I
            self._next_key = time + round(_KEY_EVERY_S * TICKS_PER_S)
        self._stamps[time] = frame.stamp_ns
        yield from self._packets(made)

    def close(self) -> Iterator[tuple[EncodedFormat, EncodedPacket]]:
        """What the encoder still holds."""
        yield from self._packets(None)

    def _packets(self, frame: Any) -> Iterator[tuple[EncodedFormat, EncodedPacket]]:
        for packet in self._context.encode(frame):
            stamp_ns = self._stamps.pop(packet.pts, 0)
            pts_ns, dts_ns = (round(each * _NS_PER_S / TICKS_PER_S) for each in (packet.pts, packet.dts))
            yield self._format, EncodedPacket(bytes(packet), stamp_ns, pts_ns, dts_ns, bool(packet.is_keyframe))

    def _made(self, name: str) -> Any:
        self._context = self._av.CodecContext.create(name, 'w')
        self._context.time_base, self._context.framerate = Fraction(1, TICKS_PER_S), Fraction(30)
        return self._context
