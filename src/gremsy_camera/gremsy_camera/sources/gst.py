# SPDX-License-Identifier: Apache-2.0
"""`gst: v4l2src ! video/x-raw,width=1280`: whatever pipeline GStreamer can make, read from its end."""

from __future__ import annotations

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.gstreamer.pipeline_reader import PipelineReader
from gremsy_camera.live.live_source import LiveSource
from gremsy_camera.sources.source import SourceContext, SourceUri, VideoSource

SCHEMES = ('gst',)


def create(uri: SourceUri, context: SourceContext) -> VideoSource:
    """See `sources`. The pipeline is all that follows the scheme: a question mark in it begins no options."""
    description = uri.rest.strip()
    if not description:
        raise SourceUnusable(f'`source` {uri.text} names no pipeline: write one after it, as `gst: v4l2src`.')
    return LiveSource(PipelineReader(description, context))
