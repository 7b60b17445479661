# SPDX-License-Identifier: Apache-2.0
"""One connection to an RTSP camera by GStreamer: from `rtspsrc` to pictures with the times of their packets.

`rtspsrc ! depayloader ! parser ! decoder ! videoconvert ! appsink`, put together once the camera has told its streams.
Times are read from the RTP and RTCP packets on their way, so that they do not depend on what a version's elements or a
hardware decoder hand on: a picture leaves the decoder with the presentation time that it entered with.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from gremsy_camera.errors import SourceError, SourceRefused, SourceUnusable
from gremsy_camera.gstreamer.gst_decoders import ChosenDecoder, choose_decoder
from gremsy_camera.gstreamer.gst_library import GStreamer, PipelineError, pipeline_error
from gremsy_camera.gstreamer.gst_pictures import JPEG_CAPS, RAW_CAPS, PictureLayout, layout_of, pixels_of
from gremsy_camera.live.encoded_video import EncodedFormat, EncodedPacket
from gremsy_camera.live.live_reader import DECODE_FAILURES, CaptureTime, LivePicture, StreamInfo, TimeBase
from gremsy_camera.streams.rtp_times import (
    DecodingTimes,
    RtpHeader,
    SenderReport,
    StreamClock,
    rtp_header,
    sender_report,
)
from gremsy_camera.streams.rtsp_session import TransportRefused
from gremsy_camera.streams.stream_address import ReaderRequest, explain_status, why_unreachable
from gremsy_common.picture.picture_memory import PictureMemory

_OPEN_WITHIN_S = 5.0
# Errors and the stream's end do not wake a reader that waits for a picture.
_LOOK_FOR_ERRORS_EVERY_S = 0.05
_NS_PER_S = 1_000_000_000
# RTP's header, 15 contributors and the ONVIF extension.
_HEADER_BYTES = 12 + 60 + 16
# What waits in the sink while nobody reads; more would only make what is read older.
_WAITING_PICTURES = 3
# A decoder holds 16 at most; what is still inside beyond that has come to nothing.
_MOST_INSIDE = 64
# A gap in the numbers of more packets than this is a sender that started again.
_LONGEST_GAP = 3000
_UNSUPPORTED_TRANSPORT = 461
_CLOCK_RATE = 90_000
_MARKER = 0x80
_B_FRAMES = 'B-frames hold pictures back: switch them off in the camera, or set it to the baseline profile'


@dataclass(frozen=True, slots=True)
class _Codec:
    """How one of RTP's encodings is unpacked: `name` as people write it, `short` as EncodedFormat has it."""

    name: str
    short: str
    depayloader: str
    parser: str = ''
    caps: str = ''


# Whole pictures with start codes: else the parser waits for the next picture to know where this one ends.
_CODECS = {
    'H264': _Codec('H.264', 'h264', 'rtph264depay', 'h264parse', 'video/x-h264,stream-format=byte-stream,alignment=au'),
    'H265': _Codec('H.265', 'hevc', 'rtph265depay', 'h265parse', 'video/x-h265,stream-format=byte-stream,alignment=au'),
    'JPEG': _Codec('MJPEG', 'mjpeg', 'rtpjpegdepay'),
}


@dataclass(slots=True)
class Learnt:
    """What is remembered of a stream from one connection to the next.

    Attributes:
        failed: decoders that failed on it, with the reason.
        in_order: those that gave its pictures out of order, as they were configured for no B-frames.
    """

    failed: dict[str, str] = field(default_factory=dict)
    in_order: set[str] = field(default_factory=set)


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


