# SPDX-License-Identifier: Apache-2.0
"""How the pixels of each ROS image encoding lie in memory; what the numbers mean is for whoever uses them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """Of one encoding.

    Attributes:
        dtype: NumPy's name of one number.
        channels: numbers per pixel of a row; 2 where two pixels share their colour (4:2:2).
        half_height_chroma: half as many rows of colour follow the rows of brightness (4:2:0).
        even_width, even_height: whether pixels share colour, so that an odd size cannot be.
    """

    dtype: str = 'uint8'
    channels: int = 1
    half_height_chroma: bool = False
    even_width: bool = False
    even_height: bool = False

    def rows(self, height_px: int) -> int:
        """Rows of memory of a picture of that height."""
        return height_px + height_px // 2 if self.half_height_chroma else height_px

    def height_px(self, rows: int) -> int:
        """The inverse of `rows`."""
        return rows - rows // 3 if self.half_height_chroma else rows


_GREY, _COLOUR, _COLOUR_AND_ALPHA = PixelLayout(), PixelLayout(channels=3), PixelLayout(channels=4)
_DEEP = PixelLayout('uint16')
_422 = PixelLayout(channels=2, even_width=True)
_420 = PixelLayout(half_height_chroma=True, even_width=True, even_height=True)

PIXEL_LAYOUTS: dict[str, PixelLayout] = {
    'bgr8': _COLOUR,
    'rgb8': _COLOUR,
    'bgra8': _COLOUR_AND_ALPHA,
    'rgba8': _COLOUR_AND_ALPHA,
    'mono8': _GREY,
    'mono16': _DEEP,
    '8UC1': _GREY,
    '8UC3': _COLOUR,
    '16UC1': _DEEP,
    # Two names each: the older one is marked deprecated in sensor_msgs, and most drivers still send it.
    'yuv422': _422,
    'uyvy': _422,
    'yuv422_yuy2': _422,
    'yuyv': _422,
    # sensor_msgs has nv21 alone; nv12 is what V4L2 and GStreamer drivers put there.
    'nv12': _420,
    'nv21': _420,
    'bayer_rggb8': _GREY,
    'bayer_bggr8': _GREY,
    'bayer_gbrg8': _GREY,
    'bayer_grbg8': _GREY,
}
"""The encodings that a frame may have as it was sent."""
