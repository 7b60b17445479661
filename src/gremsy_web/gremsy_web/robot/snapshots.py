# SPDX-License-Identifier: Apache-2.0
"""Frames that somebody kept, each with what was seen in it, for a while."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from gremsy_web.robot.robot_commands import CapturedPicture
from gremsy_web.robot.robot_picture import CameraPicture, detections_content

_ENDINGS = {'image/jpeg': 'jpg', 'image/png': 'png'}
_NOT_SEEN = 'No detections came for this frame: check the detector and the tracker.'


class Snapshots:
    """On the server's loop only.

    Args:
        most: kept at a time; a picture of 12 megapixels takes about 4 MB.
    """

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, str], CapturedPicture] = OrderedDict()

    def keep(self, seen: CameraPicture, still: CapturedPicture) -> dict[str, Any]:
        """Its description: its stamp, size and detections, and where its picture is."""
        name = f'{still.stamp_ns}.{_ENDINGS[still.media_type]}'
        self._kept[seen.name, name] = still
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        tracks = seen.tracks.at(still.stamp_ns)
        return {
            'stamp_ns': str(still.stamp_ns),
            **seen.size_content(still.stamp_ns),
            'detections': None if tracks is None else detections_content(tracks),
            'not_seen_because': _NOT_SEEN if tracks is None else '',
            'picture': f'/api/camera/snapshot/{seen.name}/{name}',
        }

    def find(self, camera: str, name: str) -> CapturedPicture | None:
        """None for one that is not kept (any more)."""
        return self._kept.get((camera, name))
