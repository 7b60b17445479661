# SPDX-License-Identifier: Apache-2.0
"""What a doctor reports: one row for each question, and all of them as a table; the standard library alone."""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
import textwrap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

Examined = TypeVar('Examined')


@dataclass(frozen=True, slots=True)
class Check:
    """One row: is it there, what was found, and what to do if it is not.

    `needed` things are what nothing goes without; the others widen what this machine can run. `lack` is the word for a
    thing that is not ok.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ''
    needed: bool = False
    lack: str = 'missing'


def ask_all(examined: Examined, questions: Sequence[Callable[[Examined], Check | None]]) -> list[Check]:
    """Ask every question; one that fails becomes a row that says so, None means that it does not apply here."""

    def ask(question: Callable[[Examined], Check | None]) -> Check | None:
        try:
            return question(examined)
        except Exception as error:  # noqa: BLE001 - a doctor that breaks on a sick machine is of no use
            name = question.__name__.replace('_', ' ')
            return Check(name, False, f'could not look: {type(error).__name__}: {error}', 'Report this as an issue.')

    # Most of the time goes into waiting for child processes.
    with ThreadPoolExecutor(max_workers=4) as pool:
        return [check for check in pool.map(ask, questions) if check is not None]


def missing(checks: Sequence[Check]) -> list[str]:
    """The names of what is needed and not ok."""
    return [check.name for check in checks if check.needed and not check.ok]


def as_object(checks: Sequence[Check], **more: object) -> dict[str, object]:
    """For JSON: this machine, what more there is to report, and the rows."""
    machine = {'machine': platform.machine(), 'system': platform.platform(), 'cpus': os.cpu_count()}
    return {**machine, **more, 'checks': [dataclasses.asdict(check) for check in checks]}


def report(checks: Sequence[Check], verdict: str) -> str:
    """For people: this machine, the table, and the verdict."""
    width = shutil.get_terminal_size((100, 24)).columns
    return f'{platform.platform()}, {os.cpu_count()} CPUs\n{table(checks, width)}\n{verdict}'


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
