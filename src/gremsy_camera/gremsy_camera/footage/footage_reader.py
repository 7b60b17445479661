# SPDX-License-Identifier: Apache-2.0
"""The frames of a video file, one after the other, and what to do at its end."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_camera.errors import SourceEnded, SourceError, SourceUnusable
from gremsy_common.picture.picture_memory import PictureMemory

# Of pictures that OpenCV decodes.
STILL_SUFFIXES = frozenset({'.png', '.jpg', '.jpeg', '.bmp', '.webp', '.tif', '.tiff'})
# A read that fails before the declared end may be one bad frame or the true end of a file cut short: this many in a
# row are the end.
_FAILURES_AT_END = 25


class AtEnd(Enum):
    """What a video does when it comes to its end."""

    LOOP = 'loop'
    HOLD = 'hold'
    STOP = 'stop'


@dataclass(frozen=True, slots=True)
class FootageInfo:
    """Of one file.

    Attributes:
        width, height: pixels.
        rate_hz: the file's own rate, 0.0 for a still image or where the file does not say.
        frames: how many the file declares, 0 where it does not say.
    """

    width: int
    height: int
    rate_hz: float
    frames: int


@dataclass(frozen=True, slots=True, eq=False)
class FootageFrame:
    """One decoded frame, counted from 0 at the start: (H, W, 3) uint8 BGR, or (H, W) uint16 of infrared."""

    index: int
    image: NDArray[Any]


def read_picture(path: Path) -> NDArray[Any] | None:
    """A picture file as FootageFrame has it; None for one that cannot be decoded."""
    try:
        image = cv2.imread(str(path), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
    except cv2.error:
        return None
    if image is None:
        return None
    if image.dtype == np.uint16 and image.ndim == 2:
        return np.asarray(image)
    if image.dtype == np.uint16:
        image = np.right_shift(np.asarray(image, np.uint16), 8).astype(np.uint8)
    if image.dtype != np.uint8:
        return None
    return np.asarray(image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))


class FootageReader:
    """Reads a video or a still image from its first frame on; the same file always gives the same indices."""

    def __init__(self, path: Path, at_end: AtEnd = AtEnd.LOOP, *, keep_infrared: bool = False) -> None:
        """Touch nothing yet; a picture of 16-bit grey is given as it is with `keep_infrared`, else as BGR."""
        self._path = path
        self._at_end = at_end
        self._keep_infrared = keep_infrared
        self._capture: cv2.VideoCapture | None = None
        self._memory = PictureMemory()
        self._pending: NDArray[Any] | None = None
        self._info = FootageInfo(0, 0, 0.0, 0)
        self._next_index = 0
        self._failed_this_round = 0
        self._counted_failures = 0
        self.loops = 0
        self.ended = False

    @property
    def decode_failures(self) -> int:
        """Frames that could not be decoded and were left out."""
        return self._counted_failures + self._failed_this_round

    def open(self) -> FootageInfo:
        """Open the file and decode its first frame.

        Raises:
            SourceUnusable: when there is no such file, or it has no frame that can be decoded.
        """
        if self._path.is_dir():
            raise SourceUnusable(f'{self._path} is a folder: name a video in it.')
        if not self._path.is_file():
            raise SourceUnusable(f'There is no file or folder {self._path}: check the path of `source`.')
        if not os.access(self._path, os.R_OK):
            raise SourceUnusable(f'The video file {self._path} may not be read: give this user the right to read it.')
        if self._path.suffix.lower() in STILL_SUFFIXES:
            return self._open_still()
        self._start()
        return self._info

    def next(self) -> FootageFrame | None:
        """The next frame; None when there is none new (a still, or a video held at its end).

        Raises:
            SourceEnded: at the end, with `at_end` = `stop`.
            SourceError: when the file cannot be opened again for the next round.
        """
        if self.ended:
            return None
        image = self._pending if self._pending is not None else self._decode()
        self._pending = None
        if image is None:
            if not self._at_the_end():
                return None
            image, self._pending = self._pending, None
            assert image is not None
        frame = FootageFrame(self._next_index, image)
        self._next_index += 1
        return frame

    def close(self) -> None:
        """Free the decoder."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None
        self._pending = None

    def _open_still(self) -> FootageInfo:
        image = read_picture(self._path) if self._keep_infrared else cv2.imread(str(self._path), cv2.IMREAD_COLOR)
        if image is None:
            raise SourceUnusable(
                f'The image file {self._path} cannot be decoded: check that it is complete, or use another.'
            )
        self._pending = np.asarray(image)
        self._info = FootageInfo(image.shape[1], image.shape[0], 0.0, 1)
        return self._info

    def _start(self) -> None:
        """Open at the first frame and decode it into `_pending`."""
        self.close()
        # FFmpeg writes a line to stderr for every damaged block of a picture: 1500 lines for one damaged file of 50 kB.
        os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
        log_level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            self._capture = cv2.VideoCapture(str(self._path))
        finally:
            cv2.utils.logging.setLogLevel(log_level)
        capture = self._capture
        rate_hz = capture.get(cv2.CAP_PROP_FPS)
        frames = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._info = FootageInfo(
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            rate_hz if math.isfinite(rate_hz) and 0.0 < rate_hz <= 1000.0 else 0.0,
            int(frames) if math.isfinite(frames) and 0 < frames < 1e9 else 0,
        )
        self._next_index = 0
        self._counted_failures += self._failed_this_round
        self._failed_this_round = 0
        self._pending = self._decode() if capture.isOpened() else None
        if self._pending is None:
            self.close()
            raise SourceUnusable(
                f'The file {self._path} has no video that can be decoded: '
                'check that it is complete and that `ffmpeg` plays it, or use another.'
            )
        # The container's size can differ from the pictures'.
        height, width = self._pending.shape[:2]
        self._info = FootageInfo(width, height, self._info.rate_hz, self._info.frames)

    def _decode(self) -> NDArray[np.uint8] | None:
        """The next picture that decodes; None at the end."""
        if self._capture is None:
            return None
        failed = 0
        while failed < _FAILURES_AT_END:
            try:
                done, image = self._capture.read(self._memory.new((self._info.height, self._info.width, 3)))
            except cv2.error:
                done, image = False, None
            if done and image is not None and self._fits(image):
                self._failed_this_round += failed
                return np.asarray(image, dtype=np.uint8)
            if self._next_index + self._failed_this_round + failed >= self._info.frames - 1:
                break
            failed += 1
        # FFmpeg leaves broken pictures out without a word: what the file declares and did not give is counted here.
        self._failed_this_round = max(self._failed_this_round, self._info.frames - self._next_index)
        return None

    def _fits(self, image: cv2.typing.MatLike) -> bool:
        """A stream may change its size on the way; such a picture cannot follow the others."""
        return self._next_index == 0 or image.shape[:2] == (self._info.height, self._info.width)

    def _at_the_end(self) -> bool:
        """Apply `at_end`; True when the first frame of a new round is in `_pending`."""
        if self._capture is None or self._at_end is AtEnd.HOLD:
            self.ended = True
            return False
        if self._at_end is AtEnd.STOP:
            self.ended = True
            raise SourceEnded(
                f'The video {self._path} ended after {self._next_index} frames and `at_end` is `stop`: '
                'set `at_end` to `loop` or `hold` to go on.'
            )
        self._require_file()
        self._start()
        self.loops += 1
        return True

    def _require_file(self) -> None:
        if not self._path.is_file():
            raise SourceError(f'The video file {self._path} has gone: put it back, or set another `source`.')
