# SPDX-License-Identifier: Apache-2.0
"""What is recorded, where to, and how much room it may take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gremsy_common.parameters.parameter_fields import param
from gremsy_common.parameters.parameter_forms import TextForm


@dataclass(frozen=True)
class RecordingParameters:
    """Of recordings and snapshots."""

    record_dir: str = param(
        '~/gremsy_recordings',
        live=True,
        doc='Folder for recordings and snapshots; it is created if only its last part is missing.',
        form=TextForm.PATH,
    )
    record_name: str = param(
        '{robot}_{camera}_{time}',
        live=True,
        doc="File name: `{robot}` and `{camera}` come from the camera's namespace, `{time}` is the UTC time.",
    )
    record_format: str = param(
        'auto',
        choices=('auto', 'mp4', 'mcap', 'both'),
        live=True,
        doc='`mp4` for a video file, `mcap` for a bag of topics, `both`, or `auto` for whatever the installed '
        'packages can write.',
    )
    record_images: str = param(
        'auto',
        choices=('auto', 'jpeg', 'none'),
        live=True,
        doc='Images in the bag: `jpeg` (16-bit infrared as PNG), `none`, or `auto`: 16-bit infrared, and all images '
        'if there is no MP4.',
    )
    record_segment_s: float = param(
        600.0, unit='s', low=0.0, high=86400.0, live=True, doc='A new file begins after this long; 0 for a single file.'
    )
    record_limit_gb: float = param(
        0.0,
        unit='GB',
        low=0.0,
        live=True,
        doc='Most that all recordings in the folder may take together; 0 for no limit.',
    )
    record_keep_free_gb: float = param(
        1.0, unit='GB', low=0.0, live=True, doc='Disk space that recordings leave free; they end before it is used up.'
    )
    record_delete_oldest: bool = param(
        False,
        live=True,
        doc='Delete the oldest recordings, and never anything else, when there is no room left; otherwise recording '
        'ends.',
    )
    record_at_start: bool = param(False, doc='Start recording when the node starts.')
    snapshot_format: str = param(
        'png', choices=('png', 'jpeg'), live=True, doc='Format of `~/snapshot`; 16-bit infrared is always PNG.'
    )

    @property
    def record_folder(self) -> Path:
        """Of recordings and snapshots."""
        return Path(self.record_dir).expanduser().absolute()
