# SPDX-License-Identifier: Apache-2.0
"""GStreamer's samples as arrays. Colours are converted by OpenCV, for the pictures that are used only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_camera.errors import PictureDamaged, SourceError
from gremsy_camera.gstreamer.gst_library import GStreamer
from gremsy_camera.live.live_reader import decode_jpeg
from gremsy_common.picture.picture_memory import PictureMemory

Image = NDArray[Any]

# By GStreamer's name: bytes a pixel of the first plane, and what OpenCV makes BGR of it with; None where it is that.
_PACKED: dict[str, tuple[int, int | None]] = {
    'BGR': (3, None),
    'RGB': (3, cv2.COLOR_RGB2BGR),
    'BGRx': (4, cv2.COLOR_BGRA2BGR),
    'BGRA': (4, cv2.COLOR_BGRA2BGR),
    'RGBx': (4, cv2.COLOR_RGBA2BGR),
    'RGBA': (4, cv2.COLOR_RGBA2BGR),
    'YUY2': (2, cv2.COLOR_YUV2BGR_YUY2),
    'UYVY': (2, cv2.COLOR_YUV2BGR_UYVY),
    'YVYU': (2, cv2.COLOR_YUV2BGR_YVYU),
}
_TWO_PLANES = {'NV12': cv2.COLOR_YUV2BGR_NV12, 'NV21': cv2.COLOR_YUV2BGR_NV21}
_THREE_PLANES = {'I420': cv2.COLOR_YUV2BGR_I420, 'YV12': cv2.COLOR_YUV2BGR_YV12}
# The type of a pixel, and its bytes.
_GREY: dict[str, tuple[str, int]] = {'GRAY8': ('u1', 1), 'GRAY16_LE': ('<u2', 2)}
FORMATS = (*_TWO_PLANES, *_THREE_PLANES, *_PACKED, *_GREY)
RAW_CAPS = f'video/x-raw,format=(string){{{",".join(FORMATS)}}}'
JPEG_CAPS = 'image/jpeg'

# GST_VIDEO_COLOR_RANGE_0_255.
_FULL_RANGE = 1
# Full-range luma and chroma squeezed into the range that OpenCV's conversions expect (BT.601, 16 to 235 and 240).
_LEVELS = np.arange(256)
_LIMITED_LUMA = np.round(16 + _LEVELS * (219 / 255)).astype(np.uint8)
_LIMITED_CHROMA = np.clip(np.round(128 + (_LEVELS - 128) * (224 / 255)), 0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class PictureLayout:
    """How a sample's bytes are laid out.

    Attributes:
        format: GStreamer's name, or 'JPEG'.
        strides, offsets: of each plane, bytes.
        full_range: whether luma goes from 0 to 255.
        rate_hz: 0 where not known.
    """

    format: str
    width: int
    height: int
    strides: tuple[int, ...]
    offsets: tuple[int, ...]
    full_range: bool
    rate_hz: float

    @property
    def encoding(self) -> str:
        """ROS's."""
        return {'GRAY8': 'mono8', 'GRAY16_LE': 'mono16'}.get(self.format, 'bgr8')


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
        return PictureLayout('JPEG', width, height, (), (), True, _rate(structure))
    info = gstreamer.video.VideoInfo.new_from_caps(caps)
    if info is None or info.finfo.name not in FORMATS:
        raise SourceError(f'GStreamer gives {caps.to_string()}, which is not a usable picture.')
    planes = info.finfo.n_planes
    return PictureLayout(
        info.finfo.name,
        info.width,
        info.height,
        tuple(info.stride[:planes]),
        tuple(info.offset[:planes]),
        int(info.colorimetry.range) == _FULL_RANGE,
        _rate(structure),
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
            return image_of(data, _actual(gstreamer, buffer, layout), memory)
        finally:
            buffer.unmap(view)

    return make


def image_of(data: Image, layout: PictureLayout, memory: PictureMemory) -> Image:
    """The image in `memory` or its own: `bgr8`, `mono8` or `mono16`; full-range and limited-range YUV alike.

    Raises:
        PictureDamaged: the bytes are fewer than the layout says.
    """
    try:
        return _converted(data, layout, memory)
    except (ValueError, cv2.error) as error:
        raise PictureDamaged(
            f'A picture of GStreamer is smaller than {layout.format} of {layout.width}x{layout.height}: it is left out.'
        ) from error


def _converted(data: Image, layout: PictureLayout, memory: PictureMemory) -> Image:
    width, height = layout.width, layout.height
    if layout.format in _GREY:
        kind, size = _GREY[layout.format]
        grey = _plane(data, layout, 0, width * size, height)
        return np.array(grey, order='C').view(kind).astype(f'u{size}', copy=False)
    if layout.format in _PACKED:
        size, code = _PACKED[layout.format]
        # YUY2 and its kin hold pixels in pairs.
        columns = (width + 1) // 2 * 2 if size == 2 else width
        packed = _plane(data, layout, 0, columns * size, height).reshape(height, columns, size)
        if size == 2 and layout.full_range:
            packed = _squeeze_packed(packed, layout.format)
        if code is None:
            return packed.copy()
        bgr = cv2.cvtColor(packed, code, dst=memory.new((height, columns, 3)))
        return np.ascontiguousarray(np.asarray(bgr)[:, :width])
    half_width, half_height = (width + 1) // 2, (height + 1) // 2
    luma = _plane(data, layout, 0, width, height)
    if layout.format in _TWO_PLANES:
        chroma = _plane(data, layout, 1, 2 * half_width, half_height).reshape(half_height, half_width, 2)
        luma = _even(luma)
        if layout.full_range:
            luma, chroma = cv2.LUT(luma, _LIMITED_LUMA), cv2.LUT(chroma, _LIMITED_CHROMA)
        into = memory.new((*luma.shape, 3))
        bgr = np.asarray(cv2.cvtColorTwoPlane(luma, chroma, _TWO_PLANES[layout.format], dst=into))
        return bgr if bgr.shape[:2] == (height, width) else bgr[:height, :width].copy()
    return _from_three_planes(data, layout, luma, memory)


def _from_three_planes(data: Image, layout: PictureLayout, luma: Image, memory: PictureMemory) -> Image:
    width, height = layout.width, layout.height
    half_width, half_height = (width + 1) // 2, (height + 1) // 2
    code = _THREE_PLANES[layout.format]
    size = width * height
    tight = (
        width % 2 == height % 2 == 0
        and layout.strides == (width, half_width, half_width)
        and layout.offsets == (0, size, size + size // 4)
    )
    if tight and not layout.full_range:
        whole = data[: size * 3 // 2].reshape(height * 3 // 2, width)
        return np.asarray(cv2.cvtColor(whole, code, dst=memory.new((height, width, 3))))
    planes = [_even(luma), *(_plane(data, layout, plane, half_width, half_height) for plane in (1, 2))]
    if layout.full_range:
        planes = [cv2.LUT(planes[0], _LIMITED_LUMA), *(cv2.LUT(plane, _LIMITED_CHROMA) for plane in planes[1:])]
    joined = np.concatenate([plane.ravel() for plane in planes])
    bgr = np.asarray(cv2.cvtColor(joined.reshape(half_height * 3, half_width * 2), code))
    return bgr if bgr.shape[:2] == (height, width) else bgr[:height, :width].copy()


def _plane(data: Image, layout: PictureLayout, plane: int, row_bytes: int, rows: int) -> Image:
    """A view of (rows, row_bytes); the last row may end before its padding does."""
    stride, offset = layout.strides[plane], layout.offsets[plane]
    if rows < 1 or row_bytes > stride or offset + stride * (rows - 1) + row_bytes > data.size:
        raise ValueError('too few bytes')
    return np.lib.stride_tricks.as_strided(data[offset:], (rows, row_bytes), (stride, 1), writeable=False)


def _even(luma: Image) -> Image:
    """With the last row and column repeated where their number is odd, as OpenCV's conversions want it."""
    rows, columns = luma.shape[0] % 2, luma.shape[1] % 2
    return np.pad(luma, ((0, rows), (0, columns)), mode='edge') if rows or columns else luma


def _squeeze_packed(packed: Image, name: str) -> Image:
    luma = 1 if name == 'UYVY' else 0
    squeezed = np.empty_like(packed)
    squeezed[..., luma] = cv2.LUT(np.ascontiguousarray(packed[..., luma]), _LIMITED_LUMA)
    squeezed[..., 1 - luma] = cv2.LUT(np.ascontiguousarray(packed[..., 1 - luma]), _LIMITED_CHROMA)
    return squeezed


def _actual(gstreamer: GStreamer, buffer: Any, layout: PictureLayout) -> PictureLayout:
    """Where the planes really are: hardware pads them, and says so in a meta."""
    meta = gstreamer.video.buffer_get_video_meta(buffer)
    if meta is None:
        return layout
    planes = meta.n_planes
    return PictureLayout(
        layout.format,
        layout.width,
        layout.height,
        tuple(meta.stride[:planes]),
        tuple(meta.offset[:planes]),
        layout.full_range,
        layout.rate_hz,
    )


def _rate(structure: Any) -> float:
    known, numerator, denominator = structure.get_fraction('framerate')
    return numerator / denominator if known and denominator and numerator > 0 else 0.0
