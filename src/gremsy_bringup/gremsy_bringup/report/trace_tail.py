# SPDX-License-Identifier: Apache-2.0
"""What goes on in the loop, read from the traces while they grow: nothing is asked of the loop itself for it."""

from __future__ import annotations

import json
import math
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WINDOW_NS = 3_000_000_000
_NO_STATE = 'starting'


class TraceTail:
    """New events of all trace files of a folder."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read_bytes: dict[Path, int] = {}

    def poll(self) -> list[dict[str, Any]]:
        """What was written since the last call; a line that is not finished yet waits for the next."""
        events = []
        for path in sorted(self._directory.glob('*.jsonl')):
            start = self._read_bytes.get(path, 0)
            with path.open('rb') as file:
                file.seek(start)
                data = file.read()
            whole = data[: data.rfind(b'\n') + 1]
            self._read_bytes[path] = start + len(whole)
            events += [json.loads(line) for line in whole.splitlines()]
        return events


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """The last three seconds; None where nothing is known."""

    fps: float
    detections_per_s: float
    state: str
    target_id: int | None
    label: str
    asked: str
    error_deg: float | None
    latency_ms: float | None

    def line(self) -> str:
        """One line for the operator; first what a narrow terminal must not cut off."""
        asked = f'asked for {self.asked}, ' if self.asked else ''
        target = '-' if self.target_id is None else f'{self.label} {self.target_id}'.strip()
        error = '    -' if self.error_deg is None else f'{self.error_deg:5.2f}'
        latency = '  -' if self.latency_ms is None else f'{self.latency_ms:3.0f}'
        return (
            f'{asked}{self.state:<9} {target:<9}  error {error} deg  latency {latency} ms  '
            f'{self.fps:4.1f} fps  {self.detections_per_s:4.1f} detections/s'
        )


class LiveView:
    """Folds trace events into the status of now."""

    def __init__(self) -> None:
        self._frames: deque[int] = deque()
        self._detections: deque[int] = deque()
        self._latencies_ms: deque[tuple[int, float]] = deque()
        self._commanded: set[int] = set()
        self._newest_track: dict[str, Any] | None = None
        self.tracks_seen = 0

    def add(self, event: dict[str, Any]) -> None:
        """Take one event."""
        stamp_ns = int(event['stamp_ns'])
        if event['kind'] == 'frame':
            self._frames.append(stamp_ns)
        elif event['kind'] == 'detection':
            self._detections.append(stamp_ns)
        elif event['kind'] == 'track':
            self.tracks_seen += 1
            if self._newest_track is None or stamp_ns >= self._newest_track['stamp_ns']:
                self._newest_track = event
        elif event['kind'] == 'command' and stamp_ns not in self._commanded:
            # Only the first command that rests on a frame shows how late it is; the others repeat it.
            self._commanded.add(stamp_ns)
            self._latencies_ms.append((stamp_ns, (event['wire_ns'] - stamp_ns) * 1e-6))

    def status(self) -> LiveStatus:
        """Over the last three seconds that the traces tell of."""
        newest_ns = max(self._frames, default=0)
        oldest_ns = newest_ns - _WINDOW_NS
        for stamps in (self._frames, self._detections):
            while stamps and stamps[0] <= oldest_ns:
                stamps.popleft()
        while self._latencies_ms and self._latencies_ms[0][0] <= oldest_ns:
            self._commanded.discard(self._latencies_ms.popleft()[0])
        # A stop rests on no frame: its stamp is when it was asked for.
        frames = set(self._frames)
        latencies = sorted(latency for stamp_ns, latency in self._latencies_ms if stamp_ns in frames)
        track = self._newest_track
        error = None if track is None else track.get('error_rad')
        return LiveStatus(
            fps=_rate(self._frames),
            detections_per_s=_rate(self._detections),
            state=_NO_STATE if track is None else str(track['state']),
            target_id=None if track is None else track['target_id'],
            label='' if track is None else str(track.get('label', '')),
            asked='' if track is None else str(track.get('asked', '')),
            error_deg=None if error is None else math.degrees(error),
            latency_ms=latencies[len(latencies) // 2] if latencies else None,
        )


def _rate(stamps: deque[int]) -> float:
    if len(stamps) < 2 or stamps[-1] <= stamps[0]:
        return 0.0
    return (len(stamps) - 1) / ((stamps[-1] - stamps[0]) * 1e-9)
