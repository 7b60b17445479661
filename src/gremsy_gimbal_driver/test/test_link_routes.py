# SPDX-License-Identifier: Apache-2.0
"""Which link leads to which component, in invented time."""

from __future__ import annotations

import random

import pytest

from gremsy_gimbal_driver.links.link_routes import LinkRoutes, LinkSwitch, SwitchReason, freshness_ns
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender

GIMBAL, BOARD, CAMERA = Sender(1, 154), Sender(1, 26), Sender(1, 100)
MS = 1_000_000
SECOND = 1000 * MS


def open_routes(links: int = 2) -> LinkRoutes:
    routes = LinkRoutes(links)
    for link in range(links):
        routes.opened(link)
    return routes


def test_each_component_is_written_where_it_is_heard():
    # The wiring of gimbal.md 1.1: the main board on UDP (0), the gimbal on a UART (1).
    routes = open_routes()
    routes.on_message(0, BOARD, 0)
    routes.on_message(1, GIMBAL, 0)
    assert routes.choose(BOARD, SECOND) == (0, None)
    assert routes.choose(GIMBAL, SECOND) == (1, None)


def test_heard_on_both_it_is_written_on_the_preferred_one():
    routes = open_routes()
    routes.on_message(1, GIMBAL, 2)
    routes.on_message(0, GIMBAL, 1)
    assert routes.choose(GIMBAL, 3) == (0, None)


def test_never_heard_it_is_written_on_the_preferred_open_one():
    routes = open_routes()
    assert routes.choose(GIMBAL, 0) == (0, None)
    routes.lost(0)
    assert routes.choose(GIMBAL, 0) == (1, None)
    routes.lost(1)
    assert routes.choose(GIMBAL, 0) == (None, None)


@pytest.mark.parametrize('sender', [GIMBAL, Sender(4, 171), BOARD, CAMERA])
def test_a_component_that_falls_silent_on_one_link_is_written_on_the_other(sender):
    bound = freshness_ns(sender)
    assert bound == (1500 if sender.component in (154, 171) else 3500) * MS
    routes = open_routes()
    routes.on_message(0, sender, 0)
    routes.on_message(1, sender, bound)
    assert routes.choose(sender, bound) == (0, None)
    assert routes.choose(sender, bound + 1) == (1, LinkSwitch(0, 1, SwitchReason.SILENT))
    assert routes.choose(sender, bound + 2) == (1, None)


def test_a_link_that_closes_is_left_at_once_and_counts_again_only_when_the_component_is_heard():
    routes = open_routes()
    for link in (0, 1):
        routes.on_message(link, GIMBAL, 0)
    routes.choose(GIMBAL, 0)
    routes.lost(0)
    assert routes.choose(GIMBAL, 1) == (1, LinkSwitch(0, 1, SwitchReason.CLOSED))
    routes.opened(0)
    routes.lost(1)
    assert routes.choose(GIMBAL, 2) == (0, None)  # the only one open, heard or not
    routes.opened(1)
    routes.on_message(1, GIMBAL, 3)
    assert routes.choose(GIMBAL, 3) == (1, None)


def test_a_link_that_takes_nothing_is_left_after_a_third_of_a_second():
    routes = open_routes()
    for link in (0, 1):
        routes.on_message(link, GIMBAL, 0)
    routes.choose(GIMBAL, 0)
    routes.written(0, False, 0)
    assert routes.choose(GIMBAL, 400 * MS) == (0, None)  # one refusal is no clog, however long ago
    routes.written(0, True, 400 * MS)
    routes.written(0, False, 500 * MS)
    routes.written(0, False, 799 * MS)
    assert routes.choose(GIMBAL, 799 * MS) == (0, None)
    routes.written(0, False, 800 * MS)
    assert routes.choose(GIMBAL, 800 * MS) == (1, LinkSwitch(0, 1, SwitchReason.CLOGGED))
    routes.written(0, True, 900 * MS)
    assert not routes.is_clogged(0)


def test_the_preferred_link_is_used_again_when_it_has_been_well_for_three_seconds():
    routes = open_routes()
    for link in (0, 1):
        routes.on_message(link, GIMBAL, 0)
    routes.choose(GIMBAL, 0)
    chosen = {}
    for at in range(100, 12_000, 100):
        now_ns = at * MS
        routes.on_message(1, GIMBAL, now_ns)
        if at >= 2000 and not 4000 < at < 6000:  # a loose plug: silent, well for 2 s, silent for 2 s, well
            routes.on_message(0, GIMBAL, now_ns)
        chosen[at] = routes.choose(GIMBAL, now_ns)
    switches = {at: switch for at, (_, switch) in chosen.items() if switch is not None}
    assert switches == {1600: LinkSwitch(0, 1, SwitchReason.SILENT), 9000: LinkSwitch(1, 0, SwitchReason.BACK)}


def test_nobody_hears_the_gimbal_so_the_link_in_use_is_kept():
    routes = open_routes()
    routes.on_message(1, GIMBAL, 0)
    routes.choose(GIMBAL, 0)
    assert routes.choose(GIMBAL, 100 * SECOND) == (1, None)


def test_stops_know_every_link_that_ever_carried_the_gimbal():
    routes = open_routes()
    assert routes.carried[GIMBAL] == set()
    routes.on_message(1, GIMBAL, 0)
    routes.carried[GIMBAL].add(0)
    routes.on_message(0, BOARD, 0)
    routes.lost(0)
    routes.lost(1)
    assert routes.carried[GIMBAL] == {0, 1}
    assert routes.carried[BOARD] == {0}


@pytest.mark.parametrize('seed', range(20))
def test_whatever_happens_the_choice_is_open_and_never_stale_while_another_is_fresh(seed):
    chance = random.Random(seed)
    routes = LinkRoutes(2)
    is_open, refused, heard = [False, False], [None, None], [None, None]
    now_ns = 0
    for _ in range(3000):
        now_ns += chance.randrange(400) * MS
        link = chance.randrange(2)
        event = chance.choice(['open', 'lose', 'hear', 'hear', 'hear', 'take', 'refuse'])
        if event == 'open':
            routes.opened(link)
            is_open[link], refused[link] = True, None
        elif event == 'lose':
            routes.lost(link)
            is_open[link], refused[link], heard[link] = False, None, None
        elif event == 'hear':
            routes.on_message(link, GIMBAL, now_ns)
            if is_open[link]:
                heard[link] = now_ns
        elif is_open[link]:
            routes.written(link, event == 'take', now_ns)
            refused[link] = None if event == 'take' else [*(refused[link] or [now_ns])[:1], now_ns]
        good = [
            is_open[each]
            and heard[each] is not None
            and now_ns - heard[each] <= 1500 * MS
            and (refused[each] is None or refused[each][-1] - refused[each][0] < 300 * MS)
            for each in range(2)
        ]
        chosen, switch = routes.choose(GIMBAL, now_ns)
        assert (chosen is None) == (not any(is_open))
        assert chosen is None or is_open[chosen]
        assert not any(good) or good[chosen]
        assert switch is None or switch.new == chosen != switch.old
