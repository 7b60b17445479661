# SPDX-License-Identifier: Apache-2.0
"""The outside world as `doctor` sees it, in one place so that a test can stand in for any machine."""

from __future__ import annotations

import grp
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """How a child process ended: `status` is negative for a signal, None when it ran past its time."""

    status: int | None
    output: str
    errors: str


def run_program(command: Sequence[str], timeout_s: float) -> ProgramResult:
    """Run a program, in English; status 127 where there is none of that name."""
    try:
        done = subprocess.run(
            list(command),
            capture_output=True,
            text=True,
            errors='replace',
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, 'LC_ALL': 'C'},
        )
    except subprocess.TimeoutExpired:
        return ProgramResult(None, '', f'no answer within {timeout_s:.0f} s')
    except OSError as error:
        return ProgramResult(_NOT_FOUND, '', str(error))
    return ProgramResult(done.returncode, done.stdout, done.stderr)


class DoctorMachine:
    """What the checks may ask of this machine."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables."""
        return os.environ

    def run_python(self, code: str, timeout_s: float = 20.0) -> ProgramResult:
        """Run Python code in a child: drivers and their bindings may end the process that loads them."""
        return run_program([sys.executable, '-c', code], timeout_s)

    def has_module(self, name: str) -> bool:
        """Whether a top-level module can be found; does not import it."""
        return importlib.util.find_spec(name) is not None

    def program(self, name: str) -> str | None:
        """Where a program is, on PATH."""
        return shutil.which(name)

    def devices(self, pattern: str) -> list[Path]:
        """Device files matching a pattern below /dev, sorted."""
        return sorted(Path('/dev').glob(pattern))

    def may_read_and_write(self, path: Path) -> bool:
        """For this user."""
        return os.access(path, os.R_OK | os.W_OK)

    def group_of(self, path: Path) -> str:
        """The group's name, or its number where it has none."""
        number = path.stat().st_gid
        try:
            return grp.getgrgid(number).gr_name
        except KeyError:
            return str(number)

    def free_bytes(self, path: Path) -> int:
        """Free space on the file system of the nearest folder that exists."""
        while not path.exists():
            path = path.parent
        return shutil.disk_usage(path).free

    def udp_port_free(self, port: int) -> bool:
        """Try to bind it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(('', port))
            except OSError:
                return False
            return True
