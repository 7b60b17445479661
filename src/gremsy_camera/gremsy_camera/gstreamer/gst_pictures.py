# SPDX-License-Identifier: Apache-2.0
"""GStreamer's samples as arrays. Colours are converted by OpenCV, for the pictures that are used only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from gremsy_camera.errors import PictureDamaged, SourceError
from gremsy_camera.gstreamer.gst_library import GStreamer
from gremsy_camera.live.live_reader import decode_jpeg
from gremsy_camera.live.raw_pictures import FORMATS, Image, PictureLayout, image_of
from gremsy_common.picture.picture_memory import PictureMemory

RAW_FORMATS = tuple(name for name in FORMATS if name not in ('GRAY16_BE', 'JPEG'))
RAW_CAPS = f'video/x-raw,format=(string){{{",".join(RAW_FORMATS)}}}'
JPEG_CAPS = 'image/jpeg'

# GST_VIDEO_COLOR_RANGE_0_255.
_FULL_RANGE = 1


def pull_sample(sink: Any, timeout_s: float, look_for_errors: Callable[[], None]) -> Any | None:
    """The next sample of an appsink; None for none within the timeout.

    Errors and the stream's end do not wake who waits for a sample: they are looked for every 50 ms.
    """
    left_ns, slice_ns = round(timeout_s * 1_000_000_000), 50_000_000
    while True:
        wait_ns = max(0, min(left_ns, slice_ns))
        sample = sink.try_pull_sample(wait_ns)
        if sample is not None:
            return sample
        look_for_errors()
        left_ns -= wait_ns
        if left_ns <= 0:
            return None


def layout_of(gstreamer: GStreamer, caps: Any) -> PictureLayout:
    """From a sample's caps.

    Raises:
        SourceError: for what is no picture.
    """
    structure = caps.get_structure(0)
    if structure.get_name() == JPEG_CAPS:
        _, width = structure.get_int('width')
        _, height = structure.get_int('height')
        return PictureLayout('JPEG', width, height, (), (), True, rate_of(structure))
    info = gstreamer.video.VideoInfo.new_from_caps(caps)
    if info is None or info.finfo.name not in RAW_FORMATS:
        raise SourceError(f'GStreamer gives {caps.to_string()}, which is not a usable picture.')
    planes = info.finfo.n_planes
    return PictureLayout(
        info.finfo.name,
        info.width,
        info.height,
        tuple(info.stride[:planes]),
        tuple(info.offset[:planes]),
        int(info.colorimetry.range) == _FULL_RANGE,
        rate_of(structure),
    )


def pixels_of(gstreamer: GStreamer, sample: Any, layout: PictureLayout, memory: PictureMemory) -> Callable[[], Image]:
    """What makes the image of a sample, once, in `memory`; it holds the sample until then."""

    def make() -> Image:
        buffer = sample.get_buffer()
        mapped, view = buffer.map(gstreamer.gst.MapFlags.READ)
        if not mapped:
            raise PictureDamaged('A picture of GStreamer lies in memory that cannot be read: it is left out.')
        try:
            data = np.frombuffer(view.data, np.uint8)
            if layout.format == 'JPEG':
                return decode_jpeg(data)
            return image_of([data], _actual(gstreamer, buffer, layout), memory)
        except (ValueError, cv2.error) as error:
            raise PictureDamaged(
                f'A picture of GStreamer is smaller than {layout.format} of {layout.width}x{layout.height}: it is left '
                'out.'
            ) from error
        finally:
            buffer.unmap(view)

    return make


def _actual(gstreamer: GStreamer, buffer: Any, layout: PictureLayout) -> PictureLayout:
    """Where the planes really are: hardware pads them, and says so in a meta."""
    meta = gstreamer.video.buffer_get_video_meta(buffer)
    if meta is None:
        return layout
    planes = meta.n_planes
    return replace(layout, strides=tuple(meta.stride[:planes]), offsets=tuple(meta.offset[:planes]))


def rate_of(structure: Any) -> float:
    """Pictures a second by the caps; 0.0 where they do not say."""
    known, numerator, denominator = structure.get_fraction('framerate')
    return numerator / denominator if known and denominator and numerator > 0 else 0.0
