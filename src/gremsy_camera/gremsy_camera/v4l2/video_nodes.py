# SPDX-License-Identifier: Apache-2.0
"""The device files of cameras: which there are, whose they are, who has one open; by the standard library alone."""

from __future__ import annotations

import grp
import os
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path('/')


@dataclass(frozen=True, slots=True)
class VideoNode:
    """One device file.

    Attributes:
        path: `/dev/video0`.
        name: the driver's name for it; '' where the kernel names none.
        device: the hardware that it belongs to, as a path in sysfs; '' where the kernel names none.
        lasting: names that stay when the number changes: `/dev/v4l/by-id/...`, else `/dev/v4l/by-path/...`.
    """

    path: str
    name: str
    device: str
    lasting: tuple[str, ...]

    @property
    def title(self) -> str:
        """The path, with the name after it."""
        return f'{self.path} ({self.name})' if self.name else self.path


def video_nodes(root: Path = ROOT) -> list[VideoNode]:
    """Every `/dev/videoN`, by number."""
    devices = [path for path in (root / 'dev').glob('video*') if re.fullmatch(r'video\d+', path.name)]
    return [_node(path, root) for path in sorted(devices, key=lambda path: int(path.name.removeprefix('video')))]


def video_node(path: str, root: Path = ROOT) -> VideoNode | None:
    """The node that a path leads to, through links too."""
    real = os.path.realpath(path)
    return next((node for node in video_nodes(root) if os.path.realpath(root / node.path.lstrip('/')) == real), None)


def group_of(path: str) -> str:
    """The group that the device file belongs to."""
    number = Path(path).stat().st_gid
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        # As in a container, which need not know the machine's groups.
        return str(number)


def holders(path: str, root: Path = ROOT) -> list[str]:
    """Who has the device open, as far as this user may see: 'cheese (process 4711)'."""
    real, found = os.path.realpath(path), []
    for process in sorted((root / 'proc').glob('[0-9]*'), key=lambda folder: int(folder.name)):
        if int(process.name) == os.getpid():
            continue
        try:
            links = [str(link.readlink()) for link in (process / 'fd').iterdir()]
            name = (process / 'comm').read_text(encoding='utf-8', errors='replace').strip()
        except OSError:
            # Another user's, or gone by now.
            continue
        if real in links:
            found.append(f'{name} (process {process.name})')
    return found


def _node(path: Path, root: Path) -> VideoNode:
    about = root / 'sys/class/video4linux' / path.name
    try:
        name = (about / 'name').read_text(encoding='utf-8', errors='replace').strip()
    except OSError:
        name = ''
    device = os.path.realpath(about / 'device') if (about / 'device').exists() else ''
    real = os.path.realpath(path)
    lasting = [
        f'/dev/v4l/{kind}/{link.name}'
        for kind in ('by-id', 'by-path')
        for link in sorted((root / 'dev/v4l' / kind).glob('*'))
        if os.path.realpath(link) == real
    ]
    return VideoNode(f'/dev/{path.name}', name, device, tuple(lasting))
