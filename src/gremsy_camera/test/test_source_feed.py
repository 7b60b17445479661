# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from gremsy_camera.errors import SourceEnded, SourceError, SourceUnusable
from gremsy_camera.source_feed import FeedState, SourceFeed
from gremsy_camera.sources.source import Captured, SourceCounts, SourceInfo
from gremsy_common.types.frame import Frame

INFO = SourceInfo(8, 6, 30.0, None, 'made up')
FRAME = Captured(Frame(np.zeros((6, 8, 3), dtype=np.uint8), 1, 'frame'), None, 0, None)


class ScriptedSource:
    """Plays a list: an exception is raised, anything else returned; `open` and `read` have a list each."""

    def __init__(self, opens, reads):
        self.opens, self.reads = list(opens), list(reads)
        self.closed = 0

    def open(self):
        return self._play(self.opens)

    def read(self, timeout_s):
        return self._play(self.reads)

    def counts(self):
        return SourceCounts(decode_failures=1)

    def close(self):
        self.closed += 1

    @staticmethod
    def _play(script):
        step = script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


def test_a_source_that_can_never_work_ends_the_start(clock, said):
    feed = SourceFeed(ScriptedSource([SourceUnusable('No such file.')], []), clock, said)
    with pytest.raises(SourceUnusable, match=r'No such file\.'):
        feed.open()


def test_a_source_that_is_away_at_the_start_is_tried_again(clock, said):
    feed = SourceFeed(ScriptedSource([SourceError('It is away.'), INFO], [FRAME]), clock, said)
    feed.open()
    assert feed.state is FeedState.RETRYING
    assert said.sentences == ['It is away.']
    while feed.read(0.2) is None:
        pass
    assert feed.state is FeedState.PLAYING and feed.info == INFO
    assert clock.monotonic_ns() == 500_000_000


def test_pauses_between_tries_double_up_to_eight_seconds(clock, said):
    broken = [SourceError('It is away.')] * 8
    feed = SourceFeed(ScriptedSource([*broken, INFO], [FRAME]), clock, said)
    feed.open()
    while feed.read(0.1) is None:
        pass
    assert clock.monotonic_ns() == pytest.approx(1e9 * (0.5 + 1 + 2 + 4 + 8 + 8 + 8 + 8), abs=1e3)


def test_a_frame_makes_the_next_pause_short_again(clock, said):
    source = ScriptedSource([SourceError('a'), SourceError('b'), INFO, INFO], [FRAME, SourceError('c'), FRAME])
    feed = SourceFeed(source, clock, said)
    feed.open()
    while feed.read(0.1) is None:
        pass
    assert feed.read(0.1) is None
    broke_at_ns = clock.monotonic_ns()
    while feed.read(0.1) is None:
        pass
    assert clock.monotonic_ns() - broke_at_ns == pytest.approx(5e8, abs=1e3)
    assert feed.reopened == 2


def test_what_breaks_while_running_is_tried_again_even_if_it_seems_permanent(clock, said):
    source = ScriptedSource([INFO, SourceUnusable('The file is damaged.'), INFO], [SourceError('x'), FRAME])
    feed = SourceFeed(source, clock, said)
    feed.open()
    while feed.read(0.1) is None:
        pass
    assert said.sentences == ['x', 'The file is damaged.']


def test_a_source_that_ended_is_left_alone(clock, said):
    feed = SourceFeed(ScriptedSource([INFO], [FRAME, SourceEnded('It is over.')]), clock, said)
    feed.open()
    assert feed.read(0.1) is FRAME
    assert [feed.read(0.1) for _ in range(3)] == [None] * 3
    assert feed.state is FeedState.ENDED
    assert said.sentences == ['It is over.']
    assert clock.monotonic_ns() == 200_000_000


def test_counts_add_up_over_every_opening(clock, said):
    feed = SourceFeed(ScriptedSource([INFO, INFO], [SourceError('x'), FRAME]), clock, said)
    feed.open()
    while feed.read(0.1) is None:
        pass
    assert feed.counts().decode_failures == 2
