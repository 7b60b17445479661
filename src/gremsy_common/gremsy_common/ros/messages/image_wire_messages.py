# SPDX-License-Identifier: Apache-2.0
"""Frame <-> the bytes of a sensor_msgs/Image on the wire (CDR), past rclpy's messages.

rclpy copies the pixels of an image into a message and out of it while it holds the interpreter, which the whole process
feels (3 ms at 1080p to publish, design.md section 5). Here only the few bytes before the pixels are Python's business.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from gremsy_common.errors import Unusable
from gremsy_common.ros.messages.image_messages import image_without_pixels
from gremsy_common.types.frame import Frame

# Two bytes say how what follows is encoded; 0 and 1 are plain CDR, big and little endian.
_ENCAPSULATION_BYTES = 4
_BYTE_ORDERS = {b'\x00\x00': '>', b'\x00\x01': '<'}
_LENGTH = struct.Struct('=I')


@dataclass(frozen=True, slots=True)
class ReceivedImage:
    """The fields of a sensor_msgs/Image, by the same names; `data` is a view of the bytes that came."""

    header: Header
    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: memoryview


def image_wire(frame: Frame) -> tuple[bytes, NDArray[np.uint8]]:
    """What stands before the pixels of the serialised message, and the pixels as one row of bytes."""
    pixels = np.ascontiguousarray(frame.image)
    empty = image_without_pixels(frame, pixels)
    # The pixels are the message's last field, so without any its last four bytes are their number: zero.
    head = serialize_message(empty)[: -_LENGTH.size] + _LENGTH.pack(pixels.nbytes)
    return head, pixels.reshape(-1).view(np.uint8)


def image_from_wire(data: bytes) -> ReceivedImage:
    """The message in these bytes; nothing is copied.

    Raises:
        Unusable: when they are no serialised sensor_msgs/Image.
    """
    order = _BYTE_ORDERS.get(bytes(data[:2]))
    if order is None:
        raise Unusable('not understood', 'it is not encoded as plain CDR: check the middleware of its publisher.')
    try:
        return _parse(memoryview(data)[_ENCAPSULATION_BYTES:], order)
    except (struct.error, UnicodeDecodeError) as error:
        raise Unusable(
            'not understood', f'its bytes end early or are no sensor_msgs/Image ({error}): check its publisher.'
        ) from error


def _parse(data: memoryview, order: str) -> ReceivedImage:
    sec, nanosec = struct.unpack_from(f'{order}iI', data, 0)
    frame_id, at = _text(data, 8, order)
    at = _aligned(at)
    height, width = struct.unpack_from(f'{order}II', data, at)
    encoding, at = _text(data, at + 8, order)
    (is_bigendian,) = struct.unpack_from('B', data, at)
    at = _aligned(at + 1)
    step, size = struct.unpack_from(f'{order}II', data, at)
    pixels = data[at + 8 : at + 8 + size]
    if len(pixels) < size:
        raise struct.error(f'{size} bytes of pixels are announced and {len(pixels)} there')
    header = Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=frame_id)
    return ReceivedImage(header, height, width, encoding, is_bigendian, step, pixels)


def _text(data: memoryview, at: int, order: str) -> tuple[str, int]:
    """A string and where it ends; its length counts the zero at its end."""
    (size,) = struct.unpack_from(f'{order}I', data, at)
    end = at + 4 + size
    if end > len(data):
        raise struct.error(f'a text of {size} bytes is announced and {len(data) - at - 4} are there')
    return bytes(data[at + 4 : max(at + 4, end - 1)]).decode(), end


def _aligned(at: int) -> int:
    return at + (-at) % 4
