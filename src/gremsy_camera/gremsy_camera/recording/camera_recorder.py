# SPDX-License-Identifier: Apache-2.0
"""Starts and ends recordings for whoever asks; what goes wrong while writing ends the recording, and nothing else."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from gremsy_camera.errors import RecordingError
from gremsy_camera.footage.pacing import Clock
from gremsy_camera.live.encoded_video import EncodedFormat, EncodedPacket, EncodedTap
from gremsy_camera.recording.bag_file import BagChannel
from gremsy_camera.recording.recording_libraries import formats_to_write
from gremsy_camera.recording.recording_parameters import RecordingParameters
from gremsy_camera.recording.recording_session import CameraChannels, RecordingSession, file_stem, utc
from gremsy_camera.recording.recordings_folder import RecordingsFolder
from gremsy_common.types.frame import Frame

_NS_PER_S = 1_000_000_000
_MB = 1_000_000
Report = Callable[[str], None]
ReportDrop = Callable[[str, str, str], None]
"""What is not in a recording: 'recording', the reason in few words, a sentence for the first of the kind."""
MakeChannels = Callable[[], CameraChannels]


class CameraRecorder(EncodedTap):
    """One camera's recordings, one at a time: an `EncodedTap`, and a place for frames and messages.

    `start`, `stop`, `put`, `frame`, `message` and `rows` may be called from any thread, and only store; `step` is the
    thread that writes.
    """

    def __init__(
        self,
        clock: Clock,
        report: Report,
        report_error: Report,
        report_drop: ReportDrop,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """Touch nothing yet; `ended` is called by the thread that writes when a recording is closed."""
        self._clock = clock
        self._ended = ended
        self._report = report
        self._report_error = report_error
        self._report_drop = report_drop
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._session: RecordingSession | None = None
        self._stopping = False
        self._begun_ns = 0
        self._reported: Counter[str] = Counter()
        self._last = 'none'

    def start(self, parameters: RecordingParameters, namespace: str, make_channels: MakeChannels) -> str:
        """Begin a recording; the sentence says where it goes.

        Args:
            parameters: what is wanted.
            namespace: of the camera, as `/robot/eo`, which says what robot and camera are called.
            make_channels: makes the camera's own topics of a bag; called only where one is written.

        Raises:
            RecordingError: when it cannot be; nothing has been touched then.
        """
        with self._lock:
            if self._session is not None:
                if self._stopping:
                    raise RecordingError('The last recording is still being closed: ask again.')
                return f'Already recording to {self._where(self._session)}.'
            formats, note = formats_to_write(parameters.record_format)
            film, bag = 'mp4' in formats, 'mcap' in formats
            folder = RecordingsFolder(parameters.record_folder)
            folder.check(parameters)
            time = f'{utc(self._clock.ros_ns()):%Y%m%dT%H%M%SZ}'
            stem = folder.free_stem(file_stem(parameters.record_name, namespace, time))
            images = parameters.record_images == 'jpeg' or (parameters.record_images == 'auto' and not film)
            session = RecordingSession(
                parameters,
                folder,
                stem,
                make_channels() if bag else None,
                film=film,
                pictures_in_bag=bag and images,
                report=self._report,
            )
            self._stopping = False
            self._reported.clear()
            self._begun_ns = self._clock.monotonic_ns()
            self._session = session
            self._idle.clear()
            self._wake.set()
        return f'Recording to {self._where(session)}{note}.'

    def stop(self) -> str:
        """End the recording: what has come is written still; the sentence says where it is."""
        with self._lock:
            session = self._session
            if session is None:
                return 'Nothing is being recorded.'
            self._stopping = True
            session.queue.close()
        return f'Recorded {self._length_s():.1f} s to {self._where(session)}.'

    @property
    def recording(self) -> bool:
        """Whether one is going on."""
        return self._session is not None and not self._stopping

    @property
    def writes_bag(self) -> bool:
        """Whether messages are of use."""
        session = self._session
        return session is not None and session.bag is not None

    @property
    def wanted(self) -> bool:
        """See EncodedTap."""
        session = self._session
        return session is not None and not self._stopping and session.wants_pictures

    def put(self, video: EncodedFormat, packet: EncodedPacket) -> None:
        """See EncodedTap."""
        session = self._session
        if session is not None and session.wants_pictures:
            session.queue.put_packet(video, packet, self._clock.ros_ns())

    def stamped(self, pts_ns: int, stamp_ns: int) -> None:
        """See EncodedTap."""
        session = self._session
        if session is not None and session.wants_pictures:
            session.queue.put_stamp(pts_ns, stamp_ns)

    def frame(self, frame: Frame) -> None:
        """A decoded picture, read-only."""
        session = self._session
        if session is not None and session.wants_pictures:
            session.queue.put_frame(frame, self._clock.ros_ns())

    def message(self, channel: BagChannel, item: object) -> None:
        """An item of a topic, never changed again."""
        session = self._session
        if session is not None and session.bag is not None:
            session.queue.put_message(channel, item, self._clock.ros_ns())

    def step(self, timeout_s: float) -> None:
        """Write what comes next, over and over on one thread; raises nothing that comes from a recording."""
        session = self._session
        if session is None:
            self._wake.wait(timeout_s)
            self._wake.clear()
            return
        try:
            goes_on = session.work(timeout_s, self._clock.monotonic_ns())
        except Exception as error:  # noqa: BLE001 whatever it is, the loop goes on, and the sentence says it
            self._end(session, session.why(error))
            return
        self._report_losses(session)
        if not goes_on:
            self._end(session, '')

    def finish(self, timeout_s: float) -> bool:
        """Stop, and wait until the files are closed; False when they were not in time."""
        self.stop()
        return self._idle.wait(timeout_s)

    def close(self) -> None:
        """Stop, and write the rest on this thread; the one that calls `step` has ended."""
        self.stop()
        while self._session is not None:
            self.step(0.0)

    def rows(self) -> dict[str, str]:
        """For diagnostics."""
        session = self._session
        if session is None:
            return {'recording': self._last}
        files = session.files()
        rows = {
            'recording': 'being closed' if self._stopping else 'going on',
            'recording to': ', '.join(str(file.path) for file in files) or self._where(session),
            'recording length (s)': f'{self._length_s():.1f}',
            'recording size (MB)': f'{sum(file.size for file in files) / _MB:.1f}',
            'recording film': session.how,
        }
        losses = self._losses(session)
        rows['recording losses'] = ', '.join(f'{count} {what}' for what, count in losses.items()) or 'none'
        return rows

    def _end(self, session: RecordingSession, why: str) -> None:
        try:
            session.close()
        except Exception as error:  # noqa: BLE001 as in `step`
            why = why or session.why(error)
        written = [path for each in session.writers for path in each.paths]
        self._last = f'none; last: {", ".join(written) or "nothing was written"}'
        if why:
            self._last = f'none; {session.stem} ended by itself: {why}'
            self._report_error(f'The recording {session.stem} ends here: {why}')
        else:
            names = ', '.join(written) or 'nothing, as nothing came that could be'
            self._report(f"Recorded to '{session.folder.path}': {names}.")
        with self._lock:
            session.queue.close()
            self._session = None
            self._idle.set()
        self._ended()

    def _losses(self, session: RecordingSession) -> Counter[str]:
        # Copied whole first: the recording's threads go on to count.
        lost = [session.queue.dropped, session.lost, *((session.video.lost,) if session.video else ())]
        return sum((Counter(dict(each)) for each in lost), Counter())

    def _report_losses(self, session: RecordingSession) -> None:
        if sum(session.queue.dropped.values()) == sum(self._reported.values()):
            return
        for reason, count in session.queue.dropped.items():
            if self._reported[reason] == 0:
                self._report_drop(
                    'recording',
                    reason,
                    f'The recording {session.stem} misses {reason}: name a faster disk in `record_dir`, or record less '
                    '(`record_format`, `record_images`).',
                )
            self._reported[reason] = count

    def _where(self, session: RecordingSession) -> str:
        return ' and '.join(f"'{session.folder.path / session.stem}_001.{each.format}'" for each in session.writers)

    def _length_s(self) -> float:
        return (self._clock.monotonic_ns() - self._begun_ns) / _NS_PER_S
