# SPDX-License-Identifier: Apache-2.0
"""`docker/deploy`: the command line."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gremsy_deploy.doctors import doctor_file, examine
from gremsy_deploy.errors import DeployError
from gremsy_deploy.inventory import RobotEntry, chosen, read_inventory
from gremsy_deploy.releases import image_of, release_of
from gremsy_deploy.remotes import remote_of
from gremsy_deploy.robots import DeployedRobot, DeploymentStatus, End, Report
from gremsy_deploy.rollouts import canaries_of, on_all, roll_out

_DOCKER_FOLDER = Path(__file__).resolve().parents[1]
_EXAMPLES = """\
  docker/deploy up ghcr.io/me/gremsy-vision:1.4.0          a release to every robot of docker/robots.ini
  docker/deploy up REPO:1.4.0@sha256:... --robots alpha    to one, by digest
  docker/deploy rollback --robots alpha                    the release before it, at most 30 s
  docker/deploy status                                     what runs where, and whether it is ready
  docker/deploy doctor --robots alpha --bundle             what is missing there, and an archive to ask for help with
"""


class _Voice:
    """Says lines, each with the robot that it is of, one at a time from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def say(self, line: str) -> None:
        with self._lock:
            print(line, flush=True)

    def of(self, robot: str) -> Callable[[str], None]:
        return lambda line: self.say(f'{robot}: {line}')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='deploy',
        description='Releases on robots: installs one, rolls back, shows what runs. See docker/README.md.',
        epilog=f'examples:\n{_EXAMPLES}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    up = commands.add_parser(
        'up', help='install a release; a robot that does not get ready with it rolls back by itself'
    )
    up.add_argument('image', help='REPOSITORY:TAG@sha256:DIGEST; without the digest, that of the registry')
    up.add_argument('--builder', default='', help='image of the target `builder`: builds engines, once on each robot')
    up.add_argument('--canary', default='', help='robots, separated by commas, that get it first, one by one')
    rollback = commands.add_parser('rollback', help='go back to the previous release')
    commands.add_parser('recover', help='end what was interrupted, and start what should run')
    status = commands.add_parser('status', help='the present and the previous release, and whether it is ready')
    status.add_argument('--json', action='store_true', help='for programs')
    doctor = commands.add_parser(
        'doctor', help='what a robot lacks, each with the command that fixes it; nothing is changed'
    )
    doctor.add_argument('--bundle', action='store_true', help='fetch an archive for support, without secrets')
    for each, within in ((up, 60), (rollback, 20)):
        each.add_argument('--ready-within', type=int, default=within, metavar='S', help=f'seconds (default {within})')
        each.add_argument(
            '--need',
            choices=('ready', 'alive'),
            default='ready',
            help='ready: camera, detector, gimbal and video must work; alive: page and processes',
        )
    for each in commands.choices.values():
        each.add_argument('--robots', default='', help='names, separated by commas; all by default')
        each.add_argument('--inventory', type=Path, default=_DOCKER_FOLDER / 'robots.ini', help='who they are')
        each.add_argument('--limit', type=int, default=4, help='robots at once (default 4)')
    return parser


def _names(text: str) -> list[str]:
    return [name for name in text.split(',') if name]


def _up(options: argparse.Namespace, places: Sequence[RobotEntry], voice: _Voice) -> tuple[Report, ...]:
    builder = image_of(options.builder) if options.builder else None
    release = release_of(image_of(options.image), _DOCKER_FOLDER, builder)
    voice.say(f'release {release.name}: {release.image.reference}')
    canaries = canaries_of(
        places, [place.name for place in chosen(places, _names(options.canary))] if options.canary else []
    )
    return roll_out(
        places,
        lambda place: _robot(place, voice).up(release, options.ready_within, options.need),
        limit=options.limit,
        canaries=canaries,
    )


def _rollback(options: argparse.Namespace, places: Sequence[RobotEntry], voice: _Voice) -> tuple[Report, ...]:
    def act(place: RobotEntry) -> Report:
        began = time.monotonic()
        report = _robot(place, voice).rollback(options.ready_within, options.need)
        voice.say(f'{place.name}: rollback took {time.monotonic() - began:.1f} s')
        return report

    return on_all(places, act, limit=options.limit)


def _doctor(options: argparse.Namespace, places: Sequence[RobotEntry], voice: _Voice) -> tuple[Report, ...]:
    file = doctor_file(_DOCKER_FOLDER.parent / 'src')
    here = Path.cwd() if options.bundle else None

    def act(place: RobotEntry) -> Report:
        return examine(place.name, place.folder, remote_of(place), file, voice.of(place.name), here)

    return on_all(places, act, limit=options.limit)


def _recover(options: argparse.Namespace, places: Sequence[RobotEntry], voice: _Voice) -> tuple[Report, ...]:
    return on_all(places, lambda place: _robot(place, voice).recover(), limit=options.limit)


def _status(options: argparse.Namespace, places: Sequence[RobotEntry], voice: _Voice) -> int:
    with ThreadPoolExecutor(max_workers=max(1, options.limit)) as pool:
        found = list(pool.map(lambda place: _robot(place, voice).status(), places))
    if options.json:
        voice.say(json.dumps([dataclasses.asdict(status) for status in found], indent=1))
    else:
        for status in found:
            voice.say(_line(status))
    return 0 if all(each.reached and each.ready == 'yes' and not each.interrupted for each in found) else 1


def _line(status: DeploymentStatus) -> str:
    if not status.reached:
        return f'{status.robot}: not reached. {status.ready}'
    words = [f'{status.robot}: {status.current or "nothing installed"}']
    if status.current:
        words.append('ready' if status.ready == 'yes' else f'not ready ({status.ready.removeprefix("no: ")})')
    if status.interrupted:
        words.append(f'a switch ({status.interrupted}) goes on or was interrupted: `deploy recover` ends it')
    if status.previous:
        words.append(f'before it {status.previous}')
    if status.last:
        words.append(f'last: {status.last}')
    return ', '.join([*words, f'{status.free_mb} MB free'])


def _robot(place: RobotEntry, voice: _Voice) -> DeployedRobot:
    return DeployedRobot(place.name, place.folder, remote_of(place), voice.of(place.name))


def main(arguments: Sequence[str] | None = None) -> int:
    """0: everything asked for is so; 1: on some robot it is not; 2: it was asked wrongly."""
    options = _parser().parse_args(arguments)
    voice = _Voice()
    try:
        places = chosen(read_inventory(options.inventory), _names(options.robots))
        if options.command == 'status':
            return _status(options, places, voice)
        act = {'up': _up, 'rollback': _rollback, 'recover': _recover, 'doctor': _doctor}[options.command]
        reports = act(options, places, voice)
    except DeployError as error:
        print(f'deploy: {error}', file=sys.stderr)
        return 2
    for report in reports:
        voice.say(f'{report.robot}: {report.end.value}{f" ({report.words})" if report.words else ""}')
    return 0 if all(report.end is End.DONE for report in reports) else 1


if __name__ == '__main__':
    sys.exit(main())
