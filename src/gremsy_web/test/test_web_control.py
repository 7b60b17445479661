# SPDX-License-Identifier: Apache-2.0
"""One holder of the controls, and motion that ends by itself: the clock is the test's own."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gremsy_web.control.control_desk import ControlDesk, HeldMotion
from gremsy_web.control.control_lease import ControlLease
from gremsy_web.http.api_errors import LeaseRefused
from src.gremsy_web.test.web_stand_ins import RememberingRobot


def test_only_one_holds_the_controls_until_another_says_that_it_takes_over():
    lease = ControlLease(10.0)
    first = lease.take('Ann', 'socket 1', take_over=False, now_s=0.0)
    with pytest.raises(LeaseRefused) as caught:
        lease.take('Ben', 'socket 2', take_over=False, now_s=1.0)
    assert str(caught.value) == 'Ann holds the controls: ask for them, or send `take_over`: true.'
    second = lease.take('Ben', 'socket 2', take_over=True, now_s=1.0)
    with pytest.raises(LeaseRefused) as caught:
        lease.use(first.lease, 1.0)
    assert str(caught.value) == 'Ben holds the controls, not this lease: take them over first.'
    assert lease.use(second.lease, 1.0).holder == 'Ben'
    assert lease.taken_over == 1


def test_who_holds_them_keeps_the_lease_by_taking_again():
    lease = ControlLease(10.0)
    first = lease.take('Ann', 'socket 1', take_over=False, now_s=0.0)
    assert lease.take('Ann', 'socket 1', take_over=True, now_s=1.0).lease == first.lease
    assert lease.taken_over == 0


def test_a_lease_lives_with_its_socket_and_one_without_by_its_use():
    lease = ControlLease(10.0)
    held = lease.take('Ann', 'socket 1', take_over=False, now_s=0.0)
    assert lease.use(held.lease, 1e6).holder == 'Ann'
    assert not lease.drop('socket 2')
    assert lease.drop('socket 1')
    assert lease.held(1e6) is None
    held = lease.take('a script', '', take_over=False, now_s=0.0)
    lease.use(held.lease, 9.0)
    assert lease.use(held.lease, 18.9).holder == 'a script'
    with pytest.raises(LeaseRefused) as caught:
        lease.use(held.lease, 28.9)
    assert str(caught.value) == 'Nobody holds the controls: take them first (POST /api/control/take).'
    assert not lease.drop('')


def test_motion_goes_on_for_its_time_to_live_and_ends_with_three_zeros():
    motion = HeldMotion()
    assert motion.step(0.0) is None
    motion.ask(0.5, -0.1, 0.2, 0.0)
    assert [motion.step(now) for now in (0.02, 0.19, 0.2, 0.22, 0.24, 0.26)] == [
        (0.5, -0.1),
        (0.5, -0.1),
        (0.0, 0.0),
        (0.0, 0.0),
        (0.0, 0.0),
        None,
    ]
    assert (motion.expired, motion.moving) == (1, False)


@given(st.lists(st.tuples(st.sampled_from(['ask', 'end', 'step']), st.floats(0.001, 0.5)), max_size=40))
def test_whatever_is_asked_nothing_moves_a_time_to_live_later(acts):
    motion, now = HeldMotion(), 0.0
    for act, passed_s in acts:
        now += passed_s
        if act == 'ask':
            motion.ask(1.0, 1.0, 0.2, now)
        elif act == 'end':
            motion.end()
        else:
            motion.step(now)
    assert motion.step(now + 0.2) in (None, (0.0, 0.0))
    for _ in range(4):
        motion.step(now + 0.3)
    assert not motion.moving


def test_when_the_holder_goes_the_zeros_are_sent_at_once():
    async def play():
        robot = RememberingRobot()
        desk = ControlDesk(ControlLease(10.0), robot)
        held = desk.take('Ann', 'socket 1')
        desk.rate(held.lease, 0.4, 0.0, 1.0)
        assert robot.asked == [('rate', 0.4, 0.0)]
        desk.drop('socket 1')
        assert robot.asked[-1] == ('rate', 0.0, 0.0)
        assert desk.hold is None
        with pytest.raises(LeaseRefused):
            desk.rate(held.lease, 0.4, 0.0, 1.0)

    asyncio.run(play())


def test_a_vanished_client_stops_moving_within_its_time_to_live():
    async def play():
        robot = RememberingRobot()
        desk = ControlDesk(ControlLease(10.0), robot)
        running = asyncio.create_task(desk.run())
        desk.rate(desk.take('Ann').lease, 0.4, 0.0, 0.1)
        while desk.motion.moving:
            await asyncio.sleep(0.01)
        running.cancel()
        assert robot.asked[0] == ('rate', 0.4, 0.0)
        assert robot.asked[-3:] == [('rate', 0.0, 0.0)] * 3
        assert desk.motion.expired == 1

    asyncio.run(asyncio.wait_for(play(), 10.0))


def test_a_take_over_ends_what_the_one_before_had_in_motion():
    robot = RememberingRobot()

    async def play():
        desk = ControlDesk(ControlLease(10.0), robot)
        desk.rate(desk.take('Ann', 'socket 1').lease, 0.4, 0.0, 1.0)
        desk.take('Ben', 'socket 2', take_over=True)

    asyncio.run(play())
    assert robot.asked == [('rate', 0.4, 0.0), ('rate', 0.0, 0.0)]
