# SPDX-License-Identifier: Apache-2.0
"""What every question of `doctor --robot` is asked of: the machine, what is installed on it, and whether it runs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gremsy_bringup.deployment.health_check import key_of
from gremsy_bringup.robot_doctor.host_view import Host
from gremsy_bringup.robot_doctor.installation import Installation


@dataclass(frozen=True)
class Robot:
    """One robot.

    Attributes:
        home: of its user.
        settings: the environment that the suite runs in: of this process, under that of .env.
    """

    host: Host
    installation: Installation
    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def image(self) -> str:
        """Of the suite, with its tag."""
        return f'{self.installation.setting("IMAGE", "gremsy-vision")}:{self.installation.setting("TAG", "local")}'

    @cached_property
    def has_image(self) -> bool:
        """Whether Docker has it."""
        return self.host.done('docker', 'image', 'inspect', '--format', '{{.Id}}', self.image).status == 0

    @cached_property
    def page(self) -> str:
        """Its address on this machine."""
        return f'http://127.0.0.1:{self.installation.page_port}'

    @cached_property
    def key(self) -> str:
        """One that may ask the page; empty for none."""
        path = self.keys_file
        environment = {'GREMSY_WEB_KEY': self.installation.setting('API_KEY'), **dict(self.host.environment)}
        return key_of(environment, self.host.at(path) if path else Path('/nonexistent'))

    @cached_property
    def keys_file(self) -> Path | None:
        """The file of the page's keys by compose.yaml's KEYS_FILE; None without one."""
        said = self.installation.setting('KEYS_FILE')
        if not said or said == '/dev/null' or self.installation.folder is None:
            return None
        return self.installation.folder / said

    @cached_property
    def secret_files(self) -> list[Path]:
        """Other files of secrets: in their folder, and those that a setting or a parameter names."""
        folder, found = self.installation.folder, []
        if folder is not None:
            named = map(self.installation.setting, ('VIEW_KEY_FILE', 'GRAFANA_PASSWORD_FILE'))
            found += [folder / name for name in named if name and name != '/dev/null']
            inside = sorted(path for path in self.host.at(folder / 'secrets').glob('*') if path.is_file())
            found += [folder / 'secrets' / path.name for path in inside if path.name != '.gitignore']
        for line in self.installation.lines:
            if match := re.match(r"""\s*(?:secrets_file|keys_file)\s*:\s*['"]?([/~][^'"\s#]*)""", line):
                found.append(Path(match[1].replace('~', str(self.home), 1)))
        return found

    @cached_property
    def runs(self) -> bool:
        """Whether the suite's page answers here."""
        status, text = self.host.page(f'{self.page}/health', '')
        return status == 200 and 'alive' in text

    @cached_property
    def parts(self) -> list[dict[str, Any]] | None:
        """Of /health/ready; None where it does not run, or no key lets us ask."""
        if not self.runs:
            return None
        _, text = self.host.page(f'{self.page}/health/ready', self.key)
        try:
            parts = json.loads(text).get('parts')
        except ValueError:
            return None
        return parts if isinstance(parts, list) else None

    @cached_property
    def processes(self) -> dict[int, str]:
        """Everybody's, by number."""
        return self.host.processes()
