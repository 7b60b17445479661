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
import textwrap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from gremsy_bringup.doctor.doctor_checks import QUESTIONS, Check, Question
from gremsy_bringup.doctor.robot_machine import Machine, ThisMachine


def examine(machine: Machine, questions: Sequence[Question] = QUESTIONS) -> list[Check]:
    """Ask every question; one that fails becomes a row that says so."""

    def ask(question: Question) -> Check:
        try:
            return question(machine)
        except Exception as error:  # noqa: BLE001 - a doctor that breaks on a sick machine is of no use
            name = question.__name__.replace('_', ' ')
            return Check(name, False, f'could not look: {type(error).__name__}: {error}', 'Report this as an issue.')

    # Most of the time goes into waiting for child processes.
    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(ask, questions))


def table(checks: Sequence[Check], width: int) -> str:
    """The rows as text, wrapped to the terminal: mark, name, what was found, what to do."""
    name_width = max((len(check.name) for check in checks), default=0)
    indent = name_width + 11
    lines: list[str] = []
    for check in checks:
        mark = 'ok' if check.ok else (check.lack.upper() if check.needed else check.lack)
        head = f'{mark:<8} {check.name:<{name_width}}  '
        for text in filter(None, (check.found, f'-> {check.remedy}' if check.remedy else '')):
            wrapped = textwrap.wrap(text, max(30, width - indent), break_on_hyphens=False) or ['']
            for part in wrapped:
                lines.append(f'{head}{part}')
                head = ' ' * indent
    return '\n'.join(lines)


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
    """Print the table or, with --json, one JSON object."""
    parser = argparse.ArgumentParser(prog='./gremsy doctor', description='Says what this machine can run.')
    parser.add_argument('--json', action='store_true', help='print one JSON object instead of the table')
    options = parser.parse_args(arguments)
    checks = examine(ThisMachine())
    if options.json:
        print(as_json(checks))
    else:
        print(f'{platform.platform()}, {os.cpu_count()} CPUs')
        print(table(checks, shutil.get_terminal_size((100, 24)).columns))
        print(verdict(checks))
    sys.exit(0 if all(check.ok for check in checks if check.needed) else 1)


if __name__ == '__main__':
    main()
