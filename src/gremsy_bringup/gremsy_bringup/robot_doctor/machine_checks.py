# SPDX-License-Identifier: Apache-2.0
"""The machine itself: its system, power mode, GPU driver, processors, clock and disks."""

from __future__ import annotations

import re
import time
from pathlib import Path

from gremsy_bringup.doctor.doctor_table import Check
from gremsy_bringup.robot_doctor.host_view import Host
from gremsy_bringup.robot_doctor.installation import Installation
from gremsy_bringup.robot_doctor.robot_view import Robot

# Jetson Linux's major release: JetPack, and the images of docker/Dockerfile that fit it.
_JETPACKS = {35: ('JetPack 5', ''), 36: ('JetPack 6', 'jetpack6'), 38: ('JetPack 7', 'jetpack7')}
_PC_IMAGES = ('pc', 'pc-kilted', 'pc-lyrical', 'debian')
# CUDA 13.0's release notes, table 3: the oldest driver that runs it on Linux.
_CUDA_13_DRIVER = (580, 65)
_GIB = 1024**3
# Nothing of the suite was released before.
_OLDEST_S = time.mktime((2026, 1, 1, 0, 0, 0, 0, 0, 0))
# Of the RTC, which the kernel sets every 11 minutes while the clock is synchronised.
_RTC_DRIFT_S = 3600.0
_LOGS_BYTES, _ENGINES_BYTES, _RECORDINGS_BYTES, _IMAGES_BYTES = _GIB, 2 * _GIB, 5 * _GIB, 12 * _GIB


def system(robot: Robot) -> Check:
    """Which system, and whether the image fits it."""
    host = robot.host
    release = re.search(r'^# R(\d+) \(release\), REVISION: ([\d.]+)', host.text('/etc/nv_tegra_release') or '')
    about = re.search(r'^PRETTY_NAME="?([^"\n]*)', host.text('/etc/os-release') or '', re.MULTILINE)
    found = about[1] if about else 'a system that does not tell its name'
    said = robot.installation.setting('PLATFORM', 'pc') if robot.installation.in_containers else ''
    if release is None:
        if said and said not in _PC_IMAGES:
            return _other_platform(robot.installation, f'{found}, no Jetson', 'pc')
        return Check('System', True, found, needed=True)
    major, model = int(release[1]), host.text('/proc/device-tree/model') or 'a Jetson'
    # R39 and later belong to JetPack 7 too, as far as is known.
    name, platform = _JETPACKS.get(major, _JETPACKS[38] if major > 38 else _JETPACKS[35])
    found = f'{model}, Jetson Linux {major}.{release[2]} ({name}), {found}'
    if not platform:
        remedy = (
            "Its TensorRT binds Python 3.8: flash JetPack 6 or 7 with NVIDIA's SDK Manager "
            '(https://developer.nvidia.com/sdk-manager).'
        )
        return Check('System', False, found, remedy, needed=True, lack='too old')
    if said and said != platform:
        return _other_platform(robot.installation, found, platform)
    return Check('System', True, found, needed=True)


def _other_platform(installation: Installation, found: str, platform: str) -> Check:
    remedy = f'Write PLATFORM={platform} into {installation.settings_file}, and build or pull the image again.'
    said = installation.setting('PLATFORM', 'pc')
    return Check('System', False, f'{found}; the image is for {said}', remedy, needed=True, lack='other')


