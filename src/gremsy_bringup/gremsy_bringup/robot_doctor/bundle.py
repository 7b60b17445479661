# SPDX-License-Identifier: Apache-2.0
"""The archive of `doctor --robot --bundle`: what somebody else needs to help with this robot, and no secret."""

from __future__ import annotations

import gzip
import io
import json
import re
import stat
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from gremsy_bringup.robot_doctor.host_view import json_lines
from gremsy_bringup.robot_doctor.installation import variables_of
from gremsy_bringup.robot_doctor.redaction import GONE, Redactor, is_secret_name
from gremsy_bringup.robot_doctor.robot_view import Robot
from gremsy_common.errors import SuiteError

TELEMETRY_S = 10
_LOG_BYTES = 200_000
_MOST_LOGS = 12
_LOG_NAMES = re.compile(r'.*\.(log|jsonl|txt)')
_USER_INFO = re.compile(r'://([^\s/@:\'"]*):?([^\s/@\'"]*)@')
# What a machine's own tools say; those that are not there are left out.
_PROGRAMS: tuple[tuple[str, ...], ...] = (
    ('uname', '-a'),
    ('uptime',),
    ('df', '-h'),
    ('ip', '-brief', 'link'),
    ('ip', '-4', '-brief', 'address'),
    ('ip', 'route'),
    ('ss', '-lntu'),
    ('lsusb',),
    ('lspci',),
    ('nvidia-smi',),
    ('nvpmodel', '-q'),
    ('timedatectl', 'show'),
    ('chronyc', '-n', 'tracking'),
    ('systemctl', '--failed', '--no-pager', '--plain'),
    ('systemctl', 'list-units', '--no-pager', '--plain', 'gremsy*', 'docker*', 'ModemManager*', 'nvgetty*'),
    ('docker', 'version'),
    ('docker', 'compose', 'version'),
    ('docker', 'ps', '-a', '--format', '{{.Names}}  {{.Image}}  {{.Status}}'),
    ('docker', 'images', '--digests', '--format', '{{.Repository}}:{{.Tag}}  {{.Digest}}  {{.Size}}'),
    ('docker', 'info', '--format', '{{json .Runtimes}}'),
    ('ls', '-l', '/dev/serial/by-id', '/dev/v4l/by-id', '/dev/gremsy', '/dev/shm'),  # noqa: S108 -- looked at
    ('dmesg', '--ctime'),
)
_FILES = (
    '/etc/os-release',
    '/etc/nv_tegra_release',
    '/proc/device-tree/model',
    '/proc/driver/nvidia/version',
    '/proc/cpuinfo',
    '/proc/meminfo',
    '/proc/mounts',
    '/proc/loadavg',
    '/proc/net/dev',
    '/proc/sys/net/core/rmem_max',
)
_PACKAGES = (
    'ros-*-ros-core',
    'ros-*-rmw-*',
    'nvidia-l4t-core',
    'nvidia-jetpack',
    'tensorrt*',
    'libnvinfer*',
    'nvidia-container-toolkit',
)
_OWN_PACKAGES = (
    'import importlib.metadata as m, json, sys; print(json.dumps({"python": sys.version, "packages": '
    '{d.metadata["Name"]: d.version for d in m.distributions()}}))'
)
# What a page that runs is asked once.
_ONCE = ('/health/ready', '/api/nodes', '/api/cameras', '/metrics')
Inside = Callable[[Sequence[str]], 'list[str] | None']


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the archive."""

    name: str
    what: str
    text: str


def known_secrets(robot: Robot) -> list[str]:
    """Every secret that stands in a place for secrets; none of these files gets into the archive as it is."""
    host, found = robot.host, []
    for variables in (host.environment, robot.installation.settings):
        found += [value for name, value in variables.items() if is_secret_name(name)]
        found += [part for value in variables.values() for part in _user_info(value)]
    found += _below_secret_names(robot.installation.lines)
    for line in robot.installation.lines:
        named = re.match(r"""\s*(\w+)\s*:\s*(.+)""", line)
        if named and is_secret_name(named[1]):
            found.append(named[2].split(' #')[0].strip().strip('\'"'))
        found += _user_info(line)
    for path in (*([robot.keys_file] if robot.keys_file else []), *robot.secret_files):
        found += _secrets_of(host.text(path) or '')
    # In a text each line of a secret may stand for itself; a variable that is filled in elsewhere is none.
    found += [line for value in found for line in value.splitlines()]
    return [value for value in found if not re.fullmatch(r'\$\{\w+\}|/\S*|true|false|none', value, re.IGNORECASE)]


def _below_secret_names(lines: Sequence[str]) -> list[str]:
    """What YAML has on the lines after `password:`, `password: >-` or `keys:`."""
    found, depth = [], -1
    for line in lines:
        indent = len(line) - len(line.lstrip())
        words = line.strip()
        if depth >= 0 and words and (indent > depth or (indent == depth and words.startswith('- '))):
            value = re.sub(r"""^(-\s+)?(\w+\s*:\s+)?""", '', words)
            found += [value, re.sub(r'\s+#.*$', '', value).strip('\'"')]
            continue
        if words:
            named = re.fullmatch(r"""['"]?(\w+)['"]?\s*:\s*([|>][-+\d]*)?\s*(#.*)?""", words)
            depth = indent if named and is_secret_name(named[1]) else -1
    return found


