# SPDX-License-Identifier: Apache-2.0
"""ROS domains and UDP ports that nobody uses, so that what runs beside each other on one machine does not meet."""

from __future__ import annotations

import random
import socket

from gremsy_common.errors import SuiteError

# Above 101 the DDS ports (7400 + 250 per domain) reach into Linux's ephemeral range, 32768 and up. 0 is everybody's.
_DOMAINS = range(1, 102)
_DDS_BASE_PORT = 7400
_DDS_PORTS_PER_DOMAIN = 250
# Where the first participant of a domain listens for discovery (RTPS 2.5, 9.6.2.4).
_FIRST_UNICAST_OFFSET = 10


class NoFreeDomain(SuiteError):
    """Every ROS domain of this machine is in use."""


class NoFreePort(SuiteError):
    """Every UDP port that was looked at is in use."""


class DomainClaim:
    """A ROS domain id that no other claim on this machine has and whose first discovery port is free.

    Held by an abstract Unix socket: the kernel lets go of it however the process ends, and nothing is left on disk.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self.domain_id = 0

    def open(self) -> None:
        """Choose one at random and hold it.

        Raises:
            NoFreeDomain: when there is none.
        """
        for domain_id in random.sample(_DOMAINS, len(_DOMAINS)):
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                claim.bind(f'\0gremsy-ros-domain-{domain_id}')
            except OSError:
                claim.close()
                continue
            if _discovery_port_free(domain_id):
                self._socket, self.domain_id = claim, domain_id
                return
            claim.close()
        raise NoFreeDomain(
            f'All ROS domains from {_DOMAINS[0]} to {_DOMAINS[-1]} are in use on this machine: end other ROS processes.'
        )

    def close(self) -> None:
        """Let go of it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _discovery_port_free(domain_id: int) -> bool:
    port = _DDS_BASE_PORT + _DDS_PORTS_PER_DOMAIN * domain_id + _FIRST_UNICAST_OFFSET
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(('', port))
        except OSError:
            return False
    return True


class UdpPortClaim:
    """The first UDP port of a row that is free here and that no other claim on this machine has, until closed.

    A free port alone would be taken twice by two that start at once. Held as a `DomainClaim` is.
    """

    def __init__(self, ports: range) -> None:
        self._ports = ports
        self._socket: socket.socket | None = None
        self.port = 0

    def open(self) -> None:
        """Choose one and hold it.

        Raises:
            NoFreePort: when there is none.
        """
        for port in self._ports:
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                claim.bind(f'\0gremsy-udp-port-{port}')
            except OSError:
                claim.close()
                continue
            if _udp_port_free(port):
                self._socket, self.port = claim, port
                return
            claim.close()
        raise NoFreePort(
            f'All UDP ports from {self._ports[0]} to {self._ports[-1]} are in use on this machine: end other simulated '
            'payloads.'
        )

    def close(self) -> None:
        """Let go of it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _udp_port_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(('127.0.0.1', port))
        except OSError:
            return False
    return True


def free_udp_port() -> int:
    """A UDP port that is free on this machine now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])


def free_tcp_port(first: int) -> int:
    """That TCP port of 127.0.0.1 if it is free now, else any that is."""
    for port in (first, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # As servers set it: connections of an earlier one that wait for their end do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise NoFreePort('All TCP ports of this machine are in use: end other programs.')
