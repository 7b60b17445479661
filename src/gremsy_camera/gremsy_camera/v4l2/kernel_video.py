# SPDX-License-Identifier: Apache-2.0
"""The part of the kernel's linux/videodev2.h that a camera needs, for 64-bit Linux (x86-64, aarch64).

Names are the kernel's without V4L2_ and VIDIOC_. `test/test_kernel_video.py` holds sizes, offsets and numbers against
the kernel's own header.
"""

from __future__ import annotations

import ctypes
from typing import Any, ClassVar

U8, U16, U32, U64 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64
S32, S64 = ctypes.c_int32, ctypes.c_int64

MAX_PLANES = 8

# enum v4l2_buf_type, v4l2_memory, v4l2_field.
BUF_TYPE_VIDEO_CAPTURE, BUF_TYPE_VIDEO_CAPTURE_MPLANE = 1, 9
MEMORY_MMAP = 1
FIELD_ANY, FIELD_NONE = 0, 1

CAP_VIDEO_CAPTURE = 0x00000001
CAP_VIDEO_CAPTURE_MPLANE = 0x00001000
CAP_META_CAPTURE = 0x00800000
CAP_STREAMING = 0x04000000
CAP_DEVICE_CAPS = 0x80000000
# Of struct v4l2_captureparm: the driver takes a rate.
CAP_TIMEPERFRAME = 0x1000

# enum v4l2_frmsizetypes and v4l2_frmivaltypes have the same numbers.
FRM_DISCRETE, FRM_STEPWISE = 1, 3

BUF_FLAG_ERROR = 0x00000040
BUF_FLAG_TIMESTAMP_MASK = 0x0000E000
BUF_FLAG_TIMESTAMP_UNKNOWN = 0x00000000
BUF_FLAG_TIMESTAMP_MONOTONIC = 0x00002000
BUF_FLAG_TIMESTAMP_COPY = 0x00004000
BUF_FLAG_TSTAMP_SRC_MASK = 0x00070000
BUF_FLAG_TSTAMP_SRC_EOF = 0x00000000
BUF_FLAG_TSTAMP_SRC_SOE = 0x00010000

CTRL_TYPE_INTEGER, CTRL_TYPE_BOOLEAN, CTRL_TYPE_MENU, CTRL_TYPE_BUTTON, CTRL_TYPE_INTEGER64 = 1, 2, 3, 4, 5
CTRL_TYPE_CTRL_CLASS, CTRL_TYPE_BITMASK, CTRL_TYPE_INTEGER_MENU = 6, 8, 9
CTRL_FLAG_DISABLED = 0x0001
CTRL_FLAG_READ_ONLY = 0x0004
CTRL_FLAG_INACTIVE = 0x0010
CTRL_FLAG_NEXT_CTRL = 0x80000000


def _each(names: str, kind: type[Any]) -> list[tuple[str, type[Any]]]:
    """Fields of one type that follow each other."""
    return [(name, kind) for name in names.split()]


class Capability(ctypes.Structure):
    """struct v4l2_capability."""

    _fields_: ClassVar = [
        ('driver', ctypes.c_char * 16),
        *_each('card bus_info', ctypes.c_char * 32),
        *_each('version capabilities device_caps', U32),
        ('reserved', U32 * 3),
    ]


class FormatDescription(ctypes.Structure):
    """struct v4l2_fmtdesc."""

    _fields_: ClassVar = [
        *_each('index type flags', U32),
        ('description', ctypes.c_char * 32),
        *_each('pixelformat mbus_code', U32),
        ('reserved', U32 * 3),
    ]


class DiscreteSize(ctypes.Structure):
    """struct v4l2_frmsize_discrete."""

    _fields_: ClassVar = _each('width height', U32)


class StepwiseSize(ctypes.Structure):
    """struct v4l2_frmsize_stepwise."""

    _fields_: ClassVar = _each('min_width max_width step_width min_height max_height step_height', U32)


class _SizeUnion(ctypes.Union):
    _fields_: ClassVar = [('discrete', DiscreteSize), ('stepwise', StepwiseSize)]


class FrameSize(ctypes.Structure):
    """struct v4l2_frmsizeenum."""

    _anonymous_: ClassVar = ['size']
    _fields_: ClassVar = [*_each('index pixel_format type', U32), ('size', _SizeUnion), ('reserved', U32 * 2)]


