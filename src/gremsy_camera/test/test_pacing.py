# SPDX-License-Identifier: Apache-2.0
from gremsy_camera.footage.pacing import Pacer

PERIOD_NS = 100_000_000


def test_ticks_keep_to_the_schedule_whatever_the_work_between_takes(clock):
    pacer = Pacer(10.0, clock)
    times = []
    for work_s in (0.0, 0.03, 0.09, 0.001, 0.05):
        times.append(pacer.wait(1.0).monotonic_ns)
        clock.sleep_s(work_s)
    assert times == [0, PERIOD_NS, 2 * PERIOD_NS, 3 * PERIOD_NS, 4 * PERIOD_NS]
    assert pacer.missed == 0


def test_a_tick_a_little_late_is_given_at_once_and_the_next_is_back_on_schedule(clock):
    pacer = Pacer(10.0, clock)
    pacer.wait(1.0)
    clock.sleep_s(0.13)
    assert pacer.wait(1.0).monotonic_ns == 130_000_000
    assert pacer.wait(1.0).monotonic_ns == 2 * PERIOD_NS
    assert pacer.missed == 0


def test_ticks_missed_by_whole_periods_are_counted_and_never_made_up_for(clock):
    pacer = Pacer(10.0, clock)
    pacer.wait(1.0)
    clock.sleep_s(0.55)
    assert pacer.wait(1.0).monotonic_ns == 550_000_000
    assert pacer.missed == 4
    assert pacer.wait(1.0).monotonic_ns == 600_000_000


def test_a_tick_further_away_than_the_timeout_is_none_and_comes_later(clock):
    pacer = Pacer(1.0, clock)
    pacer.wait(0.0)
    assert pacer.wait(0.4) is None
    assert clock.monotonic_ns() == 400_000_000
    assert pacer.wait(0.7).monotonic_ns == 1_000_000_000


def test_a_tick_is_stamped_with_the_ros_clock(clock):
    assert Pacer(10.0, clock).wait(0.0).stamp_ns == clock.ros_ns()
