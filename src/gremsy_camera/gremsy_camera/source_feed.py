# SPDX-License-Identifier: Apache-2.0
"""Keeps a source running: reads it, and opens it again with growing pauses when it breaks."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from enum import Enum

from gremsy_camera.errors import SourceEnded, SourceError
from gremsy_camera.footage.pacing import Clock
from gremsy_camera.sources.source import Captured, Say, SourceCounts, SourceInfo, VideoSource
from gremsy_common.errors import one_line

# A camera that is back is to be seen within a second: 0.5 s and the time that opening it takes.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 0.5
# Several cameras of one switch that was off do not ask again at once.
_JITTER = 0.25
# A shorter break is not worth a line beside that of its error: a camera that breaks again and again would fill the log.
_SAID_AFTER_S = 1.0
_NS_PER_S = 1_000_000_000


class FeedState(Enum):
    """Where the feed stands, in words for the diagnostics."""

    CLOSED = 'closed'
    OPENING = 'being opened'
    WAITING = 'waiting for the first frame'
    PLAYING = 'playing'
    ENDED = 'ended'
    RETRYING = 'broken, trying again'


class SourceFeed:
    """One source, read by one thread; `state`, `info`, `problem`, `counts` and `reopened` may be read from any.

    Attributes:
        problem: the sentence of why it does not play now; empty while it does.
    """

    def __init__(
        self,
        source: VideoSource,
        clock: Clock,
        say_error: Say,
        random_share: Callable[[], float] = random.random,
        say: Say | None = None,
    ) -> None:
        self._source = source
        self._clock = clock
        self._say_error, self._say = say_error, say
        self._random_share = random_share
        self._pause_s = _FIRST_PAUSE_S
        self._retry_at_ns = 0
        self._broke_at_ns: int | None = None
        self._counts_before = SourceCounts()
        self._opening: Future[SourceInfo] | None = None
        self._say_unusable: Callable[[SourceError], None] | None = None
        self.state = FeedState.CLOSED
        self.info: SourceInfo | None = None
        self.reopened = 0
        self.problem = ''

    @property
    def broken(self) -> bool:
        """Whether it broke, and no frame has come since, even where it could be opened again."""
        return bool(self.problem) and self.state in (FeedState.OPENING, FeedState.RETRYING, FeedState.WAITING)

    def open(
        self, wait_s: float | None = None, say_unusable: Callable[[SourceError], None] = lambda _error: None
    ) -> None:
        """Open the source, on a thread of its own; one that is only away for now is tried again by `read`.

        Args:
            wait_s: the longest that this takes, for who has more to do than to wait for a camera that does not answer:
                what takes longer is taken up by `read`. None for as long as it takes.
            say_unusable: called by `read` for a source that can never work as configured, if that took longer to find;
                only of this first opening, since what is away now may come back as anything.

        Raises:
            SourceUnusable: when it can never work as configured, and that is known in time; only here, since what once
                worked may come back.
        """
        opening = self._begin_opening()
        if not futures.wait([opening], wait_s).done:
            self._say_unusable = say_unusable
            return
        try:
            self._take_up(opening)
        except SourceError as error:
            if error.permanent:
                self._source.close()
                raise
            self._fail(error)

    def read(self, timeout_s: float) -> Captured | None:
        """The next frame; None when there was none within the timeout, whatever the reason."""
        if self.state in (FeedState.CLOSED, FeedState.ENDED):
            self._clock.sleep_s(timeout_s)
            return None
        if self.state is FeedState.RETRYING and not self._is_due(timeout_s):
            return None
        if self.state is FeedState.OPENING and not self._is_open(timeout_s):
            return None
        try:
            captured = self._source.read(timeout_s)
        except SourceEnded as error:
            self.state, self.problem = FeedState.ENDED, str(error)
            self._say_error(str(error))
            return None
        except SourceError as error:
            self._fail(error)
            return None
        if captured is not None:
            self.state, self.problem = FeedState.PLAYING, ''
            self.info = captured.info or self.info
            self._pause_s = _FIRST_PAUSE_S
            self._is_back()
        return captured

    def counts(self) -> SourceCounts:
        """Since the feed was made, over every time the source was opened."""
        return self._counts_before.plus(self._source.counts())

    def close(self) -> None:
        """Close the source; one that is still being opened is closed by the thread that opens it, too."""
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.add_done_callback(lambda _: self._source.close())
        self._source.close()
        self.state = FeedState.CLOSED

    def _begin_opening(self) -> Future[SourceInfo]:
        self.state = FeedState.OPENING
        self._opening = _opening(self._source)
        return self._opening

    def _take_up(self, opening: Future[SourceInfo]) -> None:
        """What an opening that has ended came to.

        Raises:
            Exception: the source's own.
        """
        self._opening = None
        self.info = opening.result()
        self.state = FeedState.WAITING

    def _is_due(self, timeout_s: float) -> bool:
        """Whether the source was to be opened again, and is being opened now."""
        wait_ns = self._retry_at_ns - self._clock.monotonic_ns()
        if wait_ns > 0:
            self._clock.sleep_s(min(timeout_s, wait_ns / _NS_PER_S))
            return False
        self._begin_opening()
        return True

    def _is_open(self, timeout_s: float) -> bool:
        """Whether the source that was being opened is open."""
        opening = self._opening
        if opening is None or not futures.wait([opening], timeout_s).done:
            return False
        say_unusable, self._say_unusable = self._say_unusable, None
        try:
            self._take_up(opening)
        except SourceError as error:
            self._fail(error)
            if error.permanent and say_unusable is not None:
                say_unusable(error)
            return False
        except Exception as error:  # noqa: BLE001 no error of the camera's, and tried again like one
            self._fail(SourceError(f'`source` cannot be opened: {one_line(error)}.'))
            return False
        self.reopened += self._broke_at_ns is not None
        return True

    def _is_back(self) -> None:
        if self._broke_at_ns is None:
            return
        away_s = (self._clock.monotonic_ns() - self._broke_at_ns) / _NS_PER_S
        self._broke_at_ns = None
        if self._say is not None and away_s >= _SAID_AFTER_S:
            self._say(f'`source` delivers frames again, after {away_s:.1f} s without.')

    def _fail(self, error: SourceError) -> None:
        if self._broke_at_ns is None:
            self._broke_at_ns = self._clock.monotonic_ns()
        self._counts_before = self.counts()
        self._source.close()
        self.state, self.problem = FeedState.RETRYING, str(error)
        pause_s = max(self._pause_s, error.least_pause_s) * (1 - _JITTER * self._random_share())
        self._retry_at_ns = self._clock.monotonic_ns() + round(pause_s * _NS_PER_S)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        self._say_error(str(error))


def _opening(source: VideoSource) -> Future[SourceInfo]:
    """What opening the source comes to, on a thread that ends with the process where it hangs."""
    opening: Future[SourceInfo] = Future()

    def run() -> None:
        try:
            info = source.open()
        except Exception as error:  # noqa: BLE001 raised again by who takes it up
            opening.set_exception(error)
        else:
            opening.set_result(info)

    threading.Thread(target=run, name='open', daemon=True).start()
    return opening
