# SPDX-License-Identifier: Apache-2.0
"""H.264 through PyAV: x264 or OpenH264 of the wheel, or NVENC."""

from __future__ import annotations

import importlib
from fractions import Fraction
from typing import Any

from numpy.typing import NDArray

from gremsy_camera.streaming.rtp_sending import RTP_CLOCK_HZ
from gremsy_camera.streaming.video_encoder import EncodedPicture, EncoderError, EncoderTimes, VideoEncoderSettings

# OpenCV makes BT.601 of limited range; a browser that is not told takes BT.709 for HD.
_COLOURS = dict.fromkeys(('colorspace', 'color_primaries', 'color_trc'), 'smpte170m') | {'color_range': 'tv'}
_SHOWN = {'libx264': 'x264 (PyAV)', 'libopenh264': 'OpenH264 (PyAV)', 'h264_nvenc': 'NVENC (PyAV)'}


class PyavEncoder:
    """One of FFmpeg's encoders, in this process."""

    def __init__(self, codec: str, settings: VideoEncoderSettings) -> None:
        """Nothing is opened yet.

        Args:
            codec: 'libx264', 'libopenh264' or 'h264_nvenc'.
            settings: how to encode.
        """
        self._codec = codec
        self._settings = settings
        self._times = EncoderTimes(settings.rate_hz)
        self._av: Any = None
        self._context: Any = None

    @property
    def name(self) -> str:
        """As people know it."""
        return _SHOWN[self._codec]

    @property
    def settings(self) -> VideoEncoderSettings:
        """What it was made with."""
        return self._settings

    def open(self) -> None:
        """Load and make it.

        Raises:
            EncoderError: why there is none, as the end of a sentence.
        """
        try:
            self._av = importlib.import_module('av')
        except ImportError as error:
            raise EncoderError(f'PyAV cannot be used here ({error})') from None
        if self._codec not in self._av.codecs_available:
            raise EncoderError('is not in this PyAV')
        try:
            context = self._made()
            context.open()
        except AttributeError as error:
            # Debian 12 has PyAV 10, Ubuntu 24.04 has 11.
            version = getattr(self._av, '__version__', '')
            raise EncoderError(f'PyAV {version} is too old ({error}): python3 -m pip install -U av') from None
        except (self._av.FFmpegError, ValueError) as error:
            raise EncoderError(f'does not open ({getattr(error, "strerror", None) or error})') from None
        self._context = context

    def _made(self) -> Any:
        settings = self._settings
        context = self._av.CodecContext.create(self._codec, 'w')
        context.width, context.height, context.pix_fmt = settings.width, settings.height, 'yuv420p'
        context.time_base = Fraction(1, RTP_CLOCK_HZ)
        context.framerate = Fraction(settings.rate_hz).limit_denominator(1000)
        context.bit_rate, context.gop_size = 1000 * settings.kbps, settings.gop
        context.max_b_frames = 0
        # One thread: the loop needs the cores.
        context.thread_count = 1
        context.options = self._options()
        return context

    def encode(self, planes: NDArray[Any], stamp_ns: int, *, key: bool) -> list[EncodedPicture]:
        """See `VideoEncoder`."""
        picture = self._av.VideoFrame.from_numpy_buffer(planes, format='yuv420p')
        picture.pts, picture.time_base = self._times.begin(stamp_ns), Fraction(1, RTP_CLOCK_HZ)
        if key:
            picture.pict_type = self._av.video.frame.PictureType.I
        try:
            packets = self._context.encode(picture)
        except (self._av.FFmpegError, ValueError) as error:
            raise EncoderError(f'The encoder {self.name} failed ({error}): it is created again.') from None
        return [
            EncodedPicture(bytes(packet), self._times.end(packet.pts), bool(packet.is_keyframe)) for packet in packets
        ]

    def close(self) -> None:
        """Let go; twice too."""
        self._context = None

    def _options(self) -> dict[str, str]:
        settings = self._settings
        # A picture has no more than its share, so that none waits in the network for its predecessor: a key frame of
        # 1280x720 is 12 kB instead of 89.
        share_kbit = max(1, round(settings.kbps / settings.rate_hz))
        if self._codec == 'libx264':
            return {
                **_COLOURS,
                'preset': 'ultrafast',
                'tune': 'zerolatency',
                'profile': 'baseline',
                'forced-idr': '1',
                'x264-params': f'vbv-maxrate={settings.kbps}:vbv-bufsize={share_kbit}:scenecut=0',
            }
        if self._codec == 'h264_nvenc':
            return {
                **_COLOURS,
                'preset': 'p1',
                'tune': 'ull',
                'profile': 'baseline',
                'delay': '0',
                'zerolatency': '1',
                'forced-idr': '1',
                'rc': 'cbr',
                'bufsize': f'{share_kbit}k',
            }
        return {**_COLOURS, 'profile': 'constrained_baseline', 'allow_skip_frames': '0'}
