# SPDX-License-Identifier: Apache-2.0
"""The mode: asked for until it is reported, asked for again when it is lost, and never by a disarmed driver."""

from __future__ import annotations

import itertools
import math

import pytest

from gremsy_gimbal_driver.goals.goal import GoalState
from gremsy_gimbal_driver.motion.command_arbiter import Source
from gremsy_gimbal_driver.motion.mode_machine import ModeMachine, ModeState
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_driver.motion.notices import Notices
from gremsy_gimbal_sim.plant.plant import GREMSY, IDEAL
from src.gremsy_gimbal_driver.test.motion_bench import ZERO, Bench, Gimbal, PlantBench

OFF, LOCK, FOLLOW, HOME, MAPPING = GimbalMode
BESIDE_HOME = [OFF, LOCK, FOLLOW, MAPPING]


def ask(bench: Bench, mode: GimbalMode, source: Source = Source.OPERATOR):
    return bench.motion.set_mode(source, mode, bench.now)


def asked(bench: Bench) -> list[float]:
    return [ms for ms, output in bench.outputs if output.assert_mode]


@pytest.mark.parametrize('mode', BESIDE_HOME)
def test_arming_asserts_the_mode_every_200_ms_until_the_gimbal_reports_it(mode):
    bench = Bench(mode=mode)
    bench.reported = MAPPING if mode is not MAPPING else OFF
    bench.armed()
    bench.run(700)
    assert asked(bench) == [0, 200, 400, 600]
    assert {(output.mode, output.rates_rad_s) for _, output in bench.outputs} == {(mode, ZERO)}
    assert bench.motion.modes.status.state is ModeState.PENDING
    bench.reported = mode
    bench.run(2000)
    assert asked(bench) == [0, 200, 400, 600]
    status = bench.motion.modes.status
    assert (status.wanted, status.reported, status.state, status.reason) == (mode, mode, ModeState.CONFIRMED, '')


def test_a_mode_that_is_reported_already_is_not_written():
    bench = Bench().armed()
    bench.run(3000)
    assert bench.outputs == []
    assert bench.motion.modes.status.state is ModeState.CONFIRMED


def test_a_flowing_command_carries_the_mode_and_its_assertion():
    bench = Bench(mode=LOCK).armed()
    while bench.now_ms < 500:
        if bench.now_ms % 20 == 0:
            bench.offer(0.2)
        bench.run(bench.now_ms)
    assert {output.mode for _, output in bench.outputs} == {LOCK}
    assert {output.rates_rad_s for _, output in bench.outputs} == {(0.2, 0.0)}
    assert asked(bench) == [0, 200, 400]


def test_after_5_s_it_is_said_why_and_asked_on_slowly():
    bench = Bench(mode=LOCK).armed()
    bench.run(12_000)
    times = asked(bench)
    assert [ms for ms in times if ms < 5000] == list(range(0, 5000, 200))
    late = [ms for ms in times if ms >= 5200]
    assert {after - before for before, after in itertools.pairwise(late)} == {2000}
    assert bench.said == [
        'The gimbal is in mode follow and does not take the mode lock, requested for 5 s: check that it is '
        'controlled by MAVLink (RC_MODE 1, on MB1 payloads GB_FW_FLAG 1); requests go on, less often.'
    ]
    status = bench.motion.modes.status
    assert (status.state, status.reason) == (ModeState.UNCONFIRMED, 'the gimbal stays in follow')
    bench.reported = LOCK
    bench.run(12_100)
    assert bench.motion.modes.status.state is ModeState.CONFIRMED


def test_a_mode_that_the_gimbal_leaves_by_itself_is_asserted_again():
    bench = Bench().armed()
    bench.run(2000)
    bench.reported = OFF
    bench.run(2300)
    assert asked(bench) == [2020, 2220]
    assert {output.mode for _, output in bench.outputs} == {FOLLOW}


