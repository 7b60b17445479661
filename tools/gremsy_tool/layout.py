# SPDX-License-Identifier: Apache-2.0
"""Where things lie: the repository, and the state folder that holds all that set-up makes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gremsy_tool.errors import GremsyError

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).resolve().parents[2]

WHEEL_DISTROS = ('jazzy', 'kilted')
DEFAULT_DISTRO = 'jazzy'

# Set inside the workspace's environment ('wheels' or 'system'), so that a ./gremsy started there does not take our own
# ROS for a system's; STATE and REPOSITORY are set with it.
INSIDE = 'GREMSY_ENVIRONMENT'
INSIDE_REPOSITORY = 'GREMSY_REPOSITORY'
STATE = 'GREMSY_STATE'
DISTRO = 'GREMSY_ROS_DISTRO'


@dataclass(frozen=True)
class WorkspaceLayout:
    """The folders of one workspace; every kind of ROS has its own, so that switching rebuilds nothing."""

    repository: Path
    root: Path
    state: Path
    distro: str
    system_ros: bool

    @property
    def venv(self) -> Path:
        return self.state / 'venv'

    @property
    def python(self) -> Path:
        return self.venv / 'bin' / 'python'

    @property
    def build(self) -> Path:
        return self.state / 'build'

    @property
    def install(self) -> Path:
        return self.state / 'install'

    @property
    def log(self) -> Path:
        return self.state / 'log'

    @property
    def environment_file(self) -> Path:
        return self.state / 'environment.json'

    @property
    def stamp_file(self) -> Path:
        return self.state / 'stamp.json'

    @property
    def groups_file(self) -> Path:
        return self.venv / 'gremsy_groups.json'

    @property
    def packages_file(self) -> Path:
        return self.state / 'packages.json'

    @property
    def timing_file(self) -> Path:
        return self.state / 'setup.json'

    @property
    def lock_file(self) -> Path:
        return self.state / 'lock'

    @property
    def uv_lock(self) -> Path:
        return self.repository / 'uv.lock'

    @property
    def uv_pin(self) -> Path:
        return self.repository / 'tools' / 'uv.txt'


def find_layout(env: Mapping[str, str], distro: str | None = None, repository: Path = REPOSITORY) -> WorkspaceLayout:
    """Chooses the workspace that the caller's environment means.

    Args:
        env: The caller's environment variables.
        distro: A ROS of WHEEL_DISTROS asked for by name; then a sourced ROS is left alone.
        repository: The root of the checkout.
    """
    if INSIDE in env and env.get(INSIDE_REPOSITORY) != str(repository):
        # Started from the shell of another checkout: what that one set is not ours.
        env = {name: value for name, value in env.items() if name not in (STATE, DISTRO)}
    root = _usable(env.get(STATE) or str(repository / '.gremsy'))
    sourced = env.get('ROS_DISTRO')
    if distro is None and sourced and env.get('AMENT_PREFIX_PATH') and env.get(INSIDE) != 'wheels':
        return WorkspaceLayout(repository, root, root / f'system-{sourced}', sourced, system_ros=True)
    wanted = distro or env.get(DISTRO) or DEFAULT_DISTRO
    if wanted not in WHEEL_DISTROS:
        raise GremsyError(
            f'ROS "{wanted}" has no wheels locked here: choose one of {", ".join(WHEEL_DISTROS)}, or source an '
            f'installed ROS first (. /opt/ros/{wanted}/setup.sh).'
        )
    # The default lies at the top, so that .gremsy/venv is where everyone looks for it.
    return WorkspaceLayout(
        repository, root, root if wanted == DEFAULT_DISTRO else root / wanted, wanted, system_ros=False
    )


def _usable(text: str) -> Path:
    """The state folder, with `~` filled in, as no shell does in an environment file.

    Raises:
        GremsyError: No folder can be there, or none whose programs can be found.
    """
    why = ''
    # It becomes part of PATH and PYTHONPATH.
    if os.pathsep in text or not text.isprintable():
        why = 'it contains a colon or an invisible character'
    root = Path(text)
    try:
        root = root.expanduser().absolute()
        root.stat()
    except RuntimeError:
        why = 'it is the home folder of an unknown user'
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        # To be made, or to be refused when it is.
        pass
    except OSError as error:
        why = str(error.strerror)
    if why:
        raise GremsyError(
            f'{STATE} is {text[:100]!r}, which cannot hold a workspace ({why}): set it to another folder.'
        )
    return root