class Fract(ctypes.Structure):
    """struct v4l2_fract."""

    _fields_: ClassVar = _each('numerator denominator', U32)


class StepwiseInterval(ctypes.Structure):
    """struct v4l2_frmival_stepwise."""

    _fields_: ClassVar = _each('min max step', Fract)


class _IntervalUnion(ctypes.Union):
    _fields_: ClassVar = [('discrete', Fract), ('stepwise', StepwiseInterval)]


class FrameInterval(ctypes.Structure):
    """struct v4l2_frmivalenum."""

    _anonymous_: ClassVar = ['interval']
    _fields_: ClassVar = [
        *_each('index pixel_format width height type', U32),
        ('interval', _IntervalUnion),
        ('reserved', U32 * 2),
    ]


class PixelFormat(ctypes.Structure):
    """struct v4l2_pix_format."""

    _fields_: ClassVar = [
        *_each('width height pixelformat field bytesperline sizeimage', U32),
        *_each('colorspace priv flags ycbcr_enc quantization xfer_func', U32),
    ]


class PlaneFormat(ctypes.Structure):
    """struct v4l2_plane_pix_format."""

    _fields_: ClassVar = [*_each('sizeimage bytesperline', U32), ('reserved', U16 * 6)]


class MultiPlaneFormat(ctypes.Structure):
    """struct v4l2_pix_format_mplane."""

    _fields_: ClassVar = [
        *_each('width height pixelformat field colorspace', U32),
        ('plane_fmt', PlaneFormat * MAX_PLANES),
        *_each('num_planes flags ycbcr_enc quantization xfer_func', U8),
        ('reserved', U8 * 7),
    ]


class _FormatUnion(ctypes.Union):
    # The kernel's union has pointers in it (overlays), which is why it begins at 8.
    _fields_: ClassVar = [
        ('pix', PixelFormat),
        ('pix_mp', MultiPlaneFormat),
        ('raw_data', U8 * 200),
        ('pointer', ctypes.c_void_p),
    ]


class Format(ctypes.Structure):
    """struct v4l2_format."""

    _fields_: ClassVar = [('type', U32), ('fmt', _FormatUnion)]


class CaptureParm(ctypes.Structure):
    """struct v4l2_captureparm."""

    _fields_: ClassVar = [
        *_each('capability capturemode', U32),
        ('timeperframe', Fract),
        *_each('extendedmode readbuffers', U32),
        ('reserved', U32 * 4),
    ]


class _ParametersUnion(ctypes.Union):
    _fields_: ClassVar = [('capture', CaptureParm), ('raw_data', U8 * 200)]


class StreamParm(ctypes.Structure):
    """struct v4l2_streamparm."""

    _fields_: ClassVar = [('type', U32), ('parm', _ParametersUnion)]


class RequestBuffers(ctypes.Structure):
    """struct v4l2_requestbuffers."""

    _fields_: ClassVar = [*_each('count type memory capabilities', U32), ('flags', U8), ('reserved', U8 * 3)]


class TimeValue(ctypes.Structure):
    """struct timeval."""

    _fields_: ClassVar = _each('tv_sec tv_usec', ctypes.c_long)


class TimeCode(ctypes.Structure):
    """struct v4l2_timecode."""

    _fields_: ClassVar = [
        *_each('type flags', U32),
        *_each('frames seconds minutes hours', U8),
        ('userbits', U8 * 4),
    ]


class _PlaneUnion(ctypes.Union):
    _fields_: ClassVar = [('mem_offset', U32), ('userptr', ctypes.c_ulong), ('fd', S32)]


class Plane(ctypes.Structure):
    """struct v4l2_plane."""

    _fields_: ClassVar = [
        *_each('bytesused length', U32),
        ('m', _PlaneUnion),
        ('data_offset', U32),
        ('reserved', U32 * 11),
    ]


class _BufferUnion(ctypes.Union):
    _fields_: ClassVar = [
        ('offset', U32),
        ('userptr', ctypes.c_ulong),
        ('planes', ctypes.POINTER(Plane)),
        ('fd', S32),
    ]


class Buffer(ctypes.Structure):
    """struct v4l2_buffer."""

    _fields_: ClassVar = [
        *_each('index type bytesused flags field', U32),
        ('timestamp', TimeValue),
        ('timecode', TimeCode),
        *_each('sequence memory', U32),
        ('m', _BufferUnion),
        *_each('length reserved2', U32),
        ('request_fd', S32),
    ]


