# SPDX-License-Identifier: Apache-2.0
"""`external:` or `external:/topic`: images that another driver publishes, as `ros/foreign_camera` receives them."""

from __future__ import annotations

from collections import Counter

from gremsy_camera.errors import SourceError, SourceUnusable
from gremsy_camera.external.foreign_frames import ForeignFrames
from gremsy_camera.external.foreign_watch import SCHEME, external_topics
from gremsy_camera.sources.source import Captured, SourceContext, SourceCounts, SourceInfo, SourceUri

SCHEMES = (SCHEME,)

_STAMP_IS = "the header.stamp of the camera's own driver"


def create(uri: SourceUri, context: SourceContext) -> ExternalSource:
    """See `sources`."""
    external_topics(uri)
    if context.foreign is None:
        raise SourceUnusable(
            f'`source` {uri.text} is what another driver publishes, which only the camera node can take: run it, or '
            'look at the topic with `ros2 topic hz`.'
        )
    return ExternalSource(context.foreign, context)


class ExternalSource:
    """Takes the newest image that came; silence is no error, since its driver may come at any time."""

    def __init__(self, frames: ForeignFrames, context: SourceContext) -> None:
        self._frames = frames
        self._context = context
        self._open = False
        self._shape: tuple[int, int, str] | None = None
        self._dropped_before = 0

    def open(self) -> SourceInfo:
        """See VideoSource; its size is known with the first image."""
        self._open, self._shape = True, None
        self._dropped_before = self._frames.images.dropped
        if self._context.rate_hz:
            self._context.say('`rate_hz` has no effect with `source` external: the driver of the camera sets the rate.')
        return SourceInfo(0, 0, 0.0, None, _STAMP_IS)

    def read(self, timeout_s: float) -> Captured | None:
        """See VideoSource."""
        if not self._open:
            raise SourceError("Another driver's camera is not open: call `open` first.")
        arrival = self._frames.images.take(timeout_s)
        made = arrival.frame() if arrival is not None else None
        if arrival is None or made is None:
            return None
        frame = self._frames.placed(made)
        shape = (frame.width, frame.height, frame.encoding)
        info = None
        if shape != self._shape:
            self._shape = shape
            info = SourceInfo(frame.width, frame.height, 0.0, None, _STAMP_IS, (('encoding', frame.encoding),))
        work_ns = self._context.clock.monotonic_ns() - arrival.arrived_ns
        return Captured(frame, self._frames.model_for(frame), work_ns, None, info=info)

    def counts(self) -> SourceCounts:
        """See VideoSource."""
        dropped = self._frames.images.dropped - self._dropped_before if self._open else 0
        return SourceCounts(others=Counter({'images dropped while busy': dropped}))

    def close(self) -> None:
        """See VideoSource."""
        self._open = False
