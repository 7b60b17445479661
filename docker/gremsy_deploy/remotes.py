# SPDX-License-Identifier: Apache-2.0
"""How a command gets to a robot: by ssh, or on this machine."""

from __future__ import annotations

import shlex
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gremsy_deploy.inventory import RobotEntry

# ssh's own status where it did not get through, or lost the connection.
_SSH_FAILED = 255

# Takes each line of a command's output as it comes.
OnLine = Callable[[str], None]


@dataclass(frozen=True)
class RemoteResult:
    """How a command ended."""

    # Its exit status; None where it is not known: the connection was lost, or the time was over.
    status: int | None
    lines: tuple[str, ...]


class Remote(Protocol):
    """A machine that runs commands."""

    def run(self, command: Sequence[str], *, given: bytes, timeout_s: float, on_line: OnLine) -> RemoteResult:
        """Runs it with `given` as its standard input; every line of its output goes to `on_line` as it comes."""


class Ssh:
    def __init__(self, place: RobotEntry) -> None:
        self._command = [
            *('ssh', '-T', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10'),
            # A robot that drove out of reach is noticed after 15 s.
            *('-o', 'ServerAliveInterval=5', '-o', 'ServerAliveCountMax=3', '-p', str(place.port)),
            *place.ssh_options,
            *('--', place.host),
        ]

    def run(self, command: Sequence[str], *, given: bytes, timeout_s: float, on_line: OnLine) -> RemoteResult:
        outcome = _run([*self._command, shlex.join(command)], given, timeout_s, on_line)
        return RemoteResult(None, outcome.lines) if outcome.status == _SSH_FAILED else outcome


class Here:
    def run(self, command: Sequence[str], *, given: bytes, timeout_s: float, on_line: OnLine) -> RemoteResult:
        return _run(command, given, timeout_s, on_line)


def remote_of(place: RobotEntry) -> Remote:
    return Here() if place.host == 'local' else Ssh(place)


def _run(command: Sequence[str], given: bytes, timeout_s: float, on_line: OnLine) -> RemoteResult:
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        on_line(str(error))
        return RemoteResult(None, (str(error),))
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    def feed() -> None:
        assert process.stdin is not None
        try:
            process.stdin.write(given)
            process.stdin.close()
        except BrokenPipeError:
            # It ended before it read all; its status and its words say why.
            return

    timer = threading.Timer(timeout_s, end)
    feeder = threading.Thread(target=feed, daemon=True)
    lines: list[str] = []
    with process:
        timer.start()
        feeder.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.decode(errors='replace').rstrip())
                on_line(lines[-1])
            status = process.wait()
        finally:
            timer.cancel()
            feeder.join()
    return RemoteResult(None if late.is_set() else status, tuple(lines))
