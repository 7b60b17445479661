# SPDX-License-Identifier: Apache-2.0
"""`./gremsy run [name:=value ...]`: the suite's processes where there is no `ros2 launch`, watched and respawned.

Exit status 0: stopped by a signal. 1: a process failed and may not be respawned. 2: it cannot run as configured.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from gremsy_bringup.describe.ros_network import join_network
from gremsy_bringup.describe.rviz_view import write_view
from gremsy_bringup.describe.starting import Starting
from gremsy_bringup.describe.suite_arguments import from_command_line, usage
from gremsy_bringup.describe.system_description import SystemDescription, process_specs
from gremsy_bringup.logs.line_pump import LinePump
from gremsy_bringup.logs.log_writer import FORMAT_VARIABLE, JSON, LogWriter
from gremsy_bringup.supervise.output_printer import OutputPrinter, own_record
from gremsy_bringup.supervise.process_spec import CONFIGURATION_ERROR_STATUS, ProcessSpec, RestartPolicy
from gremsy_bringup.supervise.supervisor import Supervisor
from gremsy_common.errors import SuiteError
from gremsy_common.log_lines import FORM_VARIABLE
from gremsy_common.programs import stop_by_signals

_RVIZ = 'rviz2'
# A bare wait would not let Python's signal handlers run on every platform.
_WAIT_S = 0.5


def _coloured() -> bool:
    """By rcutils' own rule, for the terminal that reads this and not the pipe that a child writes to."""
    return {'0': False, '1': True}.get(os.environ.get('RCUTILS_COLORIZED_OUTPUT', ''), sys.stdout.isatty())


def run_until_signal(specs: Sequence[ProcessSpec], writer: LogWriter) -> int:
    """Supervise the processes until SIGINT or SIGTERM; the exit status."""
    printer = OutputPrinter(writer.write)
    supervisor = Supervisor(specs, printer.record, printer.event)

    stop_by_signals(supervisor.request_stop, signal.SIGHUP)
    with supervisor:
        while not supervisor.wait(_WAIT_S):
            printer.show_overdue()
    printer.close()
    if supervisor.failure is not None:
        raise SuiteError(supervisor.failure)
    return 0 if supervisor.stopped_on_request else 1


def _left_out(description: SystemDescription, lines: int) -> str:
    """Where a reader was too slow."""
    record = own_record('WARN', f'{lines} lines were left out here: nobody read the output in time.')
    return record.json_line(description.namespace) if description.log_format == JSON else record.lines()[0]


def _report_last(error: SuiteError, words: Sequence[str]) -> None:
    """Why nothing runs; the arguments that say in which form may be what is wrong."""
    as_json = f'log_format:={JSON}' in words or os.environ.get(FORMAT_VARIABLE) == JSON
    last = own_record('FATAL', str(error))
    print(last.json_line('') if as_json else error, file=sys.stderr, flush=True)


def _rviz(view: Path) -> ProcessSpec:
    """Whoever closes it does not want it back."""
    program = shutil.which(_RVIZ)
    if program is None:
        raise SuiteError(
            f'Argument `rviz` is true, but there is no {_RVIZ} on this machine: install it (on Ubuntu '
            'ros-$ROS_DISTRO-rviz2) or leave the argument out.'
        )
    return ProcessSpec('rviz', (program, '-d', str(view)), restart=RestartPolicy(respawn=False), stop_rank=1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Start what the arguments ask for."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if {'-h', '--help', '--show-args'} & set(words):
        print(usage())
        sys.exit(0)
    try:
        with Starting(from_command_line(words)) as starting, ExitStack() as stack:
            description = starting.description()
            pump = stack.enter_context(LinePump(sys.stdout.fileno(), partial(_left_out, description)))
            writer = LogWriter(pump.put, description.log_format, description.namespace, coloured=_coloured())
            for notice in starting.notices:
                if description.log_format == JSON:
                    writer.write(own_record('WARN', notice))
                else:
                    print(notice, file=sys.stderr, flush=True)
            if description.log_format == JSON:
                # A form of the user's own is for lines that people read.
                os.environ.pop(FORM_VARIABLE, None)
            specs = process_specs(description, starting.folder)
            if description.arguments.rviz:
                specs = (*specs, _rviz(write_view(description, starting.folder)))
            join_network(os.environ, starting.variables)
            status = run_until_signal(specs, writer)
    except SuiteError as error:
        _report_last(error, words)
        status = CONFIGURATION_ERROR_STATUS
    sys.exit(status)


if __name__ == '__main__':
    main()
