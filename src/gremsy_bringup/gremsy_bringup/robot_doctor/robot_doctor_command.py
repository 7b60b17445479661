# SPDX-License-Identifier: Apache-2.0
"""`doctor --robot`: the first-boot check of a robot, and the archive for those who help (`--bundle`).

The standard library alone; what needs the suite's environment is asked in a child of it, here or in a container.
Exit status 0: nothing that is needed is missing. 1: something is. 2: wrong arguments.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gremsy_bringup.doctor.doctor_table import Check, as_object, ask_all, missing, report
from gremsy_bringup.robot_doctor.bundle import TELEMETRY_S, Entry, collect, known_names, known_secrets, packed
from gremsy_bringup.robot_doctor.container_checks import CONTAINER_QUESTIONS
from gremsy_bringup.robot_doctor.device_checks import DEVICE_QUESTIONS
from gremsy_bringup.robot_doctor.host_view import Host
from gremsy_bringup.robot_doctor.installation import find_installation
from gremsy_bringup.robot_doctor.machine_checks import MACHINE_QUESTIONS
from gremsy_bringup.robot_doctor.network_checks import NETWORK_QUESTIONS
from gremsy_bringup.robot_doctor.redaction import Redactor
from gremsy_bringup.robot_doctor.robot_view import Robot
from gremsy_bringup.robot_doctor.secret_checks import SECRET_QUESTIONS
from gremsy_common.atomic_file import refuse_unwritable, write_new
from gremsy_common.errors import SuiteError

_SUITE_MODULE = 'gremsy_bringup.robot_doctor.suite_checks'
_PARAMETERS_MODULE = 'gremsy_bringup.deployment.environment_parameters'
_CONTAINERS_FILE = '/tmp/doctor.yaml'  # noqa: S108 -- of a container, whose root is read-only
# A camera that is away takes 17 s to say so, a gimbal 5; each of some.
_SUITE_S = 180.0
NONE_GIVEN = '-'


def parser() -> argparse.ArgumentParser:
    """Its command line."""
    made = argparse.ArgumentParser(
        prog='doctor --robot',
        description='Says whether this machine can be a robot: system, GPU, clock, disk, gimbal, cameras, DDS, ports, '
        'secrets, containers; each with the command that fixes what it lacks. Nothing moves and nothing is changed.',
    )
    made.add_argument('--robot', action='store_true', required=True, help=argparse.SUPPRESS)
    made.add_argument('--json', action='store_true', help='print one JSON object instead of the table')
    made.add_argument(
        '--bundle',
        nargs='?',
        const=NONE_GIVEN,
        metavar='FILE',
        help='also write an archive of checks, versions, settings, ten seconds of telemetry and logs, without secrets, '
        'for whoever is to help (default: gremsy_doctor_TIME.tar.gz here)',
    )
    made.add_argument(
        '--params-file', type=Path, metavar='FILE', help="the robot's parameter file (default: my_robot.yaml here)"
    )
    made.add_argument(
        '--env-file',
        type=Path,
        metavar='FILE',
        help="the containers' .env (default: docker/.env, or ~/gremsy/shared/.env)",
    )
    return made


def look_at(options: argparse.Namespace, host: Host, folder: Path, home: Path, docker_folder: Path | None) -> Robot:
    """The robot that is meant.

    Args:
        options: of the command line.
        host: the machine.
        folder: where the command was given.
        home: of the user.
        docker_folder: docker/ of the checkout; None where there is none.

    Raises:
        SuiteError: a file that was named is not there.
    """
    for option, path in (('--params-file', options.params_file), ('--env-file', options.env_file)):
        if path is not None and not host.at(folder / path).is_file():
            raise SuiteError(f'There is no file {path}: correct {option}.')
    parameters = folder / (options.params_file or 'my_robot.yaml')
    settings = folder / options.env_file if options.env_file else docker_folder / '.env' if docker_folder else None
    installation = find_installation(host, parameters if host.there(parameters) else None, settings, home)
    return Robot(host, installation, home, {**host.environment, **installation.settings})


def configuration(robot: Robot) -> Check:
    """Whether a file names what this robot has."""
    installation = robot.installation
    said = [str(path) for path in (installation.settings_file, installation.parameters) if path is not None]
    if not said:
        remedy = (
            'Run `./gremsy init` (with ROS `ros2 run gremsy_bringup init`), or for containers '
            '`cp docker/.env.example docker/.env`, and say there which gimbal and camera it has.'
        )
        found = 'neither my_robot.yaml here nor docker/.env nor ~/gremsy/shared/.env'
        return Check('Configuration', False, found, remedy, needed=True)
    if not installation.links and not installation.sources:
        remedy = f'Write gimbal and camera into {said[0]}.'
        return Check('Configuration', False, f'{", ".join(said)} names no gimbal and no camera', remedy, needed=True)
    return Check('Configuration', True, ', '.join(said), needed=True)


def running(robot: Robot) -> Check:
    """What the suite reports about itself."""
    if not robot.runs:
        return Check('Suite', True, f'does not run (nothing answers at {robot.page})')
    if robot.parts is None:
        remedy = 'Set API_KEY or KEYS_FILE in .env, or GREMSY_WEB_KEY in the environment, to let this look further.'
        return Check(
            'Suite', False, f'runs at {robot.page}, and reports no more without its key', remedy, lack='unknown'
        )
    wrong = [f'{part["name"]}: {part["reason"]}' for part in robot.parts if not part.get('ready')]
    if wrong:
        return Check('Suite', False, '; '.join(wrong), 'Its page and its log say more.', needed=True, lack='not ready')
    return Check('Suite', True, f'runs at {robot.page}, and all of it is ready')


def questions_of(robot: Robot) -> tuple[Callable[[Robot], Check | None], ...]:
    """Those of a robot; of one in containers some more."""
    return (
        configuration,
        *MACHINE_QUESTIONS,
        *DEVICE_QUESTIONS,
        *NETWORK_QUESTIONS,
        *(CONTAINER_QUESTIONS if robot.installation.in_containers else ()),
        *SECRET_QUESTIONS,
        running,
    )


def way_inside(robot: Robot, here: Sequence[str] | None) -> Callable[[Sequence[str]], list[str] | None]:
    """What makes the words after `python3` a command in the suite's own environment, or None where there is none.

    Args:
        robot: that is looked at.
        here: begins a command in this machine's environment, as `./gremsy exec python`.
    """
    if not robot.installation.in_containers:
        return lambda words: None if here is None else [*here, *words]
    if not robot.has_image:
        # The workspace is not what this robot runs.
        return lambda _words: None
    # The parameters as a container has them, in a file beside those that the running one reads.
    script = ['sh', '-c', f'python3 -m {_PARAMETERS_MODULE} {_CONTAINERS_FILE} && exec python3 "$@"', 'doctor']
    label = 'label=com.docker.compose.service=gremsy'
    asked = robot.host.done('docker', 'ps', '--filter', label, '--format', '{{.Names}}')
    name = next(iter(asked.output.split()), '')
    if name:
        return lambda words: ['docker', 'exec', name, '/entrypoint', *script, *words]
    installation = robot.installation
    folder = installation.releases / 'current' if installation.releases else installation.folder
    release = [f'--env-file={folder}/release.env'] if installation.releases else []
    compose = [
        'docker',
        'compose',
        f'--env-file={installation.settings_file}',
        *release,
        '-f',
        f'{folder}/compose.yaml',
    ]
    return lambda words: [*compose, 'run', '--rm', '--no-deps', '-T', 'gremsy', *script, *words]


def suite_words(robot: Robot) -> list[str]:
    """What the suite's own part is asked with."""
    words = ['-m', _SUITE_MODULE, *(['--runs'] if robot.runs else [])]
    if robot.installation.in_containers and robot.has_image:
        return [*words, _CONTAINERS_FILE]
    return [*words, *([str(robot.installation.parameters)] if robot.installation.parameters else [])]


