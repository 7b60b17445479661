# SPDX-License-Identifier: Apache-2.0
"""Frame <-> sensor_msgs/Image."""

from __future__ import annotations

import sys
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from gremsy_common.frame import Frame, lock_read_only
from gremsy_common.messages.header import header, stamp_of
from gremsy_common.pixel_layout import PIXEL_LAYOUTS

_NATIVE = {'bgr8': 3, 'mono8': 1}


def image_message(frame: Frame) -> Image:
    """The whole image; one copy, 0.2 ms at 1080p."""
    message = Image(header=header(frame.stamp_ns, frame.frame_id), encoding=frame.encoding)
    pixels = np.ascontiguousarray(frame.image)
    message.height, message.width = frame.height, frame.width
    message.step = pixels.strides[0]
    message.is_bigendian = sys.byteorder == 'big'
    # `data = bytes` is up to 671 ms on Humble (element-wise checks); frombytes on the fresh array is 0.19 ms.
    message.data.frombytes(pixels.data.cast('B'))
    return message


def frame_from_image(message: Image) -> Frame:
    """A view of the message's own memory for bgr8 and mono8; cv_bridge converts every other encoding to bgr8.

    Raises:
        ValueError: when size, step and data do not fit together, or the encoding is unknown.
    """
    if message.width == 0 or message.height == 0:
        raise ValueError(f'the image is {message.width}x{message.height} px: it has no pixels.')
    channels = _NATIVE.get(message.encoding)
    if channels is None:
        image, encoding = _converted(message), 'bgr8'
    else:
        image, encoding = _view(message, channels), message.encoding
    return Frame(lock_read_only(image), stamp_of(message.header.stamp), message.header.frame_id, encoding)


def frame_as_sent(message: Image) -> Frame:
    """A view of the message's own memory in the message's own encoding, for a consumer that reads them all.

    16-bit pixels keep the byte order they were sent in, which the array's dtype says. With 4:2:0 the array has the rows
    of colour below those of brightness.

    Raises:
        ValueError: when size, step and data do not fit together, or the encoding is unknown.
    """
    layout = PIXEL_LAYOUTS.get(message.encoding)
    if layout is None:
        raise ValueError(f"the encoding '{message.encoding}' is unknown: publish one of {', '.join(PIXEL_LAYOUTS)}.")
    if message.width == 0 or message.height == 0:
        raise ValueError(f'the image is {message.width}x{message.height} px: it has no pixels.')
    dtype = np.dtype(layout.dtype).newbyteorder('>' if message.is_bigendian else '<')
    pixel = layout.channels * dtype.itemsize
    rows = layout.rows(message.height)
    # The last row may end with its last pixel.
    needed = message.step * (rows - 1) + message.width * pixel
    if message.step < message.width * pixel or len(message.data) < needed:
        raise ValueError(
            f'{len(message.data)} bytes with a step of {message.step} are not a {message.width}x{message.height} '
            f'{message.encoding} image.'
        )
    shape: tuple[int, ...] = (rows, message.width)
    strides: tuple[int, ...] = (message.step, pixel)
    if layout.channels > 1:
        shape, strides = (*shape, layout.channels), (*strides, dtype.itemsize)
    image: NDArray[Any] = np.ndarray(shape, dtype, buffer=memoryview(message.data), strides=strides)
    stamp_ns = stamp_of(message.header.stamp)
    return Frame(lock_read_only(image), stamp_ns, message.header.frame_id, message.encoding)


def compressed_message(frame: Frame, jpeg_quality: int) -> CompressedImage:
    """JPEG of the frame.

    Raises:
        ValueError: when OpenCV cannot encode it.
    """
    done, encoded = cv2.imencode('.jpg', frame.image, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    if not done:
        raise ValueError(f'a {frame.encoding} frame of {frame.width}x{frame.height} px cannot be written as JPEG.')
    message = CompressedImage(
        header=header(frame.stamp_ns, frame.frame_id), format=f'{frame.encoding}; jpeg compressed bgr8'
    )
    message.data.frombytes(np.asarray(encoded).data.cast('B'))
    return message


def _view(message: Image, channels: int) -> NDArray[np.uint8]:
    row = message.width * channels
    data = np.frombuffer(message.data, dtype=np.uint8)
    if message.step < row or data.size < message.step * message.height:
        raise ValueError(
            f'{data.size} bytes with a step of {message.step} are not a {message.width}x{message.height} '
            f'{message.encoding} image.'
        )
    rows = data[: message.step * message.height].reshape(message.height, message.step)[:, :row]
    return rows.reshape(message.height, message.width, channels) if channels > 1 else rows


def _converted(message: Image) -> NDArray[np.uint8]:
    from cv_bridge import CvBridge  # only foreign encodings need it

    return np.asarray(CvBridge().imgmsg_to_cv2(message, desired_encoding='bgr8'))
