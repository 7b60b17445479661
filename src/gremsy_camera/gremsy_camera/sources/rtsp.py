# SPDX-License-Identifier: Apache-2.0
"""`rtsp://host/path` and `rtsps://…`: a network camera, or the media server that has its stream."""

from __future__ import annotations

from gremsy_camera.live.live_source import LiveSource
from gremsy_camera.sources.source import SourceContext, SourceUri, VideoSource
from gremsy_camera.streams.stream_choice import StreamReader

SCHEMES = ('rtsp', 'rtsps')


def create(uri: SourceUri, context: SourceContext) -> VideoSource:
    """See `sources`."""
    return LiveSource(StreamReader(uri, context))
