# SPDX-License-Identifier: Apache-2.0
"""What an image message's `encoding` says: the type of a sample, how many a pixel has, and their meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass

# OpenCV's names of sample types, and NumPy's.
DEPTHS = {
    '8U': 'uint8',
    '8S': 'int8',
    '16U': 'uint16',
    '16S': 'int16',
    '32S': 'int32',
    '32F': 'float32',
    '64F': 'float64',
}
_ABSTRACT = re.compile(r'^(8U|8S|16U|16S|32S|32F|64F)(?:C(\d+))?$')
_COLOUR = re.compile(r'^(rgba|bgra|rgb|bgr|mono|bayer_rggb|bayer_bggr|bayer_gbrg|bayer_grbg)(8|16)$')
_CHANNELS = {'rgb': 3, 'bgr': 3, 'rgba': 4, 'bgra': 4}
# Two names each: the older ones stay in use beside those of the video world.
_PACKED_YUV = {'yuv422': 'uyvy', 'uyvy': 'uyvy', 'yuv422_yuy2': 'yuyv', 'yuyv': 'yuyv'}
_PLANAR_YUV = ('nv21', 'nv24')


class EncodingError(TypeError):
    """An encoding that is unknown, or that cannot become the one asked for."""


@dataclass(frozen=True)
class Encoding:
    """One encoding; `colour` is empty where the samples are only numbers ("32FC1")."""

    name: str
    dtype: str
    channels: int
    colour: str = ''

    @property
    def is_planar(self) -> bool:
        """Whether rows of chroma follow the rows of luma."""
        return self.colour in _PLANAR_YUV

    def rows(self, height: int) -> int:
        """How many rows of samples an image of `height` has."""
        return {'nv21': height * 3 // 2, 'nv24': height * 3}.get(self.colour, height)


def parse(name: str) -> Encoding:
    abstract = _ABSTRACT.match(name)
    if abstract:
        return Encoding(name, DEPTHS[abstract[1]], int(abstract[2] or 1))
    colour = _COLOUR.match(name)
    if colour:
        return Encoding(name, f'uint{colour[2]}', _CHANNELS.get(colour[1], 1), colour[1])
    if name in _PACKED_YUV:
        return Encoding(name, 'uint8', 2, _PACKED_YUV[name])
    if name in _PLANAR_YUV:
        return Encoding(name, 'uint8', 1, name)
    raise EncodingError(
        f'The encoding "{name}" is not one of sensor_msgs/image_encodings: use for example "bgr8", "mono8" or "32FC1".'
    )
