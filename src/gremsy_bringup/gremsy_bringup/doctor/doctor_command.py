# SPDX-License-Identifier: Apache-2.0
"""`./gremsy doctor`: what this machine can run and what is missing, with the way out (the issue form asks for it).

The exit status is 1 if the demo cannot run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shutil
import sys
from collections.abc import Sequence

from gremsy_bringup.doctor.camera_checks import CAMERA_QUESTIONS
from gremsy_bringup.doctor.doctor_checks import QUESTIONS, Question
from gremsy_bringup.doctor.doctor_table import Check, ask_all, table
from gremsy_bringup.doctor.robot_machine import DoctorMachine
from gremsy_bringup.robot_doctor import robot_doctor_command


def examine(machine: DoctorMachine, questions: Sequence[Question] = (*QUESTIONS, *CAMERA_QUESTIONS)) -> list[Check]:
    """Ask every question; one that fails becomes a row that says so."""
    return ask_all(machine, questions)


def verdict(checks: Sequence[Check]) -> str:
    """One line: whether the demo can run here."""
    missing = [check.name for check in checks if check.needed and not check.ok]
    if missing:
        return f'The demo cannot run here yet: see {", ".join(missing)}.'
    return 'The demo can run here: ./gremsy demo'


def as_json(checks: Sequence[Check]) -> str:
    """One JSON object."""
    needed = all(check.ok for check in checks if check.needed)
    return json.dumps(
        {
            'machine': platform.machine(),
            'system': platform.platform(),
            'cpus': os.cpu_count(),
            'demo_can_run': needed,
            'checks': [dataclasses.asdict(check) for check in checks],
        }
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table or, with --json, one JSON object; with --robot the other doctor does."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if '--robot' in words:
        sys.exit(robot_doctor_command.main(words, here=[sys.executable]))
    parser = argparse.ArgumentParser(prog='./gremsy doctor', description='Says what this machine can run.')
    parser.add_argument('--json', action='store_true', help='print one JSON object instead of the table')
    parser.add_argument('--robot', action='store_true', help='the first-boot check of a robot (--robot --help)')
    options = parser.parse_args(words)
    checks = examine(DoctorMachine())
    if options.json:
        print(as_json(checks))
    else:
        print(f'{platform.platform()}, {os.cpu_count()} CPUs')
        print(table(checks, shutil.get_terminal_size((100, 24)).columns))
        print(verdict(checks))
    sys.exit(0 if all(check.ok for check in checks if check.needed) else 1)


if __name__ == '__main__':
    main()