@pytest.mark.parametrize('reported', [*BESIDE_HOME, HOME, None])
def test_a_disarmed_driver_asserts_nothing_and_its_zeros_change_no_mode(reported):
    bench = Bench(mode=LOCK)
    bench.reported = reported
    bench.run(1000)
    assert bench.outputs == []
    bench.motion.stop()
    bench.run(2000)
    assert len(bench.outputs) == 5
    keeps = LOCK if reported in (None, HOME) else reported
    assert {(output.mode, output.assert_mode, output.rates_rad_s) for _, output in bench.outputs} == {
        (keeps, False, ZERO)
    }


def test_disarming_in_the_middle_of_a_change_ends_it():
    bench = Bench(mode=LOCK).armed()
    bench.run(300)
    bench.motion.arm(False, bench.now)
    before = len(bench.outputs)
    bench.run(8000)
    assert {output.mode for _, output in bench.outputs[before:]} == {FOLLOW}
    assert len(bench.outputs) == before + 5
    assert bench.motion.modes.status.reason == 'a mode is asserted while the gimbal is armed and its attitude comes'


def test_a_change_of_mode_needs_the_arm_and_telemetry():
    bench = Bench()
    assert ask(bench, LOCK).text == 'Not changing to mode lock: disarmed; call `arm` first.'
    bench.armed()
    bench.attitude_alive = False
    bench.run(1100)
    assert ask(bench, LOCK).text == (
        'Not changing to mode lock: no attitude comes from the gimbal; check its link and power.'
    )
    assert bench.outputs == []


def test_without_telemetry_no_mode_is_asserted():
    bench = Bench(mode=LOCK).armed()
    bench.attitude_alive = False
    bench.run(4000)
    assert max(asked(bench)) < 1000


def test_a_lower_source_may_not_change_the_mode_of_a_higher_one():
    bench = Bench().armed()
    bench.offer(0.2, source=Source.OPERATOR)
    assert ask(bench, LOCK, Source.TRACKER).text == (
        'The mode lock from the tracker was refused: the operator holds control.'
    )
    assert bench.motion.modes.status.wanted is FOLLOW


def test_in_mode_off_nothing_may_move():
    bench = PlantBench(Gimbal(IDEAL))
    bench.run(0)
    bench.armed()
    assert ask(bench, OFF).done
    bench.run(500)
    assert bench.motion.modes.status.state is ModeState.CONFIRMED
    assert not bench.offer(0.2)
    assert bench.go_to(0.2, 0.0).text == (
        'An angle goal from the operator was refused: the mode is off, the motors with it; change the mode first.'
    )
    bench.run(700)
    assert {output.rates_rad_s for _, output in bench.outputs} == {ZERO}
    assert ask(bench, FOLLOW).done
    bench.run(1000)
    assert bench.offer(0.2)


# The frames of lock and follow.


def test_from_follow_to_lock_no_yaw_of_the_other_frame_is_ever_commanded():
    """The 202 degree incident: the vehicle heads 202 degrees away from where it was switched on (gimbal.md 1.9)."""
    bench = Bench().armed()
    bench.go_to(math.radians(3.0), 0.0, hold_s=10.0)
    bench.run(1000)
    assert ask(bench, LOCK).done
    assert bench.goal.state is GoalState.CANCELLED
    assert bench.goal.reason == 'The goal was cancelled by a change to mode lock.'
    # Still of the old frame: any goal would be worked out against the wrong yaw.
    answer = bench.go_to(math.radians(3.0), 0.0)
    assert answer.text == (
        'An angle goal from the operator was refused: the gimbal is in mode follow and not yet in mode lock; '
        'ask again when it is.'
    )
    bench.run(1100)
    bench.reported, bench.angles = LOCK, (math.radians(-202.0), 0.0)
    bench.run(2000)
    assert 'attitude_jump' not in bench.motion.counts  # it was to be expected
    assert bench.go_to(math.radians(3.0), 0.0).text.startswith(
        'An angle goal from the operator was refused: its azimuth is 3.58 rad (205 degrees) from where the camera looks'
    )
    after = [output for ms, output in bench.outputs if ms > 1000]
    assert {output.rates_rad_s for output in after} == {ZERO}


def test_a_goal_ends_when_somebody_else_changes_the_mode():
    bench = Bench().armed()
    bench.go_to(0.5, 0.0)
    bench.run(100)
    bench.reported = LOCK
    bench.run(140)
    assert bench.goal.reason == 'The goal was cancelled by the gimbal, which went to mode lock.'
    assert bench.written[-1][1] == ZERO


