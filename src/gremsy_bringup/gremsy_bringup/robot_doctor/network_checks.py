# SPDX-License-Identifier: Apache-2.0
"""What DDS finds on this machine, and who has the suite's ports."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gremsy_bringup.describe.ros_network import NetworkError, network_of
from gremsy_bringup.doctor.doctor_table import Check
from gremsy_bringup.robot_doctor.host_view import Host
from gremsy_bringup.robot_doctor.robot_view import Robot

# Ports of the others reach into Linux's ephemeral ones, 32768 and up (docs.ros.org, "The ROS_DOMAIN_ID").
_SAFE_DOMAINS = (*range(102), *range(215, 233))
# /sys/class/net/*/flags: <linux/if.h>.
_UP, _LOOPBACK, _MULTICAST = 0x1, 0x8, 0x1000
_NEEDED_SHARED_MEMORY_BYTES = 128 * 1024**2
# A key frame of 4K H.264 in one burst, as cameras send it over UDP; Linux's default is 208 kB.
_NEEDED_BUFFER_BYTES = 2 * 1024**2
_CLOSED = 'ROS_NETWORK is local: heard on this machine only.'
_TCP_LISTEN, _UDP_BOUND = '0A', '07'
# Who may be behind the suite's ports without harm: its own programs, seen as this user or not.
_OURS = {'mediamtx', 'docker-proxy', 'grafana', 'prometheus'}


@dataclass(frozen=True, slots=True)
class Port:
    """One of the suite's."""

    number: int
    protocol: str
    what: str
    setting: str


def dds_settings(robot: Robot) -> Check:
    """The environment that the nodes run in."""
    said = robot.settings
    domain = said.get('ROS_DOMAIN_ID') or '0'
    middleware = said.get('RMW_IMPLEMENTATION') or "ROS's default middleware"
    where = f'in {robot.installation.settings_file}' if robot.installation.in_containers else 'in the environment'
    if not domain.isdigit() or int(domain) not in _SAFE_DOMAINS:
        remedy = f'Set ROS_DOMAIN_ID {where} to a number from 0 to 101.'
        return Check('DDS', False, f'ROS_DOMAIN_ID is {domain[:20]!r}', remedy, needed=True, lack='wrong')
    for name in ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE', 'CYCLONEDDS_URI'):
        path = (said.get(name) or '').removeprefix('file://')
        if path.startswith('/') and not robot.host.there(path):
            found = f'{name} names {path}, which is not there'
            return Check('DDS', False, found, f'Unset {name}, or correct it.', needed=True, lack='wrong')
    try:
        network = network_of(said)
    except NetworkError as error:
        return Check('DDS', False, str(error), f'Correct it {where}.', needed=True, lack='wrong')
    if network is not None:
        return Check('DDS', True, f'{middleware}, domain {domain}. {network.opens or _CLOSED}')
    local, reach = said.get('ROS_LOCALHOST_ONLY'), said.get('ROS_AUTOMATIC_DISCOVERY_RANGE')
    if local == '1' and reach and reach != 'LOCALHOST':
        found = f'ROS_LOCALHOST_ONLY=1 overrules ROS_AUTOMATIC_DISCOVERY_RANGE={reach}'
        return Check('DDS', False, found, 'Unset ROS_LOCALHOST_ONLY, which is deprecated.', lack='wrong')
    only = local == '1' or reach in ('LOCALHOST', 'OFF')
    who = 'heard on this machine only' if only else f'heard by every machine of this network in domain {domain}'
    return Check('DDS', True, f'{middleware}, domain {domain}, {who}')