def power_mode(robot: Robot) -> Check | None:
    """Of a Jetson: one that is throttled detects at half the rate."""
    host = robot.host
    if not host.has('nvpmodel'):
        return None
    asked = host.done('nvpmodel', '-q')
    mode = re.search(r'NV Power Mode: (\S+)', asked.output)
    if mode is None:
        return Check('Power mode', False, 'nvpmodel does not tell it', 'Run `sudo nvpmodel -q`.', lack='unknown')
    modes = {
        name: number
        for number, name in re.findall(
            r'^<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>', host.text('/etc/nvpmodel.conf') or '', re.MULTILINE
        )
    }
    fastest = next((name for name in ('MAXN_SUPER', 'MAXN') if name in modes), None)
    if mode[1].startswith('MAXN') or fastest is None:
        return Check('Power mode', True, mode[1])
    remedy = (
        f'Run `sudo nvpmodel -m {modes[fastest]}` for {fastest}, where power supply and cooling allow it '
        '(some modes ask for a restart).'
    )
    return Check('Power mode', False, f'{mode[1]}: detection is slower than it could be', remedy, lack='slow')


def gpu_driver(robot: Robot) -> Check:
    """The kernel's NVIDIA driver, and whether it is new enough for the image."""
    host, containers = robot.host, robot.installation.in_containers
    if host.there('/etc/nv_tegra_release'):
        return Check('GPU driver', True, "the Jetson's own", needed=containers)
    version = re.search(r'NVRM version: .*?(\d+)\.(\d+)(?:\.\d+)*', host.text('/proc/driver/nvidia/version') or '')
    if version is None:
        card = next((path for path in _pci_vendors(host) if host.text(path) == '0x10de'), None)
        if card is None:
            remedy = (
                'compose.yaml asks for one; without it the suite runs without containers (docs/quick_start/robot.md).'
                if containers
                else 'Optional: detection runs on the CPU without it.'
            )
            return Check('GPU driver', False, 'no NVIDIA GPU', remedy, needed=containers)
        remedy = 'Run `sudo apt-get install nvidia-driver-580` (or newer) and restart the machine.'
        return Check('GPU driver', False, 'an NVIDIA GPU without its driver', remedy, needed=containers)
    found = (int(version[1]), int(version[2]))
    text = f'{version[1]}.{version[2]}'
    if containers and robot.installation.setting('PLATFORM', 'pc').startswith('pc') and found < _CUDA_13_DRIVER:
        remedy = 'Run `sudo apt-get install nvidia-driver-580` (or newer) and restart the machine.'
        return Check('GPU driver', False, f'{text}, and CUDA 13 needs 580.65', remedy, needed=True, lack='too old')
    return Check('GPU driver', True, text, needed=containers)


def _pci_vendors(host: Host) -> list[str]:
    folder = host.at('/sys/bus/pci/devices')
    # Display controllers: class 0x03.
    return [
        f'/sys/bus/pci/devices/{each.name}/vendor'
        for each in sorted(folder.glob('*'))
        if (host.text(f'/sys/bus/pci/devices/{each.name}/class') or '').startswith('0x03')
    ]


def processors(robot: Robot) -> Check:
    """Docker refuses a container that may take more than there is."""
    host, installation = robot.host, robot.installation
    memory = re.search(r'^MemTotal:\s+(\d+) kB', host.text('/proc/meminfo') or '', re.MULTILINE)
    total = int(memory[1]) * 1024 if memory else 0
    found = f'{host.cpus} CPUs, {total / _GIB:.1f} GiB of memory'
    if installation.in_containers:
        wanted = installation.setting('GREMSY_CPUS', '4')
        if re.fullmatch(r'[\d.]+', wanted) and float(wanted) > host.cpus:
            remedy = f'Write GREMSY_CPUS={host.cpus} into {installation.settings_file}.'
            return Check(
                'Processors',
                False,
                f'{found}; GREMSY_CPUS is {wanted}, which Docker refuses',
                remedy,
                needed=True,
                lack='too few',
            )
    if total and total < 3.5 * _GIB:
        remedy = 'Optional: close what else runs here; the suite itself takes about 1 GiB, and an engine being built 3.'
        return Check('Processors', False, found, remedy, lack='small')
    return Check('Processors', True, found)


