# SPDX-License-Identifier: Apache-2.0
"""`ros2 run gremsy_gimbal_sim sim_payload`: the simulated payload in real time, on UDP and on a pseudo-terminal."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_fields import ParameterError, specs_of
from gremsy_common.parameters.parameter_texts import with_texts
from gremsy_common.parameters.words_without_ros import words_without_ros
from gremsy_common.programs import EndedBySignal, ended_by_signals
from gremsy_gimbal_driver.links.link_uri import DEFAULT_UDP_PORT
from gremsy_gimbal_sim.options.options import OPTION_GROUPS, PRESETS, PayloadOptions, option_lines
from gremsy_gimbal_sim.payload import SimulatedPayload
from gremsy_gimbal_sim.serving import PayloadServer
from gremsy_gimbal_sim.truth_ring import TruthRingWriter
from gremsy_gimbal_sim.wire.ports import PayloadPort, PortUnavailable, PtyPort, UdpPort

_WAKE_S = 0.005
"""The truth is written this often; a command that arrives in between is taken when it arrives."""


CANNOT_START = 2
"""As `hosting.EXIT_MISCONFIGURED`: a supervisor need not start it again. Not imported, since that would load ROS."""


def run(server: PayloadServer, ring: TruthRingWriter | None, duration_s: float) -> None:
    """Serve in real time until the duration is over (0: until interrupted)."""
    start = wake = time.monotonic()
    while duration_s <= 0 or wake - start < duration_s:
        server.send()
        if ring is not None:
            ring.write(server.payload.true_state(_ros_minus_monotonic_ns()))
        wake = max(wake + _WAKE_S, time.monotonic() - _WAKE_S)
        server.receive_until(wake)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 when ended by a signal or its duration, 2 with one sentence when it cannot start like that."""
    options = _parser().parse_args(words_without_ros(sys.argv[1:] if arguments is None else arguments))
    if options.list_options:
        print('\n'.join(option_lines(PayloadOptions(), OPTION_GROUPS)))
        return 0
    try:
        with ended_by_signals(), ExitStack() as stack:
            ports = _ports(options)
            payload = SimulatedPayload(
                _payload_options(options), options.seed, start_s=time.monotonic(), plugs=tuple(ports)
            )
            server = PayloadServer(payload, ports)
            server.open()
            stack.callback(server.close)
            for port in ports.values():
                print(port.announcement, flush=True)
            lines = _control_lines(options.control, stack) if options.control else None
            ring = stack.enter_context(TruthRingWriter(options.truth_ring)) if options.truth_ring else None
            if ring is not None:
                ring.write(payload.true_state(_ros_minus_monotonic_ns()))
            print(f'simulated payload ready, preset {options.preset}, seed {options.seed}', flush=True)
            if lines is not None:
                threading.Thread(target=_obey, args=(server, lines), name='control lines', daemon=True).start()
            run(server, ring, options.duration)
    except EndedBySignal:
        return 0
    except (SuiteError, ValueError) as error:
        print(f'sim_payload: {error}', file=sys.stderr)
        return CANNOT_START
    return 0