def _user_info(text: str) -> list[str]:
    parts = [part for match in _USER_INFO.finditer(text) for part in match.groups() if part and '$' not in part]
    return [*parts, *map(unquote, parts)]


def _secrets_of(text: str) -> list[str]:
    """Of a file of secrets: whole lines, and what stands behind a colon or an equals sign."""
    found = []
    for line in text.splitlines():
        words = line.strip()
        if not words or words.startswith('#'):
            continue
        found += [words, *(part.strip().strip('\'"') for part in re.split(r'[:=]', words, maxsplit=1)[1:])]
    return found


def known_names(robot: Robot) -> dict[str, str]:
    """User, host and serial numbers, and what they are called in the archive."""
    host = robot.host
    names = {}
    if host.user.name not in ('root', ''):
        names[host.user.name] = 'USER'
    if len(robot.home.parts) > 2:
        names[str(robot.home)] = '/home/USER'
    machine = host.text('/etc/hostname') or host.text('/proc/sys/kernel/hostname') or ''
    if len(machine) > 2 and machine not in ('localhost', 'robot', 'gremsy'):
        names[machine] = 'HOST'
    serials = [host.text('/proc/device-tree/serial-number'), host.text('/etc/machine-id')]
    serials += [
        host.text(f'/sys/bus/usb/devices/{path.name}/serial')
        for path in sorted(host.at('/sys/bus/usb/devices').glob('*'))
    ]
    return {**names, **{each: 'SERIAL' for each in serials if each and len(each) > 3}}


def collect(
    robot: Robot,
    *,
    checks: dict[str, object],
    table: str,
    inside: Inside,
    repository: Path | None,
    logs: Sequence[Path],
    seconds: int,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Entry]:
    """Everything, as it is found; secrets go when it is packed.

    Args:
        robot: that is looked at.
        checks: what the doctor found, for programs.
        table: the same for people.
        inside: makes the words after `python3` a command in the suite's environment; None where there is none.
        repository: the checkout; None where there is none.
        logs: further folders of logs.
        seconds: of telemetry.
        sleep: waits.
    """
    yield Entry('checks.txt', 'what `doctor --robot` says', table)
    yield Entry('checks.json', 'the same for programs', json.dumps(checks, indent=1))
    yield Entry('system.txt', "what this machine's own tools and files tell of it", _system(robot))
    yield Entry(
        'versions.json', 'versions of the suite, of its packages, of Python', _versions(robot, inside, repository)
    )
    yield from _configuration(robot)
    yield from _telemetry(robot, inside, seconds, sleep)
    yield from _logs(robot, logs)


