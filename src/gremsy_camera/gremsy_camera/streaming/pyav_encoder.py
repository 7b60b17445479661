# SPDX-License-Identifier: Apache-2.0
"""H.264 through PyAV: x264 or OpenH264 of the wheel, or NVENC."""

from __future__ import annotations

import importlib
from fractions import Fraction
from typing import Any

from numpy.typing import NDArray

from gremsy_camera.streaming.rtp_sending import RTP_CLOCK_HZ
from gremsy_camera.streaming.video_encoder import EncodedPicture, EncoderError, VideoEncoder, VideoEncoderSettings

# OpenCV makes BT.601 of limited range; a browser takes BT.709 for HD where the stream does not say so.
_COLOURS = dict.fromkeys(('colorspace', 'color_primaries', 'color_trc'), 'smpte170m') | {'color_range': 'tv'}
_SHOWN = {'libx264': 'x264 (PyAV)', 'libopenh264': 'OpenH264 (PyAV)', 'h264_nvenc': 'NVENC (PyAV)'}


class PyavEncoder(VideoEncoder):
    """One of FFmpeg's encoders, in this process."""

    def __init__(self, codec: str, settings: VideoEncoderSettings) -> None:
        """Open one of 'libx264', 'libopenh264' and 'h264_nvenc': see `VideoEncoder`."""
        super().__init__(_SHOWN[codec], settings)
        try:
            self._av = importlib.import_module('av')
        except ImportError as error:
            raise EncoderError(f'PyAV cannot be used here ({error})') from None
        if codec not in self._av.codecs_available:
            raise EncoderError('is not in this PyAV')
        try:
            self._context = self._opened(codec)
        except AttributeError as error:
            # Debian 12 has PyAV 10, Ubuntu 24.04 has 11.
            version = getattr(self._av, '__version__', '')
            raise EncoderError(f'PyAV {version} is too old ({error}): python3 -m pip install -U av') from None
        except (self._av.FFmpegError, ValueError) as error:
            raise EncoderError(f'does not open ({getattr(error, "strerror", None) or error})') from None

    def _opened(self, codec: str) -> Any:
        settings = self.settings
        context = self._av.CodecContext.create(codec, 'w')
        context.width, context.height, context.pix_fmt = settings.width, settings.height, 'yuv420p'
        context.time_base = Fraction(1, RTP_CLOCK_HZ)
        context.framerate = Fraction(settings.rate_hz).limit_denominator(1000)
        context.bit_rate, context.gop_size = 1000 * settings.kbps, settings.gop
        context.max_b_frames = 0
        # One thread: the loop needs the cores.
        context.thread_count = 1
        context.options = _COLOURS | _options(codec, settings)
        context.open()
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
        """See `VideoEncoder`."""
        self._context = None


def _options(codec: str, settings: VideoEncoderSettings) -> dict[str, str]:
    # A picture has no more than its share, so that none waits in the network for its predecessor: a key frame of
    # 1280x720 is 12 kB instead of 89.
    share_kbit = max(1, round(settings.kbps / settings.rate_hz))
    if codec == 'libx264':
        return {
            'preset': 'ultrafast',
            'tune': 'zerolatency',
            'profile': 'baseline',
            'forced-idr': '1',
            'x264-params': f'vbv-maxrate={settings.kbps}:vbv-bufsize={share_kbit}:scenecut=0',
        }
    if codec == 'h264_nvenc':
        return {
            'preset': 'p1',
            'tune': 'ull',
            'profile': 'baseline',
            'delay': '0',
            'zerolatency': '1',
            'forced-idr': '1',
            'rc': 'cbr',
            'bufsize': f'{share_kbit}k',
        }
    return {'profile': 'constrained_baseline', 'allow_skip_frames': '0'}
