# SPDX-License-Identifier: Apache-2.0
"""Frame <-> sensor_msgs/Image."""

from __future__ import annotations

import sys
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from gremsy_common.errors import Unusable
from gremsy_common.picture.viewable_pictures import DEEP_GREY, ViewablePictures
from gremsy_common.ros.messages.header_messages import header, origin_of, stamp_of
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_common.types.pixel_layout import PIXEL_LAYOUTS

_COLOURS = ('rgb8', 'bgr8', 'rgba8', 'bgra8', 'rgb16', 'bgr16', 'rgba16', 'bgra16')


def image_message(frame: Frame) -> Image:
    """The whole image; one copy, 0.2 ms at 1080p."""
    pixels = np.ascontiguousarray(frame.image)
    message = image_without_pixels(frame, pixels)
    # `data = bytes` is up to 671 ms on Humble (element-wise checks); frombytes on the fresh array is 0.19 ms.
    message.data.frombytes(pixels.reshape(-1).view(np.uint8).data)
    return message


def image_without_pixels(frame: Frame, pixels: NDArray[Any]) -> Image:
    """All fields but `data`; `pixels` are the frame's, contiguous."""
    message = Image(header=header(frame.stamp_ns, frame.frame_id), encoding=frame.encoding)
    message.height, message.width = frame.height, frame.width
    message.step = pixels.strides[0]
    message.is_bigendian = (sys.byteorder == 'big') == pixels.dtype.isnative
    return message


def frame_from_image(message: Image) -> Frame:
    """A picture to look at, bgr8 or mono8, of every encoding in `PIXEL_LAYOUTS` and of cv_bridge's others.

    A view of the message's own memory where its pixels are such already. 16-bit grey, of which an infrared camera fills
    only a part, is stretched over what is in this image alone: who takes a video of it takes images as they were sent
    and has `ViewablePictures`, whose gain does not flicker.

    Raises:
        Unusable: when size, step and data do not fit together, or the encoding is not known.
    """
    if message.encoding in PIXEL_LAYOUTS:
        return ViewablePictures().of(frame_as_sent(message))
    _refuse_empty(message)
    return Frame(lock_read_only(_converted(message)), *origin_of(message), 'bgr8')


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


def compressed_message(frame: Frame, jpeg_quality: int, *, lossless: bool = False) -> CompressedImage:
    """A bgr8 or mono8 frame as JPEG, or, `lossless`, one of these or mono16 as PNG.

    `format` as compressed_image_transport writes it, which image_transport, rqt and RViz read.

    Raises:
        ValueError: when OpenCV cannot encode it.
    """
    pixels = np.ascontiguousarray(frame.image, frame.image.dtype.newbyteorder('='))
    colour = pixels.ndim == 3
    if lossless:
        # For grey that transport leaves the target empty.
        name, extension, options, target = 'png', '.png', [], 'bgr8' if colour else ''
    else:
        name, extension, options = 'jpeg', '.jpg', [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality]
        target = 'bgr8' if colour else 'mono8'
    done, encoded = cv2.imencode(extension, pixels, options)
    if not done:
        raise ValueError(
            f'a {frame.encoding} frame of {frame.width}x{frame.height} px cannot be written as {name.upper()}.'
        )
    message = CompressedImage(
        header=header(frame.stamp_ns, frame.frame_id), format=f'{frame.encoding}; {name} compressed {target}'
    )
    message.data.frombytes(np.asarray(encoded).data.cast('B'))
    return message


def frame_from_compressed(message: CompressedImage) -> Frame:
    """The JPEG or PNG decoded: bgr8, mono8 or mono16.

    The message's `format` says what the data are, as compressed_image_transport reads it: of a 16-bit picture that was
    sent as JPEG the upper eight bits are left.

    Raises:
        Unusable: when that is no picture.
    """
    data = np.frombuffer(memoryview(message.data), np.uint8)
    try:
        decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except cv2.error:
        decoded = None
    if decoded is None:
        raise Unusable(
            'not decoded',
            f"its {data.size} bytes of format '{message.format[:40]}' are no JPEG, PNG or TIFF: check its publisher.",
        )
    encoding, _, compression = message.format.partition(';')
    pixels, name = _colours_of(decoded, encoding.strip(), compression)
    return Frame(lock_read_only(pixels), *origin_of(message), name)


def _colours_of(decoded: NDArray[Any], encoding: str, compression: str) -> tuple[NDArray[Any], str]:
    if decoded.dtype == np.uint16 and decoded.ndim == 3:
        decoded = cv2.convertScaleAbs(decoded, alpha=1 / 256)
    if decoded.dtype not in (np.uint8, np.uint16):
        raise Unusable('not decoded', f'its pixels are {decoded.dtype}: publish it as JPEG, or as PNG of 8 or 16 bits.')
    if decoded.ndim == 2:
        if decoded.dtype == np.uint8 and encoding in DEEP_GREY:
            return decoded.astype(np.uint16) << 8, 'mono16'
        return decoded, 'mono16' if decoded.dtype == np.uint16 else 'mono8'
    if decoded.shape[2] == 4:
        decoded = cv2.cvtColor(decoded, cv2.COLOR_BGRA2BGR)
    # As the transport's own subscriber has it: a sender that does not say that it turned the colours round did not.
    red_first = encoding in _COLOURS and compression and 'compressed bgr' not in compression
    return (cv2.cvtColor(decoded, cv2.COLOR_RGB2BGR) if red_first else decoded), 'bgr8'


def _refuse_empty(message: Image) -> None:
    if message.width == 0 or message.height == 0:
        raise Unusable(
            'no pixels', f'the image is {message.width}x{message.height} px: it has no pixels, so check its publisher.'
        )


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
