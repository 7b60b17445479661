# SPDX-License-Identifier: Apache-2.0
"""Which encoder is used: the first of a fixed order that is here and encodes a picture."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from gremsy_camera.gstreamer.gst_library import why_no_gstreamer
from gremsy_camera.recording.access_units import split_sets
from gremsy_camera.streaming.gstreamer_encoder import GST_ENCODERS, GStreamerEncoder
from gremsy_camera.streaming.pyav_encoder import PyavEncoder
from gremsy_camera.streaming.video_encoder import EncoderError, VideoEncoder, VideoEncoderSettings

_PYAV = {'nvenc': 'h264_nvenc', 'x264': 'libx264', 'openh264': 'libopenh264'}
_HARDWARE = ('nvv4l2h264enc', 'nvh264enc', 'nvenc', 'vah264enc', 'vaapih264enc')
# x264 takes a sixth less of a core than OpenH264 at the same rate, and through PyAV a little less than by GStreamer.
_SOFTWARE = ('x264', 'x264enc', 'openh264', 'openh264enc')
ENCODERS = (*_HARDWARE, *_SOFTWARE)
WAYS = ('auto', 'hardware', 'software', *ENCODERS)
_NO_GSTREAMER = 'this Python has no GStreamer'
_WAY_OUT = './gremsy setup --extra encode, or sudo apt-get install gstreamer1.0-plugins-ugly python3-gst-1.0'


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """What was found.

    Attributes:
        encoder: one of `ENCODERS`.
        passed_over: why each one before it in the order is not used, in a few words.
    """

    encoder: str
    passed_over: Mapping[str, str]

    @property
    def why_not_another(self) -> str:
        """In one line; the reasons that several have in common once."""
        by_reason: dict[str, list[str]] = {}
        for name, reason in self.passed_over.items():
            by_reason.setdefault(reason, []).append(name)
        return '; '.join(f'{", ".join(names)}: {reason}' for reason, names in by_reason.items())


def choose_encoder(
    wanted: str, settings: VideoEncoderSettings, failed: Mapping[str, str] | None = None
) -> EncoderChoice:
    """Try them in order, each with one picture (0.1 s at most, but for GStreamer's first start).

    Args:
        wanted: 'auto', 'hardware', 'software' or one of `ENCODERS`.
        settings: how it will have to encode.
        failed: those that failed before, with the reason.

    Raises:
        EncoderError: none works; with the reasons and the way out.
    """
    names = {'auto': ENCODERS, 'hardware': _HARDWARE, 'software': _SOFTWARE}.get(wanted, (wanted,))
    passed_over: dict[str, str] = {}
    no_gstreamer = why_no_gstreamer() if any(name in GST_ENCODERS for name in names) else None
    for name in names:
        if name in GST_ENCODERS and no_gstreamer is not None:
            passed_over[name] = _NO_GSTREAMER
            continue
        reason = (failed or {}).get(name) or _why_not(name, settings)
        if reason is None:
            return EncoderChoice(name, passed_over)
        passed_over[name] = reason
    reasons = EncoderChoice('', passed_over).why_not_another
    way_out = _WAY_OUT if wanted in ('auto', 'software') else 'set `encoder` to auto'
    raise EncoderError(f'No encoder for H.264 works here ({reasons}): {way_out}.')


def make_encoder(name: str, settings: VideoEncoderSettings) -> VideoEncoder:
    """One of `ENCODERS`, opened.

    Raises:
        EncoderError: it does not open; the reason as the end of a sentence.
    """
    return PyavEncoder(_PYAV[name], settings) if name in _PYAV else GStreamerEncoder(name, settings)


def _why_not(name: str, settings: VideoEncoderSettings) -> str | None:
    grey = np.full((settings.height * 3 // 2, settings.width), 128, np.uint8)
    try:
        with closing(make_encoder(name, settings)) as encoder:
            # Hardware may give the first picture with the second or third.
            pictures = [made for index in range(4) for made in encoder.encode(grey, index * 33_333_333, key=index == 0)]
    except EncoderError as error:
        return str(error).rstrip('.')
    if not pictures:
        return 'gives no pictures'
    if not split_sets('h264', pictures[0].data)[0].complete:
        return 'sends no parameter sets with its key frames'
    return None
