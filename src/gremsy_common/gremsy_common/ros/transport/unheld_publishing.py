# SPDX-License-Identifier: Apache-2.0
"""Publishing serialised bytes without holding Python's interpreter.

rclpy's `publish` holds the interpreter until DDS has taken the message: 3 ms for a 1080p image, 9 to 27 ms at p99, and
nothing else of the process moves. The same function of rcl, called through ctypes, is called without it.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message, serialize_message

from gremsy_common.errors import one_line
from gremsy_common.ros.transport.topic import Topic
from gremsy_common.ros.transport.wire_form import WireForm


class _SerializedMessage(ctypes.Structure):
    """rcutils_uint8_array_t; its allocator (five pointers) is not used by who only reads."""

    _fields_ = (
        ('buffer', ctypes.c_void_p),
        ('buffer_length', ctypes.c_size_t),
        ('buffer_capacity', ctypes.c_size_t),
        ('allocator', ctypes.c_void_p * 5),
    )


class CannotPublishUnheld(Exception):
    """This distribution or middleware has another interface; the text says which part is missing."""


class UnheldPublisher:
    """Publishes the items of one topic through the rcl publisher of an rclpy `handle`; used by one thread."""

    def __init__(self, handle: Any, topic: Topic[Any]) -> None:
        self._handle = handle
        self._wire = topic.wire
        self._topic = topic
        self._buffer: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._publish: Any = None
        self._reset_error: Any = None

    def open(self) -> None:
        """Find rcl, and see with a small item that the middleware reads the bytes made here.

        Raises:
            CannotPublishUnheld: when either is not so.
        """
        if self._wire is None:
            raise CannotPublishUnheld(f'{self._topic.name} has no form of its own on the wire')
        try:
            self._publish = ctypes.CDLL('librcl.so').rcl_publish_serialized_message
            self._reset_error = ctypes.CDLL('librcutils.so').rcutils_reset_error
            int(self._handle.pointer)
        except (OSError, AttributeError) as error:
            raise CannotPublishUnheld(f'rcl cannot be called directly: {one_line(error)}') from error
        self._publish.argtypes = (ctypes.c_void_p, ctypes.POINTER(_SerializedMessage), ctypes.c_void_p)
        self._publish.restype = ctypes.c_int
        if not self._is_read(self._wire):
            raise CannotPublishUnheld('this middleware writes images in another form than plain CDR')

    def publish(self, item: Any) -> None:
        """Send one item; the copy into the buffer and into DDS are made while other threads run.

        Raises:
            RuntimeError: when rcl refuses it.
        """
        assert self._wire is not None
        head, body = self._wire.write(item)
        size = len(head) + body.size
        if self._buffer.size < size or self._buffer.size > 4 * size:
            self._buffer = np.empty(size, np.uint8)
        self._buffer[: len(head)] = np.frombuffer(head, np.uint8)
        np.copyto(self._buffer[len(head) : size], body)
        message = _SerializedMessage(self._buffer.ctypes.data, size, self._buffer.size)
        with self._handle:  # it is not destroyed before this is through
            code = self._publish(self._handle.pointer, message, None)
        if code != 0:
            self._reset_error()
            raise RuntimeError(f'rcl refused it with code {code}')

    def _is_read(self, wire: WireForm[Any]) -> bool:
        head, body = wire.write(wire.example)
        data, message = head + body.tobytes(), self._topic.to_message(wire.example)
        try:
            read = deserialize_message(data, type(message))
        except Exception:  # noqa: BLE001 each middleware has its own for what it cannot read
            return False
        # Not byte by byte: between two fields a serialiser leaves whatever was in the memory.
        return bool(read == message) and len(data) == len(serialize_message(message))
