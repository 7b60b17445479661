# SPDX-License-Identifier: Apache-2.0
"""What came lately, asked by time."""

from __future__ import annotations

import pytest

from gremsy_common.timing.stamp_check import JUMP_NS, StampOrder, order_of
from gremsy_common.timing.timed_history import TimedHistory


def filled(*stamps_ns: int, keep_ns: int | None = None, most: int = 100) -> TimedHistory[str]:
    history: TimedHistory[str] = TimedHistory(keep_ns=keep_ns, most=most)
    for stamp_ns in stamps_ns:
        history.put(stamp_ns, f'at {stamp_ns}')
    return history


@pytest.mark.parametrize(
    ('stamp_ns', 'around', 'held'),
    [
        (5, (None, 'at 10'), None),
        (10, ('at 10', 'at 10'), 'at 10'),
        (15, ('at 10', 'at 20'), 'at 10'),
        (25, ('at 20', None), 'at 20'),
    ],
)
def test_an_item_is_found_beside_a_time_and_as_what_held_then(stamp_ns, around, held):
    history = filled(10, 20)
    assert (history.around(stamp_ns), history.at(stamp_ns)) == (around, held)
    assert history.exactly(stamp_ns) == (held if stamp_ns in (10, 20) else None)


def test_nothing_is_found_in_an_empty_one():
    history = filled()
    assert (history.newest, history.newest_ns, history.at(1), history.around(1)) == (None, None, None, (None, None))
    assert (history.exactly(1), history.held_since(1), list(history), len(history)) == (None, [], [], 0)


def test_what_held_at_the_beginning_of_the_window_is_kept_and_nothing_older():
    assert [stamp for stamp, _ in filled(0, 10, 20, 100, keep_ns=85)] == [10, 20, 100]
    assert [stamp for stamp, _ in filled(0, 10, 20, 100, most=2)] == [20, 100]


def test_a_clock_that_was_set_back_forgets_the_others():
    history = filled(10, 20, 15)
    assert (list(history), list(reversed(history))) == ([(15, 'at 15')], [(15, 'at 15')])


def test_one_side_of_a_time_can_be_forgotten():
    history = filled(10, 20, 30)
    history.forget_after(20)
    assert history.newest_ns == 20
    history.forget_before(20)
    assert (history.at(19), history.newest) == (None, 'at 20')


def test_what_held_at_a_time_comes_with_what_is_newer():
    assert [stamp for stamp, _ in filled(10, 20, 30).held_since(25)] == [20, 30]
    assert [stamp for stamp, _ in filled(10, 20, 30).held_since(5)] == [10, 20, 30]


@pytest.mark.parametrize(('since_ns', 'until_ns', 'gap_ns'), [(10, 25, 10), (0, 25, 10), (12, 14, 5), (26, 40, 15)])
def test_the_longest_gap_between_two_times_counts_whole(since_ns, until_ns, gap_ns):
    assert filled(10, 15, 25).longest_gap_ns(since_ns, until_ns) == gap_ns


@pytest.mark.parametrize(
    ('stamp_ns', 'newest_ns', 'order'),
    [
        (5, None, StampOrder.NEXT),
        (JUMP_NS + 6, JUMP_NS + 5, StampOrder.NEXT),
        (JUMP_NS + 5, JUMP_NS + 5, StampOrder.NOT_NEWER),
        (5, JUMP_NS + 5, StampOrder.NOT_NEWER),
        (4, JUMP_NS + 5, StampOrder.RESTARTED),
    ],
)
def test_there_is_one_rule_for_which_stamp_may_come_next(stamp_ns, newest_ns, order):
    assert order_of(stamp_ns, newest_ns) is order
