# SPDX-License-Identifier: Apache-2.0
"""A camera of the kernel: `/dev/video0`, `/dev/v4l/by-id/...`, `v4l2:/dev/video0?format=YUYV&size=1280x720&rate=30`.

Every other option is a control of the camera by its name, set in the order given: `auto_exposure=manual_mode&gain=10`.
"""

from __future__ import annotations

import re

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.live.live_source import LiveSource
from gremsy_camera.sources.source import SourceContext, SourceUri
from gremsy_camera.v4l2.camera_modes import Wanted
from gremsy_camera.v4l2.v4l2_reader import V4l2Reader
from gremsy_camera.v4l2.video_system import VideoSystem

SCHEMES = ('v4l2',)

_MODE_OPTIONS = ('format', 'size', 'rate')
# No camera of today is faster; a slip of the keys is.
_FASTEST_HZ = 1000.0


def create(uri: SourceUri, context: SourceContext) -> LiveSource:
    """See `sources`."""
    # As `v4l2:///dev/video0` writes it.
    path = f'/{uri.path.lstrip("/")}'
    if path == '/':
        raise SourceUnusable(f'`source` {uri.text} names no device: write its path after it, as `v4l2:/dev/video0`.')
    width, height = _size(uri)
    mode = Wanted(uri.option('format', ''), width, height, _rate_hz(uri), context.rate_hz)
    controls = tuple(option for option in uri.options if option[0] not in _MODE_OPTIONS)
    return LiveSource(V4l2Reader(path, context, VideoSystem(), mode, controls))


def _size(uri: SourceUri) -> tuple[int, int]:
    text = uri.option('size', '')
    if not text:
        return 0, 0
    numbers = re.fullmatch(r'(\d{1,5})x(\d{1,5})', text.strip().lower())
    if numbers is None or 0 in (int(numbers[1]), int(numbers[2])):
        raise SourceUnusable(f"`source` {uri.text} has size '{text}': write it in pixels, as `size=1280x720`.")
    return int(numbers[1]), int(numbers[2])


def _rate_hz(uri: SourceUri) -> float:
    text = uri.option('rate', '')
    if not text:
        return 0.0
    if not re.fullmatch(r'\d{1,4}(\.\d{1,6})?', text.strip()) or not 0.0 < float(text) <= _FASTEST_HZ:
        raise SourceUnusable(f"`source` {uri.text} has rate '{text}': write pictures per second, as `rate=30`.")
    return float(text)
