# SPDX-License-Identifier: Apache-2.0
"""`file:///path/to/video.mp4` or a bare path: a video, a picture or a folder of them, at its rate or a given one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gremsy_camera.errors import SourceError, SourceUnusable
from gremsy_camera.footage.footage_reader import Footage, FootageFrame, FootageReader
from gremsy_camera.footage.pacing import Pacer
from gremsy_camera.footage.picture_folder import PictureFolder
from gremsy_camera.sources.source import Captured, SourceContext, SourceCounts, SourceInfo, SourceUri
from gremsy_common.types.frame import Frame, lock_read_only

SCHEMES = ('file',)

# For what does not say its rate (a picture, a folder of them, a raw stream).
_RATE_WHEN_UNKNOWN_HZ = 10.0


def create(uri: SourceUri, context: SourceContext) -> FileSource:
    """See `sources`."""
    if not uri.path:
        raise SourceUnusable(
            f'`source` {uri.text} names no file: write the path of a video or of a folder of pictures after it.'
        )
    return FileSource(uri.file, context)


class FileSource:
    """Plays a file. The next frame is decoded before its tick, so that it is handed out at its stamp."""

    def __init__(self, path: Path, context: SourceContext) -> None:
        self._path = path
        self._context = context
        self._reader: Footage = FootageReader(path, context.at_end, keep_infrared=True)
        self._pacer: Pacer | None = None
        self._shown: FootageFrame | None = None
        self._decoded = False
        self._reported_loops = False
        self._reported_ended = False

    def open(self) -> SourceInfo:
        """See VideoSource."""
        self.close()
        if self._path.is_dir():
            self._reader = PictureFolder(self._path, self._context.at_end)
        else:
            self._reader = FootageReader(self._path, self._context.at_end, keep_infrared=True)
        self._reported_loops = self._reported_ended = False
        info = self._reader.open()
        rate_hz = self._context.rate_hz or info.rate_hz or _RATE_WHEN_UNKNOWN_HZ
        self._pacer = Pacer(rate_hz, self._context.clock)
        return SourceInfo(info.width, info.height, rate_hz, None, 'when the frame was due to play')

    def read(self, timeout_s: float) -> Captured | None:
        """See VideoSource."""
        if self._pacer is None:
            raise SourceError(f'The video {self._path} is not open: call `open` first.')
        if not self._decoded:
            self._decode()
        tick = self._pacer.wait(timeout_s)
        if tick is None or self._shown is None:
            return None
        self._decoded = False
        image = self._shown.image
        encoding = 'mono16' if image.dtype == np.uint16 else 'bgr8'
        frame = Frame(image, tick.stamp_ns, self._context.frame_id, encoding)
        return Captured(frame, None, self._context.clock.monotonic_ns() - tick.monotonic_ns, self._shown.index)

    def counts(self) -> SourceCounts:
        """See VideoSource."""
        pacer, reader = self._pacer, self._reader
        return SourceCounts(reader.decode_failures, pacer.missed, reader.loops) if pacer else SourceCounts()

    def close(self) -> None:
        """See VideoSource."""
        self._reader.close()
        self._pacer = None
        self._shown = None
        self._decoded = False

    def _decode(self) -> None:
        frame = self._reader.next()
        if frame is not None:
            lock_read_only(frame.image)
            self._shown = frame
        self._decoded = True
        # Once: a folder of few pictures would fill the log; the diagnostics count them all.
        if self._reader.loops and not self._reported_loops:
            self._reported_loops = True
            self._context.say(f'{self._reader.what} ended and starts again.')
        if self._reader.ended and not self._reported_ended:
            self._reported_ended = True
            self._context.say(f'{self._reader.what} has no more frames: its last one is held.')