def _system(robot: Robot) -> str:
    host, texts = robot.host, []
    for path in _FILES:
        text = host.text(path)
        if text:
            texts.append(f'==> {path}\n{text}\n')
    for command in _PROGRAMS:
        done = host.done(*command)
        if done.status != 127:
            texts.append(f'==> {" ".join(command)} (status {done.status})\n{_tail(done.output + done.errors)}\n')
    packages = host.done('dpkg-query', '--show', *_PACKAGES)
    texts.append(f'==> packages\n{packages.output}\n')
    return '\n'.join(texts)


def _versions(robot: Robot, inside: Inside, repository: Path | None) -> str:
    found: dict[str, object] = {'image': robot.image if robot.installation.in_containers else None}
    if repository is not None:
        done = robot.host.done('git', '-C', str(repository), 'describe', '--always', '--dirty', '--tags')
        found['git'] = done.output.strip() or None
        manifest = robot.host.text(repository / 'src/gremsy_bringup/package.xml') or ''
        version = re.search(r'<version>(.+?)</version>', manifest)
        found['suite'] = version[1] if version else None
    command = inside(['-c', _OWN_PACKAGES])
    lines = json_lines(robot.host.done(*command, timeout_s=60.0).output) if command else []
    found |= lines[-1] if lines else {}
    return json.dumps(found, indent=1)


def _configuration(robot: Robot) -> Iterator[Entry]:
    installation, host = robot.installation, robot.host
    if installation.settings_file:
        lines = []
        for line in (host.text(installation.settings_file) or '').splitlines():
            named = next(iter(variables_of(line)), '')
            lines.append(f'{named}={GONE}' if named and is_secret_name(named) and variables_of(line)[named] else line)
        yield Entry('configuration/env.txt', "the containers' .env", '\n'.join(lines))
    if installation.parameters:
        yield Entry('configuration/my_robot.yaml', "the robot's parameters", host.text(installation.parameters) or '')
    if installation.folder:
        folder = installation.releases / 'current' if installation.releases else installation.folder
        for name in ('compose.yaml', 'mediamtx.yml', 'release.env'):
            text = host.text(folder / name)
            if text:
                yield Entry(f'configuration/{name}', 'as it is on this robot', text)
    if installation.releases:
        for name in ('last', 'switch'):
            text = host.text(installation.releases / 'state' / name)
            if text:
                yield Entry(f'configuration/state_{name}.txt', "docker/deploy's own notes", text)
    variables = {
        name: GONE if is_secret_name(name) else value
        for name, value in sorted(robot.settings.items())
        if re.match(r'(ROS|RMW|FAST|CYCLONE|GREMSY|AMENT|RCUTILS|ZENOH)', name)
    }
    yield Entry('configuration/environment.json', 'variables of ROS and of the suite', json.dumps(variables, indent=1))


