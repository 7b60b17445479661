# SPDX-License-Identifier: Apache-2.0
"""`./gremsy demo`: real footage, a simulated payload, and the gimbal following a person in it; no hardware.

Exit status 0: ran its time or was stopped by Ctrl-C, the report is written. 1: it broke while running. 2: it cannot run
as asked.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gremsy_bringup.demo.demo_arguments import parser
from gremsy_bringup.demo.demo_options import DemoError, DemoOptions, asked_target, video_path
from gremsy_bringup.demo.demo_session import DemoSession
from gremsy_bringup.report.demo_report import next_steps, report_lines, write_report
from gremsy_bringup.supervise.process_spec import CONFIGURATION_ERROR_STATUS
from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_forms import given_path
from gremsy_common.programs import stop_by_signals
from gremsy_common.status_line import StatusLine


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, report, exit."""
    given = parser(given_path).parse_args(arguments)
    line = StatusLine(sys.stdout)
    try:
        options = DemoOptions(
            report=given.report or Path('gremsy_report') / time.strftime('%Y%m%d-%H%M%S'),
            video=None if given.video is None else video_path(given.video),
            target=asked_target(given.target, given.target_class),
            headless=given.headless,
            preset=given.preset,
        )
        sys.exit(_run(DemoSession(options, line.say), given.duration or None, line))
    except SuiteError as error:
        line.end()
        print(error, file=sys.stderr)
        sys.exit(CONFIGURATION_ERROR_STATUS)


def _run(session: DemoSession, duration_s: float | None, line: StatusLine) -> int:
    """SuiteError from starting goes up: nothing runs then and there is nothing to report."""
    stop_by_signals(session.request_stop, signal.SIGHUP)
    failure = ''
    with line.working('Starting the demo'):
        session.start()
    begin_s = time.monotonic()
    of = '' if duration_s is None else f' of {duration_s:g}'
    try:
        session.wait(duration_s, lambda status: line.show(f'{time.monotonic() - begin_s:3.0f}{of} s  {status.line()}'))
    except SuiteError as error:
        failure = str(error)
    finally:
        line.end()
        with line.working('Stopping, the gimbal first'):
            session.stop()
    try:
        with line.working('Writing the report'):
            summary = write_report(session, line.say)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    for text in report_lines(summary, session.report_dir):
        line.say(text)
    if sys.stdout.isatty() and not failure:
        # For a person; a log is read for what happened.
        line.say('\n'.join(['', *next_steps(session.options)]))
    if failure:
        print(failure, file=sys.stderr)
    return 1 if failure else 0


if __name__ == '__main__':
    main()
