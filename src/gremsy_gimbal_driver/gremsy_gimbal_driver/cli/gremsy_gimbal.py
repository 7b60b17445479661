# SPDX-License-Identifier: Apache-2.0
"""`ros2 run gremsy_gimbal_driver gremsy_gimbal`: look at a gimbal, move it a little, set it up, simulate it. No ROS."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_forms import given_path
from gremsy_common.programs import EndedBySignal, ended_by_signals
from gremsy_gimbal_driver.cli.ending import FAILED, ToolError
from gremsy_gimbal_driver.cli.info import print_info
from gremsy_gimbal_driver.cli.link_choice import VARIABLE, choose_link
from gremsy_gimbal_driver.cli.move import FASTEST_DEG_S, calibrate, move, set_mode
from gremsy_gimbal_driver.cli.parameter_file import OWNERS
from gremsy_gimbal_driver.cli.params import ParameterTool, with_parameters
from gremsy_gimbal_driver.cli.record import REQUESTS, record
from gremsy_gimbal_driver.links.link import Link
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_driver.payload.payload_settings import ProductFamily

# Entry points of packages that bring a command of their own.
_COMMANDS = 'gremsy_gimbal.commands'


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 done, 1 not done, 2 misused, 128 + n ended by signal n."""
    given_arguments = list(sys.argv[1:] if arguments is None else arguments)
    if given_arguments[:1] == ['sim']:
        return _simulate(given_arguments[1:])
    given = _parser().parse_args(given_arguments)
    try:
        with ended_by_signals():
            status: int | None = given.run(choose_link(given.link), given)
            return status or 0
    except EndedBySignal as signalled:
        ended = 'stopped and disarmed' if given.command in ('move', 'mode', 'calibrate') else 'ended'
        print(f'gremsy_gimbal: {signalled}: {ended}.', file=sys.stderr)
        return signalled.status
    except BrokenPipeError:
        # As with `| head`: the reader has enough. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except SuiteError as error:
        print(f'gremsy_gimbal: {error}', file=sys.stderr)
        return error.status if isinstance(error, ToolError) else FAILED


def _simulate(arguments: list[str]) -> int:
    """The simulated payload is a package of its own, which a robot need not have."""
    for entry in entry_points(group=_COMMANDS, name='sim'):
        status: int = entry.load()(arguments)
        return status
    print('gremsy_gimbal: The simulated payload is not installed: install package gremsy_gimbal_sim.', file=sys.stderr)
    return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='gremsy_gimbal', description='A Gremsy on a link, without ROS.')
    commands = parser.add_subparsers(dest='command', required=True)
    info = _command(commands, 'info', 'what is on the link and its state; changes nothing', print_info)
    info.add_argument('--json', action='store_true', help='as one JSON object')
    _move(_command(commands, 'move', 'turn to angles, or at rates for a time; then stop and disarm', move))
    mode = _command(commands, 'mode', 'change what the gimbal holds its camera against', set_mode)
    mode.add_argument('mode', choices=[each.value for each in GimbalMode])
    _moving(mode)
    _params(commands)
    _record(_command(commands, 'record', "video and pictures on the payload's own storage", record))
    _calibrate(
        _command(commands, 'calibrate', 'measure signs, dead zone, lag and gain, and write them to a file', calibrate)
    )
    commands.add_parser('sim', add_help=False, help='the simulated payload; its own options follow')
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
    run: Callable[[Link, argparse.Namespace], int | None],
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.add_argument('--link', metavar='URI', help=f'udp://HOST:PORT or serial:///dev/ttyUSB0 (default: {VARIABLE})')
    parser.set_defaults(run=run)
    return parser


def _moving(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--yes', action='store_true', help='arm without asking')
    parser.add_argument(
        '--max-rate', type=float, metavar='DEG_S', default=30.0, help=f'at most {FASTEST_DEG_S:g} (default: 30)'
    )
    parser.add_argument(
        '--calibration', type=given_path, metavar='FILE', help='that `calibrate` wrote, for signs and gains'
    )


def _move(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--azimuth', type=float, metavar='DEG', help='left is positive')
    parser.add_argument('--tilt', type=float, metavar='DEG', help='down is positive')
    parser.add_argument(
        '--timeout', type=float, metavar='S', default=20.0, help='give up on the angles after this (default: 20)'
    )
    parser.add_argument(
        '--rate', type=float, nargs=2, metavar=('AZIMUTH', 'TILT'), help='deg/s, for as long as --for says'
    )
    parser.add_argument('--for', dest='duration', type=float, metavar='S', help='how long to turn at --rate')
    _moving(parser)


def _params(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser('params', help='parameters of gimbal and camera, and settings by name')
    actions = parser.add_subparsers(dest='action', required=True)
    for name, text, do, arguments in (
        ('list', 'all of them', ParameterTool.print_all, ()),
        ('get', 'one', ParameterTool.print_one, ('name',)),
        ('set', 'one, and read it back', ParameterTool.set_one, ('name', 'value')),
        ('save', 'all of them to a file', ParameterTool.save, ('file',)),
        ('restore', 'those of a file that differ', ParameterTool.restore, ('file',)),
        ('diff', 'compare a file with the device', ParameterTool.print_differences, ('file',)),
    ):
        action = _command(actions, name, text, with_parameters)
        action.set_defaults(do=do)
        for argument in arguments:
            action.add_argument(argument, type=given_path if argument == 'file' else str)
        if name in ('list', 'get', 'set'):
            action.add_argument('--of', choices=OWNERS, help='whose (default: both for list, else the gimbal)')
        if name == 'restore':
            action.add_argument('--yes', action='store_true', help='overwrite without asking')
        families = [family.value for family in ProductFamily]
        action.add_argument('--family', choices=families, default=ProductFamily.VIO.value, help='for settings by name')


def _record(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('what', choices=list(REQUESTS))
    parser.add_argument(
        '--vendor-still',
        action='store_true',
        help="ask for a picture as the vendor's SDK does, for firmware that takes none otherwise",
    )


def _calibrate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--output',
        type=given_path,
        metavar='FILE',
        default='gimbal_calibration.yaml',
        help='default: gimbal_calibration.yaml',
    )
    parser.add_argument(
        '--travel', type=float, metavar='DEG', default=12.0, help='to either side of where it looks (default: 12)'
    )
    parser.add_argument(
        '--zooms', type=float, nargs='*', default=[], metavar='FACTOR', help='zoom factors to measure the gain at'
    )
    parser.add_argument('--yes', action='store_true', help='arm without asking')


if __name__ == '__main__':
    sys.exit(main())