class BufferType(ctypes.Structure):
    """The int that STREAMON and STREAMOFF take."""

    _fields_: ClassVar = [('type', ctypes.c_int)]


class QueryControl(ctypes.Structure):
    """struct v4l2_query_ext_ctrl."""

    _fields_: ClassVar = [
        *_each('id type', U32),
        ('name', ctypes.c_char * 32),
        *_each('minimum maximum', S64),
        ('step', U64),
        ('default_value', S64),
        *_each('flags elem_size elems nr_of_dims', U32),
        ('dims', U32 * 4),
        ('reserved', U32 * 32),
    ]


# Those that the kernel packs; from Python 3.14 on, who sets `_pack_` is to say that the layout is that of `ms`.
class _MenuUnion(ctypes.Union):
    _layout_ = 'ms'
    _pack_ = 1
    _fields_: ClassVar = [('name', ctypes.c_char * 32), ('value', S64)]


class QueryMenu(ctypes.Structure):
    """struct v4l2_querymenu."""

    _layout_ = 'ms'
    _pack_ = 1
    _anonymous_: ClassVar = ['item']
    _fields_: ClassVar = [*_each('id index', U32), ('item', _MenuUnion), ('reserved', U32)]


class _ControlUnion(ctypes.Union):
    _layout_ = 'ms'
    _pack_ = 1
    _fields_: ClassVar = [('value', S32), ('value64', S64), ('pointer', ctypes.c_void_p)]


class ExtControl(ctypes.Structure):
    """struct v4l2_ext_control."""

    _layout_ = 'ms'
    _pack_ = 1
    _anonymous_: ClassVar = ['content']
    _fields_: ClassVar = [*_each('id size', U32), ('reserved2', U32 * 1), ('content', _ControlUnion)]


class ExtControls(ctypes.Structure):
    """struct v4l2_ext_controls."""

    _fields_: ClassVar = [
        *_each('which count error_idx', U32),
        ('request_fd', S32),
        ('reserved', U32 * 1),
        ('controls', ctypes.POINTER(ExtControl)),
    ]


_READ, _WRITE = 2, 1


def _request(direction: int, number: int, argument: type[ctypes.Structure]) -> int:
    return direction << 30 | ctypes.sizeof(argument) << 16 | ord('V') << 8 | number


QUERYCAP = _request(_READ, 0, Capability)
ENUM_FMT = _request(_READ | _WRITE, 2, FormatDescription)
G_FMT = _request(_READ | _WRITE, 4, Format)
S_FMT = _request(_READ | _WRITE, 5, Format)
REQBUFS = _request(_READ | _WRITE, 8, RequestBuffers)
QUERYBUF = _request(_READ | _WRITE, 9, Buffer)
QBUF = _request(_READ | _WRITE, 15, Buffer)
DQBUF = _request(_READ | _WRITE, 17, Buffer)
STREAMON = _request(_WRITE, 18, BufferType)
STREAMOFF = _request(_WRITE, 19, BufferType)
G_PARM = _request(_READ | _WRITE, 21, StreamParm)
S_PARM = _request(_READ | _WRITE, 22, StreamParm)
QUERYMENU = _request(_READ | _WRITE, 37, QueryMenu)
S_EXT_CTRLS = _request(_READ | _WRITE, 72, ExtControls)
ENUM_FRAMESIZES = _request(_READ | _WRITE, 74, FrameSize)
ENUM_FRAMEINTERVALS = _request(_READ | _WRITE, 75, FrameInterval)
QUERY_EXT_CTRL = _request(_READ | _WRITE, 103, QueryControl)


def fourcc(text: str) -> int:
    """A format's number from its four letters; `-BE` after them sets the bit that says big-endian."""
    letters = text.removesuffix('-BE').ljust(4)
    number = sum(ord(letter) << 8 * place for place, letter in enumerate(letters))
    return number | (1 << 31 if text.endswith('-BE') else 0)


def fourcc_text(number: int) -> str:
    """The letters of a format's number, without trailing spaces: 'YUYV', 'Y16', 'Y16-BE'."""
    letters = ''.join(chr(number >> 8 * place & 0x7F) for place in range(4)).rstrip()
    return letters + ('-BE' if number >> 31 else '')
