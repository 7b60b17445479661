# SPDX-License-Identifier: Apache-2.0
"""The encoders a film can be written with, best first: H.264 through PyAV, else OpenCV's MPEG-4 part 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_camera.recording.frame_encoder import open_h264
from gremsy_common.errors import SuiteError

Image = NDArray[np.uint8]


class FilmError(SuiteError):
    """A film cannot be written; the text names the file."""


class FilmWriter(Protocol):
    """Writes one file at a constant frame rate; every image has the size given to `open`."""

    codec: str

    def write(self, image: Image) -> None:
        """Append one (height, width, 3) BGR image."""

    def close(self) -> None:
        """Finish the file so that a player can open it."""


class PyAvFilm:
    """H.264, yuv420p, in MP4: what every browser and player opens."""

    _container: Any = None

    def __init__(self, av: Any, path: Path, width: int, height: int, rate_hz: int) -> None:
        self._av, self._path, self._rate_hz = av, path, rate_hz
        encoder = open_h264(av, (width, height), self._made)
        self.codec = f'H.264 ({encoder})' if encoder else ''
        if not encoder and self._container is not None:
            self._container.close()

    def _made(self, encoder: str) -> Any:
        # A new file: an encoder that did not open has left its stream in the one before.
        if self._container is not None:
            self._container.close()
        self._container = self._av.open(str(self._path), 'w', format='mp4')
        self._stream = self._container.add_stream(encoder, rate=self._rate_hz)
        return self._stream.codec_context

    def write(self, image: Image) -> None:
        """Encode one image."""
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format='bgr24')
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        """Flush the encoder and write the index."""
        try:
            for packet in self._stream.encode(None):
                self._container.mux(packet)
        finally:
            self._container.close()


class OpenCvFilm:
    """MPEG-4 part 2 in MP4: VLC, mpv and ffmpeg open it, browsers do not."""

    codec = 'MPEG-4 part 2 (OpenCV mp4v; install PyAV for H.264, which browsers play too)'

    def __init__(self, path: Path, width: int, height: int, rate_hz: int) -> None:
        fourcc = cv2.VideoWriter.fourcc(*'mp4v')
        self._writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, float(rate_hz), (width, height))
        if not self._writer.isOpened():
            raise FilmError(f"OpenCV cannot write '{path}': name a file in a folder that exists and can be written to.")

    def write(self, image: Image) -> None:
        """Encode one image."""
        self._writer.write(image)

    def close(self) -> None:
        """Write the index."""
        self._writer.release()


def open_film(path: Path, width: int, height: int, rate_hz: int) -> FilmWriter:
    """The best writer that this machine has; `width` and `height` must be even.

    Raises:
        FilmError: when the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise FilmError(
            f"The film '{path}' cannot be written ({error.strerror}): name a file in a folder that can be written to."
        ) from error
    try:
        import av
    except ImportError:
        return OpenCvFilm(path, width, height, rate_hz)
    film = PyAvFilm(av, path, width, height, rate_hz)
    return film if film.codec else OpenCvFilm(path, width, height, rate_hz)
