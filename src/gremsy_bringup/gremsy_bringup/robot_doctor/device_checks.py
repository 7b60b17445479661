# SPDX-License-Identifier: Apache-2.0
"""The gimbal's serial port, the cameras' device files, the payload's address; nothing is opened, nothing moves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from gremsy_bringup.doctor.doctor_table import Check
from gremsy_bringup.robot_doctor.host_view import Host
from gremsy_bringup.robot_doctor.robot_view import Robot
from gremsy_camera.v4l2.video_nodes import VideoNode, holders, video_nodes
from gremsy_gimbal_driver.links.port_access import PortAccess, no_permission

_RULES = '80-gremsy.rules'
_RULES_PLACES = (f'/etc/udev/rules.d/{_RULES}', f'/lib/udev/rules.d/{_RULES}')
_UNSTABLE = re.compile(r'/dev/(tty(USB|ACM)|video)\d+')
_NONE = '/dev/null'
# brltty takes CH340 adapters for braille displays on Ubuntu 22.04; gpsd takes any adapter.
_GRABBERS = {
    'brltty': 'sudo apt-get remove brltty',
    'gpsd': 'sudo systemctl disable --now gpsd.socket gpsd',
}


def serial_port(robot: Robot) -> Check | None:
    """That it exists, may be opened, keeps its name, and is nobody else's."""
    host = robot.host
    devices = [urlsplit(link).path for link in robot.installation.links if link.startswith('serial:')]
    found_here = _serial_devices(host)
    if not devices:
        if robot.installation.links or not found_here:
            return None
        return Check('Serial port', True, f'not used by the gimbal; here are {", ".join(found_here)}')
    device = devices[0]
    if device == _NONE or (device == '/dev/gimbal' and robot.installation.in_containers):
        where = robot.installation.settings_file
        remedy = f'Write the device into {where} as GIMBAL_DEVICE: {_or_plug_in(found_here)}.'
        found = 'GREMSY_LINK is a serial port, and GIMBAL_DEVICE names none'
        return Check('Serial port', False, found, remedy, needed=True)
    if not host.there(device):
        return _absent(robot, device, found_here)
    real = host.real(device)
    return (
        _serial_denied(robot, device, real)
        or _serial_taken(robot, device, real)
        or _serial_unstable(host, device, real)
        or Check('Serial port', True, f'{device} ({real})' if real != device else device, needed=True)
    )


def _or_plug_in(found_here: list[str]) -> str:
    return f'here are {", ".join(found_here)}' if found_here else '`ls /dev/serial/by-id` shows the names'


def _absent(robot: Robot, device: str, found_here: list[str]) -> Check:
    grabber = next((name for name in robot.processes.values() if name in _GRABBERS), None)
    if grabber:
        remedy = f'{grabber} runs and may have taken it: run `{_GRABBERS[grabber]}` and plug the adapter in again.'
    elif device.startswith('/dev/gremsy/') and not any(map(robot.host.there, _RULES_PLACES)):
        remedy = _rules_remedy()
    else:
        remedy = f'Plug the gimbal in, or correct `link`: {_or_plug_in(found_here)}.'
    return Check('Serial port', False, f'{device} is not there', remedy, needed=True)


def _serial_devices(host: Host) -> list[str]:
    lasting = [f'/dev/serial/by-id/{path.name}' for path in sorted(host.at('/dev/serial/by-id').glob('*'))]
    reals = {host.real(name) for name in lasting}
    patterns = ('ttyUSB*', 'ttyACM*', 'ttyTHS*')
    plain = [f'/dev/{path.name}' for pattern in patterns for path in sorted(host.at('/dev').glob(pattern))]
    return [*lasting, *(name for name in plain if name not in reals)]


def _access(robot: Robot, device: str) -> PortAccess | None:
    host, user = robot.host, robot.host.user
    owner = host.owner(device)
    if owner is None:
        return None
    group = host.group_numbered(owner.group)
    return PortAccess(
        owner='root' if owner.user == 0 else str(owner.user),
        group=group[0] if group else '',
        group_id=owner.group,
        group_may=owner.mode & 0o060 == 0o060,
        is_in_group=owner.group in user.groups,
        will_be_in_group=bool(group and user.name in group[1]),
    )


def _wrong_group(robot: Robot, row: str, device: str, real: str, variable: str, default: str) -> Check | None:
    """Where the containers' group is not the device's."""
    owner, said = robot.host.owner(real), robot.installation.setting(variable, default)
    if owner is None or owner.mode & 0o006 == 0o006 or str(owner.group) == said:
        return None
    remedy = f'Write {variable}={owner.group} into {robot.installation.settings_file}.'
    return Check(row, False, f'{device} is not of group {said} ({variable})', remedy, needed=True, lack='denied')


def _held(robot: Robot, row: str, device: str, real: str) -> Check | None:
    """By others than the suite."""
    who = holders(real, robot.host.root)
    if not who or robot.runs:
        return None
    remedy = f'End it: `sudo kill {" ".join(re.findall(r"process ([0-9]+)", " ".join(who)))}`.'
    return Check(row, False, f'{device} is held by {", ".join(who)}', remedy, needed=True, lack='in use')


def _unstable(row: str, device: str, lasting: str | None, otherwise: str) -> Check | None:
    if not _UNSTABLE.fullmatch(device):
        return None
    remedy = f'Name it {lasting}, which stays.' if lasting else otherwise
    return Check(row, False, f'{device}, whose number changes with what else is plugged in', remedy, lack='unstable')


