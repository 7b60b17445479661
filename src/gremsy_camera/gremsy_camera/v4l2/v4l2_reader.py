# SPDX-License-Identifier: Apache-2.0
"""Reads one camera of the kernel (V4L2): opened at the mode that was asked for, read buffer by buffer, closed."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gremsy_camera.errors import PictureDamaged, SourceError, SourceUnusable
from gremsy_camera.live.encoded_video import EncodedFormat, EncodedPacket
from gremsy_camera.live.live_reader import CaptureTime, LivePicture, LiveReader, TimeBase
from gremsy_camera.live.raw_pictures import Bytes, Image, PictureLayout
from gremsy_camera.sources.source import SourceContext, SourceInfo
from gremsy_camera.v4l2 import kernel_video as kernel
from gremsy_camera.v4l2.camera_controls import set_controls
from gremsy_camera.v4l2.camera_failures import explained, no_bandwidth, no_pictures
from gremsy_camera.v4l2.camera_modes import ModeChoice, Wanted, choose
from gremsy_camera.v4l2.capture_buffers import CaptureBuffers, Loan
from gremsy_camera.v4l2.pixel_formats import (
    BY_CODE,
    BadPicture,
    PixelKind,
    check_jpeg,
    decode,
    whole_jpeg,
)
from gremsy_camera.v4l2.video_device import VideoDevice
from gremsy_camera.v4l2.video_nodes import ROOT
from gremsy_camera.v4l2.video_system import VideoSystem
from gremsy_common.picture.picture_memory import PictureMemory

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
class _Stream:
    device: VideoDevice
    buffers: CaptureBuffers
    kind: PixelKind
    layout: PictureLayout


class V4l2Reader(LiveReader):
    """See LiveReader. A picture's buffer goes back to the driver when its image is made, or when it is dropped.

    Args:
        path: of the device file.
        context: of the source.
        wanted: how the camera is read.
        controls: set in the order given.
        system: the machine's calls.
        root: under which device files are looked for.
    """

    def __init__(
        self,
        path: str,
        context: SourceContext,
        system: VideoSystem,
        wanted: Wanted,
        controls: Sequence[tuple[str, str]] = (),
        root: Path = ROOT,
    ) -> None:
        super().__init__(f'The camera {path}', context)
        self._path = path
        self._system = system
        self._wanted = wanted
        self._controls = controls
        self._root = root
        # The path, with the driver's name for it once that is known.
        self._title = path
        self._stream: _Stream | None = None
        self._memory = PictureMemory()
        self._last_sequence: int | None = None

    def open(self) -> SourceInfo:
        """See LiveReader."""
        self.close()
        self._counts, self._last_sequence, self._title = Counter(), None, self._path
        with self._explained():
            device = VideoDevice(self._system, self._path)
            try:
                self._stream = self._started(device)
            finally:
                if self._stream is None:
                    device.close()
        return self.info

    def read(self, timeout_s: float) -> LivePicture | None:
        """See LiveReader."""
        stream = self._stream
        if stream is None:
            raise self._not_open()
        until_ns = self._clock.monotonic_ns() + round(timeout_s * _NS_PER_S)
        with self._explained():
            while True:
                left_s = (until_ns - self._clock.monotonic_ns()) / _NS_PER_S
                if left_s < 0.0 or not self._system.wait(stream.device.descriptor, left_s):
                    return None
                arrived_ns = self._clock.monotonic_ns()
                try:
                    loan = stream.buffers.take()
                except BlockingIOError:
                    # Woken without a picture: not at once again, in case the driver stays like that.
                    self._clock.sleep_s(min(_PAUSE_S, max(0.0, left_s)))
                    continue
                picture = self._picture(stream, loan, arrived_ns)
                if picture is not None:
                    return picture

    def close(self) -> None:
        """See LiveReader."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.buffers.close()
            stream.device.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise explained(error, self._path, self._title, self._root) from error

    def _started(self, device: VideoDevice) -> _Stream:
        self._title = f'{self._path} ({device.card})' if device.card else self._path
        self._check_captures(device)
        choice = choose(self._title, device.modes(self._wanted.width, self._wanted.height), self._wanted)
        layout = self._set_mode(device, choice)
        rate_hz = self._set_rate(device, choice)
        set_controls(self._title, device, self._controls)
        buffers = CaptureBuffers(device)
        try:
            buffers.start()
        except OSError as error:
            buffers.close()
            if error.errno == errno.ENOSPC:
                raise SourceError(no_bandwidth(self._title, choice.mode)) from error
            raise
        kind = BY_CODE[choice.mode.code]
        rows = (
            ('reader', 'V4L2'),
            ('camera', device.card),
            ('driver', f'{device.driver}, {device.bus}'),
            ('codec', kind.name),
            ('decoder', 'OpenCV (libjpeg-turbo)' if kind.compressed else 'OpenCV, from raw pixels'),
            ('driver buffers', str(len(buffers.maps))),
        )
        self.info = SourceInfo(layout.width, layout.height, rate_hz, details=rows)
        return _Stream(device, buffers, kind, layout)

    def _check_captures(self, device: VideoDevice) -> None:
        if not device.captures:
            raise SourceUnusable(no_pictures(device, self._title, self._path, self._root))
        if not device.abilities & kernel.CAP_STREAMING:
            raise SourceUnusable(
                f'The camera {self._title} gives its pictures only by `read`, which is not supported here: read it '
                'with `gst:` and a pipeline of your own.'
            )

    def _set_mode(self, device: VideoDevice, choice: ModeChoice) -> PictureLayout:
        mode, kind = choice.mode, BY_CODE[choice.mode.code]
        given, strides, field = device.set_mode(mode)
        if (given.code, given.width, given.height) != (mode.code, mode.width, mode.height):
            raise SourceUnusable(
                f'The camera {self._title} offers {kind.name} at {mode.size} but gives {given.format} at '
                f'{given.size}: ask for that, as `format={given.format}&size={given.size}`.'
            )
        if field not in (*_WHOLE, *_INTERLACED):
            raise SourceUnusable(
                f'The camera {self._title} gives half pictures (interlaced, field {field}): make its signal '
                'progressive.'
            )
        if kind.pixels.planes > 1 and (given.width % 2 or given.height % 2):
            raise SourceUnusable(
                f'The camera {self._title} gives {kind.name} of odd size {given.size}, which has no whole colours: ask '
                'for another size or format.'
            )
        if len(strides) != kind.memories:
            raise SourceUnusable(
                f'The camera {self._title} gives {kind.name} in {len(strides)} planes instead of '
                f'{kind.memories}: ask for another format.'
            )
        # Some drivers leave it to the reader where nothing is filled up.
        least = max(1, kind.pixels.pixel_bytes) * given.width
        return kind.layout(given.width, given.height, [max(stride, least) for stride in strides])

    def _set_rate(self, device: VideoDevice, choice: ModeChoice) -> float:
        """The rate that the camera now has, 0.0 where it reports none."""
        given_hz, wanted_hz = device.set_rate(choice), self._wanted.rate_hz
        if wanted_hz > 0.0 and given_hz is None:
            raise SourceUnusable(f'The camera {self._title} has a fixed rate: leave `rate` out.')
        if wanted_hz > 0.0 and given_hz and abs(given_hz / wanted_hz - 1.0) > _SAME_RATE:
            raise SourceUnusable(
                f'The camera {self._title} gives {given_hz:.4g} Hz instead of {wanted_hz:g} Hz at {choice.mode.size}: '
                f'ask for `rate={given_hz:.4g}`.'
            )
        return given_hz or 0.0

    def _picture(self, stream: _Stream, loan: Loan, arrived_ns: int) -> LivePicture | None:
        last, self._last_sequence = self._last_sequence, loan.sequence
        # A driver that does not count leaves them all at 0.
        if last is not None and loan.sequence > last + 1:
            self._counts['frames dropped by the driver'] += loan.sequence - last - 1
        if loan.flags & kernel.BUF_FLAG_ERROR:
            self._counts['frames marked as damaged by the driver'] += 1
            return None
        if self._short(stream, loan):
            self._counts['frames cut short'] += 1
            return None
        kind, layout = stream.kind, stream.layout
        capture = self._captured(loan, arrived_ns)
        position_ns = loan.stamp_ns if loan.flags & kernel.BUF_FLAG_TIMESTAMP_MASK else None
        if kind.compressed and self.context.tap.wanted:
            self._put(layout, loan, arrived_ns, capture, position_ns)

        def pixels() -> Image:
            try:
                return loan.use(lambda planes: decode(planes, layout, self._memory))
            except BadPicture as error:
                raise PictureDamaged(f'A picture of the camera {self._title} is {error}: it is left out.') from error

        return LivePicture(pixels, layout.encoding, layout.width, layout.height, arrived_ns, capture, position_ns)

    def _put(
        self, layout: PictureLayout, loan: Loan, arrived_ns: int, capture: CaptureTime | None, position_ns: int | None
    ) -> None:
        def whole(planes: list[Bytes]) -> bytes:
            check_jpeg(planes[0])
            return whole_jpeg(planes[0])

        try:
            data = loan.peek(whole)
        except BadPicture:
            # Counted where it is decoded.
            return
        taken_ns = arrived_ns if capture is None else capture.time_ns
        pts_ns = taken_ns if position_ns is None else position_ns
        packet = EncodedPacket(data, self._packet_stamp_ns(arrived_ns, capture), pts_ns, pts_ns, key=True)
        self.context.tap.put(EncodedFormat('mjpeg', layout.width, layout.height), packet)

    def _short(self, stream: _Stream, loan: Loan) -> bool:
        needed, sizes = stream.kind.size(stream.layout), loan.sizes
        return len(sizes) < len(needed) or any(size < least for size, least in zip(sizes, needed, strict=False))

    def _captured(self, loan: Loan, arrived_ns: int) -> CaptureTime | None:
        if loan.flags & kernel.BUF_FLAG_TIMESTAMP_MASK != kernel.BUF_FLAG_TIMESTAMP_MONOTONIC:
            return None
        age_ns = arrived_ns - loan.stamp_ns
        if not -_BELIEVED_AHEAD_NS <= age_ns <= _BELIEVED_AGE_NS:
            self._counts["buffer times that are not of this machine's clock"] += 1
            return None
        at_start = loan.flags & kernel.BUF_FLAG_TSTAMP_SRC_MASK == kernel.BUF_FLAG_TSTAMP_SRC_SOE
        what = 'start of exposure' if at_start else 'end of frame'
        return CaptureTime(loan.stamp_ns, TimeBase.MONOTONIC, f'V4L2 buffer time ({what})')
