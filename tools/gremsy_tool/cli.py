# SPDX-License-Identifier: Apache-2.0
"""The commands of ./gremsy."""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from gremsy_common.errors import SuiteError
from gremsy_tool import environment
from gremsy_tool.errors import GremsyError
from gremsy_tool.layout import REPOSITORY, find_layout
from gremsy_tool.provision import Provision
from gremsy_tool.ros2_run import ASK_MODULE, understood
from gremsy_tool.uv import known_groups
from gremsy_tool.venv import Venv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from gremsy_tool.layout import WorkspaceLayout

USAGE = """usage: ./gremsy COMMAND [ARGUMENTS]

  setup    set up the workspace; [--extra GROUP,...] [--clean] [--distro jazzy|kilted] [--relock]
  demo     follow a person in real footage, closed loop, no hardware (./gremsy demo --help)
  init     ask for this robot's gimbal, camera and model, try them, write its parameter file
  run      start, watch and respawn the suite's processes (./gremsy run --help)
  topics   list the running nodes' topics, or --services
  echo     print the messages of a topic: ./gremsy echo /robot/eo/target
  rate     show how often messages come on a topic
  publish  publish a message: ./gremsy publish /robot/eo/target/select "{point: {x: 320, y: 240}}"
  call     call a service: ./gremsy call /robot/gimbal_driver/arm "{data: true}"
  param    show or change the parameters of a node: ./gremsy param list /robot/gimbal_driver
  log-level show or change what a node logs while it runs: ./gremsy log-level /robot/eo/tracker debug
  test     run lint, types and tests; [--all] [PYTEST ARGUMENTS]
  bench    list the benchmarks, or run one: [NAME|all] [--json FILE]
  docs     build the documentation, or show it: [--serve]
  doctor   show what this machine can run and what is missing; --robot: check it as a robot
  exec     run a command in the workspace's environment: ./gremsy exec ros2 run gremsy_model_tools model_info
  shell    start a shell in the workspace's environment
  clean    list what the suite left on this machine; --yes removes it
  help     show this text

./gremsy --version prints the version; `eval "$(./gremsy completion bash)"` completes all this (zsh too).
./gremsy COMMAND --help says more and sets nothing up; every other command first sets up what it needs, once. Set-up
writes to .gremsy/ (or GREMSY_STATE), the demo its reports to gremsy_report/ in the current folder.
"""

# `demo`, `run` and `bench` have their own text beside their code.
HELP = {
    'setup': """usage: ./gremsy setup [--extra GROUP,...] [--clean] [--distro jazzy|kilted] [--relock]

Sets up the workspace in .gremsy/: a virtual environment, ROS 2, the suite's packages.

  --extra GROUP,...  install further groups of pyproject.toml as well
  --clean            start over: remove what an earlier set-up made
  --distro NAME      a ROS 2 other than jazzy, also from wheels, beside the first
  --relock           update uv.lock to what pyproject.toml asks for
""",
    'test': """usage: ./gremsy test [--all] [PYTEST ARGUMENTS]

Runs lint, the search for unused code, types and tests.

  --all              the long tests as well
  PYTEST ARGUMENTS   for the tests: -k NAME, a file, -x, -s ... (./gremsy exec python -m pytest --help lists them)
""",
    'doctor': """usage: ./gremsy doctor [--json]
       ./gremsy doctor --robot [--bundle [FILE]] [--params-file FILE] [--env-file FILE] [--json]

Shows what this machine can run and what is missing, and sets nothing up.

  --json             print one JSON object instead of the table
  --robot            check this machine as a robot: system, GPU, clock, disk, gimbal, cameras, DDS, ports, secrets,
                     containers; each problem comes with the command that fixes it. Nothing moves, nothing is
                     changed. Status 1 if something required is missing
  --bundle           with --robot: also write an archive for support: checks, versions, settings, ten seconds of
                     telemetry, logs, no secrets. FILE defaults to gremsy_doctor_TIME.tar.gz here
  --params-file      with --robot: the robot's parameter file; by default my_robot.yaml here
  --env-file         with --robot: the containers' .env; by default docker/.env, or ~/gremsy/shared/.env
""",
    'exec': """usage: ./gremsy exec COMMAND [ARGUMENTS]

Runs a command in the workspace's environment; `ros2 run PACKAGE EXECUTABLE` also where there is no ros2 program:

  ./gremsy exec ros2 run gremsy_model_tools model_info      what the default model is, and its classes
  ./gremsy exec ros2 run gremsy_camera camera_node --help   one node alone
  ./gremsy exec python -m pip install tensorrt-rtx cuda-python
""",
    'clean': """usage: ./gremsy clean [--yes [--cache]]

Lists what the suite left on this machine, with sizes, and removes nothing.

  --yes              remove the workspace in .gremsy/ and compiled Python in the checkout
  --cache            with --yes: also the demo's footage and the engines that were built

Your reports, models, recordings and parameter files stay, unless you put them into .gremsy/ itself.
""",
    'completion': """usage: ./gremsy completion bash|zsh

Prints what lets the Tab key complete ./gremsy's commands and options:

  eval "$(./gremsy completion bash)"      in ~/.bashrc, with the path of ./gremsy
  eval "$(./gremsy completion zsh)"       in ~/.zshrc, after compinit
""",
    'shell': """usage: ./gremsy shell [ARGUMENTS]

Starts your shell (SHELL) in the workspace's environment; the arguments are the shell's.
""",
}

