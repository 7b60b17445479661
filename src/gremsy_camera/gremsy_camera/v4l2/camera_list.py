# SPDX-License-Identifier: Apache-2.0
"""The cameras of this machine and what they offer, without starting any: for `doctor` and `camera_check`."""

from __future__ import annotations

import errno
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gremsy_camera.v4l2.camera_modes import Mode
from gremsy_camera.v4l2.pixel_formats import BY_CODE
from gremsy_camera.v4l2.video_device import VideoDevice
from gremsy_camera.v4l2.video_nodes import ROOT, VideoNode, group_of, video_nodes
from gremsy_camera.v4l2.video_system import VideoSystem


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """One node that pictures come from, or may: what cannot be opened is not known.

    Attributes:
        path: `/dev/video0`.
        name: as the driver has it.
        source: what to write into `source`: a name that stays, where there is one.
        formats: of each format that is decoded the largest size, in words.
        denied_to: the group that this user is not in; '' where it may be opened.
        fault: what else the kernel said; '' for nothing.
    """

    path: str
    name: str
    source: str
    formats: tuple[str, ...] = ()
    denied_to: str = ''
    fault: str = ''


def found_cameras(system: VideoSystem | None = None, root: Path = ROOT) -> list[FoundCamera]:
    """Every camera, by number; nodes for metadata and for codecs are left out."""
    system = system or VideoSystem()
    return [found for node in video_nodes(root) for found in [_look(system, node, root)] if found is not None]


def _look(system: VideoSystem, node: VideoNode, root: Path) -> FoundCamera | None:
    source = node.lasting[0] if node.lasting else node.path
    try:
        with closing(VideoDevice(system, node.path)) as device:
            return (
                FoundCamera(node.path, device.card, source, _largest(device.modes(0, 0))) if device.captures else None
            )
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            return FoundCamera(node.path, node.name, source, denied_to=group_of(str(root / node.path.lstrip('/'))))
        return FoundCamera(node.path, node.name, source, fault=str(error.strerror))


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
