# SPDX-License-Identifier: Apache-2.0
"""`ros2 run gremsy_bringup discovery_server`: Fast DDS's own server, once its port is free; the standard library alone.

Several starts of the suite on one machine have one each: the first serves, and the next goes on when that one ends.
A server that crashed stays away until its clients have given it up. One that is back earlier has the same name to them
and none of their memory, and later ones never learn of them (Fast DDS 2.14).
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

_PROGRAM = 'fast-discovery-server'
# So that it ends with this process, however that ends.
_GUARD = Path(__file__).resolve().parents[1] / 'supervise' / 'exec_guarded.py'
_AGAIN_S = 0.5
# Fast DDS's clients give up a server that is silent for 20 s.
_GIVEN_UP_S = 25.0
# Of the robot's processes, not of the server.
_NOT_FOR_IT = (
    'FASTRTPS_DEFAULT_PROFILES_FILE',
    'FASTDDS_DEFAULT_PROFILES_FILE',
    'ROS_DISCOVERY_SERVER',
    'ROS_SUPER_CLIENT',
)


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens there.

    Raises:
        OSError: for an address that this machine does not have.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def serve(program: str, identity: int, host: str, port: int, ended: threading.Event) -> None:
    """Until `ended`, and again after a crash.

    Raises:
        OSError: for an address that this machine does not have.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_IT}
    words = [program, '-i', str(identity), '-l', host, '-p', str(port)]
    while not ended.is_set():
        if not is_free(host, port):
            print(f'Another server listens at {host}:{port}; this one starts when that ends.', flush=True)
        while not is_free(host, port):
            if ended.wait(_AGAIN_S):
                return
        server = subprocess.Popen(
            [sys.executable, str(_GUARD), str(os.getpid()), *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        print(f'Clients find each other at {host}:{port}.', flush=True)
        while server.poll() is None and not ended.wait(_AGAIN_S):
            continue
        if server.poll() is None:
            server.terminate()
            server.wait()
            return
        print(f'The server ended with status {server.returncode}; again in {_GIVEN_UP_S:g} s.', flush=True)
        ended.wait(_GIVEN_UP_S)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; status 2 for what cannot be. With --check, 0 where one listens, else 1."""
    parser = argparse.ArgumentParser(
        prog='discovery_server', description="Fast DDS's discovery server, on a free port."
    )
    parser.add_argument('--id', type=int, default=0, help="its place in the clients' ROS_DISCOVERY_SERVER, from 0")
    parser.add_argument(
        '--listen', default='0.0.0.0:11811', metavar='ADDRESS:PORT', help='0.0.0.0:11811, all addresses, by default'
    )
    parser.add_argument('--check', action='store_true', help='only say by the exit status whether one listens')
    # `ros2 launch` adds ROS's own.
    options, _ = parser.parse_known_args(arguments)
    host, _, port = options.listen.rpartition(':')
    program = shutil.which(_PROGRAM)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        if options.check:
            sys.exit(1 if is_free(host, int(port)) else 0)
        if program is None:
            _refuse(
                f'There is no {_PROGRAM} on PATH: it comes with Fast DDS, as ros-$ROS_DISTRO-rmw-fastrtps-cpp does.'
            )
        serve(program, options.id, host, int(port), ended)
    except (OSError, ValueError, OverflowError) as error:
        _refuse(f"Nobody can listen at '{options.listen}' ({error}): give ADDRESS:PORT of this machine.")


def _refuse(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr, flush=True)
    sys.exit(2)


if __name__ == '__main__':
    main()
