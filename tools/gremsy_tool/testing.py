# SPDX-License-Identifier: Apache-2.0
"""./gremsy test: format, lint, unused code, types, tests; every stage runs, one line of result each."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gremsy_common.claims import domain_claim, isolated
from gremsy_tool import environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gremsy_tool.layout import WorkspaceLayout

# Three queues of integration tests wait for cameras, gimbals and browsers most of their time (scheduling.py): on two
# cores a third worker lets the other tests run in the meantime. Past eight they all wait for the queues.
_FEWEST_WORKERS, _MOST_WORKERS = 3, 8
# What shows tests at work (a debugger, their output), lists them or picks a few is quicker and plainer in one process.
_ONE_PROCESS = re.compile(
    r'-[vqxlh]*[skn].*|-h|--(numprocesses|dist|tx|pdb|trace|capture|collect-only|co|last-failed|lf|failed-first|ff|'
    r'new-first|nf|stepwise|sw|setup-only|setup-plan|fixtures|markers|help|version)(=.*)?|.*::.*|.*\.py|no:xdist'
)


@dataclass(frozen=True)
class Stage:
    """One check and what to do when it fails."""

    name: str
    command: list[str]
    remedy: str


def stages_of(layout: WorkspaceLayout, arguments: list[str], *, everything: bool) -> list[Stage]:
    python = ['python', '-m']
    sources = [
        folder
        for folder in ('gremsy', 'conftest.py', 'tools', 'src', 'underlay', 'benchmarks', 'docker', 'docker/deploy')
        if (layout.repository / folder).exists()
    ]
    chosen = [] if everything else ['-m', 'not slow']
    return [
        Stage('format', [*python, 'ruff', 'format', '--check', *sources], './gremsy exec ruff format .'),
        Stage('lint', [*python, 'ruff', 'check', *sources], './gremsy exec ruff check --fix .'),
        # What it looks at is said in pyproject.toml.
        Stage('unused', [*python, 'vulture'], 'remove what it names'),
        Stage('types', [*python, 'mypy', *typed_packages(layout.repository)], './gremsy exec mypy ...'),
        # Last, so that a reader of the log finds pytest's own closing line at its end.
        Stage(
            'tests',
            [*python, 'pytest', *chosen, *workers_of(arguments), *arguments],
            './gremsy test -k NAME runs one alone',
        ),
    ]


def workers_of(arguments: Sequence[str]) -> list[str]:
    """Options of pytest that let the cores share the tests, where `arguments` leave enough of them to share."""
    cores = len(os.sched_getaffinity(0))
    if cores < 2 or any(_ONE_PROCESS.fullmatch(argument) for argument in arguments):
        return []
    return ['-n', str(min(max(cores, _FEWEST_WORKERS), _MOST_WORKERS)), '--dist', 'loadfile']


def typed_packages(repository: Path) -> list[str]:
    """The folders that mypy reads: each package's own modules, not its tests."""
    candidates = [
        *sorted((repository / 'src').glob('gremsy_*/gremsy_*')),
        repository / 'tools' / 'gremsy_tool',
        repository / 'tools' / 'gremsy_docs',
        repository / 'docker' / 'gremsy_deploy',
        repository / 'underlay' / 'cv_bridge' / 'cv_bridge',
        repository / 'benchmarks',
    ]
    return [str(path.relative_to(repository)) for path in candidates if any(path.glob('*.py'))]


def run_tests(layout: WorkspaceLayout, env: Mapping[str, str], arguments: list[str], *, everything: bool) -> int:
    inside = environment.load(layout, env)
    failed: list[Stage] = []
    lines: list[str] = []
    with domain_claim() as domain:
        inside.update(isolated(domain))
        stages = stages_of(layout, arguments, everything=everything)
        for stage in stages:
            if stage is stages[-1]:
                # Before pytest, whose closing line ends the output.
                _report('', *lines)
            _report(f'== {stage.name}: {" ".join(stage.command)}')
            began = time.monotonic()
            status = subprocess.run(stage.command, cwd=layout.repository, env=inside, check=False).returncode
            if status != 0:
                failed.append(stage)
            word = 'ok' if status == 0 else f'FAILED ({stage.remedy})'
            lines.append(f'{stage.name:8}{word}, {time.monotonic() - began:.1f} s')
    return 1 if failed else 0


def _report(*lines: str) -> None:
    sys.stdout.write(''.join(f'{line}\n' for line in lines))
    sys.stdout.flush()
