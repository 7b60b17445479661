# SPDX-License-Identifier: Apache-2.0
"""GStreamer by the system's `gi`, which PyPI has no wheel of: loaded where the running Python has it.

Also what a pipeline's error message says, without the names of C files, and which element it is from.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from gremsy_camera.errors import SourceUnusable

# Debian's and Ubuntu's packages; python3-gst-1.0 has the overrides that hand a buffer's bytes over without a copy.
_BINDINGS = 'python3-gi python3-gst-1.0 gir1.2-gstreamer-1.0 gir1.2-gst-plugins-base-1.0'
_PLUGINS_BASE = 'gstreamer1.0-plugins-base'
_PLUGINS_GOOD = 'gstreamer1.0-plugins-good'
_PLUGINS_BAD = 'gstreamer1.0-plugins-bad'
_PLUGINS_LIBAV = 'gstreamer1.0-libav'
_PACKAGES = {
    _PLUGINS_BASE: 'videoconvert appsink',
    _PLUGINS_GOOD: 'rtspsrc rtph264depay rtph265depay rtpjpegdepay v4l2src jpegdec',
    _PLUGINS_BAD: 'h264parse h265parse openh264dec libde265dec',
    _PLUGINS_LIBAV: 'avdec_h264 avdec_h265',
    'gstreamer1.0-plugins-ugly': 'x264enc',
    'nvidia-l4t-gstreamer': 'nvarguscamerasrc nvv4l2decoder nvvidconv',
}
APT_LINE = f'sudo apt-get install {_BINDINGS} {_PLUGINS_BASE} {_PLUGINS_GOOD} {_PLUGINS_BAD} {_PLUGINS_LIBAV}'


class GStreamerMissing(SourceUnusable):
    """This Python has no GStreamer."""


@dataclass(frozen=True, slots=True)
class GStreamer:
    """The modules of the bindings, initialised: `gst.Pipeline`, `video.VideoInfo`."""

    gst: Any
    video: Any

    @property
    def version(self) -> str:
        """As `1.22.0`."""
        return '.'.join(str(part) for part in self.gst.version()[:3])

    def has(self, element: str) -> bool:
        """Whether an element of that name is installed."""
        return self.gst.ElementFactory.find(element) is not None

    def make(self, element: str, name: str | None = None, **properties: object) -> Any:
        """A new element with its properties set; those of a value that is a string are read as gst-launch does.

        Raises:
            SourceUnusable: it is not installed; with the package that has it.
        """
        made = self.gst.ElementFactory.make(element, name)
        if made is None:
            raise SourceUnusable(f'GStreamer has no element {element}: {how_to_get(element)}.')
        self.set_properties(made, {each.replace('_', '-'): value for each, value in properties.items()})
        return made

    def set_properties(self, element: Any, properties: Mapping[str, object], *, known_only: bool = False) -> None:
        """Set them, with `known_only` those that this version's element has; see `make` for values."""
        for name, value in properties.items():
            if known_only and element.find_property(name) is None:
                continue
            if isinstance(value, str):
                self.gst.util_set_object_arg(element, name, value)
            else:
                element.set_property(name, value)


def how_to_get(element: str) -> str:
    """In a few words, which package has an element."""
    for package, elements in _PACKAGES.items():
        if element in elements.split():
            return f'sudo apt-get install {package}'
    return f'look with `apt-file search {element}` or at gstreamer.freedesktop.org for the plugin that has it'


@cache
def load_gstreamer() -> GStreamer:
    """GStreamer, loaded and initialised once in a process (10 to 100 ms; seconds where it looks for plugins again).

    Raises:
        GStreamerMissing: with what is missing and the line that installs it.
    """
    try:
        gi = importlib.import_module('gi')
    except ImportError as error:
        raise GStreamerMissing(
            f'{sys.executable} has no GStreamer (no module `gi`): {APT_LINE}, and run the nodes with the Python of '
            'the system, or in a virtual environment made with --system-site-packages.'
        ) from error
    _keep_unwinder()
    try:
        for module in ('Gst', 'GstApp', 'GstVideo'):
            gi.require_version(module, '1.0')
        # GstApp gives the sink its methods.
        gst, _, video = (importlib.import_module(f'gi.repository.{name}') for name in ('Gst', 'GstApp', 'GstVideo'))
    except (ImportError, ValueError) as error:
        raise GStreamerMissing(f'GStreamer lacks a part for Python ({error}): {APT_LINE}.') from error
    # What it returns differs between the versions of the bindings, and once somebody else has called it.
    gst.init_check(None)
    if not gst.is_initialized():
        raise GStreamerMissing(f'GStreamer does not start: see what `gst-inspect-1.0` says, or {APT_LINE}.')
    return GStreamer(gst, video)


def _keep_unwinder() -> None:
    """Put GCC's unwinder before the one that comes with GStreamer.

    `gi` loads GStreamer's libraries for all to see, and libunwind, which they need, has functions of the same names. A
    C++ library that is loaded afterwards takes those, and the first exception in it ends the process: with ONNX Runtime
    loaded after GStreamer any exception inside rclpy did.
    """
    with contextlib.suppress(OSError):  # no GCC, no clash
        ctypes.CDLL('libgcc_s.so.1', mode=ctypes.RTLD_GLOBAL)


def why_no_gstreamer() -> str | None:
    """In one sentence with the way out why there is none; None where there is."""
    try:
        load_gstreamer()
    except GStreamerMissing as error:
        return str(error)
    return None


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
