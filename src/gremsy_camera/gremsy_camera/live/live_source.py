# SPDX-License-Identifier: Apache-2.0
"""Makes a `VideoSource` of anything that reads a camera: a thread of its own reads every picture, and the newest wins.

Each is stamped as it comes; the image of one that is overtaken is never made. What holds a camera up is
noticed here, whatever the reader waits for: no picture for `stall_after_s`, or the same one for `frozen_after_s`.
"""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_camera.errors import PictureDamaged, SourceError
from gremsy_camera.live.capture_clock import CaptureClock
from gremsy_camera.live.live_reader import DECODE_FAILURES, LivePicture, LiveReader
from gremsy_camera.sources.source import Captured, SourceCounts, SourceInfo
from gremsy_common.types.frame import Frame, lock_read_only

_SAMPLES = 16_384
# A picture repeats one of so many before when no larger share of its sampled pixels differs: ten of 19200.
_BEFORE, _DIFFERENT_SHARE = 4, 0.0005
# Of the pictures of a window so many must repeat one before; six times as many as were seen of a living sensor.
_REPEATED_SHARE = 0.3
_LEAST_PICTURES = 5
# Quantising one picture again moved 0.12 % of its pixels by more than six levels at 300 kbit/s; whatever moves, more.
_MOVED_LEVELS, _MOVED_SHARE = 6, 0.005
_NS_PER_S = 1_000_000_000


# An encoder that is fed one picture does not give one. It quantises it again at each key frame, for some pictures
# after it, and for as long as it has bits to spare; and then it may go round and round: x264 at 320x240 and 2 Mbit/s
# flips two of 19200 sampled pixels by one level with a period of two or three pictures, for ever. So pictures are
# compared with several before, and need not be equal to the last pixel.
#
# Measured with x264 at 320x240 and 20 Hz (ultrafast, medium) and 640x360 and 30 Hz (ultrafast), 0.2 to 2.5 Mbit/s, by
# windows of 5 s: where noise of half a level to two levels lies on a still scene, at most 5 % of the pictures repeat
# one before, those for which a starved encoder has no bits. Where the sensor gives one noisy picture again and again,
# 80 to 95 % do so at 1.6 bits a pixel, 14 to 48 % at 0.14, 4 to 11 % at 0.13 in the smaller picture: there it is not
# found, which is better than holding a working camera for frozen.
class FrozenPicture:
    """Sees the pictures that are used and remembers the one that the present window began with."""

    def __init__(self, frozen_after_s: float) -> None:
        self._after_ns = round(frozen_after_s * _NS_PER_S)
        self._reference: NDArray[Any] | None = None
        self._before: deque[NDArray[Any]] = deque(maxlen=_BEFORE)
        self._since_ns = 0
        self._pictures = self._repeated = 0
        self.frozen = False

    def see(self, image: NDArray[Any], now_ns: int) -> bool:
        """Whether it is frozen, this picture included; a time that is 0 never is.

        Args:
            image: the next one.
            now_ns: monotonic.
        """
        if self._after_ns <= 0:
            return False
        sample = _sample(image)
        if self._reference is None or _moved(sample, self._reference):
            self._before.clear()
            self._before.append(sample)
            self._begin(sample, now_ns)
            self.frozen = False
            return False
        self._pictures += 1
        self._repeated += any(_repeats(sample, each) for each in self._before)
        self._before.append(sample)
        if now_ns - self._since_ns >= self._after_ns and self._pictures >= _LEAST_PICTURES:
            self.frozen = self._repeated >= _REPEATED_SHARE * self._pictures
            self._begin(self._reference if self.frozen else sample, now_ns)
        return self.frozen

    def _begin(self, reference: NDArray[Any], now_ns: int) -> None:
        self._reference = reference
        self._since_ns = now_ns
        self._pictures = self._repeated = 0