def clock(robot: Robot) -> Check:
    """Stamps are times of this clock: unset, they are wrong; set later, they jump."""
    host = robot.host
    now = time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(host.now_s()))
    name, is_on = _time_service(robot)
    if host.now_s() < _OLDEST_S:
        remedy = (
            'Connect it to a network with NTP and run `sudo timedatectl set-ntp true`; without one, run '
            '`sudo date -u -s "YYYY-MM-DD HH:MM:SS" && sudo hwclock --systohc`.'
        )
        return Check('Clock', False, f'{now}: not set', remedy, needed=True, lack='unset')
    kernel = host.clock()
    said = host.done('timedatectl', 'show').output
    found = re.search(r'^NTPSynchronized=(yes|no)$', said, re.MULTILINE)
    synchronised = kernel.synchronised if kernel else bool(found and found[1] == 'yes')
    if not synchronised:
        start = {
            'chrony': 'sudo systemctl enable --now chrony',
            'ntpd': 'sudo systemctl restart ntp',
            'systemd-timesyncd': 'sudo timedatectl set-ntp true',
            '': 'sudo apt-get install chrony',
        }[name]
        why = f'{name} has not reached a server' if is_on else f'{name} is off' if name else 'nothing here does it'
        remedy = (
            f'Run `{start}`, and let it reach an NTP server. Without one, stamps of this machine and of others differ, '
            'and jump when the clock is set.'
        )
        return Check('Clock', False, f'{now}, not synchronised: {why}', remedy, lack='adrift')
    by = f' by {name}' if is_on else ''
    error = f', off by {kernel.largest_error_s * 1e3:.0f} ms at most' if kernel and kernel.largest_error_s < 16 else ''
    return Check('Clock', True, f'{now}, synchronised{by}{error}')


def _time_service(robot: Robot) -> tuple[str, bool]:
    """What keeps the clock, and whether it runs."""
    running = set(robot.processes.values())
    # The kernel keeps 15 letters of a name.
    for process, name in (('chronyd', 'chrony'), ('ntpd', 'ntpd'), ('systemd-timesyn', 'systemd-timesyncd')):
        if process in running:
            return name, True
    if robot.host.has('chronyd'):
        return 'chrony', False
    return ('systemd-timesyncd' if robot.host.has('timedatectl') else ''), False


def rtc(robot: Robot) -> Check:
    """What the time is after a boot without network."""
    host = robot.host
    clocks = sorted(path.name for path in host.at('/sys/class/rtc').glob('rtc*'))
    if not clocks:
        remedy = 'Optional: have the suite start when the clock is set, `sudo systemctl enable systemd-time-wait-sync`.'
        return Check('RTC', False, 'none: the time is unknown after a boot without network', remedy)
    # Some Jetsons have one without a battery beside one that has it.
    shown = {name: host.text(f'/sys/class/rtc/{name}/since_epoch') or '' for name in clocks}
    drifts = {name: abs(float(text) - host.now_s()) for name, text in shown.items() if text.isdigit()}
    if not drifts:
        return Check('RTC', False, f'{", ".join(clocks)}: cannot be read', 'Optional: look at `sudo hwclock --show`.')
    best = min(drifts, key=lambda name: drifts[name])
    boots_with = next((name for name in drifts if host.text(f'/sys/class/rtc/{name}/hctosys') == '1'), best)
    if drifts[boots_with] > _RTC_DRIFT_S:
        remedy = (
            f'Set it with `sudo hwclock --systohc --rtc=/dev/{boots_with}`; if it is wrong again after the power was '
            'off, its battery is missing or empty.'
        )
        return Check('RTC', False, f'{boots_with} is off by {drifts[boots_with] / 3600:.0f} h', remedy, lack='adrift')
    return Check('RTC', True, f'{boots_with}, within {drifts[boots_with]:.0f} s of the clock')


