# SPDX-License-Identifier: Apache-2.0
"""Reads an RTSP camera with PyAV's decoders; the conversation and the packets are `rtsp_session` and its neighbours."""

from __future__ import annotations

import importlib.util
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from gremsy_camera.errors import SourceError
from gremsy_camera.live.encoded_video import EncodedFormat, EncodedPacket
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.live.live_reader import DECODE_FAILURES, CaptureTime, LivePicture, LiveReader, TimeBase
from gremsy_camera.sources.source import SourceContext, SourceInfo
from gremsy_camera.streams.rtp_packets import PacketOrder, take_apart
from gremsy_camera.streams.rtp_pictures import PictureAssembler, ReceivedPicture, parameter_sets_of
from gremsy_camera.streams.rtp_times import (
    DecodingTimes,
    SenderReport,
    StreamClock,
    capture_time,
    misp_ns,
    sender_report,
    time_code_ns,
)
from gremsy_camera.streams.rtsp_messages import CODECS, VideoTrack
from gremsy_camera.streams.rtsp_session import RTP, RtspSession, by_first_transport, video_track
from gremsy_camera.streams.stream_address import StreamAddress
from gremsy_common.installing import pip_install

if TYPE_CHECKING:
    from gremsy_camera.streams.pyav_decoder import PyAvDecoder

_NS_PER_S = 1_000_000_000
# How long `open` waits for a picture, so that it knows the size; a key frame that is rarer is waited for by `read`, but
# not where nothing at all comes.
_SIZE_WITHIN_S = 3.0
# Where decoding what waits would take longer, it cannot keep up: what is older than the newest key frame is left out.
_LONGEST_BEHIND_S = 0.2
# Without a key frame for so many pictures nothing can be left out but all until the next one.
_MOST_WAITING = 600
# B-frames keep some pictures in the decoder; what is inside beyond that came to nothing.
_MOST_INSIDE = 64


def why_not(options: LiveParameters) -> str | None:
    """In one sentence with the way out why this reader cannot be used here; None where it can."""
    if importlib.util.find_spec('av') is None:
        return f'PyAV is not installed: {pip_install("av", extra="encode")}'
    if options.decoder == 'hardware':
        from gremsy_camera.streams.pyav_decoder import find_hardware

        if find_hardware('h264').device is None:
            return 'PyAV has no hardware decoder on this machine, which `decoder` asks for: set it to auto.'
    return None


