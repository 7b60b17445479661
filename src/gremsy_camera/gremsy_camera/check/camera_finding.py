# SPDX-License-Identifier: Apache-2.0
"""`camera_check --find`: the cameras of this machine, and those that answer on its network."""

from __future__ import annotations

import dataclasses
from typing import Any

from gremsy_camera.check.onvif_discovery import NetworkCamera, find_network_cameras
from gremsy_camera.v4l2.camera_list import FoundCamera, found_cameras


def find() -> tuple[list[FoundCamera], list[NetworkCamera], str]:
    """The kernel's cameras, the network's, and why the network could not be asked; '' where it was."""
    try:
        return found_cameras(), find_network_cameras(), ''
    except OSError as error:
        return found_cameras(), [], f'The network could not be asked ({error.strerror}).'


def found_object(kernel: list[FoundCamera], network: list[NetworkCamera], trouble: str) -> dict[str, Any]:
    """For --json."""
    return {
        'cameras': [dataclasses.asdict(each) for each in kernel],
        'network_cameras': [dataclasses.asdict(each) for each in network],
        'problem': trouble,
    }


def found_lines(kernel: list[FoundCamera], network: list[NetworkCamera], trouble: str) -> list[str]:
    """A line each, beginning with what `source` takes."""
    lines = [_kernel_line(each) for each in kernel]
    lines += [_network_line(each) for each in network]
    if trouble:
        lines.append(trouble)
    return lines or ['No camera was found: neither /dev/video*, nor one that answers to ONVIF discovery.']


def _kernel_line(camera: FoundCamera) -> str:
    if camera.denied_to:
        what = f'no permission: sudo usermod -aG {camera.denied_to} $USER, and log in again'
    else:
        what = camera.trouble or ', '.join(camera.formats) or 'no format that is decoded here'
    return f'{camera.source}  {camera.name}: {what}'


def _network_line(camera: NetworkCamera) -> str:
    # Which path of it has the stream is the maker's: only a login to ONVIF would tell.
    title = ' '.join(filter(None, (camera.name, camera.hardware))) or 'a camera without a name'
    return f"rtsp://${{CAMERA_USER}}:${{CAMERA_PASSWORD}}@{camera.host}/…  {title}: its path is in the maker's manual"