def _telemetry(robot: Robot, inside: Inside, seconds: int, sleep: Callable[[float], None]) -> Iterator[Entry]:
    host = robot.host
    command = inside(['-m', 'gremsy_bringup.robot_doctor.doctor_telemetry_node', str(seconds)])
    if robot.runs:
        rows, before = [], host.page(f'{robot.page}/metrics', robot.key)[1]
        began = time.monotonic()
        for _ in range(seconds):
            status, text = host.page(f'{robot.page}/api/status', robot.key)
            rows.append(json.dumps({'s': round(time.monotonic() - began, 3), 'status': status, 'text': _parsed(text)}))
            sleep(1.0)
        yield Entry('telemetry/status.jsonl', 'the state that the page shows, once a second', '\n'.join(rows))
        yield Entry('telemetry/metrics_before.txt', 'counters and delays before these seconds', before)
        for path in _ONCE:
            name = path.strip('/').replace('/', '_')
            text = host.page(f'{robot.page}{path}', robot.key)[1]
            yield Entry(f'telemetry/{name}.txt', f'{path} after these seconds', text)
    if command is not None:
        done = host.done(*command, timeout_s=seconds + 60.0)
        text = done.output.strip() or f'status {done.status}: {_tail(done.errors)}'
        what = '/diagnostics, and rate and age of the topics with a stamp, gimbal/attitude among them'
        yield Entry('telemetry/ros.json', what, text)
    if command is None and not robot.runs:
        yield Entry('telemetry/none.txt', 'why there is no telemetry', 'The suite does not run, and ROS is not here.\n')


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _logs(robot: Robot, further: Sequence[Path]) -> Iterator[Entry]:
    host, installation = robot.host, robot.installation
    asked = host.done('docker', 'ps', '-a', '--filter', 'label=com.docker.compose.project', '--format', '{{json .}}')
    for row in json_lines(asked.output):
        name = str(row.get('Names'))
        if 'gremsy' in str(row.get('Labels')):
            done = host.done('docker', 'logs', '--timestamps', '--tail', '2000', name)
            yield Entry(
                f'logs/container_{_plain(name)}.log', f'end of what {name} said', _tail(done.output + done.errors)
            )
    done = host.done('journalctl', '--no-pager', '--lines=300', '--unit=gremsy*')
    if done.status == 0 and done.output.strip():
        yield Entry('logs/systemd.log', "what systemd's units of the suite said", _tail(done.output))
    folders = [Path(robot.settings.get('ROS_LOG_DIR') or robot.home / '.ros' / 'log'), *further]
    if installation.folder:
        folders.append(installation.folder / 'logs')
    paths = {path for folder in folders for path in host.at(folder).rglob('*') if _LOG_NAMES.fullmatch(path.name)}
    newest = sorted(((_changed_s(path), path) for path in paths), reverse=True)[:_MOST_LOGS]
    for number, path in enumerate(path for changed_s, path in newest if changed_s):
        try:
            with path.open('rb') as file:
                file.seek(max(0, path.stat().st_size - _LOG_BYTES))
                text = file.read(_LOG_BYTES).decode(errors='replace')
        except OSError as error:
            text = f'This user cannot read it: {error.strerror}.'
        yield Entry(f'logs/{number:02}_{_plain(path.name)}', f'end of {path}', text)


def _changed_s(path: Path) -> float:
    """When a file was; 0 for what is none, or lies where this user may not look."""
    try:
        found = path.lstat()
    except OSError:
        return 0.0
    return found.st_mtime if stat.S_ISREG(found.st_mode) else 0.0


def _plain(name: str) -> str:
    return re.sub(r'[^\w.-]', '_', name)[-80:]


def _tail(text: str) -> str:
    return text[-_LOG_BYTES:]


def packed(entries: Sequence[Entry], redactor: Redactor, now_s: float) -> tuple[bytes, list[Entry]]:
    """The archive and what is in it, without secrets, owners and the names of people.

    Raises:
        SuiteError: a known secret would have got into it; it says in which file.
    """
    clean = [Entry(redactor.text(each.name), redactor.text(each.what), redactor.text(each.text)) for each in entries]
    files = [Entry('README.txt', 'this', _readme(clean, now_s)), *clean]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w', format=tarfile.PAX_FORMAT) as tar:
        for each in files:
            data = each.text.encode()
            if redactor.leaks(data) or redactor.leaks(each.name.encode()):
                raise SuiteError(
                    f'A secret would have got into {each.name} of the archive: nothing was written. Report this.'
                )
            entry = tarfile.TarInfo(f'gremsy_doctor/{each.name}')
            entry.size, entry.mode, entry.mtime = len(data), 0o644, int(now_s)
            tar.addfile(entry, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=int(now_s)), files


def _readme(entries: Sequence[Entry], now_s: float) -> str:
    width = max(len(each.name) for each in entries)
    rows = ''.join(f'  {each.name:{width}}  {each.what}\n' for each in entries)
    when = time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(now_s))
    return (
        f'Made on a robot by `doctor --robot --bundle` of the Gremsy vision suite, {when} by its clock.\n\n{rows}\n'
        f'Secrets were taken out and are "{GONE}": keys, passwords, tokens, users and passwords in addresses, names\n'
        'of wireless networks. The user is USER, the host HOST, serial numbers are SERIAL, MAC addresses\n'
        'xx:xx:xx:xx:xx:xx. A password of fewer than four letters is found only where its place shows what it is.\n'
        'IPv4 addresses, names of topics and what the suite saw (classes and positions, no pictures) are in it:\n'
        'look through it before you send it.\n'
    )
