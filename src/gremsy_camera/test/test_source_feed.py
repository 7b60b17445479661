# SPDX-License-Identifier: Apache-2.0
import threading

import numpy as np
import pytest

from gremsy_camera.errors import SourceEnded, SourceError, SourceRefused, SourceUnusable
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
    feed = SourceFeed(ScriptedSource([SourceUnusable('No such file.')], []), clock, said, lambda: 0.0)
    with pytest.raises(SourceUnusable, match=r'No such file\.'):
        feed.open()


def test_a_source_that_is_away_at_the_start_is_tried_again(clock, said):
    feed = SourceFeed(ScriptedSource([SourceError('It is away.'), INFO], [FRAME]), clock, said, lambda: 0.0)
    feed.open()
    assert feed.state is FeedState.RETRYING
    assert said.sentences == ['It is away.']
    while feed.read(0.2) is None:
        pass
    assert feed.state is FeedState.PLAYING and feed.info == INFO
    assert clock.monotonic_ns() == 250_000_000


def test_pauses_between_tries_double_up_to_half_a_second(clock, said):
    broken = [SourceError('It is away.')] * 8
    feed = SourceFeed(ScriptedSource([*broken, INFO], [FRAME]), clock, said, lambda: 0.0)
    feed.open()
    while feed.read(0.1) is None:
        pass
    assert clock.monotonic_ns() == pytest.approx(1e9 * (0.25 + 7 * 0.5), abs=1e3)


def test_a_frame_makes_the_next_pause_short_again(clock, said):
    source = ScriptedSource([SourceError('a'), SourceError('b'), INFO, INFO], [FRAME, SourceError('c'), FRAME])
    feed = SourceFeed(source, clock, said, lambda: 0.0)
    feed.open()
    while feed.read(0.1) is None:
        pass
    assert feed.read(0.1) is None
    broke_at_ns = clock.monotonic_ns()
    while feed.read(0.1) is None:
        pass
    assert clock.monotonic_ns() - broke_at_ns == pytest.approx(2.5e8, abs=1e3)
    assert feed.reopened == 2


def test_what_breaks_while_running_is_tried_again_even_if_it_seems_permanent(clock, said):
    source = ScriptedSource([INFO, SourceUnusable('The file is damaged.'), INFO], [SourceError('x'), FRAME])
    feed = SourceFeed(source, clock, said, lambda: 0.0)
    feed.open()
    while feed.read(0.1) is None:
        pass
    assert said.sentences == ['x', 'The file is damaged.']


def test_a_source_that_ended_is_left_alone(clock, said):
    feed = SourceFeed(ScriptedSource([INFO], [FRAME, SourceEnded('It is over.')]), clock, said, lambda: 0.0)
    feed.open()
    assert feed.read(0.1) is FRAME
    assert [feed.read(0.1) for _ in range(3)] == [None] * 3
    assert feed.state is FeedState.ENDED
    assert said.sentences == ['It is over.']
    assert clock.monotonic_ns() == 200_000_000


def test_counts_add_up_over_every_opening(clock, said):
    feed = SourceFeed(ScriptedSource([INFO, INFO], [SourceError('x'), FRAME]), clock, said, lambda: 0.0)
    feed.open()
    while feed.read(0.1) is None:
        pass
    assert feed.counts().decode_failures == 2


@pytest.mark.parametrize(('share', 'pause_s'), [(0.0, 0.25), (1.0, 0.1875)])
def test_a_pause_is_shortened_by_up_to_a_quarter_so_that_cameras_do_not_ask_together(clock, said, share, pause_s):
    feed = SourceFeed(ScriptedSource([SourceError('It is away.'), INFO], [FRAME]), clock, said, lambda: share)
    feed.open()
    while feed.read(0.01) is None:
        pass
    assert clock.monotonic_ns() == pytest.approx(pause_s * 1e9, abs=1e3)


def test_a_camera_that_refuses_the_credentials_is_asked_again_after_ten_seconds(clock, said):
    feed = SourceFeed(ScriptedSource([SourceRefused('Not you.'), INFO], [FRAME]), clock, said, lambda: 0.0)
    feed.open()
    while feed.read(0.1) is None:
        pass
    assert clock.monotonic_ns() == pytest.approx(1e10, abs=1e3)


def test_why_it_is_away_is_known_until_it_plays_again(clock, said):
    feed = SourceFeed(ScriptedSource([SourceError('It is away.'), INFO], [FRAME]), clock, said)
    feed.open()
    assert feed.problem == 'It is away.'
    while feed.read(0.1) is None:
        assert feed.problem == 'It is away.'
    assert feed.problem == ''


