# SPDX-License-Identifier: Apache-2.0
"""One path of video: while somebody watches, the newest frames are encoded and given to the server, again and again."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from gremsy_camera.stream_parameters import StreamParameters
from gremsy_camera.streaming.encoder_choice import EncoderChoice, choose_encoder, make_encoder
from gremsy_camera.streaming.rtp_sending import RtpSender
from gremsy_camera.streaming.rtsp_record import PublishError, PublishRefused, RtspRecord
from gremsy_camera.streaming.video_encoder import EncodedPicture, EncoderError, VideoEncoder, VideoEncoderSettings
from gremsy_camera.streams.stream_address import StreamAddress
from gremsy_common.errors import Unusable
from gremsy_common.picture.i420_planes import even_size, i420_planes, narrowed
from gremsy_common.picture.viewable_pictures import ViewablePictures
from gremsy_common.timing.worker import LatestSlot
from gremsy_common.types.frame import Frame

_NS_PER_S = 1_000_000_000
_WAIT_S = 0.2
_REPORT_EVERY_S = 1.0
_PAUSE_S, _LONGEST_PAUSE_S, _REFUSED_PAUSE_S, _NO_ENCODER_PAUSE_S = 0.2, 0.5, 5.0, 5.0
# A stamp that goes back by more is a clock that was set: readers would wait for the old time to come again.
_CLOCK_STEP_NS = _NS_PER_S
# The first picture is sent at once, unless the server took so long to answer that it is old.
_OLD_PICTURE_S = 0.5
_USUAL_SIZE = (640, 480)
# A browser that was answered is connected 0.1 to 1 s later, and only the server knows when:
# a key frame before that is lost, and the next in its turn may be a second away.
_COMING_S, _KEYS_APART_S = 2.0, 0.18


class VideoOutReport(Protocol):
    """Where it says what happens, from its own thread."""

    def stage(self, name: str, duration_ns: int) -> None:
        """A duration: of encoding ('encode')."""

    def sent(self, stamp_ns: int, size_bytes: int) -> None:
        """A picture is wholly in the hands of the kernel."""

    def drop(self, reason: str, sentence: str) -> None:
        """A frame that was not sent, for a reason that is worth a sentence."""

    def info(self, sentence: str) -> None:
        """What changes, for the log."""


class VideoOut:
    """`watch`, `put` and `want_key_frame` from any thread; `step` again and again on one of its own, then `close`."""

    def __init__(self, address: StreamAddress, parameters: StreamParameters, report: VideoOutReport) -> None:
        """Nothing is opened yet; the address is the server's with the path."""
        self.address = address
        self.parameters = parameters
        self._report = report
        self._frames: LatestSlot[Frame] = LatestSlot()
        self._watched = threading.Event()
        self._key_wanted = threading.Event()
        self._keys_until_s = 0.0
        self._key_at_s = 0.0
        self._pictures = ViewablePictures()
        self._prepared = False
        self._choice: EncoderChoice | None = None
        self._failed: dict[str, str] = {}
        self._encoder: VideoEncoder | None = None
        self._session: RtspRecord | None = None
        self._sender = RtpSender()
        self._last_stamp_ns: int | None = None
        self._due_ns = 0
        self._report_due_s = 0.0
        self._pause_s = _PAUSE_S
        self._again_s = 0.0
        self._waiting_since_s: float | None = None
        self._frame_at_s = time.monotonic()
        self._idle = threading.Event()
        self._idle.set()
        self._sent_at_s: list[tuple[float, int]] = []
        self._counts: Counter[str] = Counter()
        self.problem = ''

    def watch(self, watched: bool) -> None:
        """Whether anybody watches: if nobody does, nothing is encoded and no session is kept."""
        if watched == self._watched.is_set():
            return
        self._frame_at_s = time.monotonic()
        if watched:
            self._idle.clear()
            self._watched.set()
        else:
            self._watched.clear()

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Once nobody watches: whether session and encoder are released in time, which `step` does."""
        return self._idle.wait(timeout_s)

    def put(self, frame: Frame) -> None:
        """A frame to show. Never blocks: the newest wins."""
        self._frame_at_s = time.monotonic()
        self._frames.put(frame)

    def want_key_frame(self, *, coming: bool = False) -> None:
        """Make the next picture one that decoding can begin with.

        Args:
            coming: somebody is still on the way, and can take pictures any moment now: make it one in six for a while.
        """
        if coming:
            self._keys_until_s = time.monotonic() + _COMING_S
        self._key_wanted.set()

    def step(self) -> None:
        """One frame, or a fifth of a second.

        Raises:
            EncoderError: there is no encoder; it is looked for again after 5 s.
        """
        if not self._prepared:
            self._prepare()
        if not self._watched.is_set():
            self._release()
            self._idle.set()
            self._watched.wait(_WAIT_S)
            return
        frame = self._frames.take(_WAIT_S)
        if self._session is not None:
            try:
                if self._session.attend():
                    self._key_wanted.set()
            except PublishError as error:
                self._lost(error)
        if frame is None or not self._in_time(frame):
            return
        if self._session is None and time.monotonic() < self._again_s:
            self._counts['frames while the server was away'] += 1
            return
        started_ns = time.monotonic_ns()
        pictures = self._encoded(frame)
        self._report.stage('encode', time.monotonic_ns() - started_ns)
        try:
            self._send(pictures, started_ns * 1e-9)
        except PublishError as error:
            self._lost(error)

    def close(self) -> None:
        """Release session and encoder; when `step` runs no more."""
        self._frames.close()
        self._release()

    @property
    def sending(self) -> bool:
        """Whether a server takes the video now."""
        return self._session is not None

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return self._watched.is_set()

    @property
    def starved_s(self) -> float:
        """For how long it has been watched without a frame to show."""
        return time.monotonic() - self._frame_at_s if self._watched.is_set() else 0.0

    @property
    def waiting_s(self) -> float:
        """For how long it has been watched without a server that takes it."""
        since_s = self._waiting_since_s
        return 0.0 if since_s is None or not self._watched.is_set() else time.monotonic() - since_s

    def rows(self) -> Mapping[str, str]:
        """For diagnostics."""
        encoder, choice = self._encoder, self._choice
        rows = {'encoder': 'none while nobody watches'}
        if encoder is not None:
            settings = encoder.settings
            rows['encoder'] = encoder.name
            rows['picture'] = f'{settings.width}x{settings.height}, {settings.kbps} kbit/s at most'
        if choice is not None and choice.passed_over:
            rows['why not another'] = choice.why_not_another
        now_s = time.monotonic()
        recent = [size for at_s, size in tuple(self._sent_at_s) if now_s - at_s < 1.0]
        rows['sent'] = f'{len(recent)} pictures/s, {sum(recent) * 8 / 1000:.0f} kbit/s'
        rows['frames left out while busy'] = str(self._frames.dropped)
        return rows | {name: str(count) for name, count in sorted(dict(self._counts).items())}

    def _prepare(self) -> None:
        """Find the encoder before anybody waits for it: its library and those before it take a quarter of a second."""
        self._prepared = True
        try:
            self._choice = choose_encoder(self.parameters.encoder, self._settings(*_USUAL_SIZE))
        except EncoderError as error:
            self._report.info(f'Nobody can watch {self.address.shown}: {error}')

    def _settings(self, width: int, height: int) -> VideoEncoderSettings:
        wanted = self.parameters
        return VideoEncoderSettings(width, height, wanted.rate_hz, wanted.bitrate_kbps, wanted.gop)

    def _in_time(self, frame: Frame) -> bool:
        """Whether it is one to send: later than the last, and not too soon after it."""
        last_ns, stamp_ns = self._last_stamp_ns, frame.stamp_ns
        if last_ns is not None and stamp_ns <= last_ns:
            if last_ns - stamp_ns <= _CLOCK_STEP_NS:
                self._counts['frames whose stamp does not rise'] += 1
                return False
            self._report.info(
                f'The stamps of {self.address.shown} went back by {(last_ns - stamp_ns) / _NS_PER_S:.1f} s: it is '
                'published again.'
            )
            self._counts['times the clock was set back'] += 1
            self._end_session()
            self._due_ns = 0
        period_ns = round(_NS_PER_S / self.parameters.rate_hz)
        # A camera's rate may be a little above, and its stamps jitter by less than a quarter of a period.
        if stamp_ns < self._due_ns - period_ns // 4:
            self._counts['frames above the rate'] += 1
            return False
        self._due_ns = max(self._due_ns, stamp_ns) + period_ns
        self._last_stamp_ns = stamp_ns
        return True

    def _encoded(self, frame: Frame) -> list[EncodedPicture]:
        try:
            picture = self._pictures.of(frame)
        except Unusable as error:
            self._report.drop(error.reason, f'A frame cannot be shown at {self.address.shown}: {error}')
            return []
        pixels = narrowed(picture.image, self.parameters.widest_px)
        settings = self._settings(*even_size(pixels.shape[1], pixels.shape[0]))
        encoder = self._encoder
        if encoder is None or encoder.settings != settings:
            encoder = self._make(settings)
            self._key_wanted.set()
        now_s = time.monotonic()
        coming = now_s < self._keys_until_s and now_s - self._key_at_s > _KEYS_APART_S
        key = self._key_wanted.is_set() or coming or self._session is None
        self._key_wanted.clear()
        if key:
            self._key_at_s = now_s
        try:
            return encoder.encode(i420_planes(pixels), frame.stamp_ns, key=key)
        except EncoderError as error:
            self._report.drop('encoder failed', str(error))
            if self._choice is not None:
                self._failed[self._choice.encoder] = 'failed on this video'
            self._forget_encoder()
            return []

    def _make(self, settings: VideoEncoderSettings) -> VideoEncoder:
        self._forget_encoder(keep_choice=True)
        try:
            if self._choice is None:
                self._choice = choose_encoder(self.parameters.encoder, settings, self._failed)
            self._encoder = made = make_encoder(self._choice.encoder, settings)
        except EncoderError:
            # Another may be plugged in or installed, or the picture be of another size then.
            self._choice = None
            self._failed.clear()
            self._again_s = time.monotonic() + _NO_ENCODER_PAUSE_S
            self._end_session()
            raise
        return made

    def _send(self, pictures: list[EncodedPicture], started_s: float) -> None:
        for picture in pictures:
            if self._session is None:
                if not picture.key:
                    continue
                self._open(picture)
                if time.monotonic() - started_s > _OLD_PICTURE_S:
                    self._key_wanted.set()
                    continue
            assert self._session is not None
            now_s, report = time.monotonic(), None
            if now_s >= self._report_due_s:
                self._report_due_s = now_s + _REPORT_EVERY_S
                report = self._sender.report(picture.stamp_ns)
            packets = self._sender.packets(picture.data, picture.stamp_ns)
            size = self._session.send(packets, report)
            self._report.sent(picture.stamp_ns, size)
            self._counts['pictures sent'] += 1
            self._counts['key frames sent'] += picture.key
            self._sent_at_s.append((time.monotonic(), size))
            del self._sent_at_s[:-240]

    def _open(self, picture: EncodedPicture) -> None:
        session = RtspRecord(self.address)
        try:
            session.open(picture.data)
        except PublishError:
            session.close()
            raise
        self._session, self._sender, self._report_due_s = session, RtpSender(), 0.0
        self._counts['times published'] += 1
        if self.problem:
            self._report.info(f'The video server {self.address.shown} accepts the video again.')
        self.problem, self._pause_s, self._waiting_since_s = '', _PAUSE_S, None

    def _lost(self, error: PublishError) -> None:
        self._end_session()
        now_s = time.monotonic()
        if self._waiting_since_s is None:
            self._waiting_since_s = now_s
        if not self.problem:
            self._report.info(str(error))
        self.problem = str(error)
        refused = isinstance(error, PublishRefused)
        self._again_s = now_s + (_REFUSED_PAUSE_S if refused else self._pause_s * random.uniform(0.8, 1.2))
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        self._counts['times the server was lost or away'] += 1

    def _release(self) -> None:
        if self._session is None and self._encoder is None:
            return
        self._end_session()
        self._forget_encoder(keep_choice=True)
        self.problem, self._waiting_since_s = '', None
        self._pause_s, self._again_s = _PAUSE_S, 0.0
        # What waits is of before: whoever comes next shall not see it first.
        self._frames.take(0.0)
        self._sent_at_s.clear()

    def _end_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _forget_encoder(self, *, keep_choice: bool = False) -> None:
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            encoder.close()
        if not keep_choice:
            self._choice = None
