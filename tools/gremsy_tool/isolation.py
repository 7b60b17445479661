# SPDX-License-Identifier: Apache-2.0
"""A ROS domain of one's own, so that tests neither hear nor disturb other robots and other test runs."""

from __future__ import annotations

import fcntl
import random
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gremsy_tool.errors import GremsyError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Above 101 the domain's ports reach into the range from which Linux takes outgoing ones.
_DOMAINS = range(1, 102)
# DDS's port rule: 7400 + 250 * domain, unicast discovery of participant n at + 10 + 2 n.
_FIRST_PORTS = 20


@contextmanager
def free_domain() -> Iterator[int]:
    """A domain whose first ports nobody has bound, held against other test runs of this machine."""
    for domain in random.sample(_DOMAINS, len(_DOMAINS)):
        path = Path(tempfile.gettempdir()) / f'gremsy-domain-{domain}.lock'
        try:
            with path.open('a') as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_free(domain):
                    yield domain
                    return
        except (BlockingIOError, PermissionError):
            # Held by another run, or left there by another user.
            continue
    raise GremsyError('No ROS domain from 1 to 101 is free on this machine: stop what runs in them (ros2 daemon stop).')


def isolated(domain: int) -> dict[str, str]:
    return {'ROS_DOMAIN_ID': str(domain), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}


def _is_free(domain: int) -> bool:
    first = 7400 + 250 * domain
    for port in range(first, first + _FIRST_PORTS):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(('', port))
            except OSError:
                return False
    return True
