# SPDX-License-Identifier: Apache-2.0
"""V4L2 devices that answer as real ones did, from listings that their owners published; the source is beside each.

What is not in a listing (buffers, the clock) behaves as Linux's Documentation/userspace-api/media/v4l says.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections import deque
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from gremsy_camera.v4l2 import kernel_video as kernel
from gremsy_camera.v4l2.kernel_video import fourcc

SOE = kernel.BUF_FLAG_TIMESTAMP_MONOTONIC | kernel.BUF_FLAG_TSTAMP_SRC_SOE
EOF = kernel.BUF_FLAG_TIMESTAMP_MONOTONIC | kernel.BUF_FLAG_TSTAMP_SRC_EOF
_PAGE = mmap.PAGESIZE


@dataclass(frozen=True)
class Size:
    """One size; rates in Hz. With a largest size it is a range in steps."""

    width: int
    height: int
    rates: tuple[float, ...] = ()
    largest: tuple[int, int] | None = None
    step: int = 1


@dataclass(frozen=True)
class Item:
    """One control as `v4l2-ctl --list-ctrls-menus` shows it."""

    number: int
    name: str
    type: int
    low: int = 0
    high: int = 1
    step: int = 1
    default: int = 0
    flags: int = 0
    menu: tuple[tuple[int, str | int], ...] = ()


@dataclass(frozen=True)
class Recording:
    """What a device answered."""

    card: str
    driver: str = 'uvcvideo'
    bus: str = 'usb-0000:00:14.0-6'
    capabilities: int = 0x84A00001
    device_caps: int = 0x04200001
    formats: tuple[tuple[str, tuple[Size, ...]], ...] = ()
    controls: tuple[Item, ...] = ()
    stands_at: tuple[str, int, int] = ('YUYV', 640, 480)
    padding: int = 0
    takes_rates: bool = True


_FIVE = (30.0, 20.0, 15.0, 10.0, 7.5)

# github.com/jacksonliam/mjpg-streamer/issues/169, v4l2-ctl --list-formats-ext; controls of another UVC camera with the
# names of kernels since 6.1: github.com/sajmons/CollimationCircles/issues/18, v4l2-ctl --list-ctrls; of the menu,
# places 1 and 3 are the ones that uvcvideo fills.
WEBCAM = Recording(
    card='HD Webcam',
    formats=(
        (
            'YUYV',
            (
                Size(640, 480, _FIVE),
                Size(1280, 720, (10.0, 7.5)),
                Size(960, 544, (20.0, 15.0, 10.0, 7.5)),
                Size(800, 448, _FIVE),
            ),
        ),
        ('MJPG', (Size(640, 480, _FIVE), Size(1920, 1080, _FIVE), Size(1280, 720, _FIVE), Size(960, 544, _FIVE))),
    ),
    controls=(
        Item(0x00980001, 'User Controls', kernel.CTRL_TYPE_CTRL_CLASS, flags=kernel.CTRL_FLAG_READ_ONLY),
        Item(0x00980900, 'Brightness', kernel.CTRL_TYPE_INTEGER, -64, 64, 1, 0),
        Item(0x0098090C, 'White Balance, Automatic', kernel.CTRL_TYPE_BOOLEAN, 0, 1, 1, 1),
        Item(0x00980910, 'Gamma', kernel.CTRL_TYPE_INTEGER, 100, 300, 1, 115),
        Item(0x0098091A, 'White Balance Temperature', kernel.CTRL_TYPE_INTEGER, 2800, 6500, 10, 4600),
        Item(
            0x009A0901,
            'Auto Exposure',
            kernel.CTRL_TYPE_MENU,
            0,
            3,
            1,
            3,
            menu=((1, 'Manual Mode'), (3, 'Aperture Priority Mode')),
        ),
        Item(
            0x009A0902,
            'Exposure Time, Absolute',
            kernel.CTRL_TYPE_INTEGER,
            3,
            2047,
            1,
            166,
            flags=kernel.CTRL_FLAG_INACTIVE,
        ),
        Item(0x009A090D, 'Zoom, Continuous', kernel.CTRL_TYPE_INTEGER, flags=kernel.CTRL_FLAG_READ_ONLY),
        # github.com/antmicro/pyvidctrl/issues/11, three of its 25 entries.
        Item(
            0x009A0913,
            'Auto Exposure, Bias',
            kernel.CTRL_TYPE_INTEGER_MENU,
            0,
            2,
            1,
            0,
            menu=((0, -4000), (1, -3667), (2, -3333)),
        ),
    ),
)

# github.com/groupgets/purethermal1-uvc-capture/issues/55 (formats) and groupgets/GetThermal/issues/67 (sizes, 9 Hz).
PURETHERMAL = Recording(
    card='PureThermal 1: FLIR Lepton',
    formats=(
        ('UYVY', (Size(160, 120, (9.0,)),)),
        ('Y16', (Size(160, 120, (9.0,)), Size(160, 122, (9.0,)))),
        ('GREY', (Size(160, 120, (9.0,)),)),
        ('RGBP', (Size(160, 120, (9.0,)),)),
        ('BGR3', (Size(160, 120, (9.0,)),)),
    ),
    stands_at=('UYVY', 160, 120),
)

# github.com/jcalvinowens/ircam-viewer/issues/7, strace -vvv -e ioctl.
HELLO_INFRARED = Recording(
    card='USB2.0 HD UVC WebCam: USB2.0 IR',
    bus='usb-0000:00:14.0-8',
    formats=(('GREY', (Size(640, 360, (15.0,)),)), ('MJPG', (Size(640, 360, (15.0,)),))),
    stands_at=('GREY', 640, 360),
)

# github.com/Motion-Project/motion/issues/940: Raspberry Pi's camera driver takes any size in steps of 2.
BCM2835 = Recording(
    card='mmal service 16.1',
    driver='bm2835 mmal',
    bus='platform:bcm2835-v4l2',
    capabilities=0x85200005,
    device_caps=0x05200005,
    formats=tuple(
        (name, (Size(32, 32, largest=(2592, 1944), step=2),))
        for name in ('YU12', 'YUYV', 'RGB3', 'JPEG', 'H264', 'MJPG', 'YVYU')
    ),
)

# github.com/pikvm/ustreamer/pull/233, v4l2-ctl --all: a Rockchip's image processor, multi-planar. Two planes are NM12's
# by the kernel's documentation.
RKISP = Recording(
    card='rkisp1_mainpath',
    driver='rkisp1_v0',
    bus='platform:ff910000.rkisp1',
    capabilities=0x84201000,
    device_caps=0x04201000,
    formats=(('YUYV', (Size(1920, 1080),)), ('NM12', (Size(1920, 1080),))),
    stands_at=('YUYV', 1920, 1080),
    takes_rates=False,
)

# github.com/jcalvinowens/ircam-viewer/issues/2: asked for 256x384 this device set itself to 320x240 without an error.
OBSTINATE = Recording(
    card='Thermal',
    formats=(('YUYV', (Size(320, 240, (25.0,)), Size(256, 384, (25.0,)))),),
    stands_at=('YUYV', 320, 240),
)

# The second node of uvcvideo, as in github.com/joelpurra/uvcc/issues/3 (capabilities 0x84a00001 of the C920).
METADATA = Recording(card='HD Pro Webcam C920', device_caps=0x04A00000)


@dataclass
class Shot:
    """A picture that the camera takes at a time of the monotonic clock."""

    planes: tuple[bytes, ...]
    at_ns: int
    ready_ns: int
    flags: int = SOE
    # How many the driver dropped before it.
    lost: int = 0


@dataclass
class RecordedDevice:
    """One device that may be open any number of times, streaming once."""

    recording: Recording
    shots: deque[Shot] = field(default_factory=deque)
    unplugged: bool = False
    # The errno with which a request (by its name in `kernel_video`) fails.
    fails: dict[str, int] = field(default_factory=dict)
    obstinate: bool = False
    # Takes a picture of rising brightness so often, by itself; 0 only takes `shots`.
    period_ns: int = 0
    settings: dict[int, int] = field(default_factory=dict)
    streaming: bool = False
    sequence: int = -1

    def __post_init__(self) -> None:
        name, width, height = self.recording.stands_at
        self.standing = (fourcc(name), width, height)
        self.interval = Fraction(1, 30)
        self.queued: deque[int] = deque()
        self.maps: dict[int, list[mmap.mmap]] = {}
        self.settings = {item.number: item.default for item in self.recording.controls}

    @property
    def multi_planar(self) -> bool:
        return bool(self.recording.device_caps & kernel.CAP_VIDEO_CAPTURE_MPLANE)

    @property
    def stride(self) -> int:
        code, width, _ = self.standing
        pixel = {'YUYV': 2, 'UYVY': 2, 'Y16': 2, 'BGR3': 3, 'RGB3': 3, 'MJPG': 0, 'JPEG': 0}
        each = pixel.get(kernel.fourcc_text(code), 1)
        return each * width + (self.recording.padding if each else 0)

    @property
    def lengths(self) -> list[int]:
        code, width, height = self.standing
        name = kernel.fourcc_text(code)
        if name == 'NM12':
            return [self.stride * height, self.stride * height // 2]
        rows = height * 3 // 2 if name in ('NV12', 'YU12') else height
        return [self.stride * rows or 2 * width * height]


_NAMES = {
    value: name
    for name, value in vars(kernel).items()
    if name.isupper() and isinstance(value, int) and value >> 8 & 0xFF == ord('V') and value > 0xFFFF
}


class RecordedSystem:
    """See VideoSystem; time passes on the clock only."""

    def __init__(self, clock: Any, devices: dict[str, RecordedDevice]) -> None:
        self._clock = clock
        self.devices = devices
        self._open: dict[int, RecordedDevice] = {}
        self.requests: list[str] = []
        self.open_fails: dict[str, int] = {}

    @property
    def descriptors(self) -> int:
        return len(self._open)

    def open(self, path: str) -> int:
        if path in self.open_fails:
            raise OSError(self.open_fails[path], os.strerror(self.open_fails[path]), path)
        if path not in self.devices or self.devices[path].unplugged:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        descriptor = os.open('/dev/null', os.O_RDWR)
        self._open[descriptor] = self.devices[path]
        return descriptor

    def close(self, descriptor: int) -> None:
        device = self._open.pop(descriptor)
        os.close(descriptor)
        if device not in self._open.values():
            device.streaming = False
            device.queued.clear()

    def map(self, descriptor: int, length: int, offset: int) -> mmap.mmap:
        device = self._open[descriptor]
        made = mmap.mmap(-1, max(1, length))
        index, plane = divmod(offset // _PAGE, kernel.MAX_PLANES)
        device.maps.setdefault(index, [])[plane:] = [made]
        return made

    def wait(self, descriptor: int, timeout_s: float) -> bool:
        device, until_ns = self._open[descriptor], self._clock.monotonic_ns() + round(timeout_s * 1e9)
        if device.unplugged:
            return True
        self._run(device)
        if not device.shots or device.shots[0].ready_ns > until_ns:
            self._clock.sleep_s(timeout_s)
            return False
        self._clock.sleep_s(max(0, device.shots[0].ready_ns - self._clock.monotonic_ns()) / 1e9)
        return True

    def _run(self, device: RecordedDevice) -> None:
        if device.period_ns and device.streaming and not device.shots:
            now_ns = self._clock.monotonic_ns()
            at_ns = now_ns - now_ns % device.period_ns + device.period_ns
            level = at_ns // device.period_ns % 256
            device.shots.append(Shot(tuple(bytes((level,)) * length for length in device.lengths), at_ns, at_ns))

    def ioctl(self, descriptor: int, request: int, argument: Any) -> None:
        device = self._open[descriptor]
        name = _NAMES[request]
        self.requests.append(name)
        if device.unplugged:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        if name in device.fails:
            raise OSError(device.fails[name], os.strerror(device.fails[name]))
        answer = getattr(self, f'_{name.lower()}', None)
        if answer is None:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        answer(device, argument)

    def _querycap(self, device: RecordedDevice, answer: Any) -> None:
        recording = device.recording
        answer.driver, answer.card = recording.driver.encode(), recording.card.encode()
        answer.bus_info = recording.bus.encode()
        answer.capabilities, answer.device_caps = recording.capabilities, recording.device_caps

    def _enum_fmt(self, device: RecordedDevice, answer: Any) -> None:
        answer.pixelformat = fourcc(_entry(device.recording.formats, answer.index)[0])

    def _enum_framesizes(self, device: RecordedDevice, answer: Any) -> None:
        size = _entry(_sizes(device, answer.pixel_format), answer.index)
        if size.largest is None:
            answer.type, answer.discrete.width, answer.discrete.height = kernel.FRM_DISCRETE, size.width, size.height
            return
        answer.type = kernel.FRM_STEPWISE
        answer.stepwise = kernel.StepwiseSize(
            size.width, size.largest[0], size.step, size.height, size.largest[1], size.step
        )

    def _enum_frameintervals(self, device: RecordedDevice, answer: Any) -> None:
        here = [size for size in _sizes(device, answer.pixel_format) if (size.width, size.height) == _size(answer)]
        rate = Fraction(_entry(here[0].rates if here else (), answer.index)).limit_denominator(1000)
        answer.type, answer.discrete = kernel.FRM_DISCRETE, kernel.Fract(rate.denominator, rate.numerator)

    def _g_fmt(self, device: RecordedDevice, answer: Any) -> None:
        shape = answer.fmt.pix_mp if device.multi_planar else answer.fmt.pix
        shape.pixelformat, shape.width, shape.height = device.standing
        shape.field = kernel.FIELD_NONE
        if device.multi_planar:
            shape.num_planes = len(device.lengths)
            for place, length in enumerate(device.lengths):
                shape.plane_fmt[place].bytesperline, shape.plane_fmt[place].sizeimage = device.stride, length
        else:
            shape.bytesperline, shape.sizeimage = device.stride, device.lengths[0]

    def _s_fmt(self, device: RecordedDevice, asked: Any) -> None:
        shape = asked.fmt.pix_mp if device.multi_planar else asked.fmt.pix
        if not device.obstinate:
            device.standing = (int(shape.pixelformat), int(shape.width), int(shape.height))
        self._g_fmt(device, asked)

    def _g_parm(self, device: RecordedDevice, answer: Any) -> None:
        if not device.recording.takes_rates:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        answer.parm.capture.capability = kernel.CAP_TIMEPERFRAME
        answer.parm.capture.timeperframe = kernel.Fract(device.interval.numerator, device.interval.denominator)

    def _s_parm(self, device: RecordedDevice, asked: Any) -> None:
        interval = asked.parm.capture.timeperframe
        if not device.obstinate:
            device.interval = Fraction(interval.numerator, interval.denominator)
        self._g_parm(device, asked)

    def _query_ext_ctrl(self, device: RecordedDevice, answer: Any) -> None:
        after = answer.id & 0x0FFFFFFF
        item = _entry([item for item in device.recording.controls if item.number > after], 0)
        answer.id, answer.type, answer.name, answer.flags = item.number, item.type, item.name.encode(), item.flags
        answer.minimum, answer.maximum, answer.step, answer.default_value = item.low, item.high, item.step, item.default

    def _querymenu(self, device: RecordedDevice, answer: Any) -> None:
        item = next(item for item in device.recording.controls if item.number == answer.id)
        named = dict(item.menu).get(answer.index)
        if named is None:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if isinstance(named, int):
            answer.value = named
        else:
            answer.name = named.encode()

    def _s_ext_ctrls(self, device: RecordedDevice, asked: Any) -> None:
        one = asked.controls[0]
        item = next(item for item in device.recording.controls if item.number == one.id)
        # As uvcvideo since Linux 6.1 with a manual time under automatic exposure.
        if item.name == 'Exposure Time, Absolute' and device.settings[0x009A0901] != 1:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        device.settings[item.number] = one.value

    def _reqbufs(self, device: RecordedDevice, asked: Any) -> None:
        if device.streaming:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        device.queued.clear()
        device.maps.clear()

    def _querybuf(self, device: RecordedDevice, answer: Any) -> None:
        for plane, length in enumerate(device.lengths):
            offset = (answer.index * kernel.MAX_PLANES + plane) * _PAGE
            if device.multi_planar:
                answer.m.planes[plane].m.mem_offset, answer.m.planes[plane].length = offset, length
            else:
                answer.m.offset, answer.length = offset, length
        if device.multi_planar:
            answer.length = len(device.lengths)

    def _qbuf(self, device: RecordedDevice, asked: Any) -> None:
        assert asked.index not in device.queued, 'queued twice'
        device.queued.append(int(asked.index))

    def _dqbuf(self, device: RecordedDevice, answer: Any) -> None:
        now_ns = self._clock.monotonic_ns()
        while device.shots and device.shots[0].ready_ns <= now_ns:
            shot = device.shots.popleft()
            device.sequence += 1 + shot.lost
            if not device.queued:
                # Nowhere to put it.
                continue
            index = device.queued.popleft()
            for place, data in enumerate(shot.planes):
                device.maps[index][place][: len(data)] = data
                if device.multi_planar:
                    answer.m.planes[place].bytesused = len(data)
                else:
                    answer.bytesused = len(data)
            answer.index, answer.sequence, answer.flags = index, device.sequence, shot.flags
            answer.timestamp.tv_sec, rest = divmod(shot.at_ns, 1_000_000_000)
            answer.timestamp.tv_usec = rest // 1000
            return
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def _streamon(self, device: RecordedDevice, _: Any) -> None:
        device.streaming, device.sequence = True, -1

    def _streamoff(self, device: RecordedDevice, _: Any) -> None:
        device.streaming = False
        device.queued.clear()


def padded(recording: Recording, padding: int) -> Recording:
    """The same device with lines that are filled up."""
    return replace(recording, padding=padding)


def _entry(entries: Any, index: int) -> Any:
    if index >= len(entries):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return entries[index]


def _sizes(device: RecordedDevice, code: int) -> tuple[Size, ...]:
    return next((sizes for name, sizes in device.recording.formats if fourcc(name) == code), ())


def _size(answer: Any) -> tuple[int, int]:
    return int(answer.width), int(answer.height)


# The fake answers into the caller's own memory, as the kernel does.
assert issubclass(kernel.Buffer, ctypes.Structure)
