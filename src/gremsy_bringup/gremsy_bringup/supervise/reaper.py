# SPDX-License-Identifier: Apache-2.0
"""Outlives a supervisor that was killed, ends what that supervisor had started, removes its shared memory, and goes.

`python reaper.py GRACE_S` with a pipe as stdin, one command a line: `add PGID`, `remove PGID`, `unlink PATH`, `done`.
The pipe closing without `done` means that the supervisor died. Standard library only: it runs with `python -I -S`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import TextIO


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _signal(groups: set[int], number: int) -> None:
    for group in sorted(groups):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)


def _follow(commands: TextIO) -> tuple[set[int], list[str], bool]:
    """Read to the end: the groups alive by then, the paths to remove, and whether the supervisor said `done`."""
    groups: set[int] = set()
    paths: list[str] = []
    for line in commands:
        verb, _, value = line.rstrip('\n').partition(' ')
        if verb == 'add':
            groups.add(int(value))
        elif verb == 'remove':
            groups.discard(int(value))
        elif verb == 'unlink':
            paths.append(value)
        elif verb == 'done':
            return groups, paths, True
    return groups, paths, False


def main(arguments: list[str]) -> int:
    """Wait for the supervisor's end, clean up after it."""
    # Ctrl-C and a service manager's TERM are the supervisor's to handle; this process ends when the pipe does.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups, paths, done = _follow(sys.stdin)
    if not done:
        _signal(groups, signal.SIGTERM)
        deadline = time.monotonic() + float(arguments[0])
        while time.monotonic() < deadline and any(map(_alive, groups)):
            time.sleep(0.02)
        _signal(groups, signal.SIGKILL)
    for path in paths:
        Path(path).unlink(missing_ok=True)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
