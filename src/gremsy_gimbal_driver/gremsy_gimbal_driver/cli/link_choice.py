# SPDX-License-Identifier: Apache-2.0
"""Which link the tool takes, unless a driver has it already.

A serial port refuses a second program by itself. On UDP nobody would notice, and the payload answers only to who
sent last (gimbal.md 1.2), so that this tool would silence the driver.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from gremsy_gimbal_driver.cli.ending import MISUSED, ToolError
from gremsy_gimbal_driver.links.link import Link, LinkError
from gremsy_gimbal_driver.links.link_uri import link_from_uri
from gremsy_gimbal_driver.links.udp_link import UdpLink

VARIABLE = 'GREMSY_LINK'
_WAY_OUT = 'stop the driver first, or use its ROS services and topics instead of this tool'
_SOCKETS = (Path('/proc/net/udp'), Path('/proc/net/udp6'))


def choose_link(given: str | None) -> Link:
    """The link of `--link`, else of the environment, not opened yet.

    Raises:
        ToolError: with one sentence.
    """
    uri = given or os.environ.get(VARIABLE)
    if not uri:
        raise ToolError(
            'No gimbal link was named: give --link udp://192.168.55.1:14566 or '
            f'--link serial:///dev/ttyUSB0?baud=115200, or set the environment variable {VARIABLE}.',
            MISUSED,
        )
    try:
        link = link_from_uri(uri)
    except LinkError as error:
        raise ToolError(str(error), MISUSED) from error
    if isinstance(link, UdpLink) and _is_in_use(*link.address):
        raise ToolError(f'Another program on this machine already talks to {link.name}: {_WAY_OUT}.', MISUSED)
    return link


def refusal_to_open(error: LinkError) -> ToolError:
    """The link's sentence, with what to do where a driver holds the port."""
    sentence = str(error).replace('the parameter `link`', '--link')
    if 'Another program holds' in sentence:
        sentence = f'{sentence.partition(": ")[0]}: {_WAY_OUT}.'
    return ToolError(sentence, MISUSED)


def _is_in_use(host: str, port: int) -> bool:
    """Whether a socket of this machine is connected to that address, as a driver's is."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError:
        # The link reports the same in its own sentence when it is opened.
        return False
    wanted = {_as_in_proc(str(address[0]), port) for *_, address in found}
    return any(remote in wanted for path in _SOCKETS for remote in _remotes(path))


def _remotes(path: Path) -> list[str]:
    try:
        lines = path.read_text().splitlines()[1:]
    except OSError:
        # Not Linux, or not allowed: then nothing is known, which must not keep the tool from starting.
        return []
    return [fields[2] for line in lines if len(fields := line.split()) > 2]


def _as_in_proc(address: str, port: int) -> str:
    """Each 32 bit word in the machine's own order, in hexadecimal."""
    packed = socket.inet_pton(socket.AF_INET6 if ':' in address else socket.AF_INET, address)
    words = [packed[at : at + 4] for at in range(0, len(packed), 4)]
    number = ''.join(f'{int.from_bytes(word, "little"):08X}' for word in words)
    return f'{number}:{port:04X}'
