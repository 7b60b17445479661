# SPDX-License-Identifier: Apache-2.0
"""What this machine has of what set-up needs, asked once and judged apart from the asking."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# A full set-up with every group takes 1.9 GB, and uv's cache lies beside it.
NEEDED_BYTES = 3 * 10**9
# The wheels of ROS exist for these; the newest is checked by the lock's markers too.
OLDEST_PYTHON = (3, 10)
NEWEST_PYTHON = (3, 14)
# Tried one by one in the state folder's path: CMake, colcon or a generated shell script fails at a space, an umlaut and
# $ ; : , ' ( & [ { \ and does not at what is listed here. The repository's own path fails at ; alone of what was tried.
_FAILS_IN_PATHS = re.compile(r'[^\w./#%+@=~!*-]', re.ASCII)


@dataclass(frozen=True)
class SetupMachine:
    """The facts that decide whether set-up can work."""

    python: tuple[int, int]
    implementation: str
    system: str
    architecture: str
    has_venv: bool
    has_python_header: bool
    cxx: str | None
    free_bytes: int
    state_writable: bool
    state: Path


@dataclass(frozen=True)
class SetupProblem:
    """Something missing: the sentence says what, and how to get it."""

    key: str
    sentence: str


def probe(state: Path, env: Mapping[str, str]) -> SetupMachine:
    nearest = state
    while not nearest.exists():
        nearest = nearest.parent
    compiler = env.get('CXX') or 'c++'
    return SetupMachine(
        python=(sys.version_info[0], sys.version_info[1]),
        implementation=platform.python_implementation(),
        system=platform.system(),
        architecture=platform.machine(),
        # Debian splits the module: `venv` is importable there while `ensurepip`, which it calls, is not installed.
        has_venv=all(importlib.util.find_spec(name) is not None for name in ('venv', 'ensurepip')),
        has_python_header=(Path(sysconfig.get_paths()['include']) / 'Python.h').is_file(),
        cxx=shutil.which(compiler.split()[0], path=env.get('PATH')) or shutil.which('g++', path=env.get('PATH')),
        free_bytes=shutil.disk_usage(nearest).free,
        state_writable=os.access(nearest, os.W_OK | os.X_OK),
        state=state,
    )


def problems_of(machine: SetupMachine, *, system_ros: bool, fresh: bool) -> list[SetupProblem]:
    """Everything that stands in the way, worst first.

    Args:
        machine: What was probed.
        system_ros: Whether an installed ROS is used; then the wheels' limits do not apply.
        fresh: Whether the big download is still to come; only then is the disk's room judged.
    """
    version = '{}.{}'.format(*machine.python)
    found: list[SetupProblem] = []

    def add(key: str, sentence: str) -> None:
        found.append(SetupProblem(key, sentence))

    odd = sorted(set(_FAILS_IN_PATHS.findall(str(machine.state))))
    if odd:
        listed = ', '.join('a space' if character == ' ' else f'"{character}"' for character in odd)
        add(
            'path',
            f'Building fails in a path with {listed} ({machine.state}): set GREMSY_STATE to a folder whose path has '
            'none, for example GREMSY_STATE=/var/tmp/gremsy.',
        )
    if not system_ros:
        if machine.system != 'Linux' or machine.architecture != 'x86_64':
            add(
                'platform',
                f'The ROS 2 wheels are for Linux on x86-64, this is {machine.system} on {machine.architecture}: '
                'install ROS 2 (docs.ros.org), source it (. /opt/ros/jazzy/setup.sh) and run this again.',
            )
        if machine.implementation != 'CPython' or not OLDEST_PYTHON <= machine.python <= NEWEST_PYTHON:
            add(
                'python',
                f'{machine.implementation} {version} has no ROS 2 wheels, CPython 3.10 to 3.14 has: start this '
                'with one of those, for example python3.12 ./gremsy setup '
                '(apt-get install python3.12 python3.12-venv python3.12-dev).',
            )
    if not machine.has_venv:
        add('venv', f'Python {version} lacks its venv module: apt-get install python3-venv (or python{version}-venv).')
    if not machine.has_python_header:
        add(
            'python-header',
            f'The headers of Python {version} (Python.h) are missing: '
            f'apt-get install python3-dev (or python{version}-dev).',
        )
    if machine.cxx is None:
        add('compiler', 'No C++ compiler is on the PATH (looked for c++ and g++): apt-get install g++')
    if not machine.state_writable:
        add(
            'state',
            f'The folder {machine.state} cannot be written: make it yours (chown), or set GREMSY_STATE to a folder '
            'that is, for example GREMSY_STATE=$HOME/.cache/gremsy.',
        )
    if fresh and machine.free_bytes < NEEDED_BYTES:
        add(
            'disk',
            f'Only {machine.free_bytes / 1e9:.1f} GB are free for {machine.state}, set-up needs '
            f'{NEEDED_BYTES / 1e9:.0f}: free some, or set GREMSY_STATE to a folder on another disk.',
        )
    return found
