# SPDX-License-Identifier: Apache-2.0
"""`./gremsy run [name:=value ...]`: the suite's processes where there is no `ros2 launch`, watched and respawned.

Exit status 0: stopped by a signal. 1: a process failed and may not be respawned. 2: it cannot run as configured.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType

from gremsy_bringup.describe.suite_arguments import from_command_line, usage
from gremsy_bringup.describe.system_description import describe, process_specs
from gremsy_bringup.supervise.process_spec import CONFIGURATION_ERROR_STATUS, ProcessSpec
from gremsy_bringup.supervise.supervisor import EventKind, ProcessEvent, Supervisor
from gremsy_common.errors import SuiteError

# A bare wait would not let Python's signal handlers run on every platform.
_WAIT_S = 0.5


def print_line(name: str, line: str) -> None:
    """A child's line, with its process's name before it."""
    print(f'[{name}] {line}', flush=True)


def print_event(event: ProcessEvent) -> None:
    """What the supervisor did; a configuration error is said at the very end instead."""
    if event.kind is not EventKind.CONFIGURATION_ERROR:
        print(f'[gremsy] {event.text}', flush=True)


def run_until_signal(specs: Sequence[ProcessSpec]) -> int:
    """Supervise the processes until SIGINT or SIGTERM; the exit status."""
    supervisor = Supervisor(specs, print_line, print_event)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        supervisor.request_stop()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    with supervisor:
        while not supervisor.wait(_WAIT_S):
            continue
    if supervisor.failure is not None:
        print(supervisor.failure, file=sys.stderr, flush=True)
        return CONFIGURATION_ERROR_STATUS
    return 0 if supervisor.stopped_on_request else 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Start what the arguments ask for."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if {'-h', '--help', '--show-args'} & set(words):
        print(usage())
        sys.exit(0)
    try:
        specs = process_specs(describe(from_command_line(words)))
    except SuiteError as error:
        print(error, file=sys.stderr)
        sys.exit(CONFIGURATION_ERROR_STATUS)
    sys.exit(run_until_signal(specs))


if __name__ == '__main__':
    main()
