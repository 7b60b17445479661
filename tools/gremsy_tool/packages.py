# SPDX-License-Identifier: Apache-2.0
"""The ROS packages of the workspace, and when one must be built again."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gremsy_tool.errors import GremsyError
from gremsy_tool.stamps import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Raise this when the way of building changes, so that everything is built again.
BUILD_REVISION = 1

_READ_WHOLE = {'package.xml', 'setup.py', 'setup.cfg', 'CMakeLists.txt'}
_READ_SUFFIXES = {'.msg', '.srv', '.action', '.idl'}
# Never installed, or made by running things.
_PASSED_OVER = {'test', '__pycache__', 'build', 'install', 'log'}


@dataclass(frozen=True)
class Package:
    """One folder with a package.xml."""

    name: str
    folder: Path
    fingerprint: str
    depends: frozenset[str]


def find_packages(repository: Path) -> list[Package]:
    return [
        _read(manifest)
        for group in ('underlay', 'src')
        for manifest in sorted((repository / group).glob('*/package.xml'))
        if not (manifest.parent / 'COLCON_IGNORE').exists()
    ]


def with_dependants(changed: Iterable[str], packages: Iterable[Package]) -> set[str]:
    """The changed interface packages' users too: their generated code includes the other's headers."""
    stale = set(changed)
    known = list(packages)
    grown = True
    while grown:
        grown = False
        for package in known:
            if package.name not in stale and package.depends & stale and _is_interface(package):
                stale.add(package.name)
                grown = True
    return stale


def _is_interface(package: Package) -> bool:
    return (package.folder / 'CMakeLists.txt').exists()


def _read(manifest: Path) -> Package:
    folder = manifest.parent
    try:
        tree = ET.parse(manifest).getroot()  # noqa: S314 -- our own file
    except ET.ParseError as error:
        raise GremsyError(f'{manifest} is not valid XML ({error}): fix it, or restore it with git checkout.') from error
    name = (tree.findtext('name') or '').strip()
    if not name:
        raise GremsyError(f'{manifest} names no package: add its <name>.')
    depends = frozenset((element.text or '').strip() for element in tree if element.tag.endswith('depend'))
    return Package(name, folder, _fingerprint(folder), depends)


def _fingerprint(folder: Path) -> str:
    # The install links to the sources, so what is inside a file matters only where the build reads it; a file that
    # appears or goes away matters, because setup.py collects data files by pattern.
    parts: list[bytes] = [str(BUILD_REVISION).encode(), str(folder).encode()]
    for path in _files(folder):
        parts.append(path.relative_to(folder).as_posix().encode())
        if path.name in _READ_WHOLE or path.suffix in _READ_SUFFIXES:
            parts.append(path.read_bytes())
    return digest_of(parts)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith('.') or path.name in _PASSED_OVER or path.name.endswith('.egg-info'):
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.suffix not in {'.py', '.pyc'} or path.name == 'setup.py' or path.parent.name == 'launch':
            yield path
