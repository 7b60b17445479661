# SPDX-License-Identifier: Apache-2.0
"""`ROS_NETWORK`: who may hear the robot over ROS's middleware, as environment variables of its processes.

`local`, which it is where nothing is said, keeps to this machine. `lan` is ROS's own way: whoever shares network and
domain. `server` is for networks without multicast, or many robots: Fast DDS's discovery server at `ROS_SERVER`, and
one of the robot's own, so that its processes find each other while that one is away. What is said of the network by
ROS's own variables counts only where ROS_NETWORK is not set.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from gremsy_common.dds_settings import PROFILE_VARIABLES
from gremsy_common.errors import SuiteError

VARIABLE = 'ROS_NETWORK'
LOCAL, LAN, SERVER = 'local', 'lan', 'server'
SERVER_PORT = 11811
# Of the robot's own, at 127.0.0.1; another, so that one machine can have both.
OWN_SERVER_PORT = 11812
# Whoever sets one of these has said already how ROS's network is to be.
_OF_ROS = (
    *PROFILE_VARIABLES,
    'FASTDDS_BUILTIN_TRANSPORTS',
    'ROS2_EASY_MODE',
    'ROS_AUTOMATIC_DISCOVERY_RANGE',
    'ROS_DISCOVERY_SERVER',
    'ROS_LOCALHOST_ONLY',
    'ROS_STATIC_PEERS',
    'ROS_SUPER_CLIENT',
)
_PROFILES = {
    (LOCAL, True): 'fastdds_local.xml',
    (LOCAL, False): 'fastdds_loopback.xml',
    (LAN, True): 'fastdds_shm.xml',
    (LAN, False): 'fastdds_udp.xml',
    (SERVER, True): 'fastdds_shm.xml',
    (SERVER, False): 'fastdds_udp.xml',
}
_LABEL = r'[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?'
_ADDRESS = re.compile(rf'(?P<host>{_LABEL}(\.{_LABEL})*)(:(?P<port>\d{{1,5}}))?')


class NetworkError(SuiteError):
    """A variable of the network that cannot be used; the text names it."""


@dataclass(frozen=True, slots=True)
class RosNetwork:
    """Who may hear.

    Attributes:
        kind: LOCAL, LAN or SERVER.
        servers: of SERVER, each `HOST:PORT`; the first has the id 0, the next one 1, and so on.
        peers: of LAN, hosts that multicast does not reach, as `ROS_STATIC_PEERS` takes them.
        shared_memory: whether processes of one user hand over by it.
    """

    kind: str = LOCAL
    servers: tuple[str, ...] = ()
    peers: str = ''
    shared_memory: bool = True

    @property
    def own_server_arguments(self) -> tuple[str, ...]:
        """Of the robot's own `discovery_server`, whose id comes after the others'; none where it has none."""
        if self.kind != SERVER:
            return ()
        return ('--id', str(len(self.servers)), '--listen', f'127.0.0.1:{OWN_SERVER_PORT}')

    @property
    def opens(self) -> str:
        """What it opens, in a sentence; empty for nothing."""
        if self.kind == LAN:
            return (
                'ROS_NETWORK is lan: whoever shares this network and ROS_DOMAIN_ID hears this robot and can command it.'
            )
        if self.kind == SERVER:
            return (
                f'ROS_NETWORK is server: whoever reaches {" or ".join(self.servers)} hears this robot and can command '
                'it, in whatever ROS_DOMAIN_ID.'
            )
        return ''

    def variables(self, config: Path, *, robot: bool) -> dict[str, str | None]:
        """Environment variables of a process that is part of it; None for those that must not be there.

        Args:
            config: the folder of Fast DDS's profiles.
            robot: of the robot, which has a server of its own; else somebody who looks, and wants to see all there is.
        """
        made: dict[str, str | None] = dict.fromkeys(_OF_ROS)
        made |= dict.fromkeys(PROFILE_VARIABLES, str(config / _PROFILES[self.kind, self.shared_memory]))
        # As the profile says; LOCALHOST would replace its transports by some that listen on every address.
        made['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'SYSTEM_DEFAULT'
        if self.kind == LAN:
            made |= {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET', 'ROS_STATIC_PEERS': self.peers or None}
        if self.kind == SERVER:
            own = (f'127.0.0.1:{OWN_SERVER_PORT}',) if robot else ()
            made['ROS_DISCOVERY_SERVER'] = ';'.join((*self.servers, *own))
            made['ROS_SUPER_CLIENT'] = None if robot else 'TRUE'
        return made


def network_of(environment: Mapping[str, str]) -> RosNetwork | None:
    """What the environment says; None where it leaves this to ROS's own variables.

    Raises:
        NetworkError: naming the variable and the way out.
    """
    said = {name: value.strip() for name, value in environment.items() if value.strip()}
    middleware = said.get('RMW_IMPLEMENTATION', '')
    foreign = bool(middleware) and 'fastrtps' not in middleware
    if VARIABLE not in said:
        return None if foreign or set(_OF_ROS) & set(said) else RosNetwork(shared_memory=_shared_memory(said))
    kind = said[VARIABLE]
    if kind not in (LOCAL, LAN, SERVER):
        raise NetworkError(f"{VARIABLE} is '{kind[:40]}': use {LOCAL}, {LAN} or {SERVER}.")
    if foreign:
        raise NetworkError(
            f'{VARIABLE} is {kind}, which is for Fast DDS, and RMW_IMPLEMENTATION is {middleware}: leave {VARIABLE} '
            'away, and configure that middleware itself.'
        )
    return RosNetwork(
        kind,
        _servers(said) if kind == SERVER else (),
        said.get('ROS_STATIC_PEERS', '') if kind == LAN else '',
        _shared_memory(said),
    )


def join_network(environment: MutableMapping[str, str], variables: Mapping[str, str | None]) -> None:
    """Put them into an environment, before ROS is started in it."""
    for name, value in variables.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value


def _servers(said: Mapping[str, str]) -> tuple[str, ...]:
    words = said.get('ROS_SERVER', '').replace(',', ' ').replace(';', ' ').split()
    if not words:
        raise NetworkError(
            f'{VARIABLE} is {SERVER} and ROS_SERVER is empty: give the address of a discovery server, as 192.168.1.10.'
        )
    return tuple(_address(word) for word in words)


def _address(word: str) -> str:
    match = _ADDRESS.fullmatch(word)
    port = int(match['port'] or SERVER_PORT) if match else 0
    if match is None or not 1 <= port <= 65535 or not _may_be(match['host']):
        raise NetworkError(f"ROS_SERVER has '{word[:60]}': write HOST or HOST:PORT, several apart by commas.")
    return f'{match["host"]}:{port}'


def _may_be(host: str) -> bool:
    """Whether it is a name, or four numbers that are an address."""
    if not host.replace('.', '').isdigit():
        return True
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _shared_memory(said: Mapping[str, str]) -> bool:
    word = said.get('ROS_SHARED_MEMORY', 'on')
    if word not in ('on', 'off'):
        raise NetworkError(f"ROS_SHARED_MEMORY is '{word[:40]}': use on or off.")
    return word == 'on'
