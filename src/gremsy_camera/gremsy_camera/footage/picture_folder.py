# SPDX-License-Identifier: Apache-2.0
"""The pictures of a folder as a video: in the order of their names, numbers by their value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_camera.errors import SourceError, SourceUnusable
from gremsy_camera.footage.footage_reader import STILL_SUFFIXES, AtEnd, Footage, FootageInfo, read_picture

_NUMBERS = re.compile(r'(\d+)')


class PictureFolder(Footage):
    """Reads the pictures of a folder. Colours come as BGR of 8 bits, grey of 16 bits (infrared) as it is."""

    _unit = 'pictures'

    def __init__(self, folder: Path, at_end: AtEnd = AtEnd.LOOP) -> None:
        super().__init__(f'The folder {folder}', at_end)
        self._folder = folder
        self._files: list[Path] = []
        self._next_file = 0
        self._shape: tuple[int, ...] = ()
        self._kind = np.dtype(np.uint8)

    def open(self) -> FootageInfo:
        """See Footage."""
        self._files = self._list()
        if not self._files:
            raise SourceUnusable(
                f'The folder {self._folder} holds no pictures: name one with {_suffixes()}, or a video file.'
            )
        self._next_file = 0
        self._pending = self._decode()
        if self._pending is None:
            raise SourceUnusable(
                f'None of the {len(self._files)} pictures in {self._folder} can be decoded: check that they are '
                'complete.'
            )
        height, width = self._shape[:2]
        return FootageInfo(width, height, 0.0, len(self._files))

    def _list(self) -> list[Path]:
        try:
            found = [path for path in self._folder.iterdir() if path.suffix.lower() in STILL_SUFFIXES]
        except OSError as error:
            raise SourceUnusable(
                f'The folder {self._folder} cannot be read ({error.strerror}): give this user the right to read it.'
            ) from error
        return sorted((path for path in found if path.is_file()), key=_by_numbers)

    def _decode(self) -> NDArray[Any] | None:
        """The next picture that can be decoded and has the size and depth of the first; None at the end."""
        while self._next_file < len(self._files):
            image = read_picture(self._files[self._next_file])
            self._next_file += 1
            if image is not None and not self._shape:
                self._shape, self._kind = image.shape, image.dtype
            if image is not None and image.shape == self._shape and image.dtype == self._kind:
                return image
            self.decode_failures += 1
        return None

    def _start_again(self) -> NDArray[Any]:
        self._files = self._list() if self._folder.is_dir() else []
        self._next_file = 0
        image = self._decode()
        if image is None:
            raise SourceError(f'The pictures of {self._folder} have gone: put them back, or set another `source`.')
        return image


def _by_numbers(path: Path) -> list[tuple[int, str]]:
    """`frame9` before `frame10`."""
    return [(int(part) if part.isdecimal() else -1, part) for part in _NUMBERS.split(path.name)]


def _suffixes() -> str:
    *others, last = sorted(STILL_SUFFIXES)
    return f'{", ".join(others)} or {last}'
