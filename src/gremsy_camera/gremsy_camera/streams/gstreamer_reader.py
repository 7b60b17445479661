# SPDX-License-Identifier: Apache-2.0
"""Reads an RTSP camera through GStreamer, with a hardware decoder where there is one.

`rtspsrc ! depayloader ! parser ! decoder ! videoconvert ! appsink`, put together once the camera has described itself.
Times are read from the RTP and RTCP packets on their way, so that they do not depend on what a version's elements or a
hardware decoder hand on: a picture leaves the decoder with the presentation time that it entered with.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from gremsy_camera.errors import SourceError, SourceRefused
from gremsy_camera.gstreamer.gst_decoders import ChosenDecoder, choose_decoder
from gremsy_camera.gstreamer.gst_library import PipelineError, load_gstreamer, pipeline_error, why_no_gstreamer
from gremsy_camera.gstreamer.gst_pictures import JPEG_CAPS, RAW_CAPS, layout_of, pixels_of, pull_sample, rate_of
from gremsy_camera.live.encoded_video import EncodedFormat, EncodedPacket
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.live.live_reader import DECODE_FAILURES, JPEG_DECODER, CaptureTime, LivePicture, LiveReader
from gremsy_camera.live.raw_pictures import PictureLayout
from gremsy_camera.sources.source import SourceContext, SourceInfo
from gremsy_camera.streams.rtp_times import (
    DecodingTimes,
    RtpHeader,
    SenderReport,
    StreamClock,
    capture_time,
    rtp_header,
    sender_report,
)
from gremsy_camera.streams.rtsp_messages import CODECS
from gremsy_camera.streams.rtsp_session import UNSUPPORTED_TRANSPORT, TransportRefused, by_first_transport, no_video
from gremsy_camera.streams.stream_address import StreamAddress, explain_status, why_unreachable
from gremsy_common.picture.picture_memory import PictureMemory

_OPEN_WITHIN_S = 5.0
_NS_PER_S = 1_000_000_000
# RTP's header, 15 contributors and the ONVIF extension.
_HEADER_BYTES = 12 + 60 + 16
# What waits in the sink while nobody reads; more would only make what is read older.
_WAITING_PICTURES = 3
# A decoder holds 16 at most; what is still inside beyond that has come to nothing.
_MOST_INSIDE = 64
# A gap in the numbers of more packets than this is a sender that started again.
_LONGEST_GAP = 3000
_CLOCK_RATE = 90_000
_MARKER = 0x80
_B_FRAMES = 'B-frames hold pictures back: switch them off in the camera, or set it to the baseline profile'


class DecoderFailed(SourceError):
    """The decoder in use cannot decode the stream as it is set; another one, or another setting, is next."""


@dataclass(slots=True)
class _Inside:
    """A picture between its first packet and the sink."""

    arrived_ns: int
    position_ns: int
    header: RtpHeader
    damaged: bool = False
    decoded: bool = False


def why_not(options: LiveParameters) -> str | None:
    """In one sentence with the way out why this reader cannot be used here; None where it can."""
    if options.stamps == 'sei':
        return 'GStreamer does not pass on time codes of the video: set `stamps` to auto, or `reader` to pyav.'
    return why_no_gstreamer()


class GStreamerReader(LiveReader):
    """See LiveReader. `open`, `read` and `close` by one thread; GStreamer's own do the rest."""

    def __init__(self, address: StreamAddress, context: SourceContext) -> None:
        super().__init__(f'The camera {address.shown}', context)
        self._address = address
        self._options = context.live
        self._pipeline: Any = None
        self._bus: Any = None
        self._sink: Any = None
        self._caps: Any = None
        self._chosen: ChosenDecoder | None = None
        self._lock = threading.Lock()
        # What is remembered from one connection to the next: decoders that failed on the stream, with the reason, and
        # those that gave its pictures out of order, as they were configured for no B-frames.
        self._failed: dict[str, str] = {}
        self._in_order: set[str] = set()

    def open(self) -> SourceInfo:
        """See LiveReader. Every decoder that fails at once is followed by the next, TCP that is refused by UDP."""
        self.close()
        self._gstreamer = load_gstreamer()
        self._gst = self._gstreamer.gst
        try:
            by_first_transport(self._options, self._start_with_some_decoder)
        except SourceError:
            self.close()
            raise
        return self.info

    def read(self, timeout_s: float) -> LivePicture | None:
        """See LiveReader."""
        if self._sink is None:
            raise self._not_open()
        try:
            sample = pull_sample(self._sink, timeout_s, lambda: self._look_at_bus(0))
            return None if sample is None else self._picture(sample)
        except DecoderFailed as error:
            # Here and not by who reads, who would make another reader that has learnt nothing.
            self.context.say(str(error))
            self.open()
            return None

    def counts(self) -> Mapping[str, int]:
        """See LiveReader."""
        with self._lock:
            return dict(self._counts)

    def close(self) -> None:
        """See LiveReader. GStreamer's threads have ended when this returns."""
        if self._pipeline is None:
            return
        self._pipeline.set_state(self._gst.State.NULL)
        for element, handler in self._handlers:
            element.disconnect(handler)
        self._bus.set_flushing(True)
        self._pipeline = self._bus = self._sink = self._chosen = self._caps = None

    def _start_with_some_decoder(self, protocol: str) -> None:
        started = False
        while not started:
            self.close()
            with suppress(DecoderFailed):
                self._start(protocol)
                started = True

    def _start(self, protocol: str) -> None:
        """Connect, and wait until the stream's size is known.

        Raises:
            DecoderFailed, TransportRefused: with another one it may work.
            SourceUnusable, SourceError: see LiveReader.
        """
        self._protocol = protocol
        self._memory = PictureMemory()
        self._handlers: list[tuple[Any, int]] = []
        # Of the stream that was selected, as RTP names it.
        self._encoding = ''
        self._other_media: list[str] = []
        self._failure: SourceError | None = None
        self._inside: dict[int, _Inside] = {}
        self._newest: _Inside | None = None
        self._counts = Counter()
        self._reports: dict[int, SenderReport] = {}
        # Of the last packet: time and sender, the number that follows, the byte with its marker.
        self._same = b''
        self._next_sequence = 0
        self._last_flags = 0
        self._go_on = self._gst.PadProbeReturn.OK
        self._stream_clock = StreamClock(_CLOCK_RATE)
        self._decoding = DecodingTimes()
        self._reported_reordered = 0
        self._answered = False
        self._layout: PictureLayout | None = None
        self._last_pts = -1
        self.info = SourceInfo(0, 0, 0.0)
        gst = self._gst
        self._pipeline = gst.Pipeline.new(None)
        self._bus = self._pipeline.get_bus()
        source = self._source()
        self._pipeline.add(source)
        for signal, handler in (
            ('select-stream', self._select_stream),
            ('new-manager', self._new_manager),
            ('pad-added', self._pad_added),
        ):
            self._connect(source, signal, handler)
        self._pipeline.set_state(gst.State.PLAYING)
        deadline_ns = self._clock.monotonic_ns() + round(_OPEN_WITHIN_S * _NS_PER_S)
        while not self.info.width:
            left_ns = deadline_ns - self._clock.monotonic_ns()
            if left_ns <= 0:
                raise SourceError(self._sentence(self._why_silent()))
            # `_end_wait` ends it.
            self._look_at_bus(left_ns)

    def _source(self) -> Any:
        address, options = self._address, self._options
        properties: dict[str, object] = {
            'protocols': self._protocol,
            'latency': round(options.max_delay_ms),
            # Longer than `start` waits, so that a camera that hangs is not one that speaks something else.
            'tcp-timeout': round(2 * _OPEN_WITHIN_S * 1_000_000),
            'do-rtcp': True,
            'do-retransmission': False,
            'drop-on-latency': self._protocol == 'udp',
            # A camera's certificate is its own; the other readers do not ask for more either.
            'tls-validation-flags': 0,
        }
        source = self._gstreamer.make('rtspsrc', 'camera')
        self._gstreamer.set_properties(source, properties, known_only=True)
        source.set_property('location', address.location)
        if address.user:
            source.set_property('user-id', address.user)
            source.set_property('user-pw', address.password)
        # Played on as it comes; a server that names an end would else be buffered as a file. Over TCP by the times of
        # RTP alone: 'slave' gives what is late the time of its arrival, the same to all of a burst, and then a decoded
        # picture finds its packets no more (322 of 781 on a machine with ten times too much to do). UDP's packets come
        # one by one, and how long a lost one is waited for goes by their arrival.
        mode = 'slave' if self._protocol == 'udp' else 'none'
        self._gst.util_set_object_arg(source, 'buffer-mode', mode)
        return source

    def _connect(self, element: Any, signal: str, handler: Callable[..., object]) -> None:
        self._handlers.append((element, element.connect(signal, handler)))

    # By GStreamer's threads.

    def _select_stream(self, _source: Any, _index: int, caps: Any) -> bool:
        """Whether to take a stream: the first video that can be read."""
        structure = caps.get_structure(0)
        encoding = structure.get_string('encoding-name') or '?'
        if structure.get_string('media') == 'video' and encoding in CODECS and not self._encoding:
            self._encoding = encoding
            return True
        self._other_media.append(f'{structure.get_string("media") or "data"} {encoding}')
        return False

    def _new_manager(self, _source: Any, manager: Any) -> None:
        self._answered = True
        self._connect(manager, 'pad-added', self._manager_pad_added)

    def _manager_pad_added(self, _manager: Any, pad: Any) -> None:
        if pad.get_name().startswith('recv_rtcp_sink'):
            kinds = self._gst.PadProbeType
            pad.add_probe(kinds.BUFFER, self._rtcp_passes)

    def _pad_added(self, _source: Any, pad: Any) -> None:
        try:
            self._build(pad)
        except SourceError as error:
            self._failure = error
            self._end_wait()

    def _build(self, pad: Any) -> None:
        """Everything behind the source, for the stream that was selected."""
        gst, encoding = self._gst, self._encoding
        if not encoding or self._sink is not None:
            return
        structure = pad.get_current_caps().get_structure(0)
        known, clock_rate = structure.get_int('clock-rate')
        if known and clock_rate > 0:
            self._stream_clock = StreamClock(clock_rate)
        short, encoded = encoding.lower(), encoding != 'JPEG'
        elements = [self._gstreamer.make(f'rtp{short}depay')]
        if encoded:
            # Whole pictures with start codes: else the parser waits for the next picture to know where this one ends.
            caps = f'video/x-{short},stream-format=byte-stream,alignment=au'
            elements.append(self._gstreamer.make('capsfilter', caps=caps))
            # Parameter sets before every key frame: who starts to record there has them.
            elements.append(self._gstreamer.make(f'{short}parse', config_interval=-1))
            elements.append(self._gstreamer.make('capsfilter', caps=caps))
        packed = elements[-1].get_static_pad('src')
        if encoded:
            wanted = self._options.decoder
            chosen = choose_decoder(self._gstreamer, encoding, wanted, self._failed, self._in_order)
            self._chosen = chosen
            elements.append(chosen.element)
            if chosen.decoder.then:
                elements.append(gst.parse_bin_from_description(chosen.decoder.then, True))
            # Does nothing unless the decoder's format is one that OpenCV does not convert (4:2:2, 10 bits).
            elements.append(self._gstreamer.make('videoconvert'))
        sink = self._gstreamer.make(
            'appsink',
            caps=RAW_CAPS if encoded else JPEG_CAPS,
            max_buffers=_WAITING_PICTURES,
            drop=True,
            sync=False,
            qos=False,
            wait_on_eos=False,
        )
        elements.append(sink)
        kinds = gst.PadProbeType
        packets = elements[0].get_static_pad('sink')
        packets.add_probe(kinds.BUFFER, self._rtp_passes)
        packets.add_probe(kinds.BUFFER_LIST, self._rtp_list_passes)
        packed.add_probe(kinds.EVENT_DOWNSTREAM, self._packed_event_passes)
        packed.add_probe(kinds.BUFFER, self._packed_passes)
        sink.get_static_pad('sink').add_probe(kinds.BUFFER, self._decoded_passes)
        for element in elements:
            self._pipeline.add(element)
        for before, after in pairwise(elements):
            before.link(after)
        self._sink = sink
        for element in reversed(elements):
            element.sync_state_with_parent()
        pad.link(elements[0].get_static_pad('sink'))

    def _rtcp_passes(self, _pad: Any, info: Any) -> Any:
        buffer = info.get_buffer()
        report = sender_report(buffer.extract_dup(0, buffer.get_size()))
        if report is not None:
            self._reports[report.ssrc] = report
        return self._go_on

    def _rtp_passes(self, _pad: Any, info: Any) -> Any:
        self._packet(info.get_buffer())
        return self._go_on

    def _rtp_list_passes(self, _pad: Any, info: Any) -> Any:
        packets = info.get_buffer_list()
        for index in range(packets.length()):
            self._packet(packets.get(index))
        return self._go_on

    def _packet(self, buffer: Any) -> None:
        """Called for thousands of packets a second: all but the first of a picture are passed over in a few us."""
        begin = buffer.extract_dup(0, _HEADER_BYTES)
        if begin[4:12] == self._same and int.from_bytes(begin[2:4], 'big') == self._next_sequence:
            self._next_sequence = (self._next_sequence + 1) & 0xFFFF
            self._last_flags = begin[1]
            return
        header = rtp_header(begin)
        if header is None:
            return
        lost = (header.sequence - self._next_sequence) & 0xFFFF
        lost = lost if lost < _LONGEST_GAP and begin[8:12] == self._same[4:] else 0
        if lost:
            self._packets_lost(lost)
        begins = begin[4:12] != self._same
        self._same, self._next_sequence = begin[4:12], (header.sequence + 1) & 0xFFFF
        self._last_flags = begin[1]
        if begins:
            self._picture_begins(buffer.pts, header, lost > 0)

    def _packets_lost(self, lost: int) -> None:
        """Some before this one: the picture that was under way is damaged, unless its last packet had come."""
        with self._lock:
            self._counts['packets lost'] += lost
            if not self._last_flags & _MARKER and self._newest is not None:
                self._newest.damaged = True

    def _picture_begins(self, pts: int, header: RtpHeader, damaged: bool) -> None:
        position_ns = self._stream_clock.position_ns(header.timestamp)
        with self._lock:
            if len(self._inside) >= _MOST_INSIDE:
                del self._inside[min(self._inside)]
            self._newest = _Inside(self._clock.monotonic_ns(), position_ns, header, damaged)
            self._inside[pts] = self._newest

    def _packed_event_passes(self, _pad: Any, info: Any) -> Any:
        event = info.get_event()
        if event.type == self._gst.EventType.CAPS:
            self._stream_known(event.parse_caps())
        return self._go_on

    def _packed_passes(self, _pad: Any, info: Any) -> Any:
        buffer = info.get_buffer()
        with self._lock:
            inside = self._inside.get(buffer.pts)
            if inside is not None and inside.damaged:
                # A decoder would show what is missing as grey or smears.
                del self._inside[buffer.pts]
                self._counts['pictures damaged by loss'] += 1
                return self._gst.PadProbeReturn.DROP
        if inside is not None:
            self._put(buffer, inside)
        return self._go_on

    def _stream_known(self, caps: Any) -> None:
        structure = caps.get_structure(0)
        width, height = (structure.get_int(name)[1] for name in ('width', 'height'))
        if width > 0 and height > 0 and not self.info.width:
            self.info = SourceInfo(width, height, rate_of(structure), details=self._details())
            self._end_wait()

    def _put(self, buffer: Any, inside: _Inside) -> None:
        dts_ns = self._decoding.dts_ns(inside.position_ns)
        if not self.context.tap.wanted:
            return
        self.context.tap.put(
            EncodedFormat(CODECS[self._encoding].short, self.info.width, self.info.height),
            EncodedPacket(
                buffer.extract_dup(0, buffer.get_size()),
                self._packet_stamp_ns(inside.arrived_ns, self._capture(inside.header)),
                inside.position_ns,
                dts_ns,
                not buffer.has_flags(self._gst.BufferFlags.DELTA_UNIT),
            ),
        )

    def _decoded_passes(self, _pad: Any, info: Any) -> Any:
        with self._lock:
            inside = self._inside.get(info.get_buffer().pts)
            if inside is not None:
                inside.decoded = True
        return self._go_on

    def _end_wait(self) -> None:
        """End the wait of `start`."""
        gst = self._gst
        self._bus.post(gst.Message.new_application(None, gst.Structure.new_empty('known')))

    # By the reader's thread.

    def _picture(self, sample: Any) -> LivePicture:
        caps = sample.get_caps()
        layout = self._layout
        if layout is None or not caps.is_equal(self._caps):
            layout = layout_of(self._gstreamer, caps)
            self._caps, self._layout = caps, layout
            rate_hz = layout.rate_hz or self.info.rate_hz
            self.info = SourceInfo(layout.width, layout.height, rate_hz, details=self._details())
        elif self._decoding.reordered != self._reported_reordered:
            self._reported_reordered = self._decoding.reordered
            self.info = replace(self.info, details=self._details())
        pts = sample.get_buffer().pts
        if pts < self._last_pts:
            self._out_of_order()
        inside = self._leaves(pts)
        pixels = pixels_of(self._gstreamer, sample, layout, self._memory)
        shape = (layout.encoding, layout.width, layout.height)
        if inside is None:
            return LivePicture(pixels, *shape, self._clock.monotonic_ns(), None, None)
        header, capture = inside.header, self._capture(inside.header)
        return LivePicture(pixels, *shape, inside.arrived_ns, capture, inside.position_ns, header.timestamp)

    def _leaves(self, pts: int) -> _Inside | None:
        """What is known of a picture; those before it that did not come are counted."""
        first = self._last_pts < 0
        self._last_pts = pts
        with self._lock:
            gone = [self._inside.pop(each) for each in [each for each in self._inside if each < pts]]
            # Before the first key frame nothing can be decoded.
            if not first:
                for inside in gone:
                    self._counts[_why_gone(inside)] += 1
            return self._inside.pop(pts, None)

    def _capture(self, header: RtpHeader) -> CaptureTime | None:
        report = self._reports.get(header.ssrc)
        return capture_time(header.onvif_ns, report, header.timestamp, self._stream_clock.rate)

    def _out_of_order(self) -> None:
        self._last_pts = -1
        if self._chosen is not None and self._chosen.promised_no_reorder:
            element = self._chosen.decoder.element
            self._in_order.add(element)
            raise DecoderFailed(
                f'{self.name} has B-frames, which {element} gives out of order: it is opened '
                'again with its pictures put in order, which adds delay; switch B-frames off on the camera.'
            )

    def _look_at_bus(self, wait_ns: int) -> None:
        kinds = self._gst.MessageType
        message = self._bus.timed_pop_filtered(wait_ns, kinds.ERROR | kinds.EOS | kinds.APPLICATION)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if message is None or message.type == kinds.APPLICATION:
            return
        if message.type == kinds.EOS:
            raise SourceError(f'{self.name} ended its stream.')
        raise self._of_error(pipeline_error(self._gstreamer, message), message)

    def _of_error(self, error: PipelineError, message: Any) -> SourceError:
        chosen = self._chosen
        if chosen is not None and message.src is chosen.element:
            name = chosen.decoder.element
            self._failed[name] = f'failed on this stream: {error.words}'
            return DecoderFailed(
                f'The decoder {name} failed on the stream of {self._address.shown} ({error.words}): trying another.'
            )
        if error.status == UNSUPPORTED_TRANSPORT:
            return TransportRefused(self._sentence(explain_status(error.status)))
        if error.status:
            refused = error.status in (401, 403)
            return (SourceRefused if refused else SourceError)(self._sentence(explain_status(error.status)))
        if error.could_not_connect or (error.could_not_read and not self.info.width):
            return SourceError(
                self._sentence(why_unreachable(self._address.host, self._address.port) or self._no_rtsp())
            )
        if error.no_stream:
            return self._no_video()
        if self.info.width:
            return SourceError(f'The stream of the camera {self._address.shown} broke: {error.words}.')
        return SourceError(self._sentence(error.words))

    def _no_rtsp(self) -> str:
        if self._address.scheme == 'rtsps':
            return 'no encrypted connection can be made: check that the camera speaks rtsps on this port, else use rtsp'
        return 'it does not speak RTSP on this port: check the port'

    def _no_video(self) -> SourceError:
        if not self._other_media or self._encoding:
            return TransportRefused(self._sentence(explain_status(UNSUPPORTED_TRANSPORT)))
        return no_video(self._address, self._other_media)

    def _why_silent(self) -> str:
        unreachable = why_unreachable(self._address.host, self._address.port)
        if unreachable is not None:
            return unreachable
        if not self._answered:
            return f'it accepts the connection and does not answer within {_OPEN_WITHIN_S:g} s'
        return (
            f'no picture came within {_OPEN_WITHIN_S:g} s: check that it sends key frames, '
            'and over UDP that no firewall holds its packets back'
        )

    def _sentence(self, why: str) -> str:
        return f'{self.name} cannot be opened: {why}.'

    def _details(self) -> tuple[tuple[str, str], ...]:
        chosen = self._chosen
        details = [('GStreamer', self._gstreamer.version), ('transport', self._protocol)]
        if self._encoding:
            details.append(('codec', CODECS[self._encoding].name))
        if chosen is not None:
            details.append(('decoder', f'{chosen.decoder.kind} ({chosen.decoder.element})'))
            if chosen.passed_over:
                passed = ', '.join(f'{element} {reason}' for element, reason in chosen.passed_over.items())
                details.append(('decoders passed over', passed))
        elif self._encoding:
            details.append(('decoder', JPEG_DECODER))
        if self._decoding.reordered:
            details.append(('delay', _B_FRAMES))
        return tuple(details)


def _why_gone(inside: _Inside) -> str:
    if inside.decoded:
        return 'pictures overtaken before they were read'
    return 'pictures damaged by loss' if inside.damaged else DECODE_FAILURES


create = GStreamerReader
