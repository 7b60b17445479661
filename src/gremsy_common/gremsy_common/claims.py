# SPDX-License-Identifier: Apache-2.0
"""What a process holds alone on its machine until it ends, however it ends: a file, a ROS domain, a UDP port.

The standard library alone: `./gremsy test` claims a domain before anything is set up.
"""

from __future__ import annotations

import fcntl
import random
import socket
from collections.abc import Callable, Iterable

from gremsy_common.errors import SuiteError

# Above 101 the DDS ports (7400 + 250 per domain) reach into Linux's ephemeral range, 32768 and up. 0 is everybody's.
_DOMAINS = range(1, 102)
_DDS_BASE_PORT = 7400
_DDS_PORTS_PER_DOMAIN = 250
# Discovery, and the participants of ten processes (RTPS 2.5, 9.6.2.4: participant n listens at + 10 + 2 n).
_FIRST_PORTS = 20


class NoFreeDomain(SuiteError):
    """Every ROS domain of this machine is in use."""


class NoFreePort(SuiteError):
    """Every UDP port that was looked at is in use."""


class NumberClaim:
    """The first of some numbers that is free and that no other claim of the kind on this machine has.

    A free port alone would be taken twice by two that start at once. Held by an abstract Unix socket: the kernel lets
    go of it however the process ends, and nothing is left on disk.
    """

    def __init__(
        self, kind: str, numbers: Iterable[int], is_free: Callable[[int], bool], none_free: SuiteError
    ) -> None:
        self._kind, self._numbers, self._is_free, self._none_free = kind, numbers, is_free, none_free
        self._socket: socket.socket | None = None
        self.number = 0

    def open(self) -> None:
        """Choose a free number and hold it; raises `none_free` when every number is in use."""
        for number in self._numbers:
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                claim.bind(f'\0gremsy-{self._kind}-{number}')
            except OSError:
                claim.close()
                continue
            if self._is_free(number):
                self._socket, self.number = claim, number
                return
            claim.close()
        raise self._none_free

    def close(self) -> None:
        """Let go of it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> int:
        self.open()
        return self.number

    def __exit__(self, *_error: object) -> None:
        self.close()


def try_lock(descriptor: int) -> bool:
    """Hold an open file or folder for this descriptor alone, until it is closed; False while another holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def domain_claim() -> NumberClaim:
    """Of a ROS domain id whose first ports nobody has bound; `open` raises NoFreeDomain."""
    none_free = NoFreeDomain(
        f'All ROS domains from {_DOMAINS[0]} to {_DOMAINS[-1]} are in use on this machine: end other ROS processes '
        '(ros2 daemon stop).'
    )
    return NumberClaim('ros-domain', random.sample(_DOMAINS, len(_DOMAINS)), _domain_is_free, none_free)


def udp_port_claim(ports: range) -> NumberClaim:
    """Of the first UDP port of a row; `open` raises NoFreePort."""
    none_free = NoFreePort(
        f'All UDP ports from {ports[0]} to {ports[-1]} are in use on this machine: end other simulated payloads.'
    )
    return NumberClaim('udp-port', ports, lambda port: udp_port_is_free('127.0.0.1', port), none_free)


def isolated(domain: int) -> dict[str, str]:
    """The environment of processes that meet each other alone: in that domain, on this machine."""
    return {'ROS_DOMAIN_ID': str(domain), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}


def _domain_is_free(domain: int) -> bool:
    first = _DDS_BASE_PORT + _DDS_PORTS_PER_DOMAIN * domain
    return all(udp_port_is_free('', port) for port in range(first, first + _FIRST_PORTS))


def udp_port_is_free(address: str, port: int) -> bool:
    """Whether it can be bound there; '' is every address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