# Groups that a command needs beyond those that every command has; what each benchmark needs is said beside it.
EXTRA_GROUPS = {
    'demo': ('encode', 'report', 'web'),
    # The API's page is written from the server's own description.
    'docs': ('docs', 'web'),
    'run': ('web',),
    # What reads network cameras best.
    'init': ('record',),
    'test': ('dev', 'encode', 'record', 'report', 'web'),
}
# What is said before a group is downloaded.
NOTICES = {
    'peers': "other people's trackers (Apache-2.0, MIT, BSD-3), 20 MB",
    'ultralytics': "torch and Ultralytics, whose licence is AGPL-3.0, 2.8 GB with NVIDIA's libraries",
}
# What the tests build engines with: NVIDIA's, 95 MB to fetch. A machine that cannot get it skips them; CI does not.
ENGINE_GROUP = 'tensorrt'
ASK = ('topics', 'echo', 'rate', 'publish', 'call', 'param', 'log-level')
MODULES = {
    'demo': 'gremsy_bringup.demo.demo_command',
    'init': 'gremsy_bringup.init.init_command',
    'run': 'gremsy_bringup.run',
    'bench': 'benchmarks.__main__',
    'docs': 'gremsy_docs.__main__',
}

# Their command lines, which are read without anything being set up.
ARGUMENTS = {
    'demo': 'gremsy_bringup.demo.demo_arguments',
    'init': 'gremsy_bringup.init.init_arguments',
    'bench': 'benchmarks.arguments',
    'docs': 'gremsy_docs.docs_arguments',
}


def open_standard_streams() -> None:
    """Put the null device where a shell closed a stream (`>&-`): else the next socket takes its number."""
    for number, name, mode in ((0, 'stdin', 'r'), (1, 'stdout', 'w'), (2, 'stderr', 'w')):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null == number:
                os.set_inheritable(null, True)
            else:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, os.fdopen(number, mode))


