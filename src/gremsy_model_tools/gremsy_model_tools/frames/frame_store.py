# SPDX-License-Identifier: Apache-2.0
"""A folder of frames that differ from each other: what a model is calibrated and checked on."""

from __future__ import annotations

import os
from itertools import chain, count
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_common.types.frame import Frame
from gremsy_detector.errors import FrameError
from gremsy_model_tools.precision.onnx_file import write_atomically

_THUMBNAIL_PX = (32, 18)
_TO_BGR = {'rgb8': cv2.COLOR_RGB2BGR, 'mono8': cv2.COLOR_GRAY2BGR}


class FrameStore:
    """Keeps a frame when it differs from every one it has kept, as PNG: a JPEG's blocks would be calibrated on too."""

    def __init__(self, folder: Path, count: int, least_change: float) -> None:
        """Nothing is written before the first `offer`.

        Args:
            folder: where the frames go; made where missing. Files that are there stay.
            count: how many to keep.
            least_change: mean difference of the thumbnails, grey levels; in vtest.avi, frames a tenth of a second
                apart differ by 0.8, half a second apart by 2.9.
        """
        self._folder = folder
        self._count = count
        self._least_change = least_change
        self._thumbnails: list[NDArray[np.float32]] = []

    @property
    def kept(self) -> int:
        """How many there are."""
        return len(self._thumbnails)

    @property
    def complete(self) -> bool:
        """Are there as many as were wanted?"""
        return self.kept >= self._count

    def offer(self, frame: Frame) -> Path | None:
        """Keep a frame if it is wanted and new; the file it went to.

        Raises:
            FrameError: for an encoding other than bgr8, rgb8 and mono8.
            ModelError: when the file cannot be written.
        """
        if self.complete:
            return None
        image = _as_bgr(frame)
        thumbnail = _thumbnail(image)
        if self._thumbnails:
            changes = np.abs(np.stack(self._thumbnails) - thumbnail).mean(axis=(1, 2))
            if float(changes.min()) < self._least_change:
                return None
        path = self._free_name(f'frame_{frame.stamp_ns:019d}')
        encoded, content = cv2.imencode('.png', image)
        if not encoded:
            raise FrameError(f"An image from '{frame.frame_id}' cannot be written as PNG: check its publisher.")
        write_atomically(content.tobytes(), path)
        self._thumbnails.append(thumbnail)
        return path

    def _free_name(self, stem: str) -> Path:
        """A recording that is played again has the same stamps."""
        endings = chain([''], (f'_{number}' for number in count(2)))
        paths = (self._folder / f'{stem}{ending}.png' for ending in endings)
        return next(path for path in paths if not os.path.lexists(path))


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    small = cv2.resize(image, _THUMBNAIL_PX, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.float32)


def _as_bgr(frame: Frame) -> NDArray[np.uint8]:
    if frame.encoding == 'bgr8':
        return frame.image
    if frame.encoding in _TO_BGR:
        return np.asarray(cv2.cvtColor(frame.image, _TO_BGR[frame.encoding]), dtype=np.uint8)
    raise FrameError(
        f"Images from '{frame.frame_id}' are encoded as '{frame.encoding}': publish them as bgr8, rgb8, mono8."
    )
