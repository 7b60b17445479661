# SPDX-License-Identifier: Apache-2.0
"""`http://host/stream` and `https://…`: JPEG pictures that a camera pushes (MJPEG), or one that is asked for again."""

from __future__ import annotations

from gremsy_camera.http_stream.http_reader import HttpReader
from gremsy_camera.live.live_source import LiveSource
from gremsy_camera.sources.source import SourceContext, SourceUri, VideoSource
from gremsy_camera.streams.stream_address import StreamAddress

SCHEMES = ('http', 'https')


def create(uri: SourceUri, context: SourceContext) -> VideoSource:
    """See `sources`. A question mark in the address begins what the camera is asked, no options."""
    # What no secret can mend is said now.
    text = f'{uri.scheme}:{uri.rest}'
    StreamAddress.of(text, 'source')
    return LiveSource(HttpReader(text, context))
