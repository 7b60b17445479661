# SPDX-License-Identifier: Apache-2.0
"""H.264 through GStreamer: a Jetson's encoder, NVENC, VA-API, or the x264 and OpenH264 of the distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.gstreamer.gst_library import how_to_get, load_gstreamer, pipeline_error
from gremsy_camera.streaming.rtp_sending import RTP_CLOCK_HZ
from gremsy_camera.streaming.video_encoder import EncodedPicture, EncoderError, VideoEncoder, VideoEncoderSettings

_NS_PER_S = 1_000_000_000
# Software gives every picture at once, however long that takes on a busy machine; hardware may hold some back.
_SOFTWARE_WAIT_S, _HARDWARE_WAIT_S = 1.0, 0.1
_BASELINE = 'video/x-h264,profile=(string){baseline,constrained-baseline}'


@dataclass(frozen=True, slots=True)
class GstEncoder:
    """One of GStreamer's encoders.

    Attributes:
        kind: in words.
        properties: as gst-launch takes them, set where this version of the element has them; `{kbps}`, `{bps}`,
            `{gop}`, `{period_ms}` and `{kbit_per_picture}` are filled in.
        before: what brings I420 to where the encoder takes it, as a piece of a pipeline.
        after: what it is asked for.
    """

    kind: str
    properties: str
    before: str = ''
    after: str = _BASELINE
    hardware: bool = True


GST_ENCODERS: Mapping[str, GstEncoder] = {
    'nvv4l2h264enc': GstEncoder(
        "the Jetson's encoder",
        'bitrate={bps} control-rate=1 iframeinterval={gop} idrinterval={gop} insert-sps-pps=true maxperf-enable=true '
        'num-B-Frames=0 poc-type=2 preset-level=1 profile=0',
        before='nvvidconv ! video/x-raw(memory:NVMM),format=NV12 ! ',
        after='video/x-h264',
    ),
    'nvh264enc': GstEncoder(
        'NVENC',
        'bitrate={kbps} bframes=0 gop-size={gop} preset=low-latency-hq rc-lookahead=0 rc-mode=cbr '
        'vbv-buffer-size={kbit_per_picture} zerolatency=true',
    ),
    'vah264enc': GstEncoder(
        'VA-API',
        'b-frames=0 bitrate={kbps} cpb-size={kbit_per_picture} key-int-max={gop} rate-control=cbr ref-frames=1 '
        'target-usage=7',
        before='videoconvert ! video/x-raw,format=NV12 ! ',
    ),
    'vaapih264enc': GstEncoder(
        'VA-API',
        'bitrate={kbps} keyframe-period={gop} max-bframes=0 rate-control=cbr refs=1',
        before='videoconvert ! video/x-raw,format=NV12 ! ',
    ),
    'x264enc': GstEncoder(
        'x264 (GStreamer)',
        'bframes=0 bitrate={kbps} byte-stream=true key-int-max={gop} option-string=scenecut=0 sliced-threads=false '
        'speed-preset=ultrafast threads=1 tune=zerolatency vbv-buf-capacity={period_ms}',
        hardware=False,
    ),
    'openh264enc': GstEncoder(
        'OpenH264 (GStreamer)',
        'bitrate={bps} complexity=low enable-frame-skip=false gop-size={gop} max-bitrate={bps} multi-thread=1 '
        'num-slices=1 rate-control=bitrate scene-change-detection=false slice-mode=n-slices',
        hardware=False,
    ),
}


class GStreamerEncoder(VideoEncoder):
    """A pipeline of one encoder, in this process: `appsrc ! encoder ! h264parse ! appsink`."""

    def __init__(self, element: str, settings: VideoEncoderSettings) -> None:
        """Start the pipeline of one of `GST_ENCODERS`: see `VideoEncoder`."""
        described = GST_ENCODERS[element]
        super().__init__(f'{described.kind} ({element})' if described.hardware else described.kind, settings)
        self._element, self._described = element, described
        self._pipeline: Any = None
        self._inside = self._held_back = 0
        try:
            self._gstreamer = load_gstreamer()
        except SourceUnusable as error:
            raise EncoderError(str(error)) from None
        if not self._gstreamer.has(element):
            raise EncoderError('is not installed')
        for needed in ('h264parse', *(['nvvidconv'] if 'nvvidconv' in described.before else [])):
            if not self._gstreamer.has(needed):
                raise EncoderError(f'lacks {needed} ({how_to_get(needed)})')
        try:
            self._start()
        except EncoderError:
            self.close()
            raise

    def encode(self, planes: NDArray[Any], stamp_ns: int, *, key: bool) -> list[EncodedPicture]:
        """See `VideoEncoder`."""
        gst, video = self._gstreamer.gst, self._gstreamer.video
        if key:
            # Its source pad takes it for the next picture that goes in; none is on its way.
            event = video.video_event_new_upstream_force_key_unit(gst.CLOCK_TIME_NONE, True, 0)
            self._encoder.get_static_pad('src').send_event(event)
        buffer = gst.Buffer.new_wrapped(planes.tobytes())
        buffer.pts = self._times.begin(stamp_ns) * _NS_PER_S // RTP_CLOCK_HZ
        buffer.duration = round(_NS_PER_S / self.settings.rate_hz)
        if self._source.emit('push-buffer', buffer) != gst.FlowReturn.OK:
            self._raise_failure('it accepts no more pictures')
        self._inside += 1
        wait_ns = round((_HARDWARE_WAIT_S if self._described.hardware else _SOFTWARE_WAIT_S) * _NS_PER_S)
        pictures = []
        while self._inside:
            sample = self._sink.try_pull_sample(wait_ns if self._inside > self._held_back else 0)
            if sample is None:
                break
            pictures.append(self._picture(gst, sample))
            self._inside -= 1
        if self._inside > self._held_back:
            # It is not waited for again.
            self._held_back = self._inside
            self._raise_failure('' if self._described.hardware else 'it gives no picture')
        return pictures

    def close(self) -> None:
        """See `VideoEncoder`."""
        if self._pipeline is not None:
            self._pipeline.set_state(self._gstreamer.gst.State.NULL)
        self._pipeline = None

    def _start(self) -> None:
        gst, settings = self._gstreamer.gst, self.settings
        rate = f'{round(1000 * settings.rate_hz)}/1000'
        caps = (
            f'video/x-raw,format=I420,width={settings.width},height={settings.height},framerate={rate},'
            'colorimetry=bt601'
        )
        line = (
            f'appsrc name=source is-live=true format=time caps="{caps}" ! {self._described.before}'
            f'{self._element} name=encoder ! {self._described.after} ! h264parse config-interval=-1 ! '
            'video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=sink sync=false max-buffers=8'
        )
        try:
            self._pipeline = pipeline = gst.parse_launch(line)
        except Exception as error:  # noqa: BLE001 GLib.Error, whose module comes with the bindings
            words = str(getattr(error, 'message', error)).strip().rstrip('.')
            raise EncoderError(f'its pipeline cannot be made ({words})') from None
        self._source, self._encoder, self._sink = (pipeline.get_by_name(each) for each in ('source', 'encoder', 'sink'))
        values = {
            'kbps': settings.kbps,
            'bps': 1000 * settings.kbps,
            'gop': settings.gop,
            'period_ms': max(1, round(1000 / settings.rate_hz)),
            'kbit_per_picture': max(1, round(settings.kbps / settings.rate_hz)),
        }
        for each in self._described.properties.format(**values).split():
            name, _, text = each.partition('=')
            if self._encoder.find_property(name) is not None:
                gst.util_set_object_arg(self._encoder, name, text)
        if pipeline.set_state(gst.State.PLAYING) == gst.StateChangeReturn.FAILURE:
            raise EncoderError('does not start on this machine')

    def _picture(self, gst: Any, sample: Any) -> EncodedPicture:
        buffer = sample.get_buffer()
        mapped, view = buffer.map(gst.MapFlags.READ)
        if not mapped:
            raise EncoderError(f'A picture of the encoder {self.name} cannot be read: it is created again.')
        try:
            data = bytes(view.data)
        finally:
            buffer.unmap(view)
        # Not its time alone: x264enc's begins at 1000 h, and only its segment says so.
        running_ns = sample.get_segment().to_running_time(gst.Format.TIME, buffer.pts)
        ticks = -(-running_ns * RTP_CLOCK_HZ // _NS_PER_S)
        return EncodedPicture(data, self._times.end(ticks), not buffer.has_flags(gst.BufferFlags.DELTA_UNIT))

    def _raise_failure(self, otherwise: str) -> None:
        message = self._pipeline.get_bus().pop_filtered(self._gstreamer.gst.MessageType.ERROR)
        words = pipeline_error(self._gstreamer, message).words if message is not None else otherwise
        if words:
            raise EncoderError(f'The encoder {self.name} failed ({words}): it is created again.')
