# SPDX-License-Identifier: Apache-2.0
"""Real frames for calibrating and for checking: a folder of images, or a video file.

Frames are read one at a time when asked for: a hundred of 1080p would take 600 MB.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_detector.backends.backend import say_nothing
from gremsy_detector.errors import FrameError

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
_NUMBER = re.compile(r'(\d+)')


class FrameSource(Protocol):
    """Frames by position."""

    def __len__(self) -> int: ...

    def read(self, positions: Sequence[int]) -> Iterator[Frame]:
        """The frames at some positions, in rising order; one that cannot be read is reported and left out.

        Raises:
            FrameError: when none of them can be read.
        """


class ImageFolder:
    """The images of a folder, in the order that a person would list them (2 before 10); not of its subfolders."""

    def __init__(self, path: Path, files: Sequence[Path], say: Callable[[str], None] = say_nothing) -> None:
        self._path = path
        self._files = tuple(files)
        self._say = say

    def __len__(self) -> int:
        return len(self._files)

    def read(self, positions: Sequence[int]) -> Iterator[Frame]:
        """See `FrameSource.read`."""
        done = 0
        for position in sorted(positions):
            file = self._files[position]
            image = _read_image(file)
            if image is None:
                self._say(f'Image {file} cannot be read and is left out: remove it, or copy it again.')
                continue
            done += 1
            yield _frame(image, position)
        if not done:
            raise FrameError(f'None of the images looked at in folder {self._path} can be read: copy them again.')


class VideoFile:
    """The frames of a video, decoded from its beginning each time: seeking is inexact in most containers."""

    def __init__(self, path: Path, length: int) -> None:
        self._path = path
        self._length = length

    def __len__(self) -> int:
        return self._length

    def read(self, positions: Sequence[int]) -> Iterator[Frame]:
        """See `FrameSource.read`; a video that ends earlier than it says gives fewer."""
        wanted = frozenset(positions)
        done = 0
        capture = cv2.VideoCapture(str(self._path))
        try:
            for position in range(max(wanted, default=-1) + 1):
                if not capture.grab():
                    break
                if position not in wanted:
                    continue
                decoded, image = capture.retrieve()
                if decoded and image is not None and image.size:
                    done += 1
                    yield _frame(image, position)
        finally:
            capture.release()
        if not done:
            raise FrameError(f'No frame of video {self._path} can be decoded: copy it again, or give another.')


def open_source(path: Path, say: Callable[[str], None] = say_nothing) -> FrameSource:
    """Frames of a folder or of a video.

    Args:
        path: of either.
        say: takes a sentence for every image that cannot be read.

    Raises:
        FrameError: when there is nothing there that has frames.
    """
    try:
        if path.is_dir():
            return _open_folder(path, say)
        # A pipe would wait for a writer.
        if path.exists() and not path.is_file():
            raise FrameError(f'{path} is no regular file: give a folder of images, or a video file.')
        with path.open('rb'):
            pass
    except FileNotFoundError as error:
        raise FrameError(f'There is no {path}: give a folder of images, or a video file.') from error
    except OSError as error:
        raise FrameError(f'{path} cannot be read ({error.strerror}): check its permissions and its disk.') from error
    return _open_video(path)


def spread(start: int, stop: int, most: int) -> tuple[int, ...]:
    """At most `most` positions from `start` up to `stop`, evenly spaced: neighbours in a video tell nothing new."""
    return tuple(int(each) for each in np.unique(np.linspace(start, stop - 1, min(most, max(0, stop - start))).round()))


def _open_folder(path: Path, say: Callable[[str], None]) -> ImageFolder:
    files = [file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()]
    if not files:
        raise FrameError(f'Folder {path} has no images: put some there ({", ".join(IMAGE_SUFFIXES)}).')
    return ImageFolder(path, sorted(files, key=_as_listed), say)


def _open_video(path: Path) -> VideoFile:
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise FrameError(f'{path} is not a video that OpenCV can open: give a folder of images, or an MP4 or AVI.')
        length = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        # A stream that was cut off states none, or a number that is no length.
        if length < 1:
            length = 0
            while capture.grab():
                length += 1
    finally:
        capture.release()
    if length < 1:
        raise FrameError(f'No frame of video {path} can be decoded: copy it again, or give another.')
    return VideoFile(path, length)


def _read_image(file: Path) -> np.ndarray | None:
    try:
        content = np.fromfile(file, dtype=np.uint8)
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    except (OSError, cv2.error):
        return None
    return image if image is not None and image.size else None


def _frame(image: np.ndarray, position: int) -> Frame:
    return Frame(lock_read_only(np.ascontiguousarray(image)), position, 'calibration')


def _as_listed(file: Path) -> tuple[tuple[int, int | str], ...]:
    parts = _NUMBER.split(file.name.casefold())
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in parts)
