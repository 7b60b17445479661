# SPDX-License-Identifier: Apache-2.0
"""Attitudes that no gimbal can have reached: one is left out, many stop motion, and a new frame is no fault."""

from __future__ import annotations

import math

import pytest

from gremsy_gimbal_driver.goals.goal import GoalState
from src.gremsy_gimbal_driver.test.motion_bench import ZERO, Bench

JUMPS = (
    'The attitude jumps further than any gimbal turns: motion is stopped until it is steady; '
    'check that only one gimbal talks on this link.'
)


def follow(bench: Bench, until_ms: float) -> None:
    """Stream a tracker's rate at 50 Hz."""
    while bench.now_ms < until_ms:
        if bench.now_ms % 20 == 0:
            bench.offer(0.2)
        bench.run(bench.now_ms)


def test_a_single_jump_is_left_out_and_counted():
    bench = Bench().armed()
    follow(bench, 101)
    bench.motion.attitude((2.0, 0.0), bench.now)
    follow(bench, 400)
    assert bench.zeros_after(0) == []
    assert bench.said == []
    assert bench.motion.counts['attitude_jump'] == 1


@pytest.mark.parametrize(('turn_deg', 'left_out'), [(22.9, 0), (23.1, 1)])
def test_360_deg_s_and_5_degrees_are_believed_and_no_more(turn_deg, left_out):
    bench = Bench()
    bench.telemetry()
    bench.now_ms = 50
    bench.motion.attitude((0.0, math.radians(turn_deg)), bench.now)
    assert bench.motion.counts.get('attitude_jump', 0) == left_out


@pytest.mark.parametrize(('every', 'stops'), [(2, True), (4, False)])
def test_jumps_that_go_on_stop_motion_and_end_a_goal_and_few_do_not(every, stops):
    """As where two gimbals talk on one link: every second attitude is the other's; or every fourth is garbage."""
    bench = Bench().armed()
    bench.attitude_alive = False
    bench.go_to(0.5, 0.0)
    for number in range(50):
        bench.angles = (2.0, 0.0) if number % every == every - 1 else ZERO
        bench.telemetry()
        bench.run(bench.now_ms + 19)
    assert (bench.goal.state is GoalState.CANCELLED) == stops
    if stops:
        assert bench.goal.reason == 'The goal was cancelled by jumps of the attitude.'
        assert bench.said == [JUMPS]
        assert bench.written[-1][1] == ZERO
    assert bench.motion.counts['attitude_jump'] >= 50 // every


def test_a_camera_that_really_looks_elsewhere_is_believed_but_nothing_moves_until_it_is_calm():
    bench = Bench().armed()
    follow(bench, 101)
    bench.angles = (2.0, 0.0)
    follow(bench, 1500)
    stopped = bench.zeros_after(0)
    assert stopped[0] == 200  # the fifth of them
    moving_again = [ms for ms, rates in bench.written if ms > stopped[0] and rates != ZERO]
    assert moving_again[0] == pytest.approx(700, abs=25)
    assert bench.said == [JUMPS]
    assert bench.motion.counts['attitude_jump'] == 5


def test_after_a_gap_and_after_a_restart_any_attitude_is_believed():
    bench = Bench().armed()
    bench.run(40)
    bench.motion.device_restarted()
    bench.angles = (2.5, 0.0)
    bench.run(100)
    assert bench.motion.counts.get('attitude_jump', 0) == 0


def test_an_attitude_that_is_no_number_is_not_believed():
    bench = Bench()
    bench.motion.attitude((math.nan, 0.0), bench.now)
    assert not bench.motion.arm(True, bench.now).done
    assert bench.motion.counts['attitude_not_finite'] == 1
