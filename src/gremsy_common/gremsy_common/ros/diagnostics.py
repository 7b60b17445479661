# SPDX-License-Identifier: Apache-2.0
"""What a node counts about itself: stage latencies, rates, drops, errors; `suite_node` publishes it at 1 Hz."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

# Enough for a p99 of 10 s at 50 Hz; older samples say nothing about now.
_WINDOW_SAMPLES = 512
_ERROR_SHOWN_FOR_S = 10.0


@dataclass(frozen=True, slots=True)
class LatencyPercentiles:
    """Milliseconds, over the last samples of a stage."""

    p50_ms: float
    p99_ms: float
    samples: int


class StageStatistics:
    """Rate, and latency or age, of what goes through one stage or over one link; any thread writes and reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latencies_ns: deque[int] = deque(maxlen=_WINDOW_SAMPLES)
        self.items = 0
        self._items_at_rate = 0
        self._rate_at_s = time.monotonic()

    def record(self, latency_ns: int | None) -> None:
        """One item went through; its latency is now minus its stamp, or the stage's own duration; None without one."""
        with self._lock:
            self.items += 1
            if latency_ns is not None:
                self._latencies_ns.append(latency_ns)

    def percentiles(self) -> LatencyPercentiles | None:
        """None before the first latency."""
        with self._lock:
            latencies_ns = list(self._latencies_ns)
        if not latencies_ns:
            return None
        p50_ms, p99_ms = np.percentile(latencies_ns, [50, 99]) * 1e-6
        return LatencyPercentiles(float(p50_ms), float(p99_ms), len(latencies_ns))

    def take_rate_hz(self) -> float:
        """Items per second since this was last asked."""
        now_s = time.monotonic()
        with self._lock:
            rate_hz = (self.items - self._items_at_rate) / max(1e-6, now_s - self._rate_at_s)
            self._items_at_rate, self._rate_at_s = self.items, now_s
        return rate_hz

    def take_words(self) -> str:
        """Of a link: `301 items, 30.0 Hz, 0.4 ms old (p99 1.2)`; asking starts a new interval of the rate."""
        words, ages = f'{self.items} items, {self.take_rate_hz():.1f} Hz', self.percentiles()
        return words if ages is None else f'{words}, {ages.p50_ms:.1f} ms old (p99 {ages.p99_ms:.1f})'


class Level(IntEnum):
    """How well something works, as diagnostic levels have it."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True, slots=True)
class Health:
    """How far a node does its work now.

    Attributes:
        level: OK only while it does all of it; ERROR while it does none, STALE while what it works on does not come.
        message: one sentence that names the reason and the way out; empty with OK.
    """

    level: Level = Level.OK
    message: str = ''


class NodeDiagnostics:
    """Everything one node says of itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stages: dict[str, StageStatistics] = {}
        self._counters: Counter[str] = Counter()
        self._last_error = ''
        self._last_error_at_s = float('-inf')

    def stage(self, name: str) -> StageStatistics:
        """The statistics of the stage of that name, made at the first call."""
        with self._lock:
            return self._stages.setdefault(name, StageStatistics())

    def count(self, name: str, by: int = 1) -> int:
        """Add to a counter (drops, decode errors, refused commands ...); its new value."""
        with self._lock:
            self._counters[name] += by
            return self._counters[name]

    @property
    def counters(self) -> Mapping[str, int]:
        """A copy."""
        with self._lock:
            return dict(self._counters)

    def note_error(self, sentence: str) -> None:
        """Keep the sentence as the last error."""
        with self._lock:
            self._last_error = sentence
            self._last_error_at_s = time.monotonic()

    def settle_error(self, sentence: str) -> None:
        """What it says is over: if it is the last error, the node is not shown as warning for it any longer."""
        with self._lock:
            if self._last_error == sentence:
                self._last_error_at_s = float('-inf')

    @property
    def last_error(self) -> str:
        """The last error's sentence, empty when there was none."""
        return self._last_error

    @property
    def recent_error(self) -> bool:
        """Whether the last error is younger than ten seconds: the node is then shown as warning."""
        return time.monotonic() - self._last_error_at_s < _ERROR_SHOWN_FOR_S

    def values(self) -> dict[str, str]:
        """Key and value rows for a DiagnosticStatus; asking starts a new rate interval."""
        rows: dict[str, str] = {}
        with self._lock:
            stages = dict(self._stages)
        for name, stage in stages.items():
            rows[f'{name} rate (Hz)'] = f'{stage.take_rate_hz():.1f}'
            percentiles = stage.percentiles()
            if percentiles is not None:
                rows[f'{name} latency p50 (ms)'] = f'{percentiles.p50_ms:.2f}'
                rows[f'{name} latency p99 (ms)'] = f'{percentiles.p99_ms:.2f}'
        rows.update({name: str(value) for name, value in sorted(self.counters.items())})
        rows['last error'] = self._last_error
        return rows
