# SPDX-License-Identifier: Apache-2.0
"""One open V4L2 device: what it is, the modes that it offers, and setting one."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Iterator
from fractions import Fraction

from gremsy_camera.v4l2 import kernel_video as kernel
from gremsy_camera.v4l2.camera_modes import Mode, ModeChoice
from gremsy_camera.v4l2.video_system import VideoSystem

# Tried where a driver takes any size within a range.
_USUAL_SIZES = ((1920, 1080), (1280, 720), (640, 512), (640, 480), (320, 240))
# No list of a device is longer; one that never ends would be a driver gone wrong.
_MOST_ENTRIES = 500


class VideoDevice:
    """An open device, to be closed. Every method raises OSError as the kernel does.

    Attributes:
        driver, card, bus: what it says that it is; `card` is its name.
        abilities: the kernel's CAP bits of this very node.
    """

    def __init__(self, system: VideoSystem, path: str) -> None:
        """Open it and ask what it is; ENOTTY for what is no V4L2 device."""
        self.system = system
        self.descriptor = system.open(path)
        answer = kernel.Capability()
        try:
            self.ioctl(kernel.QUERYCAP, answer)
        except OSError:
            self.close()
            raise
        texts = (answer.driver, answer.card, answer.bus_info)
        self.driver, self.card, self.bus = (text.decode(errors='replace') for text in texts)
        # `capabilities` are those of the whole hardware, `device_caps` those of this node.
        own = answer.capabilities & kernel.CAP_DEVICE_CAPS
        self.abilities: int = answer.device_caps if own else answer.capabilities

    @property
    def captures(self) -> bool:
        """Whether pictures come out of it."""
        return bool(self.abilities & (kernel.CAP_VIDEO_CAPTURE | kernel.CAP_VIDEO_CAPTURE_MPLANE))

    @property
    def buffer_type(self) -> int:
        """Which of the kernel's two ways its buffers go."""
        single = self.abilities & kernel.CAP_VIDEO_CAPTURE
        return kernel.BUF_TYPE_VIDEO_CAPTURE if single else kernel.BUF_TYPE_VIDEO_CAPTURE_MPLANE

    @property
    def multi_planar(self) -> bool:
        """Whether its pictures may be in several pieces of memory."""
        return self.buffer_type == kernel.BUF_TYPE_VIDEO_CAPTURE_MPLANE

    def close(self) -> None:
        """Let go of it."""
        self.system.close(self.descriptor)

    def ioctl(self, request: int, argument: ctypes.Structure) -> None:
        """Ask the driver."""
        self.system.ioctl(self.descriptor, request, argument)

    def answers(self, request: int, argument: ctypes.Structure) -> bool:
        """Ask the driver for an entry of a list; False where there is none."""
        try:
            self.ioctl(request, argument)
        except OSError as error:
            # EINVAL ends a list, ENOTTY says that the driver keeps none.
            if error.errno in (errno.EINVAL, errno.ENOTTY):
                return False
            raise
        return True

    def modes(self, width: int, height: int) -> list[Mode]:
        """What it offers; the size is tried too where a driver takes any size within a range."""
        return [
            mode
            for code in self._codes()
            for size in self._sizes(code, (width, height))
            for mode in [self._mode(code, *size)]
        ]

    def current(self) -> tuple[int, int, int]:
        """Format, width and height that the device stands at."""
        answer = kernel.Format(type=self.buffer_type)
        self.ioctl(kernel.G_FMT, answer)
        shape = answer.fmt.pix_mp if self.multi_planar else answer.fmt.pix
        return int(shape.pixelformat), int(shape.width), int(shape.height)

    def set_mode(self, mode: Mode) -> tuple[Mode, tuple[int, ...], int]:
        """Ask for a mode; what the driver then stands at, which may be another, its strides, and its v4l2_field."""
        asked = kernel.Format(type=self.buffer_type)
        shape = asked.fmt.pix_mp if self.multi_planar else asked.fmt.pix
        shape.width, shape.height, shape.pixelformat, shape.field = mode.width, mode.height, mode.code, kernel.FIELD_ANY
        self.ioctl(kernel.S_FMT, asked)
        if self.multi_planar:
            planes = asked.fmt.pix_mp.plane_fmt[: asked.fmt.pix_mp.num_planes]
            strides = tuple(int(plane.bytesperline) for plane in planes)
        else:
            strides = (int(asked.fmt.pix.bytesperline),)
        given = Mode(int(shape.pixelformat), int(shape.width), int(shape.height), mode.periods, mode.between)
        return given, strides, int(shape.field)

    def set_rate(self, choice: ModeChoice) -> float | None:
        """Ask for the rate; the one that the driver then stands at, 0.0 where it has none, None where it takes none."""
        asked = kernel.StreamParm(type=self.buffer_type)
        try:
            self.ioctl(kernel.G_PARM, asked)
            settable = bool(asked.parm.capture.capability & kernel.CAP_TIMEPERFRAME)
            if choice.period is not None and settable:
                interval = asked.parm.capture.timeperframe
                interval.numerator, interval.denominator = choice.period.numerator, choice.period.denominator
                self.ioctl(kernel.S_PARM, asked)
        except OSError as error:
            if error.errno not in (errno.ENOTTY, errno.EINVAL):
                raise
            return None
        interval = asked.parm.capture.timeperframe
        return interval.denominator / interval.numerator if interval.numerator else 0.0

    def _codes(self) -> Iterator[int]:
        for index in range(_MOST_ENTRIES):
            answer = kernel.FormatDescription(index=index, type=self.buffer_type)
            if not self.answers(kernel.ENUM_FMT, answer):
                return
            yield int(answer.pixelformat)

    def _sizes(self, code: int, wanted: tuple[int, int]) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for index in range(_MOST_ENTRIES):
            answer = kernel.FrameSize(index=index, pixel_format=code)
            if not self.answers(kernel.ENUM_FRAMESIZES, answer):
                break
            if answer.type != kernel.FRM_DISCRETE:
                return _within(answer.stepwise, wanted, self.current()[1:])
            found.append((int(answer.discrete.width), int(answer.discrete.height)))
        # A driver that lists none stands at one, as a grabber at that of its signal.
        return list(dict.fromkeys(found)) or [self.current()[1:]]

    def _mode(self, code: int, width: int, height: int) -> Mode:
        periods: list[Fraction] = []
        for index in range(_MOST_ENTRIES):
            answer = kernel.FrameInterval(index=index, pixel_format=code, width=width, height=height)
            if not self.answers(kernel.ENUM_FRAMEINTERVALS, answer):
                break
            if answer.type != kernel.FRM_DISCRETE:
                ends = sorted(_fractions(answer.stepwise.min, answer.stepwise.max))
                return Mode(code, width, height, tuple(ends), between=len(ends) == 2)
            periods.extend(_fractions(answer.discrete))
        return Mode(code, width, height, tuple(sorted(set(periods))))


def _fractions(*intervals: kernel.Fract) -> list[Fraction]:
    return [Fraction(each.numerator, each.denominator) for each in intervals if each.numerator and each.denominator]


def _within(size: kernel.StepwiseSize, wanted: tuple[int, int], current: tuple[int, int]) -> list[tuple[int, int]]:
    def fits(width: int, height: int) -> bool:
        return (
            size.min_width <= width <= size.max_width
            and size.min_height <= height <= size.max_height
            and (width - size.min_width) % max(1, size.step_width) == 0
            and (height - size.min_height) % max(1, size.step_height) == 0
        )

    tried = (wanted, *_USUAL_SIZES, current, (int(size.max_width), int(size.max_height)))
    return list(dict.fromkeys(each for each in tried if fits(*each)))
