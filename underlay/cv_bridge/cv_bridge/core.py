# SPDX-License-Identifier: Apache-2.0
"""CvBridge, the class that programs use; the work is in encodings.py and colour.py."""

from __future__ import annotations

import sys
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import CompressedImage, Image

from cv_bridge.colour import convert
from cv_bridge.encodings import DEPTHS, Encoding, EncodingError, parse

Array = npt.NDArray[Any]

PASSTHROUGH = 'passthrough'


class CvBridgeError(TypeError):
    """A message or an array that cannot be converted; the text says which and why."""


class CvBridge:
    """Converts between image messages and OpenCV arrays."""

    def __init__(self) -> None:
        # Both tables are part of the interface that programs use.
        self.cvtype_to_name: dict[int, str] = {
            getattr(cv2, f'CV_{depth}C{channels}'): f'{depth}C{channels}'
            for depth in DEPTHS
            for channels in (1, 2, 3, 4)
            if hasattr(cv2, f'CV_{depth}C{channels}')
        }
        self.numpy_type_to_cvtype: dict[str, str] = {dtype: depth for depth, dtype in DEPTHS.items()}
        self.numpy_type_to_cvtype.update(DEPTHS)

    def dtype_with_channels_to_cvtype2(self, dtype: Any, n_channels: int) -> str:
        return f'{self.numpy_type_to_cvtype[np.dtype(dtype).name]}C{n_channels}'

    def cvtype2_to_dtype_with_channels(self, cvtype: int) -> tuple[str, int]:
        encoding = _parse(self.cvtype_to_name[cvtype])
        return encoding.dtype, encoding.channels

    def encoding_to_cvtype2(self, encoding: str) -> int:
        parsed = _parse(encoding)
        return int(getattr(cv2, 'CV_' + self.dtype_with_channels_to_cvtype2(parsed.dtype, parsed.channels)))

    def encoding_to_dtype_with_channels(self, encoding: str) -> tuple[str, int]:
        parsed = _parse(encoding)
        return parsed.dtype, parsed.channels

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = PASSTHROUGH) -> Array:
        """The message's image; it shares the message's memory where nothing had to be converted."""
        encoding = _parse(img_msg.encoding)
        image = _view(img_msg, encoding)
        if desired_encoding == PASSTHROUGH:
            return image
        return _convert(image, encoding, _parse(desired_encoding))

    def compressed_imgmsg_to_cv2(self, cmprs_img_msg: CompressedImage, desired_encoding: str = PASSTHROUGH) -> Array:
        data = np.frombuffer(cmprs_img_msg.data, dtype=np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
        if image is None:
            raise CvBridgeError(
                f'The {data.size} bytes of a CompressedImage with format "{cmprs_img_msg.format}" are no picture that '
                'OpenCV can decode: check the publisher (H.264 and depth transports need their own plug-in).'
            )
        if desired_encoding == PASSTHROUGH:
            return image
        channels = 1 if image.ndim == 2 else image.shape[2]
        bits = 8 * image.dtype.itemsize
        decoded = (
            _parse({1: 'mono', 3: 'bgr', 4: 'bgra'}[channels] + str(bits))
            if bits <= 16
            else _parse('32FC' + str(channels))
        )
        return _convert(image, decoded, _parse(desired_encoding))

    def cv2_to_imgmsg(self, cvim: Array, encoding: str = PASSTHROUGH, header: Any = None) -> Image:
        cv_type = self._cv_type(cvim)
        message = Image()
        if encoding == PASSTHROUGH:
            message.encoding = cv_type
        else:
            parsed = _parse(encoding)
            wanted = self.dtype_with_channels_to_cvtype2(parsed.dtype, parsed.channels)
            if wanted != cv_type:
                raise CvBridgeError(
                    f'The encoding "{encoding}" needs an array of {wanted}, this one is {cv_type}: convert it first, '
                    f'or leave the encoding at "passthrough".'
                )
            message.encoding = encoding
        if header is not None:
            message.header = header
        parsed = _parse(message.encoding)
        # A planar array has the chroma's rows too; the message counts the picture's.
        message.height = cvim.shape[0] * cvim.shape[0] // parsed.rows(cvim.shape[0])
        message.width = cvim.shape[1]
        message.step = cvim.shape[1] * cvim.dtype.itemsize * (1 if cvim.ndim == 2 else cvim.shape[2])
        message.is_bigendian = int(sys.byteorder == 'big')
        native: Any = np.ascontiguousarray(cvim, dtype=cvim.dtype.newbyteorder('='))
        # Into the fresh message's own array: assigning bytes is checked byte by byte on older ROS.
        message.data.frombytes(memoryview(native).cast('B'))
        return message

    def cv2_to_compressed_imgmsg(self, cvim: Array, dst_format: str = 'jpg') -> CompressedImage:
        self._cv_type(cvim)
        try:
            done, encoded = cv2.imencode(f'.{dst_format}', cvim)
        except cv2.error as error:
            raise CvBridgeError(
                f'OpenCV cannot write "{dst_format}" of this array ({error}): use "jpg" or "png".'
            ) from error
        if not done:
            raise CvBridgeError(f'OpenCV cannot write "{dst_format}" of this array: use "jpg" or "png".')
        message = CompressedImage()
        message.format = dst_format
        message.data.frombytes(encoded.tobytes())
        return message

    def _cv_type(self, cvim: Array) -> str:
        if not isinstance(cvim, (np.ndarray, np.generic)):
            raise TypeError(f'An image must be a NumPy array, this is {type(cvim).__name__}.')
        if cvim.ndim not in (2, 3) or cvim.size == 0:
            raise CvBridgeError(
                f'An image has rows, columns and perhaps channels, this array has the shape {cvim.shape}.'
            )
        if cvim.dtype.name not in self.numpy_type_to_cvtype:
            raise CvBridgeError(
                f'OpenCV has no {cvim.dtype.name} images: convert to one of {", ".join(DEPTHS.values())}.'
            )
        return self.dtype_with_channels_to_cvtype2(cvim.dtype, 1 if cvim.ndim == 2 else cvim.shape[2])


def _parse(name: str) -> Encoding:
    try:
        return parse(name)
    except EncodingError as error:
        raise CvBridgeError(str(error)) from error


def _convert(image: Array, source: Encoding, wanted: Encoding) -> Array:
    try:
        return convert(image, source, wanted)
    except (EncodingError, cv2.error) as error:
        raise CvBridgeError(str(error)) from error


def _view(message: Image, encoding: Encoding) -> Array:
    dtype = np.dtype(encoding.dtype)
    pixel = dtype.itemsize * encoding.channels
    rows = encoding.rows(message.height)
    # Drivers that leave the step out mean rows without padding.
    step = message.step or message.width * pixel
    needed = step * (rows - 1) + message.width * pixel
    if message.height == 0 or message.width == 0 or step < message.width * pixel or len(message.data) < needed:
        raise CvBridgeError(
            f'An image of {message.width}x{message.height} in "{encoding.name}" with a step of {message.step} needs '
            f'{max(needed, 0)} bytes and rows of at least {message.width * pixel}, the message has '
            f'{len(message.data)}: check its publisher.'
        )
    shape: tuple[int, ...] = (rows, message.width, encoding.channels)
    strides: tuple[int, ...] = (step, pixel, dtype.itemsize)
    if encoding.channels == 1:
        shape, strides = shape[:2], strides[:2]
    stored = dtype.newbyteorder('>' if message.is_bigendian else '<')
    image: Array = np.ndarray(shape, dtype=stored, buffer=memoryview(message.data), strides=strides)
    return image if stored.isnative else image.astype(dtype)