def multicast(robot: Robot) -> Check:
    """By which DDS's participants find each other on other machines."""
    host = robot.host
    usable: list[str] = []
    without: list[str] = []
    for folder in sorted(host.at('/sys/class/net').glob('*')):
        text = host.text(f'/sys/class/net/{folder.name}/flags')
        flags = int(text, 16) if text else 0
        if flags & _LOOPBACK or not flags & _UP or folder.name.startswith(('docker', 'br-', 'veth', 'virbr', 'l4tbr')):
            continue
        (usable if flags & _MULTICAST else without).append(folder.name)
    if not usable and without:
        remedy = f'Run `sudo ip link set dev {without[0]} multicast on`, if other machines are to hear this one.'
        return Check('Multicast', False, f'off on {", ".join(without)}', remedy)
    if re.search(r'^ENABLED=yes', host.text('/etc/ufw/ufw.conf') or '', re.MULTILINE):
        remedy = (
            'If other machines are to hear this one: `sudo ufw allow proto udp to 224.0.0.0/4` and '
            '`sudo ufw allow proto udp from THEIR.NETWORK.0.0/16`. The page: `sudo ufw allow '
            f'{robot.installation.page_port}/tcp`, its video `sudo ufw allow 8189/udp`.'
        )
        return Check('Multicast', False, 'the firewall ufw is on', remedy, lack='filtered')
    if not usable:
        return Check('Multicast', True, 'no network but this machine')
    return Check('Multicast', True, f'on {", ".join(usable)}')


def shared_memory(robot: Robot) -> Check:
    """Room for Fast DDS's segments, and none that another user left."""
    host = robot.host
    folder = Path('/dev/shm')  # noqa: S108 - looked at, nothing is written
    free = host.free_bytes(folder)
    if free < _NEEDED_SHARED_MEMORY_BYTES:
        remedy = f'Run `sudo mount -o remount,size=512m {folder}` (in Docker: `--shm-size=256m`).'
        return Check(
            'Shared memory', False, f'{free / 1024**2:.0f} MiB free in {folder}', remedy, needed=True, lack='full'
        )
    ours = int(robot.installation.setting('UID', '1000')) if robot.installation.in_containers else host.user.number
    foreign: dict[int, int] = {}
    for path in host.at(folder).glob('*'):
        if not re.match(r'(sem\.)?(fastrtps|fastdds)_', path.name):
            continue
        owner = host.owner(folder / path.name)
        if owner is not None and owner.user != ours:
            foreign[owner.user] = foreign.get(owner.user, 0) + 1
    if foreign:
        whose = ', '.join(f'{count} of user {number}' for number, count in sorted(foreign.items()))
        remedy = (
            'Run all ROS nodes of this machine as one user (UID in .env): others get no images from them. When theirs '
            'have ended: `sudo rm /dev/shm/*fastrtps_* /dev/shm/*fastdds_*`.'
        )
        return Check('Shared memory', False, f"Fast DDS's files of other users: {whose}", remedy, lack='shared')
    return Check('Shared memory', True, f'{free / 1024**2:.0f} MiB free in {folder}')


def socket_buffers(robot: Robot) -> Check:
    """What the kernel lets a receiver hold: video over UDP, big messages by DDS."""
    text = robot.host.text('/proc/sys/net/core/rmem_max') or ''
    if text.isdigit() and int(text) < _NEEDED_BUFFER_BYTES:
        remedy = (
            f'Run `echo net.core.rmem_max={4 * _NEEDED_BUFFER_BYTES} | sudo tee /etc/sysctl.d/60-gremsy.conf && '
            'sudo sysctl --system`: key frames of a camera over UDP lose packets otherwise.'
        )
        return Check('Socket buffers', False, f'net.core.rmem_max is {int(text) / 1e3:.0f} kB', remedy, lack='small')
    found = f'{int(text) / 1e6:.1f} MB at most' if text.isdigit() else 'not reported by this kernel'
    return Check('Socket buffers', True, found)


