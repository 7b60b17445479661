# SPDX-License-Identifier: Apache-2.0
"""Robots and base stations on the hosts of `namespaces`, each with the settings that a user gives."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from benchmarks.network.namespaces import HostProgram, NetworkHost
from gremsy_bringup.describe.ros_network import SERVER, network_of
from gremsy_common.errors import SuiteError

DETECTIONS = '/{}/eo/detections'
RATE_HZ = 20.0
BOXES = 6
_SERVER = [sys.executable, '-m', 'gremsy_bringup.deployment.discovery_server']
_ROLE = [sys.executable, '-m', 'benchmarks.network.network_roles']


def base_station(*hosts: NetworkHost) -> dict[str, str]:
    """The settings of everybody who meets at the servers of those."""
    return {'ROS_NETWORK': SERVER, 'ROS_SERVER': ','.join(host.address for host in hosts)}


def server_at(host: NetworkHost, identity: int = 0) -> HostProgram:
    """Start the discovery server of a base station, until it serves."""
    program = host.run([*_SERVER, '--id', str(identity), '--listen', f'{host.address}:11811'])
    _must(program.printed('find each other'), 'a discovery server')
    return program


def robot_of(
    host: NetworkHost, variables: Mapping[str, str], name: str = 'alpha', rate_hz: float = RATE_HZ, boxes: int = BOXES
) -> HostProgram:
    """Start a robot's detector, and what else the suite starts on a robot with those settings."""
    network = network_of(variables)
    if network is not None and network.own_server_arguments:
        _must(host.run([*_SERVER, *network.own_server_arguments]).printed('find each other'), "a robot's own server")
    program = host.run([*_ROLE, 'robot', name, f'{rate_hz:g}', str(boxes)], variables)
    _must(program.printed('publishes'), 'a robot')
    return program


def listener_at(
    host: NetworkHost, variables: Mapping[str, str], *topics: str, on_robot: bool = False, user: int | None = None
) -> HostProgram:
    """Start who hears those topics, until it listens; `on_robot` as a process of the robot itself."""
    program = host.run([*_ROLE, 'inside' if on_robot else 'listen', *topics], variables, user=user)
    _must(program.printed('listens'), 'a listener')
    return program


def _must(done: bool, what: str) -> None:
    if not done:
        raise SuiteError(f'{what[:1].upper()}{what[1:]} did not start in its network namespace.')
