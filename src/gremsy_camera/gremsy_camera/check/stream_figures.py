# SPDX-License-Identifier: Apache-2.0
"""How many frames of a source come, how late, how evenly, and what is lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_camera.sources.source import Captured

_MS = 1e-6
_LEAST_FRAMES = 3
# An interval of one and a half periods holds a frame that did not come.
_MISSING = 1.5


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """Of a measurement; times in ms, None where there were too few frames.

    Attributes:
        frames, seconds: how many in how long.
        sizes: 'WIDTHxHEIGHT ENCODING', in the order in which they came.
        rate_hz: from the arrivals.
        delay_ms_p50, delay_ms_p95: from the stamp to the finished image.
        work_ms_p50: of it, from the arrival of the first byte to the finished image.
        jitter_ms_p95: by how much an arrival is off an even row.
        stamp_jitter_ms_p95: likewise of the stamps.
        longest_gap_ms: between two arrivals.
        frames_missing: by the stamps, where a period was left out.
        stamps_ahead: frames stamped later than they were finished.
    """

    frames: int
    seconds: float
    sizes: tuple[str, ...]
    rate_hz: float | None
    delay_ms_p50: float | None
    delay_ms_p95: float | None
    work_ms_p50: float | None
    jitter_ms_p95: float | None
    stamp_jitter_ms_p95: float | None
    longest_gap_ms: float | None
    frames_missing: int
    stamps_ahead: int


class StreamMeasure:
    """Sees every frame of a source, as it is handed out."""

    def __init__(self) -> None:
        self._arrivals: list[int] = []
        self._stamps: list[int] = []
        self._delays: list[int] = []
        self._works: list[int] = []
        self._sizes: Counter[str] = Counter()

    @property
    def frames(self) -> int:
        """So far."""
        return len(self._stamps)

    def see(self, captured: Captured, ros_ns: int, monotonic_ns: int) -> None:
        """The next frame, and both clocks when it was handed out."""
        frame = captured.frame
        self._arrivals.append(monotonic_ns - captured.work_ns)
        self._stamps.append(frame.stamp_ns)
        self._delays.append(ros_ns - frame.stamp_ns)
        self._works.append(captured.work_ns)
        self._sizes[f'{frame.width}x{frame.height} {frame.encoding}'] += 1

    def figures(self, seconds: float) -> StreamFigures:
        """What they come to."""
        delays = np.array(self._delays, np.float64) * _MS
        if len(delays) < _LEAST_FRAMES:
            nothing = (None,) * 7
            return StreamFigures(len(delays), seconds, tuple(self._sizes), *nothing, 0, 0)
        arrivals, stamps = np.diff(self._arrivals) * _MS, np.diff(self._stamps) * _MS
        period_ms = float(np.median(stamps))
        spans = np.round(stamps / period_ms) if period_ms > 0.0 else np.ones_like(stamps)
        missing = int((spans[stamps > _MISSING * period_ms] - 1).sum()) if period_ms > 0.0 else 0
        took_ms = float((self._arrivals[-1] - self._arrivals[0]) * _MS)
        return StreamFigures(
            frames=len(delays),
            seconds=seconds,
            sizes=tuple(self._sizes),
            rate_hz=_rounded((len(delays) - 1) / took_ms * 1e3) if took_ms > 0.0 else None,
            delay_ms_p50=_rounded(float(np.percentile(delays, 50))),
            delay_ms_p95=_rounded(float(np.percentile(delays, 95))),
            work_ms_p50=_rounded(float(np.median(self._works)) * _MS),
            jitter_ms_p95=_jitter(arrivals),
            stamp_jitter_ms_p95=_jitter(stamps),
            longest_gap_ms=_rounded(float(arrivals.max())),
            frames_missing=missing,
            stamps_ahead=int((delays < 0.0).sum()),
        )


def _jitter(intervals_ms: NDArray[np.floating[Any]]) -> float:
    """Whole periods left out are losses, not unevenness."""
    period_ms = float(np.median(intervals_ms))
    if period_ms <= 0.0:
        return _rounded(float(np.percentile(np.abs(intervals_ms), 95)))
    off = intervals_ms - period_ms * np.maximum(1.0, np.round(intervals_ms / period_ms))
    return _rounded(float(np.percentile(np.abs(off), 95)))


def _rounded(value: float) -> float:
    return round(value, 2)