def test_frames_after_a_break_that_was_long_are_said_once(clock, said):
    away, again = [SourceError('It is away.')] * 3, []
    source = ScriptedSource([INFO, *away, INFO, INFO], [FRAME, SourceError('x'), FRAME, FRAME, SourceError('y'), FRAME])
    feed = SourceFeed(source, clock, said, lambda: 0.0, again.append)
    feed.open()
    while source.reads:
        feed.read(0.1)
    assert feed.state is FeedState.PLAYING
    # 0.25 s and three times 0.5 s; the second break lasts 0.25 s.
    assert again == ['`source` delivers frames again, after 1.8 s without.']


def test_it_is_broken_until_a_frame_comes_and_not_only_until_it_is_open(clock, said):
    source = ScriptedSource([INFO, INFO], [FRAME, SourceError('It hangs.'), None, None, FRAME])
    feed = SourceFeed(source, clock, said, lambda: 0.0)
    feed.open()
    assert not feed.broken  # It has only just begun.
    found = []
    while source.reads:
        feed.read(0.3)
        found.append((feed.state, feed.broken, feed.problem))
    assert found == [
        (FeedState.PLAYING, False, ''),
        (FeedState.RETRYING, True, 'It hangs.'),
        (FeedState.RETRYING, True, 'It hangs.'),
        (FeedState.WAITING, True, 'It hangs.'),
        (FeedState.WAITING, True, 'It hangs.'),
        (FeedState.PLAYING, False, ''),
    ]


class SlowSource(ScriptedSource):
    """Opens when it is let."""

    def __init__(self, opens, reads=()):
        super().__init__(opens, reads)
        self.asked, self.let = threading.Event(), threading.Event()
        self.is_open = False

    def open(self):
        self.asked.set()
        assert self.let.wait(10.0)
        info = super().open()
        self.is_open = True
        return info

    def close(self):
        super().close()
        self.is_open = False


@pytest.fixture
def refused():
    return []


def test_a_camera_that_does_not_answer_is_not_waited_for(clock, said, refused):
    source = SlowSource([INFO], [FRAME])
    feed = SourceFeed(source, clock, said, lambda: 0.0)
    feed.open(0.0, refused.append)
    assert source.asked.wait(10.0)
    assert (feed.state, feed.broken, feed.info) == (FeedState.OPENING, False, None)
    assert feed.read(0.01) is None and feed.state is FeedState.OPENING
    source.let.set()
    assert feed.read(10.0) is FRAME
    assert (feed.state, feed.info, feed.reopened, refused) == (FeedState.PLAYING, INFO, 0, [])


def test_what_is_found_in_time_is_raised_as_ever(clock, said, refused):
    feed = SourceFeed(ScriptedSource([SourceUnusable('No such file.')], []), clock, said)
    with pytest.raises(SourceUnusable):
        feed.open(10.0, refused.append)
    feed = SourceFeed(ScriptedSource([SourceError('It is away.'), INFO], [FRAME]), clock, said, lambda: 0.0)
    feed.open(10.0, refused.append)
    assert (feed.state, feed.problem) == (FeedState.RETRYING, 'It is away.')
    while feed.read(0.2) is None:
        pass
    assert (feed.reopened, refused) == (1, [])


def test_what_can_never_work_and_takes_its_time_to_say_so_is_told_once(clock, said, refused):
    never = SourceUnusable('It sends audio only.')
    source = SlowSource([never, never, INFO], [FRAME])
    feed = SourceFeed(source, clock, said, lambda: 0.0)
    feed.open(0.0, refused.append)
    source.let.set()
    while feed.read(1.0) is None:
        pass
    assert refused == [never] and said.sentences == [str(never)] * 2


def test_what_breaks_in_the_opening_is_tried_again_like_a_camera(clock, said, refused):
    source = SlowSource([ValueError('of a library'), INFO], [FRAME])
    feed = SourceFeed(source, clock, said, lambda: 0.0)
    feed.open(0.0, refused.append)
    source.let.set()
    while feed.read(1.0) is None:
        pass
    assert len(said.sentences) == 1 and 'of a library' in said.sentences[0] and refused == []


def test_a_camera_that_opens_after_nobody_wants_it_any_more_is_closed(clock, said, refused):
    source = SlowSource([INFO])
    feed = SourceFeed(source, clock, said)
    feed.open(0.0, refused.append)
    assert source.asked.wait(10.0)
    feed.close()
    opener = next(each for each in threading.enumerate() if each.name == 'open')
    source.let.set()
    opener.join(10.0)
    assert not source.is_open and feed.state is FeedState.CLOSED and said.sentences == []