class PyAvReader(LiveReader):
    """See LiveReader."""

    def __init__(self, address: StreamAddress, context: SourceContext) -> None:
        super().__init__(f'The camera {address.shown}', context)
        self._address = address
        self._options = context.live
        self._session: RtspSession | None = None
        self._transport = ''
        self._counters: tuple[Counter[str], ...] = ()
        self._reported_behind = False

    def open(self) -> SourceInfo:
        """See LiveReader."""
        self.close()
        self._counts = Counter()
        self._session = session = RtspSession(self._address)
        track = video_track(session.describe(), self._address)

        def start(transport: str) -> None:
            self._transport = transport
            session.start(track, transport)

        by_first_transport(self._options, start)
        self._begin(track)
        self._wait_for_size()
        return self.info

    def read(self, timeout_s: float) -> LivePicture | None:
        """See LiveReader."""
        if self._session is None:
            raise self._not_open()
        until_s = time.monotonic() + timeout_s
        while not self._pictures:
            left_s = until_s - time.monotonic()
            if self._encoded:
                self._decode_next()
            elif left_s > 0:
                self._receive(left_s)
            else:
                return None
        return self._pictures.popleft()

    def counts(self) -> Mapping[str, int]:
        """See LiveReader."""
        total: Counter[str] = Counter()
        for each in self._counters:
            # Copied whole first: the reading thread goes on to count.
            total.update(dict(each))
        return total

    def close(self) -> None:
        """See LiveReader."""
        session, self._session = self._session, None
        self._counters = ()
        if session is not None:
            session.close()

    def _begin(self, track: VideoTrack) -> None:
        self._track = track
        self._order = PacketOrder(self._options.max_delay_ms if self._transport == 'udp' else 0.0)
        self._assembler = PictureAssembler(track)
        assert self._session is not None
        self._counters = (self._counts, self._session.counts, self._order.counts, self._assembler.counts)
        self._stream_clock = StreamClock(track.clock_rate)
        self._report: SenderReport | None = None
        self._encoded: deque[ReceivedPicture] = deque()
        self._pictures: deque[LivePicture] = deque()
        self._inside: dict[int, ReceivedPicture] = {}
        self._joined = self._received = False
        # Of one picture, a running mean.
        self._decoding_s = 0.0
        self._decoding_times = DecodingTimes()
        self._decoder: PyAvDecoder | None = None
        if track.encoding != 'JPEG':
            from gremsy_camera.streams.pyav_decoder import PyAvDecoder

            self._decoder = PyAvDecoder(CODECS[track.encoding].short, self._options.decoder)
        self.info = SourceInfo(*track.size, track.rate_hz, details=self._details())

    def _wait_for_size(self) -> None:
        picture = self.read(_SIZE_WITHIN_S)
        if picture is not None:
            self._pictures.appendleft(picture)
        elif self._received:
            # Pictures before a key frame: `read` waits for that.
            return
        elif self._transport == 'udp':
            raise SourceError(
                f'{self.name} sends over UDP and none of it arrives: let UDP through the '
                'firewall, or set `transport` to tcp.'
            )
        else:
            raise SourceError(
                f'{self.name} has sent nothing for {_SIZE_WITHIN_S:g} s since it was asked '
                'to play: it is opened again; restart it if that goes on.'
            )

    def _details(self) -> tuple[tuple[str, str], ...]:
        rows = [('codec', CODECS[self._track.encoding].name), ('transport', self._transport_words())]
        if self._decoder is None:
            rows.append(('decoder', 'libjpeg of OpenCV'))
        else:
            rows += self._decoder.details
            held = self._decoder.held_back
            if held:
                delay_ms = 1000 * held / (self._track.rate_hz or 30.0)
                words = f'B-frames hold each picture back by {held}, {delay_ms:.0f} ms: switch them off in the camera'
                rows.append(('delay', f'{words}, or set it to the baseline profile'))
        return tuple(rows)

    def _transport_words(self) -> str:
        session = self._session
        if session is None or self._transport != 'udp':
            return self._transport
        return f'udp, {session.udp_buffer_bytes // 1000} kB of kernel buffer'

    def _receive(self, timeout_s: float) -> None:
        """Take in what there is, and wait for it no longer than the timeout, or than for a packet that UDP lost."""
        assert self._session is not None
        if self._order.holds_some:
            timeout_s = min(timeout_s, 0.005)
        packets = self._session.receive(timeout_s)
        if not packets:
            for each in self._order.ready(time.monotonic_ns()):
                self._encoded.extend(self._assembler.put(each))
        self._received |= bool(packets)
        for packet in packets:
            if packet.channel != RTP:
                self._report = sender_report(packet.data) or self._report
                continue
            taken = take_apart(packet.data, packet.arrived_ns)
            if taken is None or taken[1] != self._track.payload_type:
                self._counts['packets of something else'] += 1
                continue
            for each in self._order.put(taken[0]):
                self._encoded.extend(self._assembler.put(each))

    def _decode_next(self) -> None:
        self._catch_up()
        encoded = self._encoded.popleft()
        if not self._joined and not encoded.key:
            self._counts['pictures before the first key frame'] += 1
            return
        self._joined = True
        position_ns = self._stream_clock.position_ns(encoded.timestamp)
        self._tap(encoded, position_ns)
        began_s = time.monotonic()
        if self._decoder is None:
            self._decode_jpeg(encoded, position_ns)
        else:
            self._decode_video(self._decoder, encoded, position_ns)
        self._decoding_s += 0.1 * (time.monotonic() - began_s - self._decoding_s)

    def _catch_up(self) -> None:
        """Leave out what is older than the newest key frame, where decoding cannot keep up."""
        if (len(self._encoded) - 1) * self._decoding_s <= _LONGEST_BEHIND_S:
            return
        keys = [place for place, each in enumerate(self._encoded) if each.key]
        place = keys[-1] if keys else 0
        if not place and len(self._encoded) > _MOST_WAITING:
            place, self._joined = len(self._encoded) - 1, False
        if not place:
            return
        self._counts['pictures that decoding could not keep up with'] += place
        for _ in range(place):
            self._encoded.popleft()
        if not self._reported_behind:
            self._reported_behind = True
            if self._decoder is not None:
                self._decoder.restart_with_all_threads()
            self.context.say(
                f'The pictures of the camera {self._address.shown} come faster than they are decoded: some are left '
                'out; set the camera to a smaller size or rate, or `decoder` to hardware.'
            )

    def _decode_jpeg(self, encoded: ReceivedPicture, position_ns: int) -> None:
        image = cv2.imdecode(np.frombuffer(encoded.data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            self._counts[DECODE_FAILURES] += 1
            return
        height, width = image.shape[:2]
        self._hand_out(encoded, position_ns, lambda: image, (width, height), self._capture(encoded))

    def _decode_video(self, decoder: PyAvDecoder, encoded: ReceivedPicture, position_ns: int) -> None:
        import av

        self._inside[position_ns] = encoded
        held = decoder.held_back
        try:
            frames = decoder.decode(encoded.data, position_ns)
        except av.error.FFmpegError:
            self._counts[DECODE_FAILURES] += 1
            self._inside.pop(position_ns, None)
            return
        for frame in frames:
            came = self._inside.pop(frame.pts, None)
            self._give_up_before(frame.pts)
            if came is None or not came.whole:
                self._counts['pictures damaged by loss'] += 1
                continue
            if frame.is_corrupt:
                self._counts[DECODE_FAILURES] += 1
                continue
            capture = self._sei(frame) if self._options.stamps == 'sei' else self._capture(came)
            self._hand_out(came, frame.pts, decoder.pixels(frame), (frame.width, frame.height), capture)
        while len(self._inside) > _MOST_INSIDE:
            self._inside.pop(next(iter(self._inside)))
            self._counts[DECODE_FAILURES] += 1
        if held != decoder.held_back:
            self.info = replace(self.info, details=self._details())

    def _give_up_before(self, position_ns: int) -> None:
        """Pictures come out in the order of showing: what should have come before this one came to nothing."""
        for lost in [each for each in self._inside if each < position_ns]:
            whole = self._inside.pop(lost).whole
            self._counts[DECODE_FAILURES if whole else 'pictures damaged by loss'] += 1

    def _hand_out(
        self,
        encoded: ReceivedPicture,
        position_ns: int,
        pixels: Any,
        size: tuple[int, int],
        capture: CaptureTime | None,
    ) -> None:
        if size != (self.info.width, self.info.height):
            self.info = replace(self.info, width=size[0], height=size[1])
        self._pictures.append(
            LivePicture(pixels, 'bgr8', *size, encoded.arrived_ns, capture, position_ns, encoded.timestamp)
        )

    def _capture(self, encoded: ReceivedPicture) -> CaptureTime | None:
        return capture_time(encoded.onvif_ns, self._report, encoded.timestamp, self._track.clock_rate)

    def _sei(self, frame: Any) -> CaptureTime | None:
        """The time that stands in the video; None, so that the arrival is taken, where none does."""
        for data in frame.side_data:
            kind = data.type.name
            if kind == 'SEI_UNREGISTERED':
                time_ns = misp_ns(bytes(data))
                if time_ns is not None:
                    return CaptureTime(time_ns, TimeBase.CAMERA, 'MISP time in the video (SEI)')
            elif kind == 'S12M_TIMECODE':
                words = np.frombuffer(bytes(data), np.uint32)
                rate_hz = self._track.rate_hz or 30.0
                time_ns = time_code_ns(int(words[1]), rate_hz, time.time_ns()) if words[0] else None
                if time_ns is not None:
                    return CaptureTime(time_ns, TimeBase.CAMERA, 'time code in the video (SEI)')
        self._counts['pictures without a time in the video'] += 1
        return None

    def _tap(self, encoded: ReceivedPicture, position_ns: int) -> None:
        tap = self.context.tap
        dts_ns = self._decoding_times.dts_ns(position_ns)
        if not tap.wanted or not encoded.whole:
            return
        stamp_ns = self._packet_stamp_ns(encoded.arrived_ns, self._capture(encoded))
        video = EncodedFormat(
            CODECS[self._track.encoding].short,
            self.info.width,
            self.info.height,
            b'' if self._decoder is None else parameter_sets_of(self._track),
        )
        tap.put(video, EncodedPacket(encoded.data, stamp_ns, position_ns, dts_ns, encoded.key))


create = PyAvReader
