# SPDX-License-Identifier: Apache-2.0
"""What is recorded, where to, and how much room it may take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gremsy_common.parameters.parameter_fields import Span, live_param, param
from gremsy_common.parameters.parameter_forms import TextForm


@dataclass(frozen=True)
class RecordingParameters:
    """Of recordings and snapshots."""

    record_dir: str = live_param(
        '~/gremsy_recordings',
        'Folder for recordings and snapshots; it is created if only its last part is missing.',
        form=TextForm.PATH,
    )
    record_name: str = live_param(
        '{robot}_{camera}_{time}',
        "File name: `{robot}` and `{camera}` come from the camera's namespace, `{time}` is the UTC time.",
    )
    record_format: str = live_param(
        'auto',
        '`mp4` for a video file, `mcap` for a bag of topics, `both`, or `auto` for whatever the installed '
        'packages can write.',
        choices=('auto', 'mp4', 'mcap', 'both'),
    )
    record_images: str = live_param(
        'auto',
        'Images in the bag: `jpeg` (16-bit infrared as PNG), `none`, or `auto`: 16-bit infrared, and all images '
        'if there is no MP4.',
        choices=('auto', 'jpeg', 'none'),
    )
    record_segment_s: float = live_param(
        600.0, 'A new file begins after this long; 0 for a single file.', Span(0.0, 86400.0, 's')
    )
    record_limit_gb: float = live_param(
        0.0, 'Most that all recordings in the folder may take together; 0 for no limit.', Span(0.0, unit='GB')
    )
    record_keep_free_gb: float = live_param(
        1.0, 'Disk space that recordings leave free; they end before it is used up.', Span(0.0, unit='GB')
    )
    record_delete_oldest: bool = live_param(
        False,
        'Delete the oldest recordings, and never anything else, when there is no room left; otherwise recording ends.',
    )
    record_at_start: bool = param(False, 'Start recording when the node starts.')
    snapshot_format: str = live_param(
        'png', 'Format of `~/snapshot`; 16-bit infrared is always PNG.', choices=('png', 'jpeg')
    )

    @property
    def record_folder(self) -> Path:
        """Of recordings and snapshots."""
        return Path(self.record_dir).expanduser().absolute()
