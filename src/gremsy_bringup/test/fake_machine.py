# SPDX-License-Identifier: Apache-2.0
"""A robot's machine that is not there: a folder with its files, and a table of what its programs say."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gremsy_bringup.robot_doctor.host_view import Host, KernelClock, Owner, ProgramResult, User
from gremsy_bringup.robot_doctor.installation import find_installation
from gremsy_bringup.robot_doctor.robot_view import Robot

HOME = Path('/home/gremsy-user')
NOW_S = 1_800_000_000.0  # 2027-01-15
GROUPS = 'root:x:0:\ndialout:x:20:\nvideo:x:44:\ndocker:x:999:gremsy-user\n'
ENOUGH = 10**12


@dataclass(frozen=True)
class FakeHost(Host):
    """Owners and room that no test may make for real."""

    owners: dict[str, Owner] = field(default_factory=dict)
    free: int = ENOUGH

    def owner(self, path):
        return self.owners.get(str(path)) or super().owner(path)

    def free_bytes(self, path):
        return self.free


class Machine:
    """Is put together, then looked at."""

    def __init__(self, root: Path):
        self.root = root
        self.programs: dict[str, ProgramResult] = {}
        self.pages: dict[str, tuple[int, str]] = {}
        self.asked: list[tuple[str, ...]] = []
        self.owners: dict[str, Owner] = {}
        self.environment: dict[str, str] = {}
        self.clock = KernelClock(True, 0.02)
        self.now_s, self.cpus, self.free = NOW_S, 8, ENOUGH
        self.user = User('gremsy-user', 1000, frozenset({1000}))
        self.file('/etc/group', GROUPS)
        self.file('/proc/meminfo', 'MemTotal:        7803592 kB\nMemFree:          312244 kB\n')

    def file(self, path: str, text: str = '', mode: int = 0o644):
        there = self.root / path.lstrip('/')
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(text)
        there.chmod(mode)

    def link(self, path: str, to: str):
        there = self.root / path.lstrip('/')
        there.parent.mkdir(parents=True, exist_ok=True)
        there.symlink_to(to)

    def says(self, command: str, output: str = '', status: int | None = 0, errors: str = ''):
        """What a program says whose command line begins so."""
        self.programs[command] = ProgramResult(status, output, errors)

    def process(self, number: int, name: str, *open_files: str):
        self.file(f'/proc/{number}/comm', f'{name}\n')
        for descriptor, target in enumerate(open_files):
            self.link(f'/proc/{number}/fd/{descriptor}', target)

    def containers(self, settings: str = '', **folders: int):
        """A checkout with docker/.env."""
        self.file('/src/docker/.env', settings)
        for name in ('config', 'models', 'engines', 'logs', 'recordings', 'secrets'):
            (self.root / 'src/docker' / name).mkdir(parents=True, exist_ok=True)
            self.owners[f'/src/docker/{name}'] = Owner(folders.get(name, 1000), 1000, 0o755)

    def run(self, command: Sequence[str], timeout_s: float) -> ProgramResult:
        self.asked.append(tuple(command))
        words = ' '.join(command)
        best = max((known for known in self.programs if words.startswith(known)), key=len, default=None)
        return self.programs[best] if best is not None else ProgramResult(127, '', 'No such file or directory')

    def page(self, url: str, key: str) -> tuple[int, str]:
        return self.pages.get(url, (0, 'Connection refused'))

    def robot(self) -> Robot:
        host = FakeHost(
            root=self.root,
            environment={'PATH': '/usr/bin', **self.environment},
            user=self.user,
            run=self.run,
            page=self.page,
            now_s=lambda: self.now_s,
            clock=lambda: self.clock,
            cpus=self.cpus,
            owners=self.owners,
            free=self.free,
        )
        parameters = HOME / 'my_robot.yaml'
        found = find_installation(host, parameters if host.there(parameters) else None, Path('/src/docker/.env'), HOME)
        return Robot(host, found, HOME, {**host.environment, **found.settings})

    def parameters(self, text: str):
        self.file(f'{HOME}/my_robot.yaml', text)


def with_environment(robot: Robot, **settings: str) -> Robot:
    return replace(robot, settings={**robot.settings, **settings})
