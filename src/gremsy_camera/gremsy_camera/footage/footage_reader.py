# SPDX-License-Identifier: Apache-2.0
"""The frames of a video file, one after the other, and what to do at its end."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

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


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV and its FFmpeg quiet, which they are for the whole process only; what somebody set stays.

    FFmpeg writes a line for every damaged block of a picture (1500 lines for one damaged file of 50 kB), and addresses
    with what stands in them.
    """
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


class Footage(ABC):
    """Frames one after the other, counted from 0 in each round, and what to do at their end.

    Attributes:
        what: begins the sentences on it: 'The video /videos/walk.mp4'.
        decode_failures: frames that could not be decoded and were left out.
        loops: how often it has started again.
        ended: it has no more frames, and its last one is held.
    """

    # What is counted in it.
    _unit: ClassVar[str]

    def __init__(self, what: str, at_end: AtEnd) -> None:
        self.what = what
        self._at_end = at_end
        self._pending: NDArray[Any] | None = None
        self._next_index = 0
        self.decode_failures = 0
        self.loops = 0
        self.ended = False

    @abstractmethod
    def open(self) -> FootageInfo:
        """Open it and decode its first frame.

        Raises:
            SourceUnusable: there is none that can be decoded.
        """

    def next(self) -> FootageFrame | None:
        """The next frame; None when there is none new (a still, or what is held at its end).

        Raises:
            SourceEnded: at the end, with `at_end` = `stop`.
            SourceError: when it cannot be opened again for the next round.
        """
        if self.ended:
            return None
        image = self._pending if self._pending is not None else self._decode()
        self._pending = None
        if image is None:
            self.ended = self._at_end is not AtEnd.LOOP
            if self._at_end is AtEnd.STOP:
                raise SourceEnded(
                    f'{self.what} ended after {self._next_index} {self._unit} and `at_end` is `stop`: '
                    'set `at_end` to `loop` or `hold` to go on.'
                )
            if self.ended:
                return None
            image = self._start_again()
            self.loops += 1
            self._next_index = 0
        frame = FootageFrame(self._next_index, image)
        self._next_index += 1
        return frame

    def close(self) -> None:
        """Free what decodes."""
        self._pending = None

    @abstractmethod
    def _decode(self) -> NDArray[Any] | None:
        """The next picture that decodes; None at the end."""

    @abstractmethod
    def _start_again(self) -> NDArray[Any]:
        """The first picture of another round."""


class FootageReader(Footage):
    """Reads a video or a still image from its first frame on; the same file always gives the same indices."""

    _unit = 'frames'

    def __init__(self, path: Path, at_end: AtEnd = AtEnd.LOOP, *, keep_infrared: bool = False) -> None:
        """Touch nothing yet; a picture of 16-bit grey is given as it is with `keep_infrared`, else as BGR."""
        super().__init__(f'The video {path}', at_end)
        self._path = path
        self._keep_infrared = keep_infrared
        self._capture: cv2.VideoCapture | None = None
        self._memory = PictureMemory()
        self._info = FootageInfo(0, 0, 0.0, 0)
        self._failed_this_round = 0

    def open(self) -> FootageInfo:
        """See Footage."""
        if self._path.is_dir():
            raise SourceUnusable(f'{self._path} is a folder: name a video in it.')
        if not self._path.is_file():
            raise SourceUnusable(f'There is no file or folder {self._path}: check the path of `source`.')
        if not os.access(self._path, os.R_OK):
            raise SourceUnusable(f'The video file {self._path} may not be read: give this user the right to read it.')
        if self._path.suffix.lower() in STILL_SUFFIXES:
            return self._open_still()
        self._pending = self._start()
        return self._info

    def close(self) -> None:
        """See Footage."""
        super().close()
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _open_still(self) -> FootageInfo:
        image = read_picture(self._path) if self._keep_infrared else cv2.imread(str(self._path), cv2.IMREAD_COLOR)
        if image is None:
            raise SourceUnusable(
                f'The image file {self._path} cannot be decoded: check that it is complete, or use another.'
            )
        # A still has no other round.
        self._pending, self._at_end = np.asarray(image), AtEnd.HOLD
        self._info = FootageInfo(image.shape[1], image.shape[0], 0.0, 1)
        return self._info

    def _start(self) -> NDArray[Any]:
        """Open the file; its first frame."""
        self.close()
        with quiet_opencv():
            self._capture = capture = cv2.VideoCapture(str(self._path))
        rate_hz = capture.get(cv2.CAP_PROP_FPS)
        frames = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._info = FootageInfo(
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            rate_hz if math.isfinite(rate_hz) and 0.0 < rate_hz <= 1000.0 else 0.0,
            int(frames) if math.isfinite(frames) and 0 < frames < 1e9 else 0,
        )
        self._next_index = 0
        self._failed_this_round = 0
        first = self._decode() if capture.isOpened() else None
        if first is None:
            self.close()
            raise SourceUnusable(
                f'The file {self._path} has no video that can be decoded: '
                'check that it is complete and that `ffmpeg` plays it, or use another.'
            )
        # The container's size can differ from the pictures'.
        height, width = first.shape[:2]
        self._info = replace(self._info, width=width, height=height)
        return first

    def _decode(self) -> NDArray[np.uint8] | None:
        if self._capture is None:
            return None
        failed = 0
        while failed < _FAILURES_AT_END:
            try:
                done, image = self._capture.read(self._memory.new((self._info.height, self._info.width, 3)))
            except cv2.error:
                done, image = False, None
            if done and image is not None and self._fits(image):
                self._count_failures(failed)
                return np.asarray(image, dtype=np.uint8)
            if self._next_index + self._failed_this_round + failed >= self._info.frames - 1:
                break
            failed += 1
        # FFmpeg leaves broken pictures out without a word: what the file declares and did not give is counted here.
        self._count_failures(max(0, self._info.frames - self._next_index - self._failed_this_round))
        return None

    def _count_failures(self, failed: int) -> None:
        self._failed_this_round += failed
        self.decode_failures += failed

    def _fits(self, image: cv2.typing.MatLike) -> bool:
        """A stream may change its size on the way; such a picture cannot follow the others."""
        return self._next_index == 0 or image.shape[:2] == (self._info.height, self._info.width)

    def _start_again(self) -> NDArray[Any]:
        if not self._path.is_file():
            raise SourceError(f'The video file {self._path} has gone: put it back, or set another `source`.')
        return self._start()
