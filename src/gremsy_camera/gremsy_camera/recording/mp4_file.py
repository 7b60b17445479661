# SPDX-License-Identifier: Apache-2.0
"""One MP4 of pictures that are encoded already, in fragments, so that what was written plays whatever happens next."""

from __future__ import annotations

import io
from fractions import Fraction

from gremsy_camera.recording.recording_libraries import import_writer
from gremsy_camera.recording.recordings_folder import RecordingFile

TICKS_PER_S = 90_000
_FRAGMENT_S = 1


class Mp4File:
    """Fragments of a second: after a power cut the file plays up to the last whole one.

    Attributes:
        width, height: pixels, as the stream itself says.
        reorders: whether the stream says that it shows pictures in another order than it sends them (B-frames).
    """

    def __init__(self, file: RecordingFile, codec: str, beginning: bytes) -> None:
        """Write nothing yet.

        Args:
            file: to write to.
            codec: 'h264', 'hevc' or 'mjpeg'.
            beginning: the first picture, with its parameter sets in front.

        Raises:
            RecordingError: without PyAV.
            ValueError: when the picture does not say its size; PyAV's errors where it cannot be understood.
        """
        av = import_writer('mp4')
        self._av = av
        self.file = file
        self._whole = 0
        with av.open(io.BytesIO(beginning), format=codec) as probe:
            template = probe.streams.video[0]
            self.width, self.height = int(template.codec_context.width), int(template.codec_context.height)
            self.reorders = bool(template.codec_context.has_b_frames)
            if not (self.width and self.height):
                raise ValueError('the first picture does not say its size')
            options = {
                'movflags': 'frag_keyframe+empty_moov+default_base_moof',
                'frag_duration': str(_FRAGMENT_S * 1_000_000),
                'flush_packets': '1',
            }
            self._outlet = _Outlet(file)
            self._container = av.open(self._outlet, 'w', format='mp4', options=options)
            # By which the file is known to be ours before it is ever deleted.
            self._container.metadata['comment'] = file.mark
            self._stream = self._container.add_stream_from_template(template)
        self._stream.time_base = Fraction(1, TICKS_PER_S)
        if codec == 'hevc':
            # Its parameter sets are in the header alone, and Apple's players know no other tag.
            self._stream.codec_context.codec_tag = 'hvc1'

    def write(self, data: bytes, pts: int, dts: int, duration: int, *, key: bool) -> None:
        """Add one picture in decoding order, times in ticks.

        Raises:
            OSError, ValueError: when it cannot be written.
        """
        packet = self._av.Packet(data)
        packet.stream, packet.time_base = self._stream, self._stream.time_base
        packet.pts, packet.dts, packet.duration, packet.is_keyframe = pts, dts, duration, key
        before = self.file.size
        self._container.mux(packet)
        self._outlet.check()
        if self.file.size > before:
            self._whole = self.file.size

    def close(self) -> None:
        """Write what is left and finish the file; a fragment that the disk took in part is cut off.

        Raises:
            OSError: when the disk refuses.
        """
        try:
            self._container.close()
            self._outlet.check()
            self._whole = self.file.size
        finally:
            try:
                self.file.cut_to(self._whole)
            finally:
                self.file.finish()


class _Outlet:
    """The file as FFmpeg sees it: it only ever writes on, and nothing behind what the disk refused."""

    def __init__(self, file: RecordingFile) -> None:
        self._file = file
        self._refused: OSError | None = None

    def write(self, data: bytes) -> int:
        if self._refused is None:
            try:
                return self._file.write(data)
            except OSError as error:
                self._refused = error
        return len(data)

    def check(self) -> None:
        """Raise what the disk said: through FFmpeg only a number would come."""
        if self._refused is not None:
            raise self._refused
