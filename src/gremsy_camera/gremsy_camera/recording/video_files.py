# SPDX-License-Identifier: Apache-2.0
"""Encoded pictures as they come to MP4 files that each play from their first picture, with a table of stamps beside.

A new file begins at a key frame when the stream is another (codec, parameter sets and with them the size), when its
times jump, and after `segment_s`.
"""

from __future__ import annotations

from collections import Counter, deque
from contextlib import ExitStack
from dataclasses import dataclass, field

from gremsy_camera.errors import RecordingError
from gremsy_camera.live.encoded_video import EncodedFormat, EncodedPacket
from gremsy_camera.recording.access_units import ParameterSets, jpeg_size, split_sets
from gremsy_camera.recording.mp4_file import TICKS_PER_S, Mp4File
from gremsy_camera.recording.recordings_folder import RecordingFile, RecordingsFolder

_NS_PER_S = 1_000_000_000
# Players hold the last picture through a gap; a longer one is dead time, and the camera may have been restarted.
_LONGEST_GAP_S = 10.0
# Times that run back by less are jitter, or B-frames of a reader that knows no decoding times, and are evened out.
_LONGEST_STEP_BACK_S = 1.0
_FIRST_DURATION_S = 1 / 30
# How much later than they are decoded pictures are shown where B-frames come without decoding times: two of them.
_REORDER_LEAD_S = 0.15
# Decoding takes less; pictures that have no capture time by then were never decoded.
_MOST_UNSTAMPED = 300


@dataclass(slots=True)
class _Row:
    """A picture in the table; `stamp_ns` comes with its decoding, `own_ns` is the packet's."""

    pts: int
    position_ns: int
    own_ns: int
    stamp_ns: int | None


@dataclass(slots=True)
class _Open:
    """The file that is being written; its times begin at `zero_ns` of the stream's."""

    mp4: Mp4File
    table: RecordingFile
    codec: str
    sets: ParameterSets
    zero_ns: int
    lead: int
    last_dts: int = -1
    duration: int = round(_FIRST_DURATION_S * TICKS_PER_S)
    rows: deque[_Row] = field(default_factory=deque)
    rows_written: int = 0


