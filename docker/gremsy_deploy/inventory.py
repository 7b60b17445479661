# SPDX-License-Identifier: Apache-2.0
"""Which robots there are: an INI file, a section each, `[DEFAULT]` for all."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gremsy_deploy.errors import DeployError

_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]*')
_HOST = re.compile(r'(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9_.:-]*')
_SETTINGS = {'host', 'port', 'folder', 'canary', 'ssh_options'}


@dataclass(frozen=True)
class RobotEntry:
    """One robot: where it is reached and where on it the releases are."""

    name: str
    # USER@HOST, or `local` for this machine.
    host: str
    folder: str = 'gremsy'
    port: int = 22
    # Gets a release before those that are no canary.
    canary: bool = False
    ssh_options: tuple[str, ...] = ()


def read_inventory(path: Path) -> tuple[RobotEntry, ...]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding='utf-8'), source=str(path))
        places = tuple(_place(name, parser[name]) for name in parser.sections())
    except FileNotFoundError:
        raise DeployError(f'{path} is missing: see docker/robots.example.ini') from None
    except OSError as error:
        raise DeployError(f'{path} cannot be read ({error.strerror}): name another with --inventory') from error
    except (UnicodeDecodeError, configparser.ParsingError) as error:
        raise DeployError(
            f'{path} is not an inventory with a section for each robot: see docker/robots.example.ini'
        ) from error
    except (ValueError, configparser.Error) as error:
        raise DeployError(f'{path}: {error}') from error
    if not places:
        raise DeployError(f'{path} names no robot')
    return places


def _place(name: str, section: configparser.SectionProxy) -> RobotEntry:
    unknown = sorted(set(section) - _SETTINGS)
    if unknown:
        raise ValueError(f'[{name}] has {unknown[0]!r}; there is {", ".join(sorted(_SETTINGS))}')
    host = section.get('host', '')
    # ssh would take a host that begins with a hyphen for an option.
    if not _NAME.fullmatch(name) or not _HOST.fullmatch(host):
        raise ValueError(f'[{name}] needs a plain name and host = USER@HOST (or local), not {host!r}')
    folder = section.get('folder', 'gremsy')
    if not folder or folder.startswith(('-', '~')):
        raise ValueError(f'[{name}] folder = {folder}: a path, absolute or from the home folder of its user')
    port = section.getint('port', 22)
    if not 0 < port < 65536:
        raise ValueError(f'[{name}] port = {port} is none')
    return RobotEntry(
        name=name,
        host=host,
        folder=folder,
        port=port,
        canary=section.getboolean('canary', False),
        ssh_options=tuple(shlex.split(section.get('ssh_options', ''))),
    )


def chosen(places: Sequence[RobotEntry], names: Sequence[str]) -> tuple[RobotEntry, ...]:
    """Those that are named, all of them for no name."""
    known = {place.name for place in places}
    unknown = sorted(set(names) - known)
    if unknown:
        raise DeployError(f'no robot {", ".join(unknown)}; there is {", ".join(sorted(known))}')
    return tuple(place for place in places if not names or place.name in names)
