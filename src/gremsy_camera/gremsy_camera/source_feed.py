# SPDX-License-Identifier: Apache-2.0
"""Keeps a source running: reads it, and opens it again with growing pauses when it breaks."""

from __future__ import annotations

from enum import Enum

from gremsy_camera.errors import SourceEnded, SourceError
from gremsy_camera.footage.pacing import Clock
from gremsy_camera.sources.source import Captured, Say, Source, SourceCounts, SourceInfo

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 8.0
_NS_PER_S = 1_000_000_000


class FeedState(Enum):
    """Where the feed stands, in words for the diagnostics."""

    CLOSED = 'closed'
    WAITING = 'waiting for the first frame'
    PLAYING = 'playing'
    ENDED = 'ended'
    RETRYING = 'broken, trying again'


class SourceFeed:
    """One source, read by one thread; `state`, `info`, `counts` and `reopened` may be read from any."""

    def __init__(self, source: Source, clock: Clock, say_error: Say) -> None:
        self._source = source
        self._clock = clock
        self._say_error = say_error
        self._pause_s = _FIRST_PAUSE_S
        self._retry_at_ns = 0
        self._counts_before = SourceCounts()
        self.state = FeedState.CLOSED
        self.info: SourceInfo | None = None
        self.reopened = 0

    def open(self) -> None:
        """Open the source; one that is only away for now is tried again by `read`.

        Raises:
            SourceUnusable: when it can never work as configured; only here, since what once worked may come back.
        """
        try:
            self.info = self._source.open()
        except SourceError as error:
            self._source.close()
            if error.permanent:
                raise
            self._fail(error)
            return
        self.state = FeedState.WAITING

    def read(self, timeout_s: float) -> Captured | None:
        """The next frame; None when there was none within the timeout, whatever the reason."""
        if self.state in (FeedState.CLOSED, FeedState.ENDED):
            self._clock.sleep_s(timeout_s)
            return None
        if self.state is FeedState.RETRYING and not self._retry(timeout_s):
            return None
        try:
            captured = self._source.read(timeout_s)
        except SourceEnded as error:
            self.state = FeedState.ENDED
            self._say_error(str(error))
            return None
        except SourceError as error:
            self._fail(error)
            return None
        if captured is not None:
            self.state = FeedState.PLAYING
            self._pause_s = _FIRST_PAUSE_S
        return captured

    def counts(self) -> SourceCounts:
        """Since the feed was made, over every time the source was opened."""
        return self._counts_before.plus(self._source.counts())

    def close(self) -> None:
        """Close the source."""
        self._source.close()
        self.state = FeedState.CLOSED

    def _retry(self, timeout_s: float) -> bool:
        wait_ns = self._retry_at_ns - self._clock.monotonic_ns()
        if wait_ns > 0:
            self._clock.sleep_s(min(timeout_s, wait_ns / _NS_PER_S))
            return False
        try:
            self.info = self._source.open()
        except SourceError as error:
            self._fail(error)
            return False
        self.state = FeedState.WAITING
        self.reopened += 1
        return True

    def _fail(self, error: SourceError) -> None:
        self._counts_before = self.counts()
        self._source.close()
        self.state = FeedState.RETRYING
        self._retry_at_ns = self._clock.monotonic_ns() + round(self._pause_s * _NS_PER_S)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        self._say_error(str(error))
