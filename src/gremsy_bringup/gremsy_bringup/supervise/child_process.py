# SPDX-License-Identifier: Apache-2.0
"""One child of the supervisor: its process group, its lines of output, what it uses, its end."""

from __future__ import annotations

import codecs
import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from gremsy_bringup.supervise.process_spec import ProcessSpec

_GUARD = Path(__file__).with_name('exec_guarded.py')
_KEPT_LINES = 40


class LineSplitter:
    """Bytes as they come to whole lines of text; undecodable bytes become replacement characters."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder('utf-8')('replace').decode
        self._rest = ''

    def feed(self, data: bytes) -> list[str]:
        """The lines completed by `data`."""
        *lines, self._rest = (self._rest + self._decode(data)).split('\n')
        return [line.rstrip('\r') for line in lines]

    def flush(self) -> list[str]:
        """The last line, if it had no newline."""
        rest, self._rest = self._rest, ''
        return [rest] if rest else []


class ChildProcess:
    """A running process in a group (and session) of its own; made by `spawn`, over when `poll` gives a status.

    It must be spawned from a thread that lives as long as the child may: the kernel sends the parent-death signal when
    the spawning *thread* ends (prctl(2)).
    """

    def __init__(self, spec: ProcessSpec, popen: subprocess.Popen[bytes]) -> None:
        self.spec = spec
        self.last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._popen = popen
        self._splitter = LineSplitter()
        assert popen.stdout is not None
        self._stdout = popen.stdout
        os.set_blocking(self._stdout.fileno(), False)

    @classmethod
    def spawn(cls, spec: ProcessSpec) -> ChildProcess:
        """Start the program.

        Raises:
            FileNotFoundError: when there is no such program; the text is a sentence for the user.
        """
        environment = {**os.environ, 'PYTHONUNBUFFERED': '1', **spec.env}
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
        return cls(spec, popen)

    @property
    def pid(self) -> int:
        """The process id, and the id of its group."""
        return self._popen.pid

    def fileno(self) -> int:
        """Where its output arrives (for a selector)."""
        return self._stdout.fileno()

    def read_lines(self) -> list[str]:
        """The lines that have arrived; never blocks."""
        lines: list[str] = []
        while True:
            try:
                data = os.read(self._stdout.fileno(), 65536)
            except BlockingIOError:
                break
            if not data:
                break
            lines += self._splitter.feed(data)
        self.last_lines.extend(line for line in lines if line.strip())
        return lines

    def close_output(self) -> list[str]:
        """Read what is left and close the pipe (a grandchild may still hold the other end)."""
        lines = self.read_lines()
        rest = self._splitter.flush()
        self.last_lines.extend(line for line in rest if line.strip())
        self._stdout.close()
        return lines + rest

    def poll(self) -> int | None:
        """The exit status (negative: minus the signal's number), None while it runs."""
        return self._popen.poll()

    def terminate(self) -> None:
        """Ask it to end; its own children are its own to end."""
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now. The rest of its group is left a moment (`kill_group`): the driver's deadman child is in there."""
        if self._popen.poll() is None:
            self._popen.kill()

    def group_alive(self) -> bool:
        """Whether anything of its process group is left."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill_group(self) -> None:
        """End whatever is left of its group."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


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