def main(arguments: list[str]) -> int:
    open_standard_streams()
    commands: dict[str, Callable[[list[str]], int]] = {
        'setup': _setup,
        'test': _test,
        'doctor': _doctor,
        'exec': _exec,
        'shell': _shell,
        'clean': _clean,
        'completion': lambda rest: _complete(rest, commands),
        **{name: _starter(name, MODULES[name]) for name in MODULES},
        **{name: _starter(name, ASK_MODULE, name) for name in ASK},
    }
    if arguments and arguments[0] == 'help':
        # `help bench` is `bench --help`; help on help is help.
        arguments = [*(name for name in arguments[1:2] if name != 'help'), '--help']
    if not arguments or arguments[0] in ('-h', '--help'):
        sys.stdout.write(USAGE)
        return 0
    if arguments[0] == '--version':
        sys.stdout.write(version_text(REPOSITORY))
        return 0
    name, *rest = arguments
    try:
        if name not in commands:
            near = difflib.get_close_matches(name, commands, n=1)
            hint = f' Did you mean "{near[0]}"?' if near else ''
            raise GremsyError(f'There is no command "{name}".{hint} ./gremsy help lists them.')
        if wants_help(name, rest):
            sys.stdout.write(help_of(name))
            return 0
        return commands[name](rest)
    except SuiteError as error:
        sys.stderr.write(f'gremsy: {error}\n')
        return error.exit_status if isinstance(error, GremsyError) else GremsyError.exit_status
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
        else:
            raise GremsyError(
                f'setup has no option "{option}": it takes --extra GROUP,..., --clean, --distro NAME and --relock.'
            )
    layout = find_layout(os.environ, distro)
    known = known_groups(layout.repository)
    for group in groups:
        if group not in known:
            raise GremsyError(f'There is no group "{group}" in pyproject.toml: choose from {", ".join(known)}.')
    provision = Provision(layout, os.environ)
    announce(layout, groups)
    began = time.monotonic()
    if relock:
        provision.relock()
    worked = provision.ensure(groups, clean=clean)
    seconds = time.monotonic() - began
    ros = f'ROS 2 {layout.distro} {"of this system" if layout.system_ros else "from wheels"} in {layout.state}'
    sys.stderr.write(f'Set up in {seconds:.1f} s: {ros}\n' if worked else f'Nothing to do ({seconds:.2f} s): {ros}\n')
    return 0


def wants_help(name: str, arguments: Sequence[str]) -> bool:
    """Whether this command line asks for words only; what follows `exec COMMAND` and `shell` is for another program."""
    if name in ('exec', 'shell', 'completion'):
        arguments = arguments[:1]
    asked = {'-h', '--help'} & set(arguments) or (name == 'run' and '--show-args' in arguments)
    return bool(asked) or (name == 'bench' and not arguments)


def help_of(name: str) -> str:
    """Its text, from the sources and the standard library alone: nothing is set up or started for it."""
    if name in HELP:
        return HELP[name]
    _see_the_sources()
    if name == 'run':
        return import_module('gremsy_bringup.describe.suite_arguments').usage() + '\n'
    if name in ASK:
        asked: str = import_module('gremsy_bringup.ask.ask_arguments').parser(name).format_help()
        return asked
    text: str = import_module(ARGUMENTS[name]).parser().format_help()
    return text


def _see_the_sources() -> None:
    """Lets the packages' own modules be imported where nothing is installed."""
    own = [REPOSITORY, REPOSITORY / 'src' / 'gremsy_bringup', REPOSITORY / 'src' / 'gremsy_common']
    sys.path += [str(folder) for folder in own if str(folder) not in sys.path]


def _starter(name: str, module: str, *first: str) -> Callable[[list[str]], int]:
    def start(arguments: list[str]) -> int:
        command = ['python', '-m', 'gremsy_common.programs', module, *first, *arguments]
        return _run_inside(command, groups_of(name, arguments))

    return start


def groups_of(name: str, arguments: Sequence[str]) -> tuple[str, ...]:
    """The groups of packages that a command takes with these arguments, beyond those that every command has.

    Arguments that the command would refuse end the program here, before anything is installed for them.
    """
    if name not in ARGUMENTS:
        return EXTRA_GROUPS.get(name, ())
    _see_the_sources()
    if name != 'bench':
        import_module(ARGUMENTS[name]).parser().parse_args(arguments)
        return EXTRA_GROUPS[name]
    benchmarks = import_module('benchmarks.arguments')
    groups: tuple[str, ...] = benchmarks.groups_of(benchmarks.parse(arguments).name)
    return groups


