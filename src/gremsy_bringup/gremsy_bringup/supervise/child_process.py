# SPDX-License-Identifier: Apache-2.0
"""One child of the supervisor: its process group, what it says and uses, its end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from gremsy_bringup.logs.log_reader import LogReader, Marks
from gremsy_bringup.logs.log_record import LogRecord
from gremsy_bringup.supervise.process_spec import ProcessSpec

_GUARD = Path(__file__).with_name('exec_guarded.py')
_KEPT_RECORDS = 40
_PIECE = 1 << 16
# pipe(7); Linux's own is 64 KiB, and one may ask for more.
_LARGEST_PIPE = 1 << 20


class ChildProcess:
    """A running process in a group (and session) of its own; made by `spawn`, over when `poll` gives a status.

    It must be spawned from a thread that lives as long as the child may: the kernel sends the parent-death signal when
    the spawning *thread* ends (prctl(2)).
    """

    def __init__(self, spec: ProcessSpec, popen: subprocess.Popen[bytes], marks: Marks) -> None:
        self.spec = spec
        self.last_records: deque[LogRecord] = deque(maxlen=_KEPT_RECORDS)
        self._popen = popen
        self._reader = LogReader(spec.name, marks, popen.pid)
        assert popen.stdout is not None
        self._stdout = popen.stdout
        os.set_blocking(self._stdout.fileno(), False)

    @classmethod
    def spawn(cls, spec: ProcessSpec) -> ChildProcess:
        """Start the program.

        Raises:
            FileNotFoundError: when there is no such program; the text is a sentence for the user.
        """
        marks = Marks.fresh()
        asked = {**os.environ, **spec.env}
        environment = {**asked, 'PYTHONUNBUFFERED': '1', **marks.environment_beside(asked)}
        if shutil.which(spec.argv[0], path=environment.get('PATH')) is None:
            raise FileNotFoundError(
                f'Process `{spec.name}` cannot start: there is no program `{spec.argv[0]}`; '
                'run `./gremsy setup` and start again.'
            )
        popen = subprocess.Popen(
            [sys.executable, '-I', '-S', str(_GUARD), str(os.getpid()), *spec.argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            bufsize=0,
            # A Ctrl-C in the terminal must reach the supervisor alone, which then stops the children in order.
            start_new_session=True,
        )
        return cls(spec, popen, marks)

    @property
    def pid(self) -> int:
        """The process id, and the id of its group."""
        return self._popen.pid

    def fileno(self) -> int:
        """Where its output arrives (for a selector)."""
        return self._stdout.fileno()

    def read_records(self) -> list[LogRecord]:
        """What has arrived, a piece of it; never blocks.

        A piece, since a process that writes faster than its records are made would have us read for ever.
        """
        records = self._reader.feed(self._piece())
        self.last_records.extend(records)
        return records

    def close_output(self) -> list[LogRecord]:
        """Read what is left, as much as a pipe holds (a grandchild may write on), and close it."""
        records: list[LogRecord] = []
        for _ in range(0, _LARGEST_PIPE, _PIECE):
            piece = self._piece()
            if not piece:
                break
            records += self._reader.feed(piece)
        records += self._reader.flush()
        self.last_records.extend(records)
        self._stdout.close()
        return records

    def _piece(self) -> bytes:
        try:
            return os.read(self._stdout.fileno(), _PIECE)
        except BlockingIOError:
            return b''

    def poll(self) -> int | None:
        """The exit status (negative: minus the signal's number), None while it runs."""
        return self._popen.poll()

    def terminate(self) -> None:
        """Ask it to end; its own children are its own to end."""
        self._popen.terminate()

    def kill(self) -> None:
        """End it now. The rest of its group is left a moment (`kill_group`): the driver's deadman child is in there."""
        self._popen.kill()

    def group_alive(self) -> bool:
        """Whether anything of its process group is left."""
        return self._signal_group(0)

    def kill_group(self) -> None:
        """End whatever is left of its group."""
        self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: int) -> bool:
        """Whether there was anybody to take it."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """What a process has used: peak resident memory, processor time (user and system, ended children not counted)."""

    peak_rss_mb: float
    cpu_s: float


def usage_of(pid: int) -> ProcessUsage | None:
    """From /proc; None when the process is gone."""
    folder = Path('/proc') / str(pid)
    try:
        status = (folder / 'status').read_text(encoding='utf-8')
        # The name (field 2) may hold spaces and parentheses; fields 14 and 15 are utime and stime (proc(5)).
        fields = (folder / 'stat').read_text(encoding='utf-8').rpartition(')')[2].split()
    except OSError:
        return None
    peak_kb = next((int(line.split()[1]) for line in status.splitlines() if line.startswith('VmHWM:')), 0)
    ticks = int(fields[11]) + int(fields[12])
    return ProcessUsage(peak_kb / 1024, ticks / os.sysconf('SC_CLK_TCK'))
