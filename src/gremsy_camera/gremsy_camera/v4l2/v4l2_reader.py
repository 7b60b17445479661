# SPDX-License-Identifier: Apache-2.0
"""Reads one camera of the kernel (V4L2): opened at the mode that was asked for, read buffer by buffer, closed."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gremsy_camera.errors import PictureDamaged, SourceError, SourceUnusable
from gremsy_camera.footage.pacing import Clock
from gremsy_camera.live.encoded_video import NO_TAP, EncodedFormat, EncodedPacket, EncodedTap
from gremsy_camera.live.live_reader import DECODE_FAILURES, CaptureTime, LivePicture, StreamInfo, TimeBase
from gremsy_camera.v4l2 import kernel_video as kernel
from gremsy_camera.v4l2.camera_controls import set_controls
from gremsy_camera.v4l2.camera_failures import explained, no_bandwidth, no_pictures
from gremsy_camera.v4l2.camera_modes import ModeChoice, Wanted, choose
from gremsy_camera.v4l2.capture_buffers import CaptureBuffers, Filled, Loan
from gremsy_camera.v4l2.pixel_formats import (
    BY_CODE,
    BadPicture,
    BufferLayout,
    Bytes,
    Image,
    PixelKind,
    check_jpeg,
    whole_jpeg,
)
from gremsy_camera.v4l2.video_device import Identity, VideoDevice, identity
from gremsy_camera.v4l2.video_nodes import ROOT
from gremsy_camera.v4l2.video_system import VideoSystem

_NS_PER_S = 1_000_000_000
# A driver that means another clock than it says (uvcvideo with clock=CLOCK_REALTIME) is years off; a buffer that nobody
# took is older than it should be by less than this.
_BELIEVED_AGE_NS = 10 * _NS_PER_S
_BELIEVED_AHEAD_NS = _NS_PER_S // 2
# What a camera gives may be this far from the rate asked for: it rounds to its own periods.
_SAME_RATE = 0.01
_PAUSE_S = 0.005
# enum v4l2_field of pictures that are whole: none, any, and the two fields of a picture line by line.
_WHOLE, _INTERLACED = (0, 1), (4, 8, 9)


@dataclass(frozen=True, slots=True)
class CameraWish:
    """Which camera, how, and with which controls set, in the order given."""

    path: str
    mode: Wanted = Wanted()
    controls: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Stream:
    descriptor: int
    buffers: CaptureBuffers
    kind: PixelKind
    layout: BufferLayout


class V4l2Reader:
    """See LiveReader. A picture's buffer goes back to the driver when its image is made, or when it is dropped."""

    def __init__(
        self, wish: CameraWish, system: VideoSystem, clock: Clock, root: Path = ROOT, tap: EncodedTap = NO_TAP
    ) -> None:
        self._wish = wish
        self._system = system
        self._clock = clock
        self._root = root
        self._tap = tap
        self._name = wish.path
        self._stream: _Stream | None = None
        self._info = StreamInfo(0, 0, 0.0)
        self._counts: Counter[str] = Counter()
        self._last_sequence: int | None = None

    @property
    def info(self) -> StreamInfo:
        """See LiveReader."""
        return self._info

    def open(self) -> StreamInfo:
        """See LiveReader."""
        self.close()
        self._counts, self._last_sequence = Counter(), None
        descriptor = self._open_device()
        try:
            self._stream = self._started(descriptor)
        except OSError as error:
            raise explained(error, self._wish.path, self._name, self._root) from error
        finally:
            if self._stream is None:
                self._system.close(descriptor)
        return self._info

    def read(self, timeout_s: float) -> LivePicture | None:
        """See LiveReader."""
        stream = self._stream
        if stream is None:
            raise SourceError(f'The camera {self._name} is not open: call `open` first.')
        until_ns = self._clock.monotonic_ns() + round(timeout_s * _NS_PER_S)
        try:
            while True:
                left_s = (until_ns - self._clock.monotonic_ns()) / _NS_PER_S
                if left_s < 0.0 or not self._system.wait(stream.descriptor, left_s):
                    return None
                arrived_ns = self._clock.monotonic_ns()
                try:
                    loan, filled = stream.buffers.take()
                except BlockingIOError:
                    # Woken without a picture: not at once again, in case the driver stays like that.
                    self._clock.sleep_s(min(_PAUSE_S, max(0.0, left_s)))
                    continue
                picture = self._picture(stream, loan, filled, arrived_ns)
                if picture is not None:
                    return picture
        except OSError as error:
            raise explained(error, self._wish.path, self._name, self._root) from error

    def counts(self) -> Mapping[str, int]:
        """See LiveReader."""
        return dict(self._counts)

    def close(self) -> None:
        """See LiveReader."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        stream.buffers.close()
        self._system.close(stream.descriptor)

    def _open_device(self) -> int:
        self._name = self._wish.path
        try:
            return self._system.open(self._wish.path)
        except OSError as error:
            raise explained(error, self._wish.path, self._name, self._root) from error

    def _started(self, descriptor: int) -> _Stream:
        what = identity(self._system, descriptor)
        self._name = f'{self._wish.path} ({what.card})' if what.card else self._wish.path
        self._check_captures(what)
        device = VideoDevice(self._system, descriptor, what.buffer_type)
        wanted = self._wish.mode
        choice = choose(self._name, device.modes(wanted.width, wanted.height), wanted)
        layout = self._set_mode(device, choice)
        rate_hz = self._set_rate(device, choice)
        set_controls(self._name, device, self._wish.controls)
        buffers = CaptureBuffers(self._system, descriptor, device)
        try:
            buffers.start()
        except OSError as error:
            buffers.close()
            if error.errno == errno.ENOSPC:
                raise SourceError(no_bandwidth(self._name, choice.mode)) from error
            raise
        kind = BY_CODE[choice.mode.code]
        rows = (
            ('reader', 'V4L2'),
            ('camera', what.card),
            ('driver', f'{what.driver}, {what.bus}'),
            ('codec', kind.name),
            ('decoder', 'OpenCV (libjpeg-turbo)' if kind.compressed else 'OpenCV, from raw pixels'),
            ('driver buffers', str(len(buffers.maps))),
        )
        self._info = StreamInfo(layout.width, layout.height, rate_hz, rows)
        return _Stream(descriptor, buffers, kind, layout)

    def _check_captures(self, what: Identity) -> None:
        if not what.captures:
            raise SourceUnusable(no_pictures(self._system, self._name, self._wish.path, what, self._root))
        if not what.abilities & kernel.CAP_STREAMING:
            raise SourceUnusable(
                f'The camera {self._name} gives its pictures only by `read`, which is not supported here: read it with '
                '`gst:` and a pipeline of your own.'
            )

    def _set_mode(self, device: VideoDevice, choice: ModeChoice) -> BufferLayout:
        mode, kind = choice.mode, BY_CODE[choice.mode.code]
        given, layout, field = device.set_mode(mode)
        if (given.code, given.width, given.height) != (mode.code, mode.width, mode.height):
            raise SourceUnusable(
                f'The camera {self._name} offers {kind.name} at {mode.size} but gives {given.format} at {given.size}: '
                f'ask for that, as `format={given.format}&size={given.size}`.'
            )
        if field not in (*_WHOLE, *_INTERLACED):
            raise SourceUnusable(
                f'The camera {self._name} gives half pictures (interlaced, field {field}): make its signal progressive.'
            )
        if kind.halved and (given.width % 2 or given.height % 2):
            raise SourceUnusable(
                f'The camera {self._name} gives {kind.name} of odd size {given.size}, which has no whole colours: ask '
                'for another size or format.'
            )
        if len(layout.strides) != kind.planes:
            raise SourceUnusable(
                f'The camera {self._name} gives {kind.name} in {len(layout.strides)} planes instead of {kind.planes}: '
                'ask for another format.'
            )
        # Some drivers leave it to the reader where nothing is filled up.
        least = max(1, kind.pixel_bytes) * given.width
        return BufferLayout(given.width, given.height, tuple(max(stride, least) for stride in layout.strides))

    def _set_rate(self, device: VideoDevice, choice: ModeChoice) -> float:
        """The rate that the camera now has, 0.0 where it reports none."""
        given_hz, wanted_hz = device.set_rate(choice), self._wish.mode.rate_hz
        if wanted_hz > 0.0 and given_hz is None:
            raise SourceUnusable(f'The camera {self._name} has a fixed rate: leave `rate` out.')
        if wanted_hz > 0.0 and given_hz and abs(given_hz / wanted_hz - 1.0) > _SAME_RATE:
            raise SourceUnusable(
                f'The camera {self._name} gives {given_hz:.4g} Hz instead of {wanted_hz:g} Hz at {choice.mode.size}: '
                f'ask for `rate={given_hz:.4g}`.'
            )
        return given_hz or 0.0

    def _picture(self, stream: _Stream, loan: Loan, filled: Filled, arrived_ns: int) -> LivePicture | None:
        last, self._last_sequence = self._last_sequence, filled.sequence
        # A driver that does not count leaves them all at 0.
        if last is not None and filled.sequence > last + 1:
            self._counts['frames dropped by the driver'] += filled.sequence - last - 1
        if filled.flags & kernel.BUF_FLAG_ERROR:
            self._counts['frames marked as damaged by the driver'] += 1
            return None
        if self._short(stream, loan):
            self._counts['frames cut short'] += 1
            return None
        kind, layout = stream.kind, stream.layout
        capture = self._captured(filled, arrived_ns)
        position_ns = filled.stamp_ns if filled.flags & kernel.BUF_FLAG_TIMESTAMP_MASK else None
        if kind.compressed and self._tap.wanted:
            self._put(layout, loan, arrived_ns if capture is None else capture.time_ns, position_ns)
        return LivePicture(
            pixels=self._maker(loan, kind, layout),
            encoding=kind.encoding,
            width=layout.width,
            height=layout.height,
            arrived_ns=arrived_ns,
            capture=capture,
            position_ns=position_ns,
        )

    def _maker(self, loan: Loan, kind: PixelKind, layout: BufferLayout) -> Callable[[], Image]:
        def pixels() -> Image:
            try:
                return loan.use(lambda planes: kind.decode(planes, layout))
            except BadPicture as error:
                self._counts[DECODE_FAILURES] += 1
                raise PictureDamaged(f'A picture of the camera {self._name} is {error}: it is left out.') from error

        return pixels

    def _put(self, layout: BufferLayout, loan: Loan, taken_ns: int, position_ns: int | None) -> None:
        def whole(planes: list[Bytes]) -> bytes:
            check_jpeg(planes[0])
            return whole_jpeg(planes[0])

        try:
            data = loan.peek(whole)
        except BadPicture:
            # Counted where it is decoded.
            return
        stamp_ns = self._clock.ros_ns() - (self._clock.monotonic_ns() - taken_ns)
        pts_ns = taken_ns if position_ns is None else position_ns
        packet = EncodedPacket(data, stamp_ns, pts_ns, pts_ns, key=True)
        self._tap.put(EncodedFormat('mjpeg', layout.width, layout.height), packet)

    def _short(self, stream: _Stream, loan: Loan) -> bool:
        needed = stream.kind.size(stream.layout) or (1,)
        sizes = loan.sizes
        return len(sizes) < len(needed) or any(size < least for size, least in zip(sizes, needed, strict=False))

    def _captured(self, filled: Filled, arrived_ns: int) -> CaptureTime | None:
        if filled.flags & kernel.BUF_FLAG_TIMESTAMP_MASK != kernel.BUF_FLAG_TIMESTAMP_MONOTONIC:
            return None
        age_ns = arrived_ns - filled.stamp_ns
        if not -_BELIEVED_AHEAD_NS <= age_ns <= _BELIEVED_AGE_NS:
            self._counts["buffer times that are not of this machine's clock"] += 1
            return None
        at_start = filled.flags & kernel.BUF_FLAG_TSTAMP_SRC_MASK == kernel.BUF_FLAG_TSTAMP_SRC_SOE
        what = 'start of exposure' if at_start else 'end of frame'
        return CaptureTime(filled.stamp_ns, TimeBase.MONOTONIC, f'V4L2 buffer time ({what})')
