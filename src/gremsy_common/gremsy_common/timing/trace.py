# SPDX-License-Identifier: Apache-2.0
"""A record of what happened to which frame and when, for reports and benchmarks: one JSON object a line.

Every event carries the capture stamp of the frame that it is about (`stamp_ns`) and when it was written (`at_ns`), so
the files of several processes are joined by the stamp. The kinds and their values (times in ns of the ROS clock,
durations in ns, angles in rad, boxes in source-image px):

| kind      | node     | values                                                                                    |
|-----------|----------|-------------------------------------------------------------------------------------------|
| frame     | camera   | render_ns, footage_frame, azimuth_rad, tilt_rad, zoom (the last four for `sim:` only)     |
| detection | detector | arrived_ns, taken_ns, preprocess_ns, inference_ns, decode_ns, count                       |
| track     | tracker  | arrived_ns, state, target_id, box_px, azimuth_rad, tilt_rad (the target's; null if none), |
|           |          | error_rad (target to boresight, as the tracker sees it), tracks                           |
| setpoint  | tracker  | azimuth_rate_rad_s, tilt_rate_rad_s, fresh (the first that rests on this image)           |
| command   | driver   | azimuth_rate_rad_s, tilt_rate_rad_s, wire_ns (when the bytes were handed to the link)     |
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TextIO


class Trace(Protocol):
    """Where events go."""

    def event(self, kind: str, stamp_ns: int, **values: Any) -> None:
        """Something happened to the frame captured at `stamp_ns`; `values` are plain numbers, strings or lists."""

    def flush(self) -> None:
        """Write out what is held back."""

    def close(self) -> None:
        """Write out the rest; later events are dropped."""


class NoTrace:
    """Nobody asked for a trace."""

    def event(self, kind: str, stamp_ns: int, **values: Any) -> None:
        """Nothing."""

    def flush(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class FileTrace:
    """Writes `<directory>/<name>-<pid>.jsonl`; events wait in memory until `flush`, once a second.

    Where there is such a file, of an earlier process of that number say, another number follows.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / f'{name}-{os.getpid()}.jsonl'
        self._lock = threading.Lock()
        self._events: deque[dict[str, Any]] = deque()
        self._file: TextIO | None = None

    def open(self) -> None:
        """Make the folder and the file (OSError where that cannot be)."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        stem, number = self.path.stem, 1
        while self._file is None:
            try:
                self._file = self.path.open('x', encoding='utf-8')
            except FileExistsError:
                number += 1
                self.path = self.path.with_name(f'{stem}-{number}.jsonl')

    def event(self, kind: str, stamp_ns: int, **values: Any) -> None:
        """Keep it; made into text by `flush`, since the frame that it is about is on its way meanwhile."""
        self._events.append({'kind': kind, 'stamp_ns': stamp_ns, 'at_ns': time.time_ns(), **values})

    def flush(self) -> None:
        """Write the events kept so far, a line each."""
        with self._lock:
            # Taken one by one: an event that comes meanwhile, without the lock, is not lost.
            events = [self._events.popleft() for _ in range(len(self._events))]
            if self._file is not None and events:
                self._file.write(''.join(json.dumps(event) + '\n' for event in events))
                self._file.flush()

    def close(self) -> None:
        """Write the rest and close."""
        self.flush()
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None


def read_trace(directory: Path) -> Iterator[dict[str, Any]]:
    """Every event of every file in the folder, in no order; a last line cut off by a kill is left out."""
    for path in sorted(directory.glob('*.jsonl')):
        with path.open(encoding='utf-8') as file:
            for line in file:
                if line.endswith('\n'):
                    yield json.loads(line)
