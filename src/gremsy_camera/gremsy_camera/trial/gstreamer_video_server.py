# SPDX-License-Identifier: Apache-2.0
"""A video server to publish to: GStreamer's RTSP server in RECORD mode, run by the Python that has `gi`.

    PYTHONPATH=… /usr/bin/python3 -m gremsy_camera.trial.gstreamer_video_server '{"port": 8554, …}'

prints `ready` once it listens, then a line of JSON for every RTP packet (`rtp`, `sequence`, `marker`, `bytes`), sender
report (`ntp`, 32.32 bits, and `report`, its RTP time) and decoded picture (`luma`, `width`, `height`); GStreamer takes
them apart.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import gi

gi.require_version('Gst', '1.0')
gi.require_version('GstRtp', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import GLib, Gst, GstRtp, GstRtspServer  # noqa: E402 -- their versions are chosen first

from gremsy_camera.trial import gstreamer_server  # noqa: E402

_DIGEST, _BASIC = 2, 1
_LAUNCH = (
    '( rtph264depay name=depay0 ! h264parse ! avdec_h264 ! videoconvert ! video/x-raw,format=GRAY8 ! '
    'appsink name=pictures emit-signals=true sync=false )'
)


class GStreamerVideoServer:
    """Takes one stream, and reports everything that comes."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._lock = threading.Lock()

    def serve(self) -> None:
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
        factory.set_launch(_LAUNCH)
        factory.set_latency(0)
        factory.connect('media-configure', self._configured)
        server = GstRtspServer.RTSPServer()
        gstreamer_server.offer(server, factory, self._options)
        self._report('ready')
        GLib.MainLoop().run()

    def _configured(self, _factory: Any, media: Any) -> None:
        element = media.get_element()
        pad = element.get_by_name('depay0').get_static_pad('sink')
        pad.add_probe(Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST, self._packet_came)
        element.get_by_name('pictures').connect('new-sample', self._picture_came)
        element.get_parent().connect('deep-element-added', self._part_added)

    def _part_added(self, _pipeline: Any, _bin: Any, part: Any) -> None:
        if part.get_factory().get_name() == 'rtpsession':
            part.connect('pad-added', self._session_pad_added)

    def _session_pad_added(self, _session: Any, pad: Any) -> None:
        if pad.get_name() == 'recv_rtcp_sink':
            pad.add_probe(Gst.PadProbeType.BUFFER, self._report_came)

    def _packet_came(self, _pad: Any, info: Any) -> Any:
        if info.type & Gst.PadProbeType.BUFFER:
            buffers = [info.get_buffer()]
        else:
            found = info.get_buffer_list()
            buffers = [found.get(index) for index in range(found.length())]
        for buffer in buffers:
            mapped, packet = GstRtp.RTPBuffer.map(buffer, Gst.MapFlags.READ)
            if mapped:
                times = {'rtp': packet.get_timestamp(), 'sequence': packet.get_seq()}
                self._report(json.dumps({**times, 'marker': packet.get_marker(), 'bytes': packet.get_packet_len()}))
                packet.unmap()
        return Gst.PadProbeReturn.OK

    def _report_came(self, _pad: Any, info: Any) -> Any:
        packet = GstRtp.RTCPBuffer()
        if GstRtp.RTCPBuffer.map(info.get_buffer(), Gst.MapFlags.READ, packet):
            part = GstRtp.RTCPPacket()
            more = packet.get_first_packet(part)
            while more:
                if part.get_type() == GstRtp.RTCPType.SR:
                    _, ntp, rtp, packets, _ = part.sr_get_sender_info()
                    self._report(json.dumps({'report': rtp, 'ntp': ntp, 'packets': packets}))
                more = part.move_to_next()
            packet.unmap()
        return Gst.PadProbeReturn.OK

    def _picture_came(self, sink: Any) -> Any:
        sample = sink.emit('pull-sample')
        shape = sample.get_caps().get_structure(0)
        buffer = sample.get_buffer()
        data = buffer.extract_dup(0, buffer.get_size())
        luma = sum(data) / max(1, len(data))
        width, height = (shape.get_int(name)[1] for name in ('width', 'height'))
        self._report(json.dumps({'luma': luma, 'width': width, 'height': height}))
        return Gst.FlowReturn.OK

    def _report(self, line: str) -> None:
        with self._lock:
            gstreamer_server.write_line(line)


if __name__ == '__main__':
    Gst.init(None)
    GStreamerVideoServer(json.loads(sys.argv[1])).serve()