# Home, the gimbal's own.


@pytest.mark.parametrize('pulses', [1, 3])
def test_home_is_pulsed_until_it_is_reported_and_then_the_mode_before_it_is_back(pulses):
    bench = PlantBench(Gimbal(GREMSY, (0.5, 0.2), pulses=pulses), mode=LOCK)
    bench.run(0)
    bench.armed()
    bench.run(1000)
    assert bench.motion.modes.status.state is ModeState.CONFIRMED
    assert ask(bench, HOME).text == 'Changing to mode home.'
    begun_ms = bench.now_ms
    bench.run_until(lambda: bench.reported is HOME)
    modes = [output.mode for ms, output in bench.outputs if ms >= begun_ms]
    edges = [after for before, after in zip([LOCK, *modes], modes, strict=False) if after is not before]
    assert edges == [HOME, LOCK] * pulses
    assert bench.motion.modes.status.reason == 'the gimbal is on its way home'
    assert bench.motion.control.holder == 'operator'
    bench.run(bench.now_ms + 40)
    quiet_ms = bench.now_ms
    bench.run_until(lambda: bench.reported is LOCK)
    # One message without HOME at most ends the pulse; more would disturb a gimbal on its way.
    assert [ms for ms, _ in bench.outputs if ms > quiet_ms] == []
    bench.run(bench.now_ms + 1000)
    assert bench.motion.modes.status.state is ModeState.CONFIRMED
    assert bench.angles == pytest.approx(ZERO, abs=math.radians(1.0))


def test_a_pulse_is_100_ms_set_and_100_ms_clear():
    bench = Bench().armed()
    ask(bench, HOME)
    bench.run(399)
    assert [(ms, output.mode) for ms, output in bench.outputs] == [
        (0, HOME), (50, HOME), (100, FOLLOW), (150, FOLLOW), (200, HOME), (250, HOME), (300, FOLLOW), (350, FOLLOW)
    ]  # fmt: skip
    assert asked(bench) == [0, 200]  # v1's reset is one command a pulse


def test_home_that_is_never_reported_is_given_up_after_5_s():
    bench = Bench().armed()
    ask(bench, HOME)
    bench.run(6000)
    assert max(ms for ms, output in bench.outputs if output.mode is HOME) < 5000
    assert bench.said == [
        'The gimbal did not report the mode home within 5 s: call `home`, which turns it there by commands.'
    ]
    assert bench.motion.modes.status.state is ModeState.CONFIRMED  # in the mode before it


def test_a_stop_during_home_nudges_and_writes_zeros_without_home():
    bench = Bench().armed()
    ask(bench, HOME)
    bench.run(20)
    bench.motion.stop()
    before = len(bench.outputs)
    bench.run(1000)
    after = [output for _, output in bench.outputs[before:]]
    assert {output.mode for output in after} == {FOLLOW}
    # A gimbal on its way home goes on under zeros; a rate that is over after 20 ms breaks it off.
    nudge = (math.radians(3.0), 0.0)
    assert [output.rates_rad_s for output in after] == [nudge, ZERO, nudge, ZERO, ZERO]


@pytest.mark.parametrize('end', [lambda motion, _: motion.stop(), lambda motion, now: motion.arm(False, now)])
def test_a_stop_ends_a_home_that_the_gimbal_drives_by_itself(end):
    bench = PlantBench(Gimbal(GREMSY, (1.5, 0.5)))
    bench.run(0)
    bench.armed()
    ask(bench, HOME)
    bench.run_until(lambda: bench.angles[0] < 1.2)
    end(bench.motion, bench.now)
    bench.run(bench.now_ms + 600)
    stopped = bench.angles
    assert stopped[0] > 0.5
    bench.run(bench.now_ms + 3000)
    assert bench.angles == pytest.approx(stopped, abs=0.002)
    assert bench.written[-1][1] == ZERO


