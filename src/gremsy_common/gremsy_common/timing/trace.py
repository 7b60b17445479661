# SPDX-License-Identifier: Apache-2.0
"""A record of what happened to which frame and when, for reports and benchmarks: one JSON object a line.

Every event carries the capture stamp of the frame that it is about (`stamp_ns`) and when it was written (`at_ns`), so
the files of several processes are joined by the stamp. The kinds and their values (times in ns of the ROS clock,
durations in ns, angles in rad, boxes in source-image px):

| kind      | node     | values                                                                                    |
|-----------|----------|-------------------------------------------------------------------------------------------|
| frame     | camera   | render_ns, footage_frame, azimuth_rad, tilt_rad, zoom (the last four for `sim:` only)     |
| detection | detector | arrived_ns, taken_ns, preprocess_ns, inference_ns, decode_ns, count                       |
| track     | tracker  | arrived_ns, state, target_id, label, box_px, azimuth_rad, tilt_rad (the target's; null or |
|           |          | empty if none), error_rad (target to boresight, as the tracker sees it), tracks, asked    |
|           |          | (the word of target/select_id that the target is chosen by)                               |
| setpoint  | tracker  | azimuth_rate_rad_s, tilt_rate_rad_s, fresh (the first that rests on this image)           |
| command   | driver   | azimuth_rate_rad_s, tilt_rate_rad_s, wire_ns (when the bytes were handed to the link)     |
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gremsy_common.log_lines import STAMP_FIELD, with_fields

# Of each kind, as the log has it.
_SENTENCES = {
    'frame': 'Image captured.',
    'detection': 'Objects detected.',
    'track': 'Tracks updated.',
    'setpoint': 'Rate asked of the gimbal.',
    'command': 'Command sent to the gimbal.',
}


class FileTrace:
    """Writes `<directory>/<name>-<pid>.jsonl`; events wait in memory until `flush`, once a second.

    Where there is such a file, of an earlier process of that number say, another number follows. Events that cannot be
    written (a full disk) are lost and counted; the file ends with whole lines, and goes on when there is room again.

    Args:
        directory, name: of the file.
        now_ns: the clock of the stamps, which a report compares the events' times with.

    Attributes:
        lost: events that were not written.
        fault: why not, the system's own words; empty while there is none.
    """

    def __init__(self, directory: Path, name: str, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns
        self.path = directory / f'{name}-{os.getpid()}.jsonl'
        self.lost = 0
        self.fault = ''
        self._lock = threading.Lock()
        self._events: deque[dict[str, Any]] = deque()
        self._descriptor = -1
        self._size = 0

    def open(self) -> None:
        """Make the folder and the file (OSError where that cannot be)."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        stem, number = self.path.stem, 1
        while self._descriptor < 0:
            try:
                self._descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666)
            except FileExistsError:
                number += 1
                self.path = self.path.with_name(f'{stem}-{number}.jsonl')

    def event(self, kind: str, stamp_ns: int, **values: Any) -> None:
        """Keep it; made into text by `flush`, since the frame that it is about is on its way in the meantime."""
        self._events.append({'kind': kind, 'stamp_ns': stamp_ns, 'at_ns': self._now_ns(), **values})

    def flush(self) -> None:
        """Write the events kept so far, a line each."""
        with self._lock:
            # Taken one by one: an event that comes in the meantime, without the lock, is not lost.
            events = [self._events.popleft() for _ in range(len(self._events))]
            if self._descriptor < 0 or not events:
                return
            try:
                self._append(''.join(json.dumps(event) + '\n' for event in events).encode())
            except OSError as error:
                self.lost += len(events)
                self.fault = error.strerror or type(error).__name__
            else:
                self.fault = ''

    def close(self) -> None:
        """Write the rest and close."""
        self.flush()
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _append(self, lines: bytes) -> None:
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            os.lseek(self._descriptor, self._size, os.SEEK_SET)
            raise
        self._size += len(lines)


class NodeTrace:
    """A node's events: each goes into a file, into the log (at debug level), into both, or nowhere.

    Attributes:
        file: where they go, if anywhere.
        logged: whether they are in the log.
    """

    def __init__(self, log: Callable[[str], object]) -> None:
        self.file: FileTrace | None = None
        self.logged = False
        self._log = log

    @property
    def taken(self) -> bool:
        """Whether anybody takes events; what costs work to make is made only then."""
        return self.logged or self.file is not None

    def event(self, kind: str, stamp_ns: int, **values: Any) -> None:
        """Something happened to the frame captured at `stamp_ns`; `values` are plain numbers, strings or lists."""
        if self.file is not None:
            self.file.event(kind, stamp_ns, **values)
        if self.logged:
            sentence = _SENTENCES.get(kind, f'{kind.capitalize()}.')
            self._log(with_fields(sentence, **{STAMP_FIELD: stamp_ns}, event=kind, **values))

    def close(self) -> None:
        """Complete and end the file; the log goes on."""
        file, self.file = self.file, None
        if file is not None:
            file.close()


def read_trace(directory: Path) -> Iterator[dict[str, Any]]:
    """Every event of every file in the folder, in no order; a last line cut off by a kill is left out."""
    for path in sorted(directory.glob('*.jsonl')):
        with path.open(encoding='utf-8') as file:
            for line in file:
                if line.endswith('\n'):
                    yield json.loads(line)
