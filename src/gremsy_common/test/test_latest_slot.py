# SPDX-License-Identifier: Apache-2.0
import threading

from gremsy_common.timing.worker import LatestSlot


def test_latest_wins_and_the_dropped_are_counted():
    slot = LatestSlot()
    for item in 'abc':
        slot.put(item)
    assert slot.waiting == 1
    assert slot.take(0.0) == 'c'
    assert slot.dropped == 2
    assert slot.waiting == 0


def test_take_gives_none_on_timeout():
    assert LatestSlot().take(0.01) is None


def test_take_next_throws_away_what_waited():
    slot = LatestSlot()
    slot.put('old')
    threading.Timer(0.05, slot.put, ['new']).start()
    assert slot.take_next(5.0) == 'new'
    assert slot.dropped == 1


def test_close_wakes_the_waiter():
    slot = LatestSlot()
    threading.Timer(0.05, slot.close).start()
    assert slot.take(5.0) is None
    slot.put('late')
    assert slot.take(0.0) is None
