# SPDX-License-Identifier: Apache-2.0
"""`discovery_server` around Fast DDS's own program: one serves a port, the next waits for it, a crash is waited out."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gremsy_bringup.supervise.free_ports import free_udp_port

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which('fast-discovery-server') is None, reason='Fast DDS is not installed'),
]
WORDS = [sys.executable, '-m', 'gremsy_bringup.deployment.discovery_server', '--listen']
_PATIENCE_S = 30.0


class Server:
    """One, and the lines that it says."""

    def __init__(self, address: str) -> None:
        self.popen = subprocess.Popen([*WORDS, address], stdout=subprocess.PIPE, text=True)
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def line(self) -> str:
        return self._lines.get(timeout=_PATIENCE_S)

    def program(self) -> int:
        """The process of Fast DDS's own."""
        (child,) = Path(f'/proc/{self.popen.pid}/task/{self.popen.pid}/children').read_text().split()
        return int(child)

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self._lines.put(line.rstrip())


@pytest.fixture
def start() -> Iterator[Callable[[str], Server]]:
    started: list[Server] = []

    def make(address: str) -> Server:
        started.append(Server(address))
        return started[-1]

    yield make
    for each in started:
        each.popen.terminate()
        each.popen.wait(_PATIENCE_S)


def is_served(address: str) -> bool:
    """As a container's health check asks; Fast DDS takes a moment from its start to its port."""
    until = time.monotonic() + _PATIENCE_S
    while subprocess.run([*WORDS, address, '--check'], check=False).returncode != 0:
        if time.monotonic() > until:
            return False
    return True


def test_the_next_one_serves_when_the_first_has_ended(start: Callable[[str], Server]) -> None:
    address = f'127.0.0.1:{free_udp_port()}'
    assert subprocess.run([*WORDS, address, '--check'], check=False).returncode == 1
    first = start(address)
    assert first.line() == f'Clients find each other at {address}.'
    assert is_served(address)
    second = start(address)
    assert second.line() == f'Another server listens at {address}; this one starts when that ends.'
    program = first.program()
    first.popen.terminate()
    assert first.popen.wait(_PATIENCE_S) == 0
    assert not Path(f'/proc/{program}').exists()
    assert second.line() == f'Clients find each other at {address}.'


def test_a_server_that_crashed_stays_away_until_its_clients_have_given_it_up(start: Callable[[str], Server]) -> None:
    address = f'127.0.0.1:{free_udp_port()}'
    server = start(address)
    server.line()
    assert is_served(address)
    os.kill(server.program(), signal.SIGKILL)
    assert server.line() == 'The server ended with status -9; again in 25 s.'
    server.popen.terminate()
    assert server.popen.wait(_PATIENCE_S) == 0


@pytest.mark.parametrize('address', ['192.0.2.7:11811', 'here', '127.0.0.1:99999'])
def test_an_address_that_is_none_of_this_machine_is_named(address: str) -> None:
    # 192.0.2.0/24 is for documentation (RFC 5737): nobody's.
    done = subprocess.run([*WORDS, address], capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Nobody can listen at '{address}' (")
    assert done.stderr.endswith('): give ADDRESS:PORT of this machine.\n')
