# SPDX-License-Identifier: Apache-2.0
"""A film at a constant rate out of frames that come when they come: it plays at true speed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from gremsy_bringup.film.film_writers import FilmWriter, Image, open_film
from gremsy_common.types.frame import Frame

OpenFilm = Callable[[Path, int, int, int], FilmWriter]

# A longer gap is a pause of the source, and a still picture for minutes helps nobody.
_LONGEST_HOLD_S = 2.0


class ConstantRate:
    """Maps capture stamps to how often a frame is written at a constant rate."""

    def __init__(self, rate_hz: int) -> None:
        self._period_ns = 1_000_000_000 / rate_hz
        self._most = round(_LONGEST_HOLD_S * rate_hz)
        self._next_ns: float | None = None

    def repeats(self, stamp_ns: int) -> int:
        """How many film frames fall due by this stamp: 0 for a frame too many, more than 1 after a gap."""
        if self._next_ns is None:
            self._next_ns = float(stamp_ns)
        # Half a period of slack: stamps jitter around the film's own grid.
        due = int((stamp_ns - self._next_ns) / self._period_ns + 1.5) if stamp_ns > self._next_ns else 1
        if stamp_ns < self._next_ns - self._period_ns / 2:
            # A clock that jumped far back starts over; a little early is a frame too many.
            if self._next_ns - stamp_ns < self._most * self._period_ns:
                return 0
            due = self._most
        if due >= self._most:
            self._next_ns = stamp_ns + self._period_ns
            return 1
        self._next_ns += due * self._period_ns
        return due


class Film:
    """Writes frames to one MP4; the file is made with the first frame, whose size counts for the whole film."""

    def __init__(self, path: Path, rate_hz: int, open_writer: OpenFilm = open_film) -> None:
        self.path = path
        self._rate_hz = rate_hz
        self._open_writer = open_writer
        self._rate = ConstantRate(rate_hz)
        self._writer: FilmWriter | None = None
        self._size = (0, 0)
        self._last: Image | None = None
        self.frames_written = 0
        self.frames_refused = 0

    @property
    def codec(self) -> str:
        """What it is written with; empty before the first frame."""
        return self._writer.codec if self._writer is not None else ''

    def add(self, frame: Frame) -> None:
        """Write the frame as often as its stamp asks (a gap holds the picture before it).

        Raises:
            FilmError: when the file cannot be made.
        """
        if self._writer is None:
            # yuv420p halves both sides, so they must be even.
            self._size = (frame.width - frame.width % 2, frame.height - frame.height % 2)
            self._writer = self._open_writer(self.path, *self._size, self._rate_hz)
        image = self._bgr(frame)
        if image is None:
            self.frames_refused += 1
            return
        for held in range(self._rate.repeats(frame.stamp_ns), 0, -1):
            self._writer.write(image if held == 1 or self._last is None else self._last)
            self.frames_written += 1
        self._last = image

    def close(self) -> None:
        """Finish the file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _bgr(self, frame: Frame) -> Image | None:
        """The image cut to the film's size, mono made three channels; None when its size is another."""
        width, height = self._size
        if frame.width - frame.width % 2 != width or frame.height - frame.height % 2 != height:
            return None
        image = frame.image[:height, :width]
        if image.ndim == 2:
            return np.repeat(image[:, :, None], 3, axis=2)
        return image[:, :, ::-1] if frame.encoding == 'rgb8' else image


def free_name(path: Path) -> Path:
    """The path, or with `-2`, `-3` ... before the suffix: a respawned recorder must not destroy the first film."""
    candidate, number = path, 1
    # A link that leads nowhere counts: a film written through it would lie where nobody looks.
    while candidate.exists() or candidate.is_symlink():
        number += 1
        candidate = path.with_name(f'{path.stem}-{number}{path.suffix}')
    return candidate
