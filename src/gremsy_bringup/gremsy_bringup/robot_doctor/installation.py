# SPDX-License-Identifier: Apache-2.0
"""What is installed on a robot and where: a parameter file, containers of a checkout, or releases of docker/deploy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from gremsy_bringup.robot_doctor.host_view import Host

# Where a payload with an address of its own is (docker/.env.example).
_LINK = 'udp://{}:14566'
_SOURCE = 'rtsp://{}:8554/payload'
_URI = re.compile(r"""(?:serial|udp)://[^\s'",\]]+""")
_VARIABLE = re.compile(r'(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)')
# What compose.yaml makes of GIMBAL_DEVICE and CAMERA_DEVICE.
_IN_CONTAINER = {'/dev/gimbal': 'GIMBAL_DEVICE', '/dev/camera': 'CAMERA_DEVICE'}


@dataclass(frozen=True)
class Installation:
    """Where things are; a file or folder is None where there is none.

    Attributes:
        parameters: the robot's own parameter file.
        settings_file: `.env` of the containers.
        settings: its variables.
        folder: where compose.yaml, logs, secrets and the like are: docker/ of a checkout, or `shared` of the releases.
        releases: the folder of docker/deploy.
    """

    parameters: Path | None = None
    settings_file: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    releases: Path | None = None
    # The parameter file's lines that are no comments.
    lines: tuple[str, ...] = ()

    @property
    def in_containers(self) -> bool:
        """Whether docker is what runs it."""
        return self.settings_file is not None

    def setting(self, name: str, default: str = '') -> str:
        """Of .env; what is empty there is not said."""
        return self.settings.get(name) or default

    @property
    def links(self) -> tuple[str, ...]:
        """The gimbal's, with devices as this machine calls them."""
        said = [uri for value in self._values_of('link') for uri in _URI.findall(value)]
        if not said and self.setting('GREMSY_LINK'):
            said = _URI.findall(self.setting('GREMSY_LINK'))
        if not said and self.setting('GREMSY_IP'):
            said = [_LINK.format(self.setting('GREMSY_IP'))]
        return tuple(self._outside(uri) for uri in said)

    @property
    def sources(self) -> tuple[str, ...]:
        """The cameras', with devices as this machine calls them."""
        said = [value.strip('\'"') for value in self._values_of('source')]
        if not said:
            said = [self.setting(name) for name in ('EO_SOURCE', 'IR_SOURCE') if self.setting(name)]
            if not self.setting('EO_SOURCE') and self.setting('GREMSY_IP'):
                said.insert(0, _SOURCE.format(self.setting('GREMSY_IP')))
        return tuple(self._outside(source) for source in said)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Hosts of links and sources, without those that a variable stands for."""
        found = []
        for text in (*self.links, *self.sources):
            try:
                host = urlsplit(text).hostname if '://' in text else None
            except ValueError:
                continue
            if host and '$' not in host:
                found.append(host)
        return tuple(dict.fromkeys(found))

    @property
    def page_port(self) -> int:
        """Where page and API are."""
        said = next(iter(self._values_of('port')), '') or self.setting('PORT', '6783')
        return int(said) if re.fullmatch('[0-9]{1,5}', said) else 6783

    def _values_of(self, parameter: str) -> list[str]:
        # Without a YAML reader, which the standard library has not: a parameter on one line, as everybody writes it.
        found = []
        for line in self.lines:
            name, colon, value = line.strip().partition(':')
            if colon and name == parameter and value.strip():
                found.append(re.sub(r'\s#.*$', '', value).strip())
        return found

    def _outside(self, text: str) -> str:
        for inside, variable in _IN_CONTAINER.items():
            text = text.replace(inside, self.setting(variable, inside)) if self.in_containers else text
        return text


def variables_of(text: str) -> dict[str, str]:
    """NAME=VALUE as Compose reads it: quotes around a value, which may have several lines; `#` after a blank."""
    found = {}
    lines = text.splitlines()
    while lines:
        match = _VARIABLE.fullmatch(lines.pop(0).strip())
        if not match:
            continue
        name, value = match[1], match[2].strip()
        if value[:1] in ('"', "'") and value[0] not in value[1:]:
            end = next((number for number, line in enumerate(lines) if value[0] in line), -1)
            value = '\n'.join([value, *lines[: end + 1]])
            del lines[: end + 1]
        if len(value) >= 2 and value[0] in '\'"' and value[0] in value[1:]:
            value = value[1 : value.index(value[0], 1)]
        else:
            value = re.sub(r'(^|\s+)#.*$', '', value).strip()
        found[name] = value
    return found


def find_installation(host: Host, parameters: Path | None, settings: Path | None, home: Path) -> Installation:
    """What is said, else what is there: ./my_robot.yaml, docker/.env of a checkout, releases in ~/gremsy.

    Args:
        host: the machine.
        parameters: a parameter file that was named.
        settings: a .env that was named or belongs to a checkout; it need not be there.
        home: the folder in which docker/deploy puts `gremsy`.
    """
    releases = home / 'gremsy' if host.there(home / 'gremsy' / 'releases') else None
    if settings is None or not host.there(settings):
        settings = releases / 'shared' / '.env' if releases else None
    if settings is not None and not host.there(settings):
        settings = None
    if settings is not None and settings.parent.name == 'shared' and host.there(settings.parents[1] / 'releases'):
        # Wherever the inventory of docker/deploy puts them.
        releases = settings.parents[1]
    folder = settings.parent if settings else None
    variables = variables_of(host.text(settings) or '') if settings else {}
    if releases is not None and settings is not None and settings.is_relative_to(releases):
        variables |= variables_of(host.text(releases / 'current' / 'release.env') or '')
    else:
        releases = None
    if parameters is None and folder is not None and host.there(folder / 'config' / 'my_robot.yaml'):
        parameters = folder / 'config' / 'my_robot.yaml'
    lines = (host.text(parameters) or '').splitlines() if parameters else []
    return Installation(
        parameters=parameters,
        settings_file=settings,
        settings=variables,
        folder=folder,
        releases=releases,
        lines=tuple(line for line in lines if not line.lstrip().startswith('#')),
    )