def test_during_home_a_lower_source_waits_and_an_equal_one_takes_over():
    bench = Bench().armed()
    ask(bench, HOME)
    bench.offer(0.2)
    bench.run(150)
    assert {rates for _, rates in bench.written} == {ZERO}
    assert bench.go_to(0.1, 0.0, source=Source.TRACKER).text == (
        'A command from the tracker was refused: the operator has sent the gimbal home.'
    )
    bench.offer(0.1, source=Source.OPERATOR)
    bench.run(300)
    assert next((output.mode, output.rates_rad_s) for ms, output in bench.outputs if ms > 160) == (FOLLOW, (0.1, 0.0))


# A gimbal that does not report its mode (v1).


def test_without_read_back_the_mode_is_asserted_until_it_is_acknowledged():
    bench = Bench(mode=LOCK)
    bench.reported = None
    bench.armed()
    bench.run(1300)
    assert asked(bench) == [1000, 1200]  # 285 might still have come
    bench.motion.modes.acknowledged(True)
    bench.run(5000)
    assert asked(bench) == [1000, 1200]
    status = bench.motion.modes.status
    assert (status.state, status.reason) == (
        ModeState.CONFIRMED,
        'acknowledged; this gimbal does not report its mode',
    )
    ask(bench, FOLLOW)
    assert not bench.go_to(0.1, 0.0).done  # its angles may be of either frame for a second
    bench.run(5200)
    assert asked(bench)[2:] == [5001, 5201][: len(asked(bench)) - 2]
    bench.motion.modes.acknowledged(True)
    bench.run(6200)
    assert bench.go_to(0.1, 0.0).done


def test_without_read_back_or_answer_the_mode_is_asserted_slowly_for_ever_and_nothing_is_said():
    bench = Bench(mode=LOCK)
    bench.reported = None
    bench.armed()
    bench.run(12_000)
    late = [ms for ms in asked(bench) if ms > 5500]
    assert {after - before for before, after in itertools.pairwise(late)} == {2000}
    assert bench.said == []
    assert bench.motion.modes.status.reason == 'this gimbal does not report its mode'


def test_a_mode_that_v1_refuses_is_said():
    bench = Bench(mode=LOCK)
    bench.reported = None
    bench.armed()
    bench.run(1100)
    bench.motion.modes.acknowledged(False)
    bench.run(6000)
    assert bench.said == [
        'The gimbal refuses the mode lock, requested for 5 s: check that it is controlled by MAVLink (RC_MODE 1, '
        'on MB1 payloads GB_FW_FLAG 1); requests go on, less often.'
    ]
    assert bench.motion.modes.status.reason == 'the gimbal refused it'


def test_without_read_back_home_is_three_pulses():
    bench = Bench()
    bench.reported = None
    bench.armed()
    bench.run(1100)
    bench.motion.modes.acknowledged(True)
    bench.run(1400)
    ask(bench, HOME)
    begun = len(bench.outputs)
    bench.run(4000)
    modes = [output.mode for _, output in bench.outputs[begun:]]
    assert [after for before, after in zip([FOLLOW, *modes], modes, strict=False) if after is not before] == (
        [HOME, FOLLOW] * 3
    )


def test_home_is_no_mode_to_begin_in():
    with pytest.raises(
        ValueError, match=r'^HOME is a pulse, not a mode to start in: use lock, follow, mapping or off\.$'
    ):
        ModeMachine(HOME, Notices(print))


def test_the_wake_time_is_never_later_than_an_assertion():
    bench = Bench(mode=LOCK).armed()
    times = []
    while bench.now_ms < 900:
        bench.motion.attitude(ZERO, bench.now)
        output, wake_ns = bench.motion.step(bench.now)
        if output is not None:
            times.append(bench.now_ms)
        assert wake_ns is not None
        bench.now_ms = wake_ns / 1e6 if wake_ns / 1e6 > bench.now_ms else bench.now_ms + 1
    assert times == [0, 200, 400, 600, 800]


def test_two_messages_are_never_closer_than_5_ms_where_one_only_asserts_the_mode():
    bench = Bench(mode=LOCK).armed()
    bench.run(204)
    bench.offer(0.05)
    bench.run(230)
    assert [ms for ms, _ in bench.outputs] == [0, 200, 205, 220], (
        'a new command half a step behind, the ramp on the grid'
    )
