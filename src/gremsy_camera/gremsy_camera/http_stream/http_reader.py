# SPDX-License-Identifier: Apache-2.0
"""Reads a camera over HTTP: JPEG pictures that it pushes without an end, or single ones that are asked for in turn."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_camera.errors import PictureDamaged, SourceError, SourceUnusable
from gremsy_camera.http_stream.http_session import BodyEnded, HttpAnswer, HttpSession
from gremsy_camera.http_stream.jpeg_stream import JpegPart, JpegStream, NoPictures
from gremsy_camera.live.encoded_video import EncodedFormat, EncodedPacket
from gremsy_camera.live.live_reader import JPEG_DECODER, CaptureTime, LivePicture, LiveReader, TimeBase, decode_jpeg
from gremsy_camera.sources.source import SourceContext, SourceInfo
from gremsy_camera.streams.credentials import fill_in, redacted
from gremsy_camera.streams.stream_address import StreamAddress

_PATIENCE_S = 5.0
_NS_PER_S = 1_000_000_000
# Four times 8K. A header that is damaged may name 65535x65535, and memory for that would be asked for.
_MOST_PIXELS = 1 << 27
# Of a picture that is asked for again each time, where no rate is asked for.
_SNAPSHOTS_HZ = 10.0
# What pushes pictures, by its type; cameras without a word on it send pictures too.
_STREAM_TYPES = ('', 'application/octet-stream', 'video/x-motion-jpeg', 'video/x-mjpeg', 'video/mjpeg', 'image/mjpeg')
_OTHER_KINDS = {
    'text': 'a page: write the address of the stream itself, which the manual of the camera names',
    'audio': 'sound: write the address of the video',
    'video': 'video of another kind: `gst: souphttpsrc location=... ! decodebin` may read it',
}


class HttpReader(LiveReader):
    """See LiveReader. Single pictures are asked for at the context's rate, 10 times a second where it has none.

    Args:
        text: address of the stream or the picture, `${NAME}` and all.
        context: of the source; its tap takes the JPEGs as they came.
    """

    def __init__(self, text: str, context: SourceContext) -> None:
        super().__init__(f'The camera {redacted(text)}', context)
        self._text = text
        self._period_ns = round(_NS_PER_S / (context.rate_hz or _SNAPSHOTS_HZ))
        self._session: HttpSession | None = None
        self._answer: HttpAnswer | None = None
        self._stream = JpegStream()
        self._parts: deque[JpegPart] = deque()
        self._single = False
        self._due_ns = 0
        self._last_header_time = ''

    def open(self) -> SourceInfo:
        """See LiveReader. The first picture is waited for, as only that has the size."""
        self.close()
        self._counts = Counter()
        address = StreamAddress.of(fill_in(self._text, 'source', self._secrets()), 'source')
        self._session = session = HttpSession(address, _PATIENCE_S)
        try:
            answer = self._answer = session.get()
            self._single = self._is_single(session, answer)
            self._due_ns = self._clock.monotonic_ns() + self._period_ns
            deadline_ns = self._clock.monotonic_ns() + round(_PATIENCE_S * _NS_PER_S)
            while not self._parts:
                left_ns = deadline_ns - self._clock.monotonic_ns()
                if left_ns <= 0:
                    raise SourceError(session.sentence(f'no picture came within {_PATIENCE_S:g} s'))
                self._receive(left_ns / _NS_PER_S)
        except SourceError:
            self.close()
            raise
        self._update_info(self._parts[0])
        return self.info

    def read(self, timeout_s: float) -> LivePicture | None:
        """See LiveReader."""
        if self._session is None:
            raise self._not_open()
        deadline_ns = self._clock.monotonic_ns() + round(timeout_s * _NS_PER_S)
        while not self._parts:
            left_s = (deadline_ns - self._clock.monotonic_ns()) / _NS_PER_S
            if left_s <= 0:
                return None
            if self._answer is None and not self._ask_again(left_s):
                return None
            self._receive(left_s)
        return self._picture(self._parts.popleft())

    def counts(self) -> Mapping[str, int]:
        """See LiveReader."""
        counts = dict(self._counts)
        if self._stream.cut_short:
            counts['pictures cut short'] = self._stream.cut_short
        return counts

    def close(self) -> None:
        """See LiveReader."""
        if self._session is not None:
            self._session.close()
        self._session = self._answer = None
        self._stream = JpegStream()
        self._parts.clear()

    def _is_single(self, session: HttpSession, answer: HttpAnswer) -> bool:
        kind = answer.content_type
        if kind.startswith('multipart/') or kind in _STREAM_TYPES:
            return False
        if kind in ('image/jpeg', 'image/jpg', 'image/pjpeg'):
            return True
        other = _OTHER_KINDS.get(kind.partition('/')[0], 'nothing that is read here: it must be JPEG pictures')
        # What a path leads to does not change by itself: asking again would bring the same page.
        raise SourceUnusable(session.sentence(f'{kind} is {other}'))

    def _ask_again(self, left_s: float) -> bool:
        """Ask for the next single picture when it is due; False where that is later."""
        assert self._session is not None
        now_ns = self._clock.monotonic_ns()
        if self._due_ns - now_ns > left_s * _NS_PER_S:
            self._clock.sleep_s(left_s)
            return False
        if self._due_ns > now_ns:
            self._clock.sleep_s((self._due_ns - now_ns) / _NS_PER_S)
        # From now where the camera is slower than it is asked.
        self._due_ns = max(self._due_ns + self._period_ns, self._clock.monotonic_ns())
        self._answer = self._session.get()
        return True

    def _receive(self, timeout_s: float) -> None:
        assert self._answer is not None and self._session is not None
        answer = self._answer
        try:
            data = answer.receive(timeout_s)
        except BodyEnded:
            what = 'sent a picture that is cut short' if self._single else 'ended its stream'
            raise SourceError(f'{self.name} {what}.') from None
        except OSError as error:
            raise SourceError(
                f'The connection to the camera {redacted(self._text)} broke ({error.strerror or error}).'
            ) from error
        if not data:
            return
        try:
            parts = self._stream.feed(data, self._clock.monotonic_ns())
        except NoPictures as error:
            raise SourceError(f'{self.name} sends no JPEG pictures: {error}.') from error
        if self._single and parts:
            # The head of the answer has the headers, and nothing of worth follows the picture.
            fields = {name: values[0] for name, values in answer.headers.items()}
            parts = [JpegPart(part.data, part.width, part.height, answer.arrived_ns, fields) for part in parts[:1]]
            self._answer = None
        self._parts.extend(parts)

    def _update_info(self, part: JpegPart) -> None:
        if (part.width, part.height) != (self.info.width, self.info.height) or not self.info.details:
            rate_hz = _NS_PER_S / self._period_ns if self._single else 0.0
            read = 'single pictures, asked for one by one' if self._single else 'a stream of pictures'
            details = [('reader', f'HTTP: {read}'), ('codec', 'MJPEG'), ('decoder', JPEG_DECODER)]
            if self._session is not None and self._session.redirected:
                details.append(('redirected to', self._session.address.shown))
            self.info = SourceInfo(part.width, part.height, rate_hz, details=tuple(details))

    def _picture(self, part: JpegPart) -> LivePicture:
        self._update_info(part)
        capture = self._capture(part.fields.get('x-timestamp', ''))
        if self.context.tap.wanted:
            stamp_ns = self._packet_stamp_ns(part.arrived_ns, None)
            time_ns = part.arrived_ns if capture is None else capture.time_ns
            packet = EncodedPacket(part.data, stamp_ns, time_ns, time_ns, key=True)
            self.context.tap.put(EncodedFormat('mjpeg', part.width, part.height), packet)

        def pixels() -> NDArray[Any]:
            if part.width * part.height > _MOST_PIXELS:
                raise PictureDamaged(f'A JPEG picture says that it has {part.width}x{part.height} px: it is left out.')
            return decode_jpeg(np.frombuffer(part.data, np.uint8))

        return LivePicture(pixels, 'bgr8', part.width, part.height, part.arrived_ns, capture, None)

    def _capture(self, header_time: str) -> CaptureTime | None:
        """From mjpg-streamer's and the ESP32's header: seconds of the camera's clock, from any zero."""
        last, self._last_header_time = self._last_header_time, header_time
        try:
            seconds = float(header_time)
        except ValueError:
            return None
        # Some write the same number each time.
        if not 0.0 < seconds < 1e11 or header_time == last:
            return None
        return CaptureTime(round(seconds * _NS_PER_S), TimeBase.CAMERA, "the camera's X-Timestamp")
