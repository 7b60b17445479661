# SPDX-License-Identifier: Apache-2.0
"""Reads whatever pipeline a user writes, as for gst-launch, through a sink that is put at its end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gremsy_camera.errors import SourceEnded, SourceError, SourceUnusable
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.gstreamer.gst_library import how_to_get, load_gstreamer, pipeline_error
from gremsy_camera.gstreamer.gst_pictures import JPEG_CAPS, RAW_CAPS, layout_of, pixels_of, pull_sample
from gremsy_camera.live.live_reader import CaptureTime, LivePicture, LiveReader, TimeBase
from gremsy_camera.live.raw_pictures import PictureLayout
from gremsy_camera.sources.source import SourceContext, SourceInfo
from gremsy_camera.streams.credentials import fill_in, redacted
from gremsy_camera.streams.rtp_times import NTP_EPOCH_S
from gremsy_common.picture.picture_memory import PictureMemory

SINK = 'gremsy'

_OPEN_WITHIN_S = 5.0
_NS_PER_S = 1_000_000_000
# What waits in the sink while nobody reads; more would only make what is read older.
_WAITING_PICTURES = 3
# A time further from now than this is no time of capture: an element stamps by another clock.
_OLDEST_CAPTURE_NS = 10 * _NS_PER_S
_NEWEST_CAPTURE_NS = _NS_PER_S // 20
# In the order in which they are tried: raw pictures, pictures in a Jetson's own memory, JPEG that OpenCV decodes.
_ENDS = ('videoconvert ! ', 'nvvidconv ! video/x-raw,format=NV12 ! ', '')
_LONGEST_NAME = 200
_NO_ELEMENT = re.compile(r'no element "([^"]+)"')


def fill_in_pipeline(text: str, values: Mapping[str, str]) -> str:
    """The pipeline with each `${NAME}` replaced: encoded where it stands in an address, else quoted.

    Raises:
        SourceUnusable: for a name that has no value.
    """

    def encode(value: str, place: int) -> str:
        word = text[:place].rpartition(' ')[2]
        if '://' in word:
            return quote(value, safe='')
        escaped = value.replace('\\', '\\\\').replace('"', '\\"')
        return escaped if word.endswith('"') else f'"{escaped}"'

    return fill_in(text, 'source', values, encode)


class PipelineReader(LiveReader):
    """See LiveReader. A pipeline that ends starts again where `at_end` is `loop`; else it is over.

    Args:
        description: the pipeline as gst-launch takes it, `${NAME}` and all; an appsink in it is read (the one named
            `gremsy` where there are several), else one is put at its end.
        context: of the source.
    """

    def __init__(self, description: str, context: SourceContext) -> None:
        self._description = description.strip().rstrip('!').strip()
        shown = redacted(self._description)
        shortened = shown if len(shown) <= _LONGEST_NAME else f'{shown[: _LONGEST_NAME - 3]}...'
        super().__init__(f'The pipeline `{shortened}`', context)
        self._memory = PictureMemory()
        self._pipeline: Any = None
        self._bus: Any = None
        self._sink: Any = None
        self._live = True
        self._caps: Any = None
        self._layout: PictureLayout | None = None
        self._pending: Any = None

    def open(self) -> SourceInfo:
        """See LiveReader. A live pipeline's first picture is waited for, as only that has the size."""
        self.close()
        self._gstreamer = load_gstreamer()
        filled = fill_in_pipeline(self._description, self._secrets())
        self._counts = Counter()
        failure: SourceError | None = None
        for end in self._ends():
            try:
                self._start(filled, end)
            except _DoesNotFit as error:
                self.close()
                failure = failure or error
            except SourceError:
                self.close()
                raise
            else:
                return self.info
        assert failure is not None
        raise failure

    def read(self, timeout_s: float) -> LivePicture | None:
        """See LiveReader."""
        if self._sink is None:
            raise self._not_open()
        sample = self._next_sample(timeout_s)
        return None if sample is None else self._picture(sample)

    def close(self) -> None:
        """See LiveReader."""
        if self._pipeline is not None:
            self._pipeline.set_state(self._gstreamer.gst.State.NULL)
            self._bus.set_flushing(True)
        self._pipeline = self._bus = self._sink = self._caps = self._layout = self._pending = None

    def _ends(self) -> list[str | None]:
        """What is put behind the pipeline, one after the other until one fits; None for nothing."""
        if re.search(r'(^|[\s!])appsink\b', self._description):
            return [None]
        if not self._gstreamer.has('videoconvert'):
            self._gstreamer.make('videoconvert')
        return [end for end in _ENDS if self._gstreamer.has('nvvidconv') or 'nvvidconv' not in end]

    def _start(self, filled: str, end: str | None) -> None:
        gst = self._gstreamer.gst
        caps = f'"{RAW_CAPS};{JPEG_CAPS}"'
        tail = '' if end is None else f' ! {end}appsink name={SINK} max-buffers={_WAITING_PICTURES} caps={caps}'
        pipeline = self._parse(filled + tail)
        self._pipeline = pipeline
        self._bus = pipeline.get_bus()
        self._sink = sink = self._find_sink(pipeline)
        if end is None:
            if sink.get_property('caps') is None:
                sink.set_property('caps', gst.Caps.from_string(f'{RAW_CAPS};{JPEG_CAPS}'))
        else:
            sink.set_property('drop', True)
        # A camera's pictures are due when they come; a file's at their time, or it would rush by.
        self._live = pipeline.set_state(gst.State.PAUSED) == gst.StateChangeReturn.NO_PREROLL
        if end is not None:
            sink.set_property('sync', not self._live)
        pipeline.set_state(gst.State.PLAYING)
        self._pending = self._next_sample(_OPEN_WITHIN_S)
        if self._pending is None:
            raise SourceError(
                f'{self.name} has given no picture within {_OPEN_WITHIN_S:g} s: try it with gst-launch-1.0 and '
                '`! fakesink silent=false -v` at its end.'
            )
        self._update_layout(self._pending)

    def _parse(self, text: str) -> Any:
        try:
            pipeline = self._gstreamer.gst.parse_launch(text)
        # GLib.Error, whose module comes with the bindings.
        except Exception as error:
            words = redacted(str(getattr(error, 'message', error))).strip().rstrip('.')
            missing = _NO_ELEMENT.search(words)
            if missing:
                raise SourceUnusable(f'{self.name} cannot be made: {words}: {how_to_get(missing.group(1))}.') from error
            if 'could not link' in words:
                raise _DoesNotFit(
                    f'{self.name} cannot be made: {words}: end it in raw pictures or JPEG, without a sink of its own.'
                ) from error
            raise SourceUnusable(f'{self.name} cannot be made: {words}: write it as for gst-launch-1.0.') from error
        if not isinstance(pipeline, self._gstreamer.gst.Pipeline):
            # A single element: parse_launch returns it bare.
            whole = self._gstreamer.gst.Pipeline.new(None)
            whole.add(pipeline)
            return whole
        return pipeline

    def _find_sink(self, pipeline: Any) -> Any:
        named = pipeline.get_by_name(SINK)
        sinks = []
        elements = pipeline.iterate_recurse()
        while True:
            result, element = elements.next()
            if result != self._gstreamer.gst.IteratorResult.OK:
                break
            factory = element.get_factory()
            if factory is not None and factory.get_name() == 'appsink':
                sinks.append(element)
        if named in sinks:
            return named
        if len(sinks) == 1:
            return sinks[0]
        raise SourceUnusable(
            f'{self.name} has {len(sinks)} appsinks: give the one to read from the name {SINK} '
            f'(`appsink name={SINK}`), or leave it out at the end.'
        )

    def _next_sample(self, timeout_s: float) -> Any | None:
        if self._pending is not None:
            sample, self._pending = self._pending, None
            return sample
        return pull_sample(self._sink, timeout_s, self._look_at_bus)

    def _look_at_bus(self) -> None:
        message = self._bus.pop_filtered(self._gstreamer.gst.MessageType.ERROR)
        if message is None:
            if self._sink.is_eos():
                self._ended()
            return
        error = pipeline_error(self._gstreamer, message)
        words = redacted(error.words)
        if not self.info.width and ('not-negotiated' in words or error.no_stream):
            raise _DoesNotFit(
                f'{self.name} does not fit to its end ({error.sender}: {words}): end it in raw pictures or JPEG, '
                'and check the formats and sizes in it.'
            )
        raise SourceError(f'{self.name} broke at {error.sender}: {words}.')

    def _ended(self) -> None:
        gst = self._gstreamer.gst
        if not self.info.width:
            raise SourceError(f'{self.name} ended before its first picture: try it with gst-launch-1.0.')
        if self.context.at_end is not AtEnd.LOOP:
            raise SourceEnded(
                f'{self.name} ended and `at_end` is `{self.context.at_end.value}`: set `at_end` to `loop` to go on.'
            )
        flags = gst.SeekFlags.FLUSH | gst.SeekFlags.KEY_UNIT
        if self._live or not self._pipeline.seek_simple(gst.Format.TIME, flags, 0):
            raise SourceError(f'{self.name} ended: it is started again.')
        self._counts['times started again at the end'] += 1

    def _picture(self, sample: Any) -> LivePicture:
        layout = self._update_layout(sample)
        now_ns = self._clock.monotonic_ns()
        buffer = sample.get_buffer()
        known = buffer.pts != self._gstreamer.gst.CLOCK_TIME_NONE
        return LivePicture(
            pixels_of(self._gstreamer, sample, layout, self._memory),
            layout.encoding,
            layout.width,
            layout.height,
            now_ns,
            self._capture(sample, buffer, now_ns),
            buffer.pts if known else None,
        )

    def _update_layout(self, sample: Any) -> PictureLayout:
        caps = sample.get_caps()
        if self._layout is None or not caps.is_equal(self._caps):
            self._caps, self._layout = caps, layout_of(self._gstreamer, caps)
            layout = self._layout
            self.info = SourceInfo(
                layout.width,
                layout.height,
                layout.rate_hz,
                details=(('reader', f'GStreamer {self._gstreamer.version}'), ('format', layout.format)),
            )
        return self._layout

    def _capture(self, sample: Any, buffer: Any, now_ns: int) -> CaptureTime | None:
        """What an element attached of the camera's clock, else the buffer's time by the pipeline's own clock."""
        gst = self._gstreamer.gst
        for name, epoch_ns in (('timestamp/x-ntp', NTP_EPOCH_S * _NS_PER_S), ('timestamp/x-unix', 0)):
            meta = buffer.get_reference_timestamp_meta(gst.Caps.from_string(name))
            if meta is not None:
                return CaptureTime(meta.timestamp - epoch_ns, TimeBase.CAMERA, "GStreamer's reference time")
        clock = self._pipeline.get_clock()
        if clock is None or buffer.pts == gst.CLOCK_TIME_NONE:
            return None
        running_ns = sample.get_segment().to_running_time(gst.Format.TIME, buffer.pts)
        if running_ns == gst.CLOCK_TIME_NONE:
            return None
        taken_ns = self._pipeline.get_base_time() + running_ns
        if not (isinstance(clock, gst.SystemClock) and clock.get_property('clock-type') == gst.ClockType.MONOTONIC):
            # An element brought a clock of its own (sound): by its reading now.
            taken_ns += now_ns - clock.get_time()
        if not now_ns - _OLDEST_CAPTURE_NS < taken_ns < now_ns + _NEWEST_CAPTURE_NS:
            self._counts['buffer times that are far from now'] += 1
            return None
        return CaptureTime(taken_ns, TimeBase.MONOTONIC, "GStreamer's buffer time")


class _DoesNotFit(SourceUnusable):
    """The end that was put behind the pipeline does not take what it gives."""