class GStreamerPipeline:
    """Started once, read, stopped once. `start`, `read` and `stop` by one thread; GStreamer's own do the rest."""

    def __init__(
        self,
        gstreamer: GStreamer,
        request: ReaderRequest,
        protocol: str,
        learnt: Learnt,
    ) -> None:
        self._gstreamer = gstreamer
        self._gst = gstreamer.gst
        self._address = request.address
        self._options = request.options
        self._clock = request.clock
        self._tap = request.tap
        self._protocol = protocol
        self._learnt = learnt
        self._memory = PictureMemory()
        self._pipeline: Any = None
        self._bus: Any = None
        self._sink: Any = None
        self._handlers: list[tuple[Any, int]] = []
        self._codec: _Codec | None = None
        self._chosen: ChosenDecoder | None = None
        self._other_media: list[str] = []
        self._failure: SourceError | None = None
        self._lock = threading.Lock()
        self._inside: dict[int, _Inside] = {}
        self._newest: _Inside | None = None
        self._counts: Counter[str] = Counter()
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
        self._caps: Any = None
        self._layout: PictureLayout | None = None
        self._last_pts = -1
        self.info = StreamInfo(0, 0, 0.0)

    def start(self) -> None:
        """Connect, and wait until the stream's size is known.

        Raises:
            DecoderFailed, TransportRefused: with another one it may work.
            SourceUnusable, SourceError: see LiveReader.
        """
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
            # `_tell` ends the wait.
            self._look_at_bus(left_ns)

    def read(self, timeout_s: float) -> LivePicture | None:
        """See LiveReader."""
        left_ns = round(timeout_s * _NS_PER_S)
        slice_ns = round(_LOOK_FOR_ERRORS_EVERY_S * _NS_PER_S)
        while True:
            wait_ns = min(left_ns, slice_ns)
            sample = self._sink.try_pull_sample(max(0, wait_ns))
            if sample is not None:
                return self._picture(sample)
            self._look_at_bus(0)
            left_ns -= wait_ns
            if left_ns <= 0:
                return None

    def counts(self) -> Mapping[str, int]:
        """See LiveReader."""
        with self._lock:
            return dict(self._counts)

    def stop(self) -> None:
        """Close the connection; GStreamer's threads have ended when this returns."""
        if self._pipeline is None:
            return
        self._pipeline.set_state(self._gst.State.NULL)
        for element, handler in self._handlers:
            element.disconnect(handler)
        self._handlers.clear()
        self._bus.set_flushing(True)
        self._pipeline = self._bus = self._sink = self._chosen = self._caps = None

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
        for name, value in properties.items():
            if source.find_property(name) is not None:
                if isinstance(value, str):
                    self._gst.util_set_object_arg(source, name, value)
                else:
                    source.set_property(name, value)
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
        if structure.get_string('media') == 'video' and encoding in _CODECS and self._codec is None:
            self._codec = _CODECS[encoding]
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
            self._tell()

    def _build(self, pad: Any) -> None:
        """Everything behind the source, for the stream that was selected."""
        gst, codec = self._gst, self._codec
        if codec is None or self._sink is not None:
            return
        structure = pad.get_current_caps().get_structure(0)
        known, clock_rate = structure.get_int('clock-rate')
        if known and clock_rate > 0:
            self._stream_clock = StreamClock(clock_rate)
        elements = [self._gstreamer.make(codec.depayloader)]
        if codec.parser:
            elements.append(self._gstreamer.make('capsfilter', caps=codec.caps))
            # Parameter sets before every key frame: who starts to record there has them.
            elements.append(self._gstreamer.make(codec.parser, config_interval=-1))
            elements.append(self._gstreamer.make('capsfilter', caps=codec.caps))
        packed = elements[-1].get_static_pad('src')
        if codec.parser:
            wanted, learnt = self._options.decoder, self._learnt
            encoding = structure.get_string('encoding-name')
            chosen = choose_decoder(self._gstreamer, encoding, wanted, learnt.failed, learnt.in_order)
            self._chosen = chosen
            elements.append(chosen.element)
            if chosen.decoder.then:
                elements.append(gst.parse_bin_from_description(chosen.decoder.then, True))
            # Does nothing unless the decoder's format is one that OpenCV does not convert (4:2:2, 10 bits).
            elements.append(self._gstreamer.make('videoconvert'))
        sink = self._gstreamer.make(
            'appsink',
            caps=RAW_CAPS if codec.parser else JPEG_CAPS,
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
            known, numerator, denominator = structure.get_fraction('framerate')
            rate_hz = numerator / denominator if known and numerator > 0 and denominator > 0 else 0.0
            self.info = StreamInfo(width, height, rate_hz, self._details())
            self._tell()

    def _put(self, buffer: Any, inside: _Inside) -> None:
        assert self._codec is not None
        dts_ns = self._decoding.dts_ns(inside.position_ns)
        if not self._tap.wanted:
            return
        now_ns, now_ros_ns = self._clock.monotonic_ns(), self._clock.ros_ns()
        stamp_ns = now_ros_ns - (now_ns - inside.arrived_ns)
        capture = self._capture(inside.header)
        # A film may live with an arrival, but not with a camera's clock that is years off.
        if capture is not None and abs(capture.time_ns - stamp_ns) < _NS_PER_S:
            stamp_ns = capture.time_ns
        self._tap.put(
            EncodedFormat(self._codec.short, self.info.width, self.info.height),
            EncodedPacket(
                buffer.extract_dup(0, buffer.get_size()),
                stamp_ns,
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

    def _tell(self) -> None:
        """End the wait of `start`."""
        gst = self._gst
        self._bus.post(gst.Message.new_application(None, gst.Structure.new_empty('told')))

    # By the reader's thread.

    def _picture(self, sample: Any) -> LivePicture:
        caps = sample.get_caps()
        layout = self._layout
        if layout is None or not caps.is_equal(self._caps):
            layout = layout_of(self._gstreamer, caps)
            self._caps, self._layout = caps, layout
            rate_hz = layout.rate_hz or self.info.rate_hz
            self.info = StreamInfo(layout.width, layout.height, rate_hz, self._details())
        elif self._decoding.reordered != self._reported_reordered:
            self._reported_reordered = self._decoding.reordered
            self.info = replace(self.info, details=self._details())
        pts = sample.get_buffer().pts
        if pts < self._last_pts:
            self._out_of_order()
        inside = self._leaves(pts)
        pixels = pixels_of(self._gstreamer, sample, layout, self._damaged, self._memory)
        if inside is None:
            return LivePicture(
                pixels, layout.encoding, layout.width, layout.height, self._clock.monotonic_ns(), None, None
            )
        return LivePicture(
            pixels,
            layout.encoding,
            layout.width,
            layout.height,
            inside.arrived_ns,
            self._capture(inside.header),
            inside.position_ns,
            inside.header.timestamp,
        )

    def _damaged(self) -> None:
        with self._lock:
            self._counts[DECODE_FAILURES] += 1

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
        if header.onvif_ns is not None:
            return CaptureTime(header.onvif_ns, TimeBase.CAMERA, 'ONVIF RTP extension')
        report = self._reports.get(header.ssrc)
        if report is None:
            return None
        camera_ns = report.camera_time_ns(header.timestamp, self._stream_clock.rate)
        return CaptureTime(camera_ns, TimeBase.CAMERA, 'RTCP sender reports')

    def _out_of_order(self) -> None:
        self._last_pts = -1
        if self._chosen is not None and self._chosen.promised_no_reorder:
            element = self._chosen.decoder.element
            self._learnt.in_order.add(element)
            raise DecoderFailed(
                f'The camera {self._address.shown} has B-frames, which {element} gives out of order: it is opened '
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
            raise SourceError(f'The camera {self._address.shown} ended its stream.')
        raise self._of_error(pipeline_error(self._gstreamer, message), message)

    def _of_error(self, error: PipelineError, message: Any) -> SourceError:
        chosen = self._chosen
        if chosen is not None and message.src is chosen.element:
            name = chosen.decoder.element
            self._learnt.failed[name] = f'failed on this stream: {error.words}'
            return DecoderFailed(
                f'The decoder {name} failed on the stream of {self._address.shown} ({error.words}): trying another.'
            )
        if error.status == _UNSUPPORTED_TRANSPORT:
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
        if not self._other_media or self._codec is not None:
            return TransportRefused(self._sentence(explain_status(_UNSUPPORTED_TRANSPORT)))
        videos = [media.partition(' ')[2] for media in self._other_media if media.startswith('video')]
        if videos:
            return SourceUnusable(
                f'The camera {self._address.shown} sends {" and ".join(videos)}, which cannot be decoded here: set it '
                'to H.264, H.265 or MJPEG.'
            )
        others = ' and '.join(sorted({media.partition(' ')[0] for media in self._other_media}))
        return SourceUnusable(
            f'The camera {self._address.shown} sends no video but {others}: check the path, or switch its video on.'
        )

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
        return f'The camera {self._address.shown} cannot be opened: {why}.'

    def _details(self) -> tuple[tuple[str, str], ...]:
        codec, chosen = self._codec, self._chosen
        details = [('GStreamer', self._gstreamer.version), ('transport', self._protocol)]
        if codec is not None:
            details.append(('codec', codec.name))
        if chosen is not None:
            details.append(('decoder', f'{chosen.decoder.kind} ({chosen.decoder.element})'))
            if chosen.passed_over:
                passed = ', '.join(f'{element} {reason}' for element, reason in chosen.passed_over.items())
                details.append(('decoders passed over', passed))
        elif codec is not None:
            details.append(('decoder', 'software (OpenCV, used pictures only)'))
        if self._decoding.reordered:
            details.append(('delay', _B_FRAMES))
        return tuple(details)


def _why_gone(inside: _Inside) -> str:
    if inside.decoded:
        return 'pictures overtaken before they were read'
    return 'pictures damaged by loss' if inside.damaged else DECODE_FAILURES
