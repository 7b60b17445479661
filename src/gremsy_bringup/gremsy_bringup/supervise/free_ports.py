# SPDX-License-Identifier: Apache-2.0
"""Ports that are free now; `gremsy_common.claims` has those that are to stay one's own."""

from __future__ import annotations

import socket

from gremsy_common.claims import NoFreePort


def free_udp_port() -> int:
    """A UDP port that is free on this machine now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])


def free_tcp_port(first: int) -> int:
    """That TCP port of 127.0.0.1 if it is free now, else any that is."""
    for port in (first, 0):
        try:
            # With SO_REUSEADDR, as servers set it: connections of an earlier one that wait for their end do not count.
            with socket.create_server(('127.0.0.1', port)) as server:
                return int(server.getsockname()[1])
        except OSError:
            continue
    raise NoFreePort('All TCP ports of this machine are in use: end other programs.')
