# SPDX-License-Identifier: Apache-2.0
"""How the pixels of each ROS image encoding lie in memory, and which of OpenCV's conversions makes BGR of them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2

_RED_FIRST, _BLUE_FIRST, _NO_COLOUR = (0, 1, 2), (2, 1, 0), (0, 0, 0)


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """Of one encoding.

    Attributes:
        dtype: NumPy's name of one number.
        channels: numbers per pixel of a row; 2 where two pixels share their colour (4:2:2).
        rgb: at which channel red, green and blue lie, of what shares colour after `to_bgr`; the same thrice for grey.
        to_bgr: of cv2.cvtColor; None for what is BGR or grey already.
        shares_colour: pixels share colour with their neighbours, so that the whole picture must become BGR at once.
        half_height_chroma: half as many rows of colour follow the rows of brightness (4:2:0).
        even_width, even_height: whether pixels share colour, so that an odd size cannot be.
    """

    dtype: str = 'uint8'
    channels: int = 1
    rgb: tuple[int, int, int] = _NO_COLOUR
    to_bgr: int | None = None
    shares_colour: bool = False
    half_height_chroma: bool = False
    even_width: bool = False
    even_height: bool = False

    def rows(self, height_px: int) -> int:
        """Rows of memory of a picture of that height."""
        return height_px + height_px // 2 if self.half_height_chroma else height_px

    def height_px(self, rows: int) -> int:
        """The inverse of `rows`."""
        return rows - rows // 3 if self.half_height_chroma else rows


def _422(to_bgr: int) -> PixelLayout:
    return PixelLayout('uint8', 2, _BLUE_FIRST, to_bgr, shares_colour=True, even_width=True)


def _420(to_bgr: int) -> PixelLayout:
    return PixelLayout(
        'uint8', 1, _BLUE_FIRST, to_bgr, shares_colour=True, half_height_chroma=True, even_width=True, even_height=True
    )


def _bayer(to_bgr: int) -> PixelLayout:
    return PixelLayout('uint8', 1, _BLUE_FIRST, to_bgr, shares_colour=True)


_GREY, _DEEP, _BGR = PixelLayout(), PixelLayout('uint16'), PixelLayout('uint8', 3, _BLUE_FIRST)

PIXEL_LAYOUTS: dict[str, PixelLayout] = {
    'bgr8': _BGR,
    'rgb8': PixelLayout('uint8', 3, _RED_FIRST, cv2.COLOR_RGB2BGR),
    'bgra8': PixelLayout('uint8', 4, _BLUE_FIRST, cv2.COLOR_BGRA2BGR),
    'rgba8': PixelLayout('uint8', 4, _RED_FIRST, cv2.COLOR_RGBA2BGR),
    'mono8': _GREY,
    'mono16': _DEEP,
    '8UC1': _GREY,
    '8UC3': _BGR,
    '16UC1': _DEEP,
    # Two names each: the older one is marked deprecated in sensor_msgs, and most drivers still send it.
    'yuv422': _422(cv2.COLOR_YUV2BGR_UYVY),
    'uyvy': _422(cv2.COLOR_YUV2BGR_UYVY),
    'yuv422_yuy2': _422(cv2.COLOR_YUV2BGR_YUY2),
    'yuyv': _422(cv2.COLOR_YUV2BGR_YUY2),
    # sensor_msgs has nv21 alone; nv12 is what V4L2 and GStreamer drivers put there.
    'nv12': _420(cv2.COLOR_YUV2BGR_NV12),
    'nv21': _420(cv2.COLOR_YUV2BGR_NV21),
    # OpenCV names a Bayer pattern after the second row's second and third pixel, ROS after the first row's first two.
    'bayer_rggb8': _bayer(cv2.COLOR_BayerBG2BGR),
    'bayer_bggr8': _bayer(cv2.COLOR_BayerRG2BGR),
    'bayer_gbrg8': _bayer(cv2.COLOR_BayerGR2BGR),
    'bayer_grbg8': _bayer(cv2.COLOR_BayerGB2BGR),
}
"""The encodings that a frame may have as it was sent."""