def ask_suite(robot: Robot, command: Sequence[str] | None) -> list[Check]:
    """Its rows, or one that says why not."""
    if command is None:
        remedy = (
            'Run this again when the image is here: it looks at the GPU, the gimbal and the cameras from inside.'
            if robot.installation.in_containers
            else 'Run `./gremsy setup`, then this again: it opens gimbal and cameras and looks at what detects.'
        )
        return [Check('Suite, inside', False, 'not asked: its environment is not here', remedy, lack='unknown')]
    outcome = robot.host.done(*command, timeout_s=_SUITE_S)
    try:
        rows = json.loads(outcome.output.strip().splitlines()[-1])['checks']
        return [Check(**row) for row in rows]
    except (ValueError, IndexError, KeyError, TypeError):
        lines = (outcome.errors or outcome.output).strip().splitlines()
        said = lines[-1][:300] if lines else f'status {outcome.status}'
        remedy = f'Run it by hand: `{" ".join(command[:3])} ...`, as `doctor --robot --json` shows under "asked".'
        return [Check('Suite, inside', False, f'could not be asked ({said})', remedy, needed=True, lack='broken')]


def verdict(checks: Sequence[Check]) -> str:
    """One line."""
    lacks = missing(checks)
    if lacks:
        return f'This robot is not ready: see {", ".join(lacks)}.'
    worse = ', '.join(check.name for check in checks if not check.ok)
    return f'This robot is ready{f"; worth a look: {worse}" if worse else ""}.'