def _ros_minus_monotonic_ns() -> int:
    return time.time_ns() - time.monotonic_ns()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='sim_payload', description='A simulated Gremsy payload that speaks MAVLink 2.'
    )
    parser.add_argument('--udp', metavar='HOST:PORT', help=f'serve UDP there (default 127.0.0.1:{DEFAULT_UDP_PORT})')
    parser.add_argument('--pty', metavar='PATH', nargs='?', const='', help='serve a pseudo-terminal, linked as PATH')
    parser.add_argument('--preset', choices=sorted(PRESETS), default='ideal', help='plant and faults')
    parser.add_argument(
        '--set', metavar='NAME=VALUE', action='append', default=[], help='an option of --list-options; may be repeated'
    )
    parser.add_argument('--list-options', action='store_true', help='list every option and exit')
    parser.add_argument('--truth-ring', metavar='NAME', default='', help='write the true attitude under this name')
    parser.add_argument('--seed', type=int, default=0, help='of every random fault')
    parser.add_argument('--duration', type=float, default=0.0, metavar='S', help='exit after this; 0 never')
    parser.add_argument(
        '--control',
        metavar='PATH',
        default='',
        help='take lines like `unplug udp` or `reboot` from a pipe, - for stdin',
    )
    # Shortcuts: each sets the option that its value is kept under.
    for word, name, metavar, text in (
        ('--attitude-rate', 'attitude_rate_hz', 'HZ', 'default rate of message 285'),
        ('--rate-expiry', 'rate_expiry_s', 'S', 'a rate command expires after this; 0 latches it'),
        ('--byte-loss', 'lost_byte_share', 'SHARE', 'share of bytes lost in either direction, 0 to 1'),
        ('--component', 'gimbal_component', 'ID', "the gimbal's MAVLink component, 154 or 171 to 175"),
        ('--system', 'system', 'ID', 'the MAVLink system, 1 to 255'),
    ):
        parser.add_argument(word, dest=name, metavar=metavar, help=text)
    return parser


def _payload_options(given: argparse.Namespace) -> PayloadOptions:
    """The preset, then the shortcuts, then --set."""
    texts = {
        spec.name: text for spec in specs_of(PayloadOptions) if (text := getattr(given, spec.name, None)) is not None
    }
    for assignment in given.set:
        name, equals, value = assignment.partition('=')
        if not equals:
            raise ParameterError(
                f"--set '{assignment}' sets nothing: write NAME=VALUE, for example attitude_rate_hz=10."
            )
        texts[name] = value
    return with_texts(PRESETS[given.preset], texts)


def _ports(given: argparse.Namespace) -> dict[str, PayloadPort]:
    """By the names of the plugs, `udp` and `pty`."""
    ports: dict[str, PayloadPort] = {}
    if given.udp is not None or given.pty is None:
        host, _, port = (given.udp or f'127.0.0.1:{DEFAULT_UDP_PORT}').rpartition(':')
        if not host or not port.isdecimal() or int(port) > 65535:
            raise PortUnavailable(
                f"--udp '{given.udp}' is not an address: write HOST:PORT, for example 127.0.0.1:14566."
            )
        ports['udp'] = UdpPort(host, int(port))
    if given.pty is not None:
        ports['pty'] = PtyPort(given.pty)
    return ports


def _control_lines(path: str, stack: ExitStack) -> TextIO:
    """Standard input for `-`, else a pipe, which is made where it is missing and then goes at the end."""
    if path == '-':
        # Not `sys.stdin`: a daemon thread that waits in that one when the program ends is a fatal error.
        return open(0, encoding='utf-8', errors='replace', closefd=False)
    pipe = Path(path)
    try:
        if not pipe.exists():
            os.mkfifo(pipe)
            stack.callback(pipe.unlink, missing_ok=True)
        elif not pipe.is_fifo():
            raise FileExistsError(0, 'it is not a pipe')
        # Also for writing, so that the end of one writer is not the end of the pipe.
        return os.fdopen(os.open(pipe, os.O_RDWR), encoding='utf-8', errors='replace')
    except OSError as error:
        raise PortUnavailable(
            f'The control pipe {pipe} cannot be opened ({error.strerror}): give --control another path.'
        ) from error


def _obey(server: PayloadServer, lines: Iterable[str]) -> None:
    """Line by line; one that cannot be obeyed is reported and changes nothing."""
    for line in filter(str.strip, lines):
        try:
            server.control(line)
        except SuiteError as error:
            print(f'sim_payload: {error}', file=sys.stderr, flush=True)
        else:
            print(f'done: {line.strip()}', flush=True)


if __name__ == '__main__':
    sys.exit(main())
