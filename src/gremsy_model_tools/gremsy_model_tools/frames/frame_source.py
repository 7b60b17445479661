# SPDX-License-Identifier: Apache-2.0
"""Real frames for calibrating and for checking: a folder of images, or a video file.

Frames are read one at a time when asked for: a hundred of 1080p would take 600 MB.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_detector.backends.backend import say_nothing
from gremsy_detector.errors import FrameError

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
_NUMBER = re.compile(r'(\d+)')


Images = Iterator[tuple[int, np.ndarray]]


class FrameSource:
    """Frames by position."""

    def __init__(self, length: int, images: Callable[[Sequence[int]], Images], none_readable: str) -> None:
        """Nothing is read yet.

        Args:
            length: how many frames there are.
            images: reads those at some positions, in rising order; one that cannot be read is left out.
            none_readable: the sentence for when none of them can be.
        """
        self._length = length
        self._images = images
        self._none_readable = none_readable

    def __len__(self) -> int:
        return self._length

    def read(self, positions: Sequence[int]) -> Iterator[Frame]:
        """The frames at some positions, in rising order; one that cannot be read is reported and left out.

        Raises:
            FrameError: when none of them can be read.
        """
        done = 0
        for position, image in self._images(positions):
            done += 1
            yield Frame(lock_read_only(np.ascontiguousarray(image)), position, 'calibration')
        if not done:
            raise FrameError(self._none_readable)


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


def _open_folder(path: Path, say: Callable[[str], None]) -> FrameSource:
    """Its images in the order that a person would list them (2 before 10); not those of its subfolders."""
    found = [file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()]
    if not found:
        raise FrameError(f'Folder {path} has no images: put some there ({", ".join(IMAGE_SUFFIXES)}).')
    files = sorted(found, key=_as_listed)

    def images(positions: Sequence[int]) -> Images:
        for position in sorted(positions):
            image = _read_image(files[position])
            if image is None:
                say(f'Image {files[position]} cannot be read and is left out: remove it, or copy it again.')
            else:
                yield position, image

    return FrameSource(
        len(files), images, f'None of the images looked at in folder {path} can be read: copy them again.'
    )


def _open_video(path: Path) -> FrameSource:
    """Decoded from its beginning each time, since seeking is inexact in most containers; may end before it says."""
    with _capture(path) as capture:
        if not capture.isOpened():
            raise FrameError(f'{path} is not a video that OpenCV can open: give a folder of images, or an MP4 or AVI.')
        length = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        # A stream that was cut off states none, or a number that is no length.
        if length < 1:
            length = 0
            while capture.grab():
                length += 1
    none_readable = f'No frame of video {path} can be decoded: copy it again, or give another.'
    if length < 1:
        raise FrameError(none_readable)

    def images(positions: Sequence[int]) -> Images:
        with _capture(path) as capture:
            for position in range(max(positions, default=-1) + 1):
                if not capture.grab():
                    return
                if position in positions:
                    decoded, image = capture.retrieve()
                    if decoded and image is not None and image.size:
                        yield position, image

    return FrameSource(length, images, none_readable)


@contextmanager
def _capture(path: Path) -> Iterator[cv2.VideoCapture]:
    capture = cv2.VideoCapture(str(path))
    try:
        yield capture
    finally:
        capture.release()


def _read_image(file: Path) -> np.ndarray | None:
    try:
        content = np.fromfile(file, dtype=np.uint8)
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    except (OSError, cv2.error):
        return None
    return image if image is not None and image.size else None


def _as_listed(file: Path) -> tuple[tuple[int, int | str], ...]:
    parts = _NUMBER.split(file.name.casefold())
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in parts)