def main(
    arguments: Sequence[str] | None = None,
    *,
    here: Sequence[str] | None = None,
    docker_folder: Path | None = None,
    logs: Sequence[Path] = (),
    host: Host | None = None,
) -> int:
    """Look, report, and write the archive; the exit status.

    Args:
        arguments: of the command line.
        here: begins a command in the suite's environment of this machine; None where there is none.
        docker_folder: docker/ of the checkout.
        logs: further folders of logs.
        host: the machine.
    """
    options = parser().parse_args(arguments)
    host = host or Host()
    try:
        robot = look_at(options, host, Path.cwd(), Path.home(), docker_folder)
    except SuiteError as error:
        print(f'doctor: {error}', file=sys.stderr)
        return 2
    print('Looking, for up to a minute; gimbal and cameras are listened to, and nothing moves ...', file=sys.stderr)
    target = None
    try:
        if options.bundle is not None:
            target = bundle_path(options.bundle, host.now_s())
        checks = ask_all(robot, questions_of(robot))
        inside = way_inside(robot, here)
        command = inside(suite_words(robot))
        checks += ask_suite(robot, command)
        said = as_object(checks, robot_is_ready=not missing(checks), asked=list(command or []))
        words = report(checks, verdict(checks))
        print(json.dumps(said) if options.json else words)
        if target is not None:
            print(f'Collecting, {TELEMETRY_S} s of telemetry among it ...', file=sys.stderr)
            entries = collect(
                robot,
                checks=said,
                table=words,
                inside=inside,
                repository=docker_folder and docker_folder.parent,
                logs=logs,
                seconds=TELEMETRY_S,
            )
            write_bundle(robot, list(entries), target)
    except SuiteError as error:
        print(f'doctor: {error}', file=sys.stderr)
        return 2
    return 1 if missing(checks) else 0


def bundle_path(said: str, now_s: float) -> Path:
    """Where the archive goes, while that can be refused for nothing.

    Raises:
        SuiteError: something is there already, or cannot be.
    """
    name = time.strftime('gremsy_doctor_%Y%m%dT%H%M%SZ.tar.gz', time.gmtime(now_s))
    path = Path(name if said == NONE_GIVEN else said).expanduser()
    if os.path.lexists(path):
        raise _taken(path)
    refuse_unwritable(path)
    return path


def _taken(path: Path) -> SuiteError:
    return SuiteError(f'{path} is there already and stays as it is: name another with --bundle FILE.')


def write_bundle(robot: Robot, entries: Sequence[Entry], path: Path) -> None:
    """Write it, and say what is in it.

    Raises:
        SuiteError: a secret would be in it, or it cannot be written.
    """
    data, files = packed(entries, Redactor(known_secrets(robot), known_names(robot)), robot.host.now_s())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_new(path, data)
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        raise SuiteError(f'{path} cannot be written ({error.strerror}): name another with --bundle FILE.') from error
    for each in files:
        print(f'  {each.name}: {each.what}', file=sys.stderr)
    print(
        f'Written: {path} ({len(data) / 1e3:.0f} kB). Look through it, then send it with your question.',
        file=sys.stderr,
    )
