# SPDX-License-Identifier: Apache-2.0
"""`./gremsy doctor`: what this machine can run and what is missing, with the way out (the issue form asks for it).

The exit status is 1 if the demo cannot run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from gremsy_bringup.doctor.camera_checks import CAMERA_QUESTIONS
from gremsy_bringup.doctor.doctor_checks import QUESTIONS
from gremsy_bringup.doctor.doctor_table import Check, as_object, ask_all, missing, report
from gremsy_bringup.robot_doctor import robot_doctor_command
from gremsy_bringup.robot_doctor.host_view import Host


def verdict(checks: Sequence[Check]) -> str:
    """One line: whether the demo can run here."""
    lacks = missing(checks)
    return f'The demo cannot run here yet: see {", ".join(lacks)}.' if lacks else 'The demo can run here: ./gremsy demo'


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table or, with --json, one JSON object; with --robot the other doctor does."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if '--robot' in words:
        sys.exit(robot_doctor_command.main(words, here=[sys.executable]))
    parser = argparse.ArgumentParser(prog='./gremsy doctor', description='Says what this machine can run.')
    parser.add_argument('--json', action='store_true', help='print one JSON object instead of the table')
    parser.add_argument('--robot', action='store_true', help='the first-boot check of a robot (--robot --help)')
    options = parser.parse_args(words)
    checks = ask_all(Host(), (*QUESTIONS, *CAMERA_QUESTIONS))
    said = as_object(checks, demo_can_run=not missing(checks))
    print(json.dumps(said) if options.json else report(checks, verdict(checks)))
    sys.exit(1 if missing(checks) else 0)


if __name__ == '__main__':
    main()
