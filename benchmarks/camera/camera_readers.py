# SPDX-License-Identifier: Apache-2.0
"""The readers that this machine has, and a source of each."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.footage.pacing import SystemClock
from gremsy_camera.live.encoded_video import NO_TAP, EncodedTap
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.source_feed import SourceFeed
from gremsy_camera.sources import create_source
from gremsy_camera.sources.source import Captured, SourceContext
from gremsy_camera.streams.stream_choice import choose_reader
from gremsy_camera.trial.debian_gi import reach_debian_gi
from gremsy_common.errors import SuiteError

NAMES = ('pyav', 'gstreamer', 'opencv')
_POLL_S = 0.05
_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class MeasuredReader:
    """One of `NAMES`, and the folder by way of which `gi` is reached."""

    name: str
    folder: str

    def feed(self, uri: str, tap: EncodedTap = NO_TAP) -> SourceFeed:
        """A source of that stream, kept running as the node does; not open yet."""
        clock = SystemClock()
        context = SourceContext('camera', 0.0, AtEnd.LOOP, clock, _quiet, LiveParameters(reader=self.name), tap)
        return SourceFeed(create_source(uri, context), clock, _quiet)


def usable_readers(folder: Path) -> tuple[list[MeasuredReader], dict[str, str]]:
    """Those that can be used here, and why not the others."""
    without_gi = reach_debian_gi(folder)
    usable, unusable = [], {}
    for name in NAMES:
        try:
            choose_reader(LiveParameters(reader=name))
        except SourceUnusable as error:
            unusable[name] = without_gi if name == 'gstreamer' and without_gi else str(error)
        else:
            usable.append(MeasuredReader(name, str(folder)))
    return usable, unusable


def next_frame(feed: SourceFeed, patience_s: float = _PATIENCE_S) -> Captured:
    """The next frame that comes.

    Raises:
        SuiteError: none came.
    """
    until_s = time.monotonic() + patience_s
    while time.monotonic() < until_s:
        captured = feed.read(_POLL_S)
        if captured is not None:
            return captured
    raise SuiteError(f'The camera benchmark cannot go on: no frame came within {patience_s:g} s. {feed.problem}')


def _quiet(_: str) -> None:
    """What is measured is said by figures."""