def ports_of(robot: Robot) -> list[Port]:
    """Those that the suite listens at here."""
    installation = robot.installation
    port = installation.page_port
    ports = [Port(port, 'tcp', 'page and API', 'PORT' if installation.in_containers else '`port` of node web')]
    ports += [
        Port(8554, 'tcp', 'video in', 'rtspAddress in mediamtx.yml'),
        Port(8889, 'tcp', 'video out', 'webrtcAddress in mediamtx.yml'),
        Port(9997, 'tcp', "video server's control", 'apiAddress in mediamtx.yml'),
    ]
    if installation.in_containers:
        web_ui = installation.setting('WEB_UI_PORT', '7777')
        ports += [
            Port(int(web_ui) if web_ui.isdigit() else 7777, 'tcp', 'second page', 'WEB_UI_PORT'),
            Port(9998, 'tcp', "video server's numbers", 'metricsAddress in mediamtx.yml'),
            Port(8189, 'udp', 'video to browsers', 'webrtcLocalUDPAddress in mediamtx.yml'),
        ]
        if 'monitoring' in installation.setting('COMPOSE_PROFILES').split(','):
            grafana = installation.setting('GRAFANA_PORT', '3000')
            ports.append(Port(int(grafana) if grafana.isdigit() else 3000, 'tcp', 'Grafana', 'GRAFANA_PORT'))
            ports.append(Port(9090, 'tcp', 'Prometheus', 'the other program'))
    return ports


def ports(robot: Robot) -> Check:
    """Free, or taken by whom."""
    wanted = ports_of(robot)
    listening = listeners(robot.host)
    taken, remedies, ours = [], [], []
    for port in wanted:
        inodes = listening.get((port.protocol, port.number))
        if inodes is None:
            continue
        who = _who(robot, inodes)
        names = {name for _, name in who}
        if robot.runs or names & _OURS:
            ours.append(str(port.number))
            continue
        shown = ', '.join(f'{name} (process {number})' for number, name in who) or 'another program'
        taken.append(f'{port.number}/{port.protocol} ({port.what}) by {shown}')
        flag = 't' if port.protocol == 'tcp' else 'u'
        end = (
            f'`sudo kill {" ".join(str(number) for number, _ in who)}`'
            if who
            else f"the program that `sudo ss -l{flag}np 'sport = :{port.number}'` names"
        )
        remedies.append(f'End {end}, or change {port.setting}.')
    if taken:
        return Check('Ports', False, f'taken: {"; ".join(taken)}', ' '.join(remedies), needed=True, lack='in use')
    free = ', '.join(str(port.number) for port in wanted if str(port.number) not in ours)
    found = '; '.join(
        filter(None, (f'free: {free}' if free else '', f'of the suite: {", ".join(ours)}' if ours else ''))
    )
    return Check('Ports', True, found, needed=True)


def listeners(host: Host) -> dict[tuple[str, int], set[str]]:
    """By protocol and port the inodes of sockets that listen, of /proc/net (proc(5))."""
    found: dict[tuple[str, int], set[str]] = {}
    for name, state in (('tcp', _TCP_LISTEN), ('tcp6', _TCP_LISTEN), ('udp', _UDP_BOUND), ('udp6', _UDP_BOUND)):
        for line in (host.text(f'/proc/net/{name}') or '').splitlines()[1:]:
            fields = line.split()
            if len(fields) < 10 or fields[3] != state:
                continue
            port = int(fields[1].rpartition(':')[2], 16)
            found.setdefault((name.removesuffix('6'), port), set()).add(fields[9])
    return found


def _who(robot: Robot, inodes: set[str]) -> list[tuple[int, str]]:
    """Processes that have one of these sockets, as far as this user may see."""
    links = {f'socket:[{inode}]' for inode in inodes}
    found = []
    for number, name in robot.processes.items():
        folder = robot.host.at(f'/proc/{number}/fd')
        try:
            if any(str(descriptor.readlink()) in links for descriptor in folder.iterdir()):
                found.append((number, name))
        except OSError:
            # Another user's, or gone in the meantime.
            continue
    return sorted(found)


NETWORK_QUESTIONS = (dds_settings, multicast, shared_memory, socket_buffers, ports)
