# SPDX-License-Identifier: Apache-2.0
"""The machine as a doctor looks at it: files below a root, programs that are run, time; nothing else.

A test gives it a folder with another machine's files and that machine's answers.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gremsy_bringup.deployment.health_check import ask_page
from gremsy_common.claims import udp_port_is_free

# A docker whose daemon hangs, a systemctl without its bus.
_PROGRAM_S = 15.0
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


@dataclass(frozen=True, slots=True)
class User:
    """Who asks.

    Attributes:
        groups: of this process, which are those of the last login.
    """

    name: str
    number: int
    groups: frozenset[int]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a file is, and what its mode allows."""

    user: int
    group: int
    mode: int


@dataclass(frozen=True, slots=True)
class KernelClock:
    """adjtimex(2): what the kernel thinks of its own clock."""

    synchronised: bool
    largest_error_s: float


def this_user() -> User:
    """Of this process."""
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = str(number)
    return User(name, number, frozenset((*os.getgroups(), os.getegid())))


@dataclass(frozen=True)
class Host:
    """The machine.

    Attributes:
        root: where its files are, `/` on the real one.
        run: runs a program for so many seconds at most.
        page: asks an address, with a key or ''.
        clock: the kernel's own view of its clock; None where it has none.
    """

    root: Path = Path('/')
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    user: User = field(default_factory=this_user)
    run: Callable[[Sequence[str], float], ProgramResult] = run_program
    page: Callable[[str, str], tuple[int, str]] = ask_page
    now_s: Callable[[], float] = time.time
    clock: Callable[[], KernelClock | None] = lambda: kernel_clock()
    cpus: int = field(default_factory=lambda: os.cpu_count() or 1)

    def at(self, path: str | Path) -> Path:
        """Where a file of the machine is."""
        return self.root / str(path).lstrip('/')

    def text(self, path: str | Path) -> str | None:
        """Its content without blanks around; None where it cannot be read."""
        try:
            read = self.at(path).read_bytes()
        except OSError:
            return None
        # The device tree's strings end with a zero; one within would be refused in every path and command line.
        return read.decode(errors='replace').strip('\0 \n\t').replace('\0', '\N{REPLACEMENT CHARACTER}')

    def there(self, path: str | Path) -> bool:
        """Whether the name is taken, be it by a link that leads nowhere."""
        return os.path.lexists(self.at(path))

    def owner(self, path: str | Path) -> Owner | None:
        """None where it cannot be looked at."""
        try:
            found = self.at(path).stat()
        except OSError:
            return None
        return Owner(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))

    def real(self, path: str) -> str:
        """The path behind links, on that machine."""
        found = os.path.realpath(self.at(path))
        root = os.path.realpath(self.root).rstrip('/')
        return found.removeprefix(root) or '/'

    def free_bytes(self, path: str | Path) -> int:
        """On the file system of the nearest folder that exists."""
        where = self.at(path)
        while not where.exists():
            where = where.parent
        return shutil.disk_usage(where).free

    def done(self, *command: str, timeout_s: float = _PROGRAM_S) -> ProgramResult:
        """How a program ended."""
        return self.run(command, timeout_s)

    def run_python(self, code: str, timeout_s: float = 20.0) -> ProgramResult:
        """Run Python code in a child: drivers and their bindings may end the process that loads them."""
        return self.done(sys.executable, '-c', code, timeout_s=timeout_s)

    def has_module(self, name: str) -> bool:
        """Whether a top-level module can be found; does not import it."""
        return importlib.util.find_spec(name) is not None

    def udp_port_free(self, port: int) -> bool:
        """Whether it can be bound."""
        return udp_port_is_free('', port)

    def may_open(self, path: str | Path) -> bool:
        """Whether the user may read and write there; of another machine's files the modes tell."""
        if self.root == Path('/'):
            return os.access(path, os.R_OK | os.W_OK)
        owner = self.owner(path)
        if owner is None:
            return False
        if self.user.number == 0 or owner.mode & 0o006 == 0o006:
            return True
        if owner.user == self.user.number:
            return owner.mode & 0o600 == 0o600
        return owner.group in self.user.groups and owner.mode & 0o060 == 0o060

    def has(self, program: str) -> bool:
        """Whether there is such a program on PATH or where the superuser's are."""
        folders = [*self.environment.get('PATH', '').split(os.pathsep), '/usr/sbin', '/sbin', '/usr/bin', '/bin']
        return any(self.there(f'{folder}/{program}') for folder in folders if folder)

    def group_named(self, name: str) -> tuple[int, frozenset[str]] | None:
        """Number and members of a group, as /etc/group has it."""
        return next((entry[1:] for entry in self._groups() if entry[0] == name), None)

    def group_numbered(self, number: int) -> tuple[str, frozenset[str]] | None:
        """Name and members."""
        return next(((name, members) for name, found, members in self._groups() if found == number), None)

    def processes(self) -> dict[int, str]:
        """Everybody's, by number: its name, which every user may read."""
        found = {}
        for folder in self.at('/proc').glob('[0-9]*'):
            name = self.text(f'/proc/{folder.name}/comm')
            if name is not None:
                found[int(folder.name)] = name
        return found

    def _groups(self) -> list[tuple[str, int, frozenset[str]]]:
        # name:password:number:member,member
        rows = [line.split(':') for line in (self.text('/etc/group') or '').splitlines()]
        return [
            (row[0], int(row[2]), frozenset(name for name in row[3].split(',') if name))
            for row in rows
            if len(row) == 4 and row[2].isdigit()
        ]


class _Timex(ctypes.Structure):
    """struct timex of <sys/timex.h> on 64-bit Linux, as far as it is asked."""

    _fields_ = (
        ('modes', ctypes.c_uint),
        ('offset', ctypes.c_long),
        ('freq', ctypes.c_long),
        ('maxerror', ctypes.c_long),
        ('esterror', ctypes.c_long),
        ('status', ctypes.c_int),
        ('rest', ctypes.c_char * 256),
    )


_STA_UNSYNC = 0x0040


def kernel_clock() -> KernelClock | None:
    """Asked, not set: `modes` is 0. None where this is not a Linux with a C library that has it."""
    try:
        library = ctypes.CDLL(None)
        asked = _Timex()
        if library.adjtimex(ctypes.byref(asked)) < 0:
            return None
    except (OSError, AttributeError):
        return None
    return KernelClock(not asked.status & _STA_UNSYNC, asked.maxerror / 1e6)


def json_lines(text: str) -> list[dict[str, object]]:
    """The objects of a program that prints one a line; other lines are left out."""
    found = []
    for line in text.splitlines():
        try:
            made = json.loads(line)
        except ValueError:
            continue
        if isinstance(made, dict):
            found.append(made)
    return found
