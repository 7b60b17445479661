# SPDX-License-Identifier: Apache-2.0
"""From one encoding to another, by the rules of ROS's cv_bridge."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cv_bridge.encodings import Encoding, EncodingError

Array = npt.NDArray[Any]

# OpenCV names a mosaic after the second row's second and third sample, ROS after the first row's first two.
_BAYER = {'bayer_rggb': 'BayerBG', 'bayer_bggr': 'BayerRG', 'bayer_gbrg': 'BayerGR', 'bayer_grbg': 'BayerGB'}
_OPENCV = {'mono': 'GRAY', 'bgr': 'BGR', 'rgb': 'RGB', 'bgra': 'BGRA', 'rgba': 'RGBA'}
_YUV_FROM = {'uyvy': 'YUV2{}_UYVY', 'yuyv': 'YUV2{}_YUY2', 'nv21': 'YUV2{}_NV21'}


def convert(image: Array, source: Encoding, wanted: Encoding) -> Array:
    """The image in another encoding; the array itself where nothing is to do.

    Raises:
        EncodingError: The conversion makes no sense (numbers to colours, or another count of numbers).
    """
    if (source.dtype, source.channels, source.colour) == (wanted.dtype, wanted.channels, wanted.colour):
        return image
    if not source.colour and wanted.colour:
        raise EncodingError(
            f'An image of "{source.name}" has no colours, so it cannot become "{wanted.name}": ask for "passthrough".'
        )
    if not wanted.colour:
        if source.channels != wanted.channels or source.is_planar:
            raise EncodingError(
                f'"{source.name}" and "{wanted.name}" have different numbers of channels '
                f'({source.channels} and {wanted.channels}): ask for one with as many.'
            )
        return _to_depth(image, wanted.dtype)
    return _to_depth(_to_colour(image, source, wanted), wanted.dtype)


def _to_depth(image: Array, dtype: str) -> Array:
    if image.dtype == dtype:
        return image
    # Full scale stays full scale between the integer depths of images; other types keep their numbers.
    if image.dtype == np.uint8 and dtype == 'uint16':
        return image.astype(np.uint16) * np.uint16(257)
    if image.dtype == np.uint16 and dtype == 'uint8':
        return np.rint(image / 257.0).astype(np.uint8)
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        rounded = np.rint(image) if np.issubdtype(image.dtype, np.floating) else image
        return np.clip(rounded, limits.min, limits.max).astype(dtype)
    return image.astype(dtype)


def _to_colour(image: Array, source: Encoding, wanted: Encoding) -> Array:
    if source.colour == wanted.colour:
        return image
    if source.colour == 'nv24':
        return _to_colour(_from_nv24(image), Encoding(source.name, 'uint8', 3, 'bgr'), wanted)
    if source.colour in _BAYER:
        # OpenCV demosaics into these three only.
        middle = wanted.colour if wanted.colour in ('mono', 'bgr', 'rgb') else 'bgr'
        image = cv2.cvtColor(image, _code(f'{_BAYER[source.colour]}2{_OPENCV[middle]}', source, wanted))
        return _to_colour(image, Encoding(source.name, source.dtype, 3, middle), wanted)
    if source.colour in _YUV_FROM:
        target = _OPENCV.get(wanted.colour, 'BGR')
        image = cv2.cvtColor(image, _code(_YUV_FROM[source.colour].format(target), source, wanted))
        middle = wanted.colour if wanted.colour in _OPENCV else 'bgr'
        return _to_colour(image, Encoding(source.name, 'uint8', 3, middle), wanted)
    if wanted.colour in ('uyvy', 'yuyv'):
        bgr = _to_depth(_to_colour(image, source, Encoding('bgr8', 'uint8', 3, 'bgr')), 'uint8')
        return cv2.cvtColor(bgr, _code({'uyvy': 'BGR2YUV_UYVY', 'yuyv': 'BGR2YUV_YUY2'}[wanted.colour], source, wanted))
    if wanted.colour not in _OPENCV or source.colour not in _OPENCV:
        raise _impossible(source, wanted)
    return cv2.cvtColor(image, _code(f'{_OPENCV[source.colour]}2{_OPENCV[wanted.colour]}', source, wanted))


def _from_nv24(image: Array) -> Array:
    """Full-resolution luma, then rows of as many V and U samples in turn."""
    height, width = image.shape[0] // 3, image.shape[1]
    chroma = image[height:].reshape(height, width, 2)
    ycrcb = np.dstack([image[:height], chroma])
    # The planes hold video's limited range; OpenCV's three-plane conversion would take them for full range.
    y, v, u = (ycrcb[..., channel].astype(np.float32) for channel in range(3))
    y, v, u = 1.164383 * (y - 16.0), v - 128.0, u - 128.0
    bgr = np.stack([y + 2.017232 * u, y - 0.391762 * u - 0.812968 * v, y + 1.596027 * v], axis=-1)
    return np.clip(np.rint(bgr), 0, 255).astype(np.uint8)


def _code(name: str, source: Encoding, wanted: Encoding) -> int:
    code = getattr(cv2, f'COLOR_{name}', None)
    if code is None:
        raise _impossible(source, wanted)
    return int(code)


def _impossible(source: Encoding, wanted: Encoding) -> EncodingError:
    return EncodingError(
        f'OpenCV {cv2.__version__} makes no "{wanted.name}" of "{source.name}": ask for "bgr8" or "mono8".'
    )
