# SPDX-License-Identifier: Apache-2.0
"""What the kernel says when a camera does not work, as a sentence with the way out."""

from __future__ import annotations

import errno
from contextlib import closing
from pathlib import Path

from gremsy_camera.errors import SourceError, SourceUnusable
from gremsy_camera.v4l2 import kernel_video as kernel
from gremsy_camera.v4l2.camera_modes import Mode
from gremsy_camera.v4l2.video_device import VideoDevice
from gremsy_camera.v4l2.video_nodes import group_of, holders, video_node, video_nodes
from gremsy_camera.v4l2.video_system import VideoSystem


def explained(error: OSError, path: str, name: str, root: Path) -> SourceError:
    """The error of a camera, called `name` in the sentence, whose device file is `path`."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return SourceError(f'There is no camera {path}: {_offer(root)}.')
    if error.errno in (errno.EACCES, errno.EPERM):
        return SourceUnusable(no_permission(path))
    if error.errno == errno.ENOTTY and name == path:
        return SourceUnusable(f'{path} is not a V4L2 device: {_offer(root)}.')
    if error.errno in (errno.ENODEV, errno.ENXIO):
        return SourceError(f'The camera {name} is unplugged: it is opened again when it is back{_lasting(path, root)}.')
    if error.errno == errno.EBUSY:
        by = ', '.join(holders(path, root)) or 'another process'
        return SourceError(f'The camera {name} is in use by {by}: close that, or take another camera.')
    return SourceError(f'The camera {name} failed: {error.strerror}.')


def no_permission(path: str) -> str:
    """For a device file that this user may not open."""
    try:
        group = group_of(path)
    except OSError:
        group = 'video'
    return (
        f'The camera {path} may not be opened by this user: `sudo usermod -aG {group} $USER`, log in again, and start '
        f'again (in a container: `--device {path} --group-add {group}`).'
    )


def no_bandwidth(name: str, mode: Mode) -> str:
    """For a driver that cannot stream as asked for beside what the bus carries already."""
    return (
        f'The USB bus has no room left for {mode.format} at {mode.size} of the camera {name}: ask for `format=MJPG`, a '
        'smaller size or a lower rate, or plug it in elsewhere.'
    )


def no_pictures(device: VideoDevice, name: str, path: str, root: Path) -> str:
    """For a device that is no camera: which of the same hardware is."""
    if device.abilities & kernel.CAP_META_CAPTURE:
        begin = f'{name} has only data about the pictures (metadata), no pictures'
    else:
        begin = f'{name} is a V4L2 device that no pictures come from'
    own = video_node(path, root)
    for node in video_nodes(root):
        of_the_same = own is not None and own.device and node.device == own.device and node.path != own.path
        if of_the_same and _captures(device.system, node.path):
            return f'{begin}: take {node.path}, which has those of the same camera.'
    return f'{begin}: {_offer(root)}.'


def _captures(system: VideoSystem, path: str) -> bool:
    try:
        with closing(VideoDevice(system, path)) as device:
            return device.captures
    except OSError:
        return False


def _offer(root: Path) -> str:
    nodes = video_nodes(root)
    if not nodes:
        return 'this machine has no /dev/video* at all'
    return f'this machine has {", ".join(node.title for node in nodes)}'


def _lasting(path: str, root: Path) -> str:
    """A numbered node may come back under another number."""
    if not path.startswith('/dev/video'):
        return ''
    node = video_node(path, root)
    link = node.lasting[0] if node is not None and node.lasting else 'its link in /dev/v4l/by-id'
    return f' under the same number ({link} names it whatever number it has)'
