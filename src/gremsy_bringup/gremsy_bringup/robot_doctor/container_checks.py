# SPDX-License-Identifier: Apache-2.0
"""Docker, its NVIDIA runtime, the image and what runs of it, and what starts it at boot; for a robot in containers."""

from __future__ import annotations

import json
import re

from gremsy_bringup.doctor.doctor_table import Check
from gremsy_bringup.robot_doctor.host_view import json_lines
from gremsy_bringup.robot_doctor.robot_view import Robot

# `docker compose up` knows `!reset`, `--wait` and inline configs from here on.
_OLDEST_COMPOSE = (2, 17)
_UNITS = ('gremsy-recover.service', 'gremsy-recover.timer')
_PROJECT = 'com.docker.compose.project'


def docker(robot: Robot) -> Check:
    """The daemon answers to this user."""
    host = robot.host
    asked = host.done('docker', 'version', '--format', '{{.Server.Version}}')
    version = asked.output.strip()
    if asked.status == 0 and version:
        return Check('Docker', True, version, needed=True)
    said = ' '.join((asked.errors or asked.output).split())
    if asked.status == 127:
        remedy = (
            'Run `sudo apt-get install docker.io docker-compose-v2` (or follow https://docs.docker.com/engine/install).'
        )
        return Check('Docker', False, 'not installed', remedy, needed=True)
    if 'permission denied' in said.lower():
        group = host.group_named('docker')
        joined = group is not None and host.user.name in group[1]
        remedy = (
            'Log in again: this user joined the group docker after logging in.'
            if joined
            else 'Run `sudo usermod -aG docker $USER` and log in again.'
        )
        return Check('Docker', False, 'this user may not ask it', remedy, needed=True, lack='denied')
    if asked.status is None:
        return Check('Docker', False, said, 'Run `sudo systemctl restart docker`.', needed=True, lack='hangs')
    remedy = 'Run `sudo systemctl enable --now docker`; `journalctl -u docker -n 20` says why where it does not start.'
    return Check('Docker', False, f'it does not answer ({said[:160]})', remedy, needed=True, lack='stopped')


def compose(robot: Robot) -> Check:
    """New enough for compose.yaml."""
    asked = robot.host.done('docker', 'compose', 'version', '--short')
    match = re.match(r'v?(\d+)\.(\d+)', asked.output.strip())
    remedy = (
        'Run `sudo apt-get install docker-compose-v2` (or docker-compose-plugin, where Docker came from docker.com).'
    )
    if match is None:
        return Check('Compose', False, 'docker has no `compose`', remedy, needed=True)
    found = (int(match[1]), int(match[2]))
    if found < _OLDEST_COMPOSE:
        return Check('Compose', False, f'{asked.output.strip()}, older than 2.17', remedy, needed=True, lack='too old')
    return Check('Compose', True, asked.output.strip(), needed=True)


def nvidia_runtime(robot: Robot) -> Check | None:
    """That Docker can hand the GPU on: compose.yaml asks for `runtime: nvidia`."""
    host = robot.host
    asked = host.done('docker', 'info', '--format', '{{json .Runtimes}}')
    try:
        runtimes = json.loads(asked.output)
    except ValueError:
        # Docker's own row says why.
        return None
    if not isinstance(runtimes, dict):
        return None
    if 'nvidia' in runtimes:
        return Check('NVIDIA runtime', True, 'known to Docker', needed=True)
    configure = 'sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker'
    if host.has('nvidia-ctk'):
        return Check('NVIDIA runtime', False, 'installed, unknown to Docker', f'Run `{configure}`.', needed=True)
    remedy = (
        f'Run `sudo apt-get install nvidia-container-toolkit && {configure}` (on a PC add its packages first: '
        'https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html).'
    )
    return Check('NVIDIA runtime', False, 'not installed', remedy, needed=True)


def image(robot: Robot) -> Check | None:
    """The suite's image is here, and made for this processor."""
    host = robot.host
    asked = host.done('docker', 'image', 'inspect', '--format', '{{.Architecture}} {{.Id}}', robot.image)
    if asked.status != 0:
        if 'No such image' not in asked.errors and 'no such image' not in asked.errors.lower():
            return None
        installation = robot.installation
        platform = installation.setting('PLATFORM', 'pc')
        remedy = (
            f'From another machine: `docker/deploy up {installation.setting("IMAGE", "REPOSITORY")}:TAG`.'
            if installation.releases
            else f'Run `docker build -f docker/Dockerfile --build-arg PLATFORM={platform} -t {robot.image} .` in the '
            f'checkout, or `docker pull {robot.image}` where IMAGE is of a registry.'
        )
        return Check('Image', False, f'{robot.image} is not here', remedy, needed=True)
    architecture, _, identity = asked.output.strip().partition(' ')
    machine = host.done('uname', '-m').output.strip()
    wanted = {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, architecture)
    if architecture != wanted:
        remedy = f'Build or pull the one for {wanted}: PLATFORM in .env, docker/README.md has the list.'
        return Check(
            'Image', False, f'{robot.image} is for {architecture}, this is {wanted}', remedy, needed=True, lack='other'
        )
    return Check('Image', True, f'{robot.image} ({identity[7:19]})', needed=True)


def containers(robot: Robot) -> Check | None:
    """What was started, and how it is."""
    asked = robot.host.done('docker', 'ps', '-a', '--filter', f'label={_PROJECT}', '--format', '{{json .}}')
    if asked.status != 0:
        return None
    ours = [row for row in json_lines(asked.output) if f'{_PROJECT}=gremsy' in str(row.get('Labels', ''))]
    running = [row for row in ours if row.get('State') == 'running']
    sick = [
        row for row in ours if row.get('State') in ('restarting', 'dead') or '(unhealthy)' in str(row.get('Status'))
    ]
    if sick:
        found = '; '.join(f'{row.get("Names")}: {row.get("Status")}' for row in sick)
        remedy = f'Run `docker logs --tail 50 {sick[0].get("Names")}`: its last lines say why.'
        return Check('Containers', False, found, remedy, needed=True, lack='sick')
    if not running:
        installation = robot.installation
        how = (
            f'sh {installation.releases}/agent {installation.releases} recover'
            if installation.releases
            else 'docker compose -f docker/compose.yaml up -d --wait'
        )
        return Check('Containers', False, 'none runs', f'Run `{how}` when the rest is ok.', lack='stopped')
    return Check('Containers', True, '; '.join(f'{row.get("Names")}: {row.get("Status")}' for row in running))


def boot(robot: Robot) -> Check | None:
    """What starts it after a power cut."""
    installation, host = robot.installation, robot.host
    if not host.has('systemctl'):
        return None
    off = []
    for unit in ('docker.service', *(_UNITS if installation.releases else ())):
        state = host.done('systemctl', 'is-enabled', unit).output.strip()
        if state not in ('enabled', 'enabled-runtime', 'static'):
            off.append((unit, state))
    if not off:
        return Check('Start at boot', True, 'enabled')
    found = ', '.join(f'{unit} {state or "not installed"}' for unit, state in off)
    enable = f'sudo systemctl enable --now {" ".join(unit for unit, _ in off)}'
    absent = any(not state or state == 'not-found' for unit, state in off if unit in _UNITS)
    copy = 'in a checkout `sudo cp docker/robot/systemd/gremsy-recover.* /etc/systemd/system/`, then ' if absent else ''
    return Check('Start at boot', False, found, f'Run {copy}`{enable}`.', lack='off')


CONTAINER_QUESTIONS = (docker, compose, nvidia_runtime, image, containers, boot)
