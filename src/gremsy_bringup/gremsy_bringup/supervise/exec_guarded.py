# SPDX-License-Identifier: Apache-2.0
"""Replace this process by a program that is asked to end (SIGTERM) when the process that started it dies.

`python exec_guarded.py PARENT_PID PROGRAM ARG...`; run by the supervisor for each of its children. It is a program, not
a `preexec_fn`, since code between fork and exec may deadlock in a parent that has threads (the demo's has DDS's).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2); survives execve of an ordinary program


def main(arguments: list[str]) -> int:
    """Never returns when the program can be executed."""
    parent_pid, program, *rest = arguments
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        print(f'prctl(PR_SET_PDEATHSIG) failed: {os.strerror(ctypes.get_errno())}.', file=sys.stderr)
        return 126
    # The parent may have died before prctl: then no signal will ever come.
    if os.getppid() != int(parent_pid):
        return 125
    try:
        os.execvp(program, [program, *rest])  # noqa: S606 - a shell is what must not be here
    except OSError as error:
        print(f'`{program}` cannot be executed: {error.strerror}.', file=sys.stderr)
        return 127


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
