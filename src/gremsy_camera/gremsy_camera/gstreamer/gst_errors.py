# SPDX-License-Identifier: Apache-2.0
"""What a pipeline's error message says, without the names of C files, and who it is from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from gremsy_camera.gstreamer.gst_library import GStreamer

# `../gst/rtsp/gstrtspsrc.c(6895): gst_rtspsrc_send (): /GstPipeline:pipeline0/GstRTSPSrc:src:`, then what happened.
_WHERE = re.compile(r'^\S+\.c(?:pp)?\(\d+\): \S+ \(\): \S+:?\s*')
# `Not Found (404)` or, of SETUP, `Error (503): Service Unavailable`.
_STATUS = re.compile(r'\((\d{3})\)(?:$|: )')


@dataclass(frozen=True, slots=True)
class PipelineError:
    """One error.

    Attributes:
        text: GStreamer's own sentence, without a full stop.
        detail: what it adds, '' for nothing.
        sender: the element's name.
        status: of RTSP or HTTP, 0 for none.
        could_not_connect: nothing more is known than that.
        could_not_read: the connection ended, or what came is not understood.
        no_stream: there is none that was asked for.
    """

    text: str
    detail: str
    sender: str
    status: int
    could_not_connect: bool
    could_not_read: bool
    no_stream: bool

    @property
    def words(self) -> str:
        """All that is known, as the end of a sentence without its full stop."""
        return f'{self.text} ({self.detail})' if self.detail and self.detail not in self.text else self.text


def pipeline_error(gstreamer: GStreamer, message: Any) -> PipelineError:
    """From an error message of a bus."""
    gst = gstreamer.gst
    error, debug = message.parse_error()
    detail = ' '.join(_WHERE.sub('', debug or '').split()).rstrip('.')
    resource = gst.ResourceError
    opening = (resource.OPEN_READ, resource.OPEN_READ_WRITE, resource.OPEN_WRITE)
    return PipelineError(
        error.message.strip().rstrip('.'),
        detail,
        message.src.get_name() if message.src is not None else '',
        _status(message, detail),
        any(error.matches(gst.ResourceError.quark(), code) for code in opening),
        error.matches(gst.ResourceError.quark(), resource.READ),
        error.matches(gst.StreamError.quark(), gst.StreamError.CODEC_NOT_FOUND)
        or error.matches(gst.StreamError.quark(), gst.StreamError.WRONG_TYPE),
    )


def _status(message: Any, detail: str) -> int:
    details = message.parse_error_details() if hasattr(message, 'parse_error_details') else None
    for name in ('rtsp-status-code', 'http-status-code'):
        if details is not None and details.has_field(name):
            status: int = details.get_uint(name)[1]
            return status
    found = _STATUS.search(detail)
    return int(found.group(1)) if found else 0
