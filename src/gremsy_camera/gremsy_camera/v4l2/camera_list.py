# SPDX-License-Identifier: Apache-2.0
"""The cameras of this machine, without starting any: their device files, who has one open, what they offer."""

from __future__ import annotations

import errno
import grp
import os
import re
from dataclasses import dataclass
from pathlib import Path

from gremsy_camera.v4l2.camera_modes import Mode
from gremsy_camera.v4l2.pixel_formats import BY_CODE
from gremsy_camera.v4l2.video_device import VideoDevice, identity
from gremsy_camera.v4l2.video_system import KernelVideo, VideoSystem

ROOT = Path('/')


@dataclass(frozen=True, slots=True)
class VideoNode:
    """One device file.

    Attributes:
        path: `/dev/video0`.
        name: the driver's name for it; '' where the kernel tells none.
        device: the hardware that it belongs to, as a path in sysfs; '' where the kernel tells none.
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
            # Another user's, or gone meanwhile.
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


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """One node that pictures come from, or may: what cannot be opened is not known.

    Attributes:
        path: `/dev/video0`.
        name: as the driver has it.
        source: what to write into `source`: a name that stays, where there is one.
        formats: of each format that is decoded the largest size, in words.
        denied_to: the group that this user is not in; '' where it may be opened.
        trouble: what else the kernel said; '' for nothing.
    """

    path: str
    name: str
    source: str
    formats: tuple[str, ...] = ()
    denied_to: str = ''
    trouble: str = ''


def found_cameras(system: VideoSystem | None = None, root: Path = ROOT) -> list[FoundCamera]:
    """Every camera, by number; nodes for metadata and for codecs are left out."""
    system = system or KernelVideo()
    return [found for node in video_nodes(root) for found in [_look(system, node, root)] if found is not None]


def _look(system: VideoSystem, node: VideoNode, root: Path) -> FoundCamera | None:
    source = node.lasting[0] if node.lasting else node.path
    try:
        descriptor = system.open(node.path)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            return FoundCamera(node.path, node.name, source, denied_to=group_of(str(root / node.path.lstrip('/'))))
        return FoundCamera(node.path, node.name, source, trouble=str(error.strerror))
    try:
        what = identity(system, descriptor)
        if not what.captures:
            return None
        modes = VideoDevice(system, descriptor, what.buffer_type).modes(0, 0)
        return FoundCamera(node.path, what.card, source, _largest(modes))
    except OSError as error:
        return FoundCamera(node.path, node.name, source, trouble=str(error.strerror))
    finally:
        system.close(descriptor)


def _largest(modes: list[Mode]) -> tuple[str, ...]:
    largest: dict[int, Mode] = {}
    for mode in modes:
        known = largest.get(mode.code)
        if mode.code in BY_CODE and (known is None or mode.width * mode.height > known.width * known.height):
            largest[mode.code] = mode
    return tuple(
        f'{mode.format} to {mode.size}' + (f' at {mode.fastest_hz:.4g} Hz' if mode.periods else '')
        for mode in largest.values()
    )
