# SPDX-License-Identifier: Apache-2.0
"""Frame <-> sensor_msgs/Image."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from gremsy_common.errors import Unusable
from gremsy_common.ros.messages.header_messages import header, stamp_of
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_common.types.pixel_layout import PIXEL_LAYOUTS

_AS_THEY_ARE = {'bgr8': 'bgr8', '8UC3': 'bgr8', 'mono8': 'mono8', '8UC1': 'mono8'}
_DEEP_GREY = ('mono16', '16UC1')
# What cv_bridge does not read; nv12 is in no table of sensor_msgs, and V4L2 and GStreamer drivers send it.
_TO_BGR = {'nv12': cv2.COLOR_YUV2BGR_NV12, 'nv21': cv2.COLOR_YUV2BGR_NV21}
_LEAST_SPAN = 64.0
_SAMPLED_ROW = 4


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
    """A picture to look at, bgr8 or mono8, of every encoding in `PIXEL_LAYOUTS` and of cv_bridge's others.

    A view of the message's own memory where its pixels are such already. 16-bit grey, of which an infrared camera fills
    only a part, is stretched over what is in this image.

    Raises:
        Unusable: when size, step and data do not fit together, or the encoding is not known.
    """
    if message.encoding in _AS_THEY_ARE or message.encoding in _TO_BGR or message.encoding in _DEEP_GREY:
        frame = frame_as_sent(message)
        if message.encoding in _AS_THEY_ARE:
            return replace(frame, encoding=_AS_THEY_ARE[message.encoding])
        if message.encoding in _DEEP_GREY:
            return replace(frame, image=lock_read_only(_stretched(frame.image)), encoding='mono8')
        _refuse_odd(message)
        bgr = cv2.cvtColor(np.ascontiguousarray(frame.image), _TO_BGR[message.encoding])
        return replace(frame, image=lock_read_only(np.asarray(bgr, dtype=np.uint8)), encoding='bgr8')
    _refuse_empty(message)
    return Frame(lock_read_only(_converted(message)), stamp_of(message.header.stamp), message.header.frame_id, 'bgr8')


def frame_as_sent(message: Image) -> Frame:
    """A view of the message's own memory in the message's own encoding, for a consumer that reads them all.

    16-bit pixels keep the byte order they were sent in, which the array's dtype says. With 4:2:0 the array has the rows
    of colour below those of brightness.

    Raises:
        Unusable: when size, step and data do not fit together, or the encoding is unknown.
    """
    layout = PIXEL_LAYOUTS.get(message.encoding)
    if layout is None:
        raise Unusable(
            'unknown encoding',
            f"the encoding '{message.encoding}' is unknown: publish one of {', '.join(PIXEL_LAYOUTS)}.",
        )
    _refuse_empty(message)
    dtype = np.dtype(layout.dtype).newbyteorder('>' if message.is_bigendian else '<')
    pixel = layout.channels * dtype.itemsize
    rows = layout.rows(message.height)
    # The last row may end with its last pixel.
    needed = message.step * (rows - 1) + message.width * pixel
    if message.step < message.width * pixel or len(message.data) < needed:
        raise Unusable(
            'data too short',
            f'{len(message.data)} bytes with a step of {message.step} are not a {message.width}x{message.height} '
            f'{message.encoding} image: check its publisher.',
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


def _refuse_empty(message: Image) -> None:
    if message.width == 0 or message.height == 0:
        raise Unusable(
            'no pixels', f'the image is {message.width}x{message.height} px: it has no pixels, so check its publisher.'
        )


def _refuse_odd(message: Image) -> None:
    layout = PIXEL_LAYOUTS[message.encoding]
    if (layout.even_width and message.width % 2) or (layout.even_height and message.height % 2):
        raise Unusable(
            'odd size',
            f'the image is {message.width}x{message.height} px, and {message.encoding} shares colour between two '
            'pixels: publish it in an even size, or as bgr8.',
        )


def _stretched(image: NDArray[Any]) -> NDArray[np.uint8]:
    """16-bit grey as 8 bits: from the lowest to the highest half percent, taken _LEAST_SPAN apart at least."""
    native = image.astype(np.float32)
    low, high = np.percentile(native[::_SAMPLED_ROW, ::_SAMPLED_ROW], [0.5, 99.5])
    span = max(float(high - low), _LEAST_SPAN)
    middle = float(high + low) / 2
    return np.asarray(cv2.convertScaleAbs(np.clip(native - (middle - span / 2), 0, span), alpha=255 / span))


def _converted(message: Image) -> NDArray[np.uint8]:
    from cv_bridge import CvBridge, CvBridgeError  # only foreign encodings need it

    try:
        return np.asarray(CvBridge().imgmsg_to_cv2(message, desired_encoding='bgr8'))
    except (CvBridgeError, ValueError, TypeError) as error:
        raise Unusable(
            'unknown encoding',
            f"its encoding '{message.encoding}' is no picture that can be shown ({error}): publish one of "
            f'{", ".join(PIXEL_LAYOUTS)}.',
        ) from error