def _exec(arguments: list[str]) -> int:
    if not arguments:
        raise GremsyError('exec needs a command: ./gremsy exec ros2 run gremsy_model_tools model_info')
    return _run_inside(arguments, (), stay=True)


def _shell(arguments: list[str]) -> int:
    return _run_inside([os.environ.get('SHELL', '/bin/sh'), *arguments], (), stay=True)


def _run_inside(command: list[str], groups: tuple[str, ...], *, stay: bool = False) -> NoReturn:
    """Becomes `command`, so that signals reach it and its exit status is ours."""
    layout = find_layout(os.environ)
    announce(layout, groups)
    Provision(layout, os.environ).ensure(groups)
    env = environment.load(layout, os.environ)
    if not stay:
        # For `python -m benchmarks` and `gremsy_docs`; file arguments stay relative to where the caller is.
        own = [str(layout.repository), str(layout.repository / 'tools')]
        env['PYTHONPATH'] = os.pathsep.join(part for part in (*own, env.get('PYTHONPATH')) if part)
    command = understood(command, env)
    try:
        os.execvpe(command[0], command, env)  # noqa: S606 -- becoming the program is the point
    except FileNotFoundError as error:
        raise GremsyError(f'There is no program "{command[0]}" in the workspace or on the PATH.') from error
    except PermissionError as error:
        raise GremsyError(
            f'"{command[0]}" is not a program that can be started: check its name and its x bit.'
        ) from error
    except (OSError, ValueError) as error:
        # A script without #!, a link in a circle, an empty name, more arguments than Linux takes.
        why = getattr(error, 'strerror', None) or error
        raise GremsyError(
            f'"{command[0][:100]}" cannot be started ({why}): check its name and its first line.'
        ) from error


def announce(layout: WorkspaceLayout, groups: Sequence[str]) -> None:
    """Says what is about to be downloaded, where that is much or under a licence to think about."""
    venv = Venv(layout, os.environ)
    for group, what in NOTICES.items():
        if group in groups and not venv.has([group]):
            sys.stderr.write(f'Installs {what}; ./gremsy setup --clean removes it.\n')


def _test(arguments: list[str]) -> int:
    from gremsy_tool.testing import run_tests

    layout = find_layout(os.environ)
    provision = Provision(layout, os.environ)
    provision.ensure(EXTRA_GROUPS['test'])
    try:
        provision.ensure([*EXTRA_GROUPS['test'], ENGINE_GROUP])
    except GremsyError as error:
        if os.environ.get('CI'):
            raise
        sys.stderr.write(f'gremsy: the tests that build TensorRT engines will be skipped: {error}\n')
    everything = '--all' in arguments
    return run_tests(layout, os.environ, [item for item in arguments if item != '--all'], everything=everything)


def _clean(arguments: list[str]) -> int:
    from gremsy_tool.clean import clean

    return clean(arguments, find_layout(os.environ), os.environ)


def _complete(arguments: list[str], commands: Iterable[str]) -> int:
    from gremsy_tool.completion import script, words_after

    if arguments[:1] == ['words']:
        offered = words_after(arguments[1:], [*commands, 'help'], help_of)
        sys.stdout.write(''.join(f'{word}\n' for word in offered))
    else:
        sys.stdout.write(script(arguments))
    return 0


def version_text(repository: Path) -> str:
    """The suite's version, and the commit of a checkout where git is there to say it."""
    manifest = (repository / 'src' / 'gremsy_bringup' / 'package.xml').read_text(encoding='utf-8')
    found = re.search(r'<version>(.+?)</version>', manifest)
    try:
        asked = subprocess.run(
            ['git', '-C', str(repository), 'describe', '--always', '--dirty'],
            capture_output=True,
            text=True,
            check=False,
        )
        commit = asked.stdout.strip()
    except OSError:
        commit = ''
    return f'Gremsy vision suite {found[1] if found else "of no version"}{f" ({commit})" * bool(commit)}\n'


def _doctor(arguments: list[str]) -> int:
    from gremsy_tool.doctor import examine

    return examine(arguments, os.environ)