def _serial_denied(robot: Robot, device: str, real: str) -> Check | None:
    host = robot.host
    if robot.installation.in_containers:
        return _wrong_group(robot, 'Serial port', device, real, 'DIALOUT_GID', '20')
    if host.may_open(real):
        return None
    sentence = no_permission(device, _access(robot, real))
    remedy = sentence.partition(f'{device}: ')[2]
    remedy = f'{remedy[:1].upper()}{remedy[1:]}'
    return Check('Serial port', False, f'no permission to open {device}', remedy, needed=True, lack='denied')


def _serial_taken(robot: Robot, device: str, real: str) -> Check | None:
    host = robot.host
    if held := _held(robot, 'Serial port', device, real):
        return held
    name = real.removeprefix('/dev/')
    for unit in (f'serial-getty@{name}.service', *(('nvgetty.service',) if name.startswith('ttyTHS') else ())):
        if host.done('systemctl', 'is-active', unit).output.strip() == 'active':
            remedy = f'Run `sudo systemctl disable --now {unit}` and restart the machine.'
            found = f'{device} is a login console ({unit})'
            return Check('Serial port', False, found, remedy, needed=True, lack='in use')
    if 'ModemManager' in robot.processes.values() and name.startswith(('ttyUSB', 'ttyACM')):
        asked = host.done('udevadm', 'info', '--query=property', f'--name={real}')
        if not re.search(r'^ID_MM_(DEVICE|PORT)_IGNORE=1$', asked.output, re.MULTILINE):
            found = f'{device} is probed by ModemManager, for some seconds whenever it is plugged in'
            return Check('Serial port', False, found, _rules_remedy(), lack='shared')
    return None


def _serial_unstable(host: Host, device: str, real: str) -> Check | None:
    names = ('/dev/gremsy/gimbal', *(name for name in _serial_devices(host) if '/by-id/' in name))
    lasting = next((name for name in names if host.there(name) and host.real(name) == real), None)
    return _unstable('Serial port', device, lasting, _rules_remedy())


def _rules_remedy() -> str:
    return (
        f'Run `sudo cp docker/robot/udev/{_RULES} /etc/udev/rules.d/ && sudo udevadm control --reload && '
        'sudo udevadm trigger` in the checkout; the port is then /dev/gremsy/gimbal.'
    )


def camera_devices(robot: Robot) -> Check | None:
    """The named ones, and what there is."""
    host = robot.host
    nodes = video_nodes(host.root)
    named = [source for source in robot.installation.sources if source.startswith('/dev/')]
    here = ', '.join(node.title for node in nodes) or 'none here'
    if not named:
        return Check('Camera devices', True, f'{here}; none is named') if nodes else None
    for source in named:
        if source == '/dev/camera' or source == _NONE:
            remedy = f'Write the device into {robot.installation.settings_file} as CAMERA_DEVICE; there are: {here}.'
            return Check(
                'Camera devices', False, 'EO_SOURCE is /dev/camera, CAMERA_DEVICE names none', remedy, needed=True
            )
        if not host.there(source):
            remedy = f'Plug it in, or name another; there are: {here}.'
            return Check('Camera devices', False, f'{source} is not there', remedy, needed=True)
        if problem := _camera_problem(robot, source, nodes):
            return problem
    return Check('Camera devices', True, ', '.join(named), needed=True)


def _camera_problem(robot: Robot, source: str, nodes: Sequence[VideoNode]) -> Check | None:
    row, real = 'Camera devices', robot.host.real(source)
    if robot.installation.in_containers:
        denied = _wrong_group(robot, row, source, real, 'VIDEO_GID', '44')
    elif robot.host.may_open(real):
        denied = None
    else:
        access = _access(robot, real)
        remedy = f'Run `sudo usermod -aG {(access.group if access else "") or "video"} $USER` and log in again.'
        denied = Check(row, False, f'no permission to open {source}', remedy, needed=True, lack='denied')
    lasting = next((node.lasting[0] for node in nodes if node.path == real and node.lasting), None)
    rules = _rules_remedy().replace('gimbal', 'camera')
    return denied or _held(robot, row, source, real) or _unstable(row, source, lasting, rules)


def payload_address(robot: Robot) -> Check | None:
    """Whether gimbal and cameras with an address answer a ping."""
    host = robot.host
    addresses = robot.installation.addresses
    if not addresses:
        return None
    silent = []
    for address in addresses:
        asked = host.done('ping', '-c', '1', '-W', '1', address)
        if asked.status == 127:
            return Check('Addresses', True, f'{", ".join(addresses)}; not asked, there is no `ping`')
        if asked.status != 0:
            silent.append(address)
    if not silent:
        return Check('Addresses', True, f'{", ".join(addresses)} answer{"s" if len(addresses) == 1 else ""}')
    route = host.done('ip', 'route', 'get', silent[0])
    device = re.search(r'\bdev (\S+)', route.output)
    way = f'by way of {device[1]}' if route.status == 0 and device else 'no network of this machine leads there'
    remedy = (
        'Check cable, power and the address. This machine needs one in the same network (`ip -brief address` shows '
        f'its own): `sudo ip address add {silent[0].rpartition(".")[0]}.2/24 dev {device[1] if device else "eth0"}` '
        'adds one until the next start.'
    )
    return Check('Addresses', False, f'{", ".join(silent)} does not answer ({way})', remedy, needed=True, lack='silent')


DEVICE_QUESTIONS = (serial_port, camera_devices, payload_address)