def _sample(image: NDArray[Any]) -> NDArray[Any]:
    """A grid of pixels, one channel of them."""
    step = max(1, math.isqrt(image.shape[0] * image.shape[1] // _SAMPLES))
    grid = image[::step, ::step]
    return np.ascontiguousarray(grid if grid.ndim == 2 else grid[..., 1])


def _repeats(sample: NDArray[Any], before: NDArray[Any]) -> bool:
    return bool(np.count_nonzero(sample != before) <= _DIFFERENT_SHARE * sample.size)


def _moved(sample: NDArray[Any], reference: NDArray[Any]) -> bool:
    if sample.shape != reference.shape or sample.dtype != reference.dtype:
        return True
    moved = np.count_nonzero(cv2.absdiff(sample, reference) > _MOVED_LEVELS)
    return bool(moved > _MOVED_SHARE * sample.size)


_POLL_S = 0.1
# A stream is joined at a key frame, which some cameras send every ten seconds only.
_FIRST_PICTURE_S = 10.0
_LEAST_PERIODS = 3
_JOIN_S = 3.0
_MEASURE_RATE_NS = 2 * _NS_PER_S
_RATE_CHANGED = 0.1
# A camera is never as even as a schedule: a picture that comes a fifth of a period early is the one that is due.
_EARLY_PERIODS = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class _Taken:
    """A picture with what was known when it came."""

    picture: LivePicture
    stamp_ns: int
    info: SourceInfo


class LiveSource:
    """See VideoSource."""

    def __init__(self, reader: LiveReader) -> None:
        self._reader = reader
        self._context = context = reader.context
        self._name = reader.name
        self._thread: threading.Thread | None = None
        self._reading: _Reading | None = None
        self._frozen = FrozenPicture(context.live.frozen_after_s)
        self._info: SourceInfo | None = None
        self._counts: Counter[str] = Counter()
        self._reported_damaged = False

    def open(self) -> SourceInfo:
        """See VideoSource. The reader is opened by the thread that reads."""
        self.close()
        thread = self._thread
        if thread is not None and thread.is_alive():
            raise SourceError(f'{self._name} does not let go of its last connection: it is waited for.')
        self._counts = Counter()
        self._reading = reading = _Reading(self._reader)
        self._thread = threading.Thread(target=reading.run, name='camera', daemon=True)
        self._thread.start()
        self._info = info = replace(reading.opened.result(), stamp_source='not known before the first picture')
        return info

    def read(self, timeout_s: float) -> Captured | None:
        """See VideoSource."""
        if self._reading is None:
            raise SourceError(f'{self._name} is not open: call `open` first.')
        taken = self._reading.take(timeout_s)
        if taken is None:
            return None
        try:
            image = lock_read_only(taken.picture.pixels())
        except PictureDamaged as error:
            self._counts[DECODE_FAILURES] += 1
            if not self._reported_damaged:
                self._reported_damaged = True
                self._context.say(f'{error} Others like it are counted.')
            return None
        was_frozen = self._frozen.frozen
        now_ns = self._context.clock.monotonic_ns()
        if self._frozen.see(image, now_ns):
            self._counts['pictures of a frozen camera'] += 1
            if was_frozen:
                return None
            raise SourceError(
                f'{self._name} has sent the same picture for {self._context.live.frozen_after_s:g} s: it is opened '
                'again, and its pictures are used when they change; `frozen_after_s` 0 takes them as they are.'
            )
        if was_frozen:
            self._context.say(f'{self._name} shows another picture again.')
        picture, info = taken.picture, taken.info if taken.info != self._info else None
        self._info = taken.info
        frame = Frame(image, taken.stamp_ns, self._context.frame_id, picture.encoding)
        return Captured(frame, None, now_ns - picture.arrived_ns, None, info=info, rtp=picture.rtp)

    def counts(self) -> SourceCounts:
        """See VideoSource."""
        reading = self._reading
        if reading is None:
            return SourceCounts()
        counted = reading.counts() + Counter(dict(self._counts))
        return SourceCounts(decode_failures=counted.pop(DECODE_FAILURES, 0), others=dict(counted))

    def close(self) -> None:
        """See VideoSource. A reader that hangs is left to its thread."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.stop()
        # Out of two threads at once where a node ends while the other opens a camera that is not there.
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_S)
            if not thread.is_alive() and self._thread is thread:
                self._thread = None


class _Reading:
    """One opening of the reader: what its thread does and hands over, what the stream is first (`opened`)."""

    def __init__(self, reader: LiveReader) -> None:
        self._reader = reader
        self._context = context = reader.context
        self._captures = CaptureClock(context.clock, context.live, context.say)
        self._condition = threading.Condition()
        self._stopped = False
        self._left: dict[str, int] | None = None
        self.opened: Future[SourceInfo] = Future()
        self._error: SourceError | None = None
        self._newest: _Taken | None = None
        self._any = False
        self._last_ns = 0
        self._rate_hz = 0.0
        self._rate_since_ns = 0
        self._rate_pictures = 0
        self._due_ns = 0
        self._counts: Counter[str] = Counter()

    def run(self) -> None:
        """Read until stopped or broken."""
        try:
            stream = self._reader.open()
            self._rate_hz = stream.rate_hz
            self._last_ns = self._rate_since_ns = self._context.clock.monotonic_ns()
            self.opened.set_result(stream)
            while not self._stopped:
                picture = self._reader.read(_POLL_S)
                if picture is not None:
                    self._take(picture)
        except SourceError as error:
            self._break(error)
        except Exception as error:  # noqa: BLE001 whatever a camera sends must end in a new try, not in a dead thread
            self._break(SourceError(f'{self._reader.name} cannot be read ({type(error).__name__}: {error}).'))
        finally:
            # What was lost until it broke is asked for after that.
            with self._condition:
                self._left = dict(self._reader.counts())
            self._reader.close()

    def take(self, timeout_s: float) -> _Taken | None:
        """The newest picture, each once.

        Raises:
            SourceError: it broke, or stalled.
        """
        with self._condition:
            until_stall_s = (self._last_ns - self._context.clock.monotonic_ns()) / _NS_PER_S + self._patience_s()
            self._condition.wait_for(
                lambda: self._newest is not None or self._error is not None,
                max(0.0, min(timeout_s, until_stall_s)),
            )
            taken, self._newest = self._newest, None
            if taken is not None:
                return taken
            if self._error is not None:
                raise self._error
            silent_s = (self._context.clock.monotonic_ns() - self._last_ns) / _NS_PER_S
            if silent_s >= self._patience_s():
                raise SourceError(self._stall_sentence(silent_s))
            return None

    def stop(self) -> None:
        """Have the thread end after the read that it is in."""
        with self._condition:
            self._stopped = True
            self._newest = None

    def counts(self) -> Counter[str]:
        """What was lost, by reason."""
        with self._condition:
            of_reader = self._reader.counts() if self._left is None else self._left
            return Counter(self._counts) + Counter(self._captures.counts()) + Counter(of_reader)

    def _take(self, picture: LivePicture) -> None:
        stamp = self._captures.stamp(picture)
        if picture.position_ns is not None and self._context.tap.wanted:
            self._context.tap.stamped(picture.position_ns, stamp.ros_ns)
        self._measure_rate(picture.arrived_ns)
        if not self._is_due(picture.arrived_ns):
            with self._condition:
                self._any, self._last_ns = True, picture.arrived_ns
                self._counts['pictures left out for `rate_hz`'] += 1
            return
        info = replace(self._reader.info, width=picture.width, height=picture.height, rate_hz=self._rate_hz)
        taken = _Taken(picture, stamp.ros_ns, replace(info, stamp_source=stamp.origin))
        with self._condition:
            self._any, self._last_ns = True, picture.arrived_ns
            self._counts['pictures skipped for a newer one'] += self._newest is not None
            self._newest = taken if not self._stopped else None
            self._condition.notify_all()

    def _break(self, error: SourceError) -> None:
        if not self.opened.done():
            self.opened.set_exception(error)
        with self._condition:
            self._error = error
            self._condition.notify_all()

    def _patience_s(self) -> float:
        if not self._any:
            return max(_FIRST_PICTURE_S, self._context.live.stall_after_s)
        periods_s = _LEAST_PERIODS / self._rate_hz if self._rate_hz else 0.0
        return max(self._context.live.stall_after_s, periods_s)

    def _stall_sentence(self, silent_s: float) -> str:
        if not self._any:
            return (
                f'{self._reader.name} has sent nothing that can be shown for {silent_s:.1f} s since it was opened: '
                'check that it sends key frames, and how often.'
            )
        return (
            f'{self._reader.name} has sent no picture for {silent_s:.1f} s: it is opened again; check its power and '
            'the network, or raise `stall_after_s` for a camera that is that slow.'
        )

    def _measure_rate(self, arrived_ns: int) -> None:
        """What comes counts, not what was announced."""
        if not self._any:
            self._rate_since_ns = arrived_ns
            return
        self._rate_pictures += 1
        elapsed_ns = arrived_ns - self._rate_since_ns
        if elapsed_ns < _MEASURE_RATE_NS:
            return
        measured_hz = self._rate_pictures * _NS_PER_S / elapsed_ns
        if not self._rate_hz or abs(measured_hz / self._rate_hz - 1) > _RATE_CHANGED:
            self._rate_hz = round(measured_hz, 1)
        self._rate_since_ns, self._rate_pictures = arrived_ns, 0

    def _is_due(self, arrived_ns: int) -> bool:
        """Whether it is wanted at the rate that is asked for; every one is where none is."""
        wanted_hz = self._context.rate_hz
        if not wanted_hz:
            return True
        period_ns = round(_NS_PER_S / wanted_hz)
        if arrived_ns < self._due_ns - round(_EARLY_PERIODS * period_ns):
            return False
        self._due_ns = max(self._due_ns + period_ns, arrived_ns + period_ns // 2)
        return True