def disks(robot: Robot) -> Check:
    """Room and leave to write where the suite writes."""
    host, found, remedies = robot.host, [], []
    for folder, needed, what in _folders(robot):
        free = host.free_bytes(folder)
        mount = _mount_of(host, folder)
        if mount and 'ro' in mount[1].split(','):
            found.append(f'{folder} is on {mount[0]}, which is mounted read-only')
            remedies.append(
                f'Run `sudo mount -o remount,rw {mount[0]}`; if the kernel made it so (`dmesg | grep -i error`), the '
                'card or disk is failing.'
            )
            continue
        if free < needed:
            found.append(f'{free / _GIB:.1f} GiB free for {what} in {folder}, {needed / _GIB:.0f} wanted')
            remedies.append(
                'Free some: `docker system prune` removes unused images.'
                if robot.installation.in_containers
                else f'Free some: `du -xh {folder} | sort -h | tail` shows what takes it.'
            )
    if found:
        return Check('Disk', False, '; '.join(found), ' '.join(dict.fromkeys(remedies)), needed=True, lack='full')
    rooms = ', '.join(f'{folder} {host.free_bytes(folder) / _GIB:.0f}' for folder, _, _ in _folders(robot))
    return Check('Disk', True, f'GiB free: {rooms}', needed=True)


def _folders(robot: Robot) -> list[tuple[Path, int, str]]:
    installation = robot.installation
    if installation.folder is None:
        return [(robot.home / '.ros' / 'log', _LOGS_BYTES, 'logs'), (robot.home / '.cache', _ENGINES_BYTES, 'engines')]
    folder = installation.folder
    wanted = [
        (folder / 'logs', _LOGS_BYTES, 'logs'),
        (folder / installation.setting('ENGINES', './engines'), _ENGINES_BYTES, 'engines'),
        (Path('/var/lib/docker'), _IMAGES_BYTES if not robot.has_image else _GIB, 'images'),
    ]
    if 'recording' in installation.setting('COMPOSE_PROFILES').split(','):
        wanted.append((folder / installation.setting('RECORDINGS', './recordings'), _RECORDINGS_BYTES, 'recordings'))
    return wanted


def _mount_of(host: Host, folder: Path) -> tuple[str, str] | None:
    """Mount point and options of the file system that a folder is on."""
    best: tuple[str, str] | None = None
    for line in (host.text('/proc/mounts') or '').splitlines():
        parts = line.split()
        if len(parts) < 4:
            continue
        # A blank in a path is written as \040.
        point = parts[1].replace('\\040', ' ')
        inside = point == '/' or folder == Path(point) or folder.is_relative_to(point)
        if inside and (best is None or len(point) >= len(best[0])):
            best = (point, parts[3])
    return best


def folder_owners(robot: Robot) -> Check | None:
    """The container's user must be able to write into the robot's folders."""
    installation, host = robot.installation, robot.host
    if installation.folder is None:
        return None
    number = installation.setting('UID', '1000')
    wrong, missing = [], []
    for name in ('config', 'models', 'engines', 'logs', 'recordings', 'secrets'):
        path = installation.folder / name
        owner = host.owner(path)
        if owner is None:
            missing.append(name)
        elif str(owner.user) != number and not owner.mode & 0o002:
            wrong.append(name)
    if missing:
        folder = installation.folder
        remedy = f'Run `mkdir -p {" ".join(str(folder / name) for name in missing)}`.'
        return Check('Folders', False, f'missing: {", ".join(missing)}', remedy, needed=True)
    if wrong:
        paths = ' '.join(str(installation.folder / name) for name in wrong)
        remedy = f'Run `sudo chown -R {number}:{installation.setting("GID", "1000")} {paths}`, or change UID in .env.'
        found = f'not of user {number} (UID in .env): {", ".join(wrong)}'
        return Check('Folders', False, found, remedy, needed=True, lack='denied')
    return Check('Folders', True, f'of user {number}, as the containers')


MACHINE_QUESTIONS = (system, power_mode, gpu_driver, processors, clock, rtc, disks, folder_owners)