class VideoFiles:
    """One recording's films; used by one thread.

    Attributes:
        lost: pictures that are in no file, and times that were evened out, by the reason in a few words.
        pictures: in all files.
        paths: of the films, in order.
        waiting: for a key frame, with which a film can begin.
    """

    format = 'mp4'

    def __init__(self, folder: RecordingsFolder, stem: str, segment_s: float) -> None:
        self._folder = folder
        self._stem = stem
        self._segment_s = segment_s
        self._open: _Open | None = None
        self.lost: Counter[str] = Counter()
        self._lead = 0
        self._stamps_come = False
        self.pictures = 0
        self.paths: list[str] = []
        self.waiting = False

    @property
    def current(self) -> tuple[RecordingFile, ...]:
        """The files that are being written: film and table."""
        return (self._open.mp4.file, self._open.table) if self._open else ()

    def add(self, video: EncodedFormat, packet: EncodedPacket, *, stamped: bool = False) -> None:
        """The next picture of the stream, in decoding order; `stamped` where its stamp is the final one.

        Raises:
            RecordingError, OSError: when nothing more can be written; `close` saves what was.
        """
        data = packet.data
        sets = ParameterSets()
        if packet.key and video.codec != 'mjpeg':
            sets, data = self._sets_of(video, packet)
        if self._open is not None and self._must_end(video, packet, sets):
            self.close()
        if self._open is None:
            if not packet.key:
                self.lost['pictures before a key frame'] += 1
                self.waiting = True
                return
            if not self._begin(video, packet, sets, data):
                return
        self._write(packet, data, stamped=stamped)

    def stamp(self, pts_ns: int, stamp_ns: int) -> None:
        """The capture time of a picture that was added before."""
        self._stamps_come = True
        if self._open is not None:
            # A handful is in the decoder, and the newest are the last.
            for row in reversed(self._open.rows):
                if row.position_ns == pts_ns:
                    row.stamp_ns = stamp_ns
                    return

    def flush(self) -> None:
        """Hand the table on to the disk, up to the first picture that is still being decoded.

        Raises:
            OSError: when the disk refuses.
        """
        self._write_table(most_left=_MOST_UNSTAMPED)

    def close(self) -> None:
        """Finish the files; may be called twice.

        Raises:
            OSError: when the disk refuses; they are closed all the same.
        """
        if self._open is None:
            return
        with ExitStack() as last:
            last.callback(self._open.table.finish)
            last.callback(self._open.mp4.close)
            try:
                self._write_table(most_left=0)
            finally:
                self._open = None

    def _sets_of(self, video: EncodedFormat, packet: EncodedPacket) -> tuple[ParameterSets, bytes]:
        sets, rest = split_sets(video.codec, packet.data)
        if sets.complete:
            return sets, rest
        named, _ = split_sets(video.codec, video.headers)
        return (ParameterSets((*named.units, *sets.units), named.complete) if sets.units else named), rest

    def _must_end(self, video: EncodedFormat, packet: EncodedPacket, sets: ParameterSets) -> bool:
        now = self._open
        assert now is not None
        since_last_s = (packet.dts_ns - now.zero_ns) / _NS_PER_S - now.last_dts / TICKS_PER_S
        if video.codec != now.codec or not -_LONGEST_STEP_BACK_S < since_last_s < _LONGEST_GAP_S:
            return True
        if not packet.key:
            return False
        if video.codec == 'mjpeg':
            changed = jpeg_size(packet.data) not in (None, (now.mp4.width, now.mp4.height))
        else:
            changed = sets.complete and set(sets.units) != set(now.sets.units)
        return changed or self._lead > now.lead or 0 < self._segment_s <= now.last_dts / TICKS_PER_S

    def _begin(self, video: EncodedFormat, packet: EncodedPacket, sets: ParameterSets, data: bytes) -> bool:
        if video.codec != 'mjpeg' and not sets.complete:
            self.lost['key frames without parameter sets'] += 1
            return False
        film, table = self._folder.create(self._stem, '.mp4', '.stamps.csv')
        try:
            mp4 = Mp4File(film, video.codec, sets.annex_b() + data)
        except Exception as error:
            film.discard()
            table.discard()
            if isinstance(error, RecordingError):
                raise
            # FFmpeg's own: the picture is broken, and the next key frame may not be.
            self.lost['key frames that cannot be understood'] += 1
            return False
        table.write(f'# {table.mark}, of {film.path.name}\npicture,time_in_film_s,stamp_ns\n'.encode())
        if mp4.reorders and packet.dts_ns == packet.pts_ns:
            self._lead = max(self._lead, round(_REORDER_LEAD_S * TICKS_PER_S))
        self._open = _Open(mp4, table, video.codec, sets, packet.dts_ns, self._lead)
        self.paths.append(film.path.name)
        self.waiting = False
        return True

    def _write(self, packet: EncodedPacket, data: bytes, *, stamped: bool) -> None:
        now = self._open
        assert now is not None
        dts = _ticks(packet.dts_ns - now.zero_ns)
        if dts <= now.last_dts:
            dts = now.last_dts + 1
        elif now.last_dts >= 0:
            now.duration = dts - now.last_dts
        pts = _ticks(packet.pts_ns - now.zero_ns) + now.lead
        if pts < dts:
            # Shown too late for this once; the next file gives the order more room.
            self.lost['times that did not go on, evened out'] += 1
            needed = now.lead + (dts - pts) + now.duration
            self._lead = min(max(self._lead, 2 * now.lead, needed), round(_LONGEST_STEP_BACK_S * TICKS_PER_S))
            pts = dts
        now.mp4.write(data, pts, dts, now.duration, key=packet.key)
        now.last_dts = dts
        now.rows.append(_Row(pts, packet.pts_ns, packet.stamp_ns, packet.stamp_ns if stamped else None))
        self.pictures += 1

    def _write_table(self, most_left: int) -> None:
        now = self._open
        if now is None:
            return
        lines = []
        while now.rows and (now.rows[0].stamp_ns is not None or len(now.rows) > most_left):
            row = now.rows.popleft()
            if row.stamp_ns is None and not self._stamps_come:
                # A reader whose pictures have no positions: what is known before decoding is all there is.
                row.stamp_ns = row.own_ns
            stamp = '' if row.stamp_ns is None else str(row.stamp_ns)
            lines.append(f'{now.rows_written},{row.pts / TICKS_PER_S:.6f},{stamp}\n')
            now.rows_written += 1
        if lines:
            now.table.write(''.join(lines).encode())


def _ticks(time_ns: int) -> int:
    return round(time_ns * TICKS_PER_S / _NS_PER_S)
