# SPDX-License-Identifier: Apache-2.0
"""Whether images that this environment's processes publish reach other processes, by Fast DDS's settings.

What counts is the shared memory of who publishes, which each process makes for itself. Of 100 images of 1920x1080 bgr8
at 30 Hz, with a subscriber that takes them best effort, 32 arrive with Fast DDS's defaults at both ends, 2 with
FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA at both ends, and 100 with `fastdds_shm.xml` at the publisher alone; a reliable
subscriber gets 88, 81 and 100 (two cores, 2026-11-29).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# 1920x1080 bgr8.
PICTURE_BYTES = 6_220_800
# Fast DDS 2 (Humble, Jazzy) reads the first, Fast DDS 3 the second.
PROFILE_VARIABLES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
# Of Fast DDS where a profile does not say.
_DEFAULT_SEGMENT_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class ImageMemory:
    """Whether images fit, what was found, and what to do where they do not."""

    enough: bool
    found: str
    remedy: str = ''

    @property
    def sentence(self) -> str:
        """Both in one."""
        return f'{self.found}: {self.remedy}.' if self.remedy else f'{self.found}.'


def memory_for_images(environment: Mapping[str, str], picture_bytes: int = PICTURE_BYTES) -> ImageMemory:
    """What a process with these environment variables has for images on their way to other processes.

    Args:
        environment: as `os.environ`.
        picture_bytes: of one image.
    """
    middleware = environment.get('RMW_IMPLEMENTATION', '')
    if middleware and 'fastrtps' not in middleware:
        return ImageMemory(True, f'{middleware} is used, whose memory for images is not known here')
    given = [environment[name] for name in PROFILE_VARIABLES if environment.get(name)]
    if not given:
        return ImageMemory(
            False,
            'Fast DDS has its default 512 kB of shared memory, in which an image does not fit, so that other processes '
            'lose most images',
            _remedy(),
        )
    path = Path(given[0])
    try:
        sizes = list(_segment_sizes(ET.parse(path).getroot()))  # noqa: S314 a file of the user's own
    except (OSError, ET.ParseError) as error:
        return ImageMemory(False, f"Fast DDS's profile '{path}' cannot be read ({error})", _remedy())
    if not sizes:
        return ImageMemory(
            False,
            f"Fast DDS's profile '{path}' has no shared memory, so that images go over the network, where other "
            'processes lose most',
            _remedy(),
        )
    if max(sizes) < picture_bytes:
        return ImageMemory(
            False,
            f"Fast DDS's profile '{path}' has {max(sizes) / 1e6:.1f} MB of shared memory, and an image takes "
            f'{picture_bytes / 1e6:.1f} MB',
            _remedy(),
        )
    return ImageMemory(True, f"Fast DDS's profile '{path}' has {max(sizes) / 1e6:.1f} MB of shared memory for images")


def _remedy() -> str:
    names = ' and '.join(PROFILE_VARIABLES)
    return f"set {names} to gremsy_bringup's config/fastdds_shm.xml in the shell that starts the camera's node"


def _segment_sizes(root: ET.Element) -> Iterator[int]:
    """Bytes of each shared memory transport; tags are taken whatever their namespace."""
    for descriptor in root.iter():
        if _name(descriptor) != 'transport_descriptor':
            continue
        fields = {_name(each): (each.text or '').strip() for each in descriptor}
        if fields.get('type') == 'SHM':
            size = fields.get('segment_size', '')
            yield int(size) if size.isdigit() else _DEFAULT_SEGMENT_BYTES


def _name(element: ET.Element) -> str:
    return element.tag.rpartition('}')[2]
