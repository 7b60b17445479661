# SPDX-License-Identifier: Apache-2.0
"""Reads an RTSP camera through GStreamer, with a hardware decoder where there is one."""

from __future__ import annotations

from collections.abc import Mapping

from gremsy_camera.errors import SourceError
from gremsy_camera.gstreamer.gst_library import load_gstreamer, why_no_gstreamer
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.live.live_reader import LivePicture, LiveReader, StreamInfo
from gremsy_camera.streams.gstreamer_pipeline import (
    DecoderFailed,
    GStreamerPipeline,
    Learnt,
)
from gremsy_camera.streams.rtsp_session import TransportRefused
from gremsy_camera.streams.stream_address import ReaderRequest


def why_not(options: LiveParameters) -> str | None:
    """In one sentence with the way out why this reader cannot be used here; None where it can."""
    if options.stamps == 'sei':
        return 'GStreamer does not pass on time codes of the video: set `stamps` to auto, or `reader` to pyav.'
    return why_no_gstreamer()


def create(request: ReaderRequest) -> LiveReader:
    """See `stream_choice.ReaderModule`."""
    return GStreamerReader(request)


class GStreamerReader:
    """See LiveReader."""

    def __init__(self, request: ReaderRequest) -> None:
        self._request = request
        self._learnt = Learnt()
        self._pipeline: GStreamerPipeline | None = None
        self._info = StreamInfo(0, 0, 0.0)

    def open(self) -> StreamInfo:
        """See LiveReader. Every decoder that fails at once is followed by the next, TCP that is refused by UDP."""
        self.close()
        gstreamer = load_gstreamer()
        request = self._request
        transport = request.options.transport
        protocols = ['tcp', 'udp'] if transport == 'auto' else [transport]
        while True:
            pipeline = GStreamerPipeline(gstreamer, request, protocols[0], self._learnt)
            try:
                pipeline.start()
            except DecoderFailed:
                pipeline.stop()
            except TransportRefused:
                pipeline.stop()
                if len(protocols) == 1:
                    raise
                del protocols[0]
            except SourceError:
                pipeline.stop()
                raise
            else:
                self._pipeline = pipeline
                self._info = pipeline.info
                return self._info

    def read(self, timeout_s: float) -> LivePicture | None:
        """See LiveReader."""
        if self._pipeline is None:
            raise SourceError(f'The camera {self._request.address.shown} is not open: call `open` first.')
        try:
            picture = self._pipeline.read(timeout_s)
        except DecoderFailed as error:
            # Here and not by who reads, who would make another reader that has learnt nothing.
            self._request.say(str(error))
            self.open()
            return None
        self._info = self._pipeline.info
        return picture

    @property
    def info(self) -> StreamInfo:
        """See LiveReader."""
        return self._info

    def counts(self) -> Mapping[str, int]:
        """See LiveReader."""
        pipeline = self._pipeline
        return pipeline.counts() if pipeline is not None else {}

    def close(self) -> None:
        """See LiveReader."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.stop()
