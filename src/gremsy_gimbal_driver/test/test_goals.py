# SPDX-License-Identifier: Apache-2.0
"""Goals against a gimbal in invented time: they are reached on either path, and every other end says the truth."""

from __future__ import annotations

import itertools
import math

import pytest

from gremsy_gimbal_driver.goals.goal import GoalPath, GoalState
from gremsy_gimbal_driver.motion.command_arbiter import Source
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_sim.plant.plant import GREMSY, IDEAL
from src.gremsy_gimbal_driver.test.motion_bench import ZERO, Bench, Gimbal, PlantBench

DEG = math.radians(1.0)


def bench_with(gimbal: Gimbal, **parameters: object) -> PlantBench:
    bench = PlantBench(gimbal, **parameters)
    bench.run(0)
    bench.armed()
    return bench


def speeds(bench: PlantBench) -> list[float]:
    """Measured rates, rad/s, both axes."""
    pairs = zip(bench.track, bench.track[1:], strict=False)
    return [
        abs(after[axis] - before[axis]) / ((at - then) * 1e-3)
        for (then, before), (at, after) in pairs
        for axis in (0, 1)
        if at > then
    ]


@pytest.mark.parametrize('parameters', [IDEAL, GREMSY], ids=['ideal', 'gremsy'])
@pytest.mark.parametrize('path', ['auto', 'angle', 'rate'])
def test_a_goal_is_reached_on_every_path_within_the_rate_limit(path, parameters):
    dead_zone_rad_s = parameters.dead_zone_rad_s
    bench = bench_with(Gimbal(parameters), angle_path=path, dead_zone_rad_s=dead_zone_rad_s, max_rate_rad_s=0.5)
    answer = bench.go_to(0.9, -0.4)
    assert (answer.done, answer.text) == (True, 'Moving.')
    end = bench.until_the_goal_ends()
    assert (end.state, end.number, end.source) == (GoalState.REACHED, answer.number, 'operator')
    assert end.reason == 'The gimbal looks at the goal.'
    assert end.path is (GoalPath.RATE if path == 'rate' else GoalPath.ANGLE)
    assert max(map(abs, end.remaining_rad)) <= bench.parameters.goal_tolerance_rad
    assert bench.angles == pytest.approx((0.9, -0.4), abs=bench.parameters.goal_tolerance_rad)
    assert max(speeds(bench)) <= 0.5 * 1.3  # the angle loop of the plant makes up for its lag
    assert bench.said == []
    bench.run(bench.now_ms + 200)
    assert [rates for _, rates in bench.written[-5:]] == [ZERO] * 5


def test_angles_are_written_at_25_hz_and_slower_while_a_reached_goal_is_held():
    bench = bench_with(Gimbal(IDEAL))
    bench.go_to(0.5, 0.0, hold_s=4.0)
    bench.run_until(lambda: bench.goal.state is GoalState.REACHED)
    assert not bench.goal.ended
    reached_ms = bench.now_ms
    times = [ms for ms, output in bench.outputs if output.angles_rad is not None]
    assert {after - before for before, after in itertools.pairwise(times)} == {40}
    end = bench.until_the_goal_ends()
    assert end.state is GoalState.REACHED
    assert bench.now_ms - reached_ms == pytest.approx(4000, abs=50)
    held = [ms for ms, output in bench.outputs if output.angles_rad is not None and ms > reached_ms + 40]
    assert 7 <= len(held) <= 8  # every 0.5 s
    assert {output.rests_on_ns for _, output in bench.outputs} == {None}


def test_an_axis_that_is_not_named_stays_where_it_is():
    bench = bench_with(Gimbal(IDEAL, (0.3, 0.2)))
    bench.go_to(None, 0.6)
    end = bench.until_the_goal_ends()
    assert end.state is GoalState.REACHED
    assert end.remaining_rad[0] == 0.0
    assert max(abs(angles[0] - 0.3) for _, angles in bench.track) < 1e-3


def test_firmware_that_ignores_angles_is_driven_by_rates_for_good_and_it_is_said_once():
    gimbal = Gimbal(IDEAL, ignores_angles=True)
    bench = bench_with(gimbal)
    for azimuth in (0.5, -0.5):
        bench.go_to(azimuth, 0.0)
        end = bench.until_the_goal_ends()
        assert (end.state, end.path) == (GoalState.REACHED, GoalPath.RATE)
        bench.run(bench.now_ms + 500)
    assert bench.said == [
        'The gimbal does not follow angle commands, as some do after on-board tracking: goals are driven by rates '
        'until it restarts; switch it off and on to cure it.'
    ]
    assert bench.motion.counts['angles_ignored'] == 1
    angles = [ms for ms, output in bench.outputs if output.angles_rad is not None]
    assert max(angles) < 2000  # none for the second goal
    gimbal.ignores_angles = False
    bench.motion.device_restarted()
    bench.run(bench.now_ms + 40)
    bench.go_to(0.5, 0.0)
    assert bench.until_the_goal_ends().path is GoalPath.ANGLE


def test_an_axis_that_is_blocked_does_not_lose_the_angle_path():
    bench = bench_with(Gimbal(IDEAL, stuck=(True, False)))
    bench.go_to(0.5, 0.3)
    end = bench.until_the_goal_ends()
    assert (end.state, end.path) == (GoalState.STALLED, GoalPath.RATE)
    assert end.reason == (
        'The azimuth came no nearer to the goal for 1.5 s although it was commanded, and was stopped: check that '
        'nothing blocks it and that its rate sign is right.'
    )
    assert end.remaining_rad == pytest.approx((0.5, 0.0), abs=DEG)
    assert bench.said == [end.reason]
    bench.go_to(0.0, 0.0)
    assert bench.until_the_goal_ends().path is GoalPath.ANGLE


@pytest.mark.parametrize('path', ['angle', 'rate'])
def test_a_stall_is_stated_after_its_time_on_either_path(path):
    bench = bench_with(Gimbal(IDEAL, stuck=(False, True)), angle_path=path)
    bench.go_to(0.0, 0.5)
    begun_ms = bench.now_ms
    assert bench.until_the_goal_ends().state is GoalState.STALLED
    assert 1500 <= bench.now_ms - begun_ms < 1800
    bench.run(bench.now_ms + 10)
    assert bench.written[-1][1] == ZERO


def test_a_gimbal_that_needs_every_angle_twice_is_served_by_the_angle_path():
    bench = bench_with(Gimbal(IDEAL, deaf_to_angles=1))
    bench.go_to(0.5, 0.0)
    end = bench.until_the_goal_ends()
    assert (end.state, end.path) == (GoalState.REACHED, GoalPath.ANGLE)


@pytest.mark.parametrize(
    ('limits', 'bound'),
    [
        ((-0.7854, 1.5708), '0.6 rad, set by RC_LIM'),
        ((-0.7854, 0.5), '0.5 rad, set by the soft limits'),
    ],
)
def test_a_goal_behind_a_limit_ends_there_and_says_whose_it_is(limits, bound):
    bench = bench_with(Gimbal(IDEAL), tilt_min_rad=limits[0], tilt_max_rad=limits[1])
    bench.motion.device_limits('device information', (-5.0, 5.0), (-2.0, 2.0))
    bench.motion.device_limits('RC_LIM', None, (-1.0, 0.6))
    bench.go_to(0.2, 1.2)
    end = bench.until_the_goal_ends()
    assert end.state is GoalState.BLOCKED
    assert end.reason == f'The gimbal stopped short of the goal: the tilt limit of {bound}, lies between.'
    assert end.remaining_rad[1] == pytest.approx(1.2 - min(limits[1], 0.6), abs=DEG)
    assert max(angles[1] for _, angles in bench.track) <= min(limits[1], 0.6) + 1e-9
    assert bench.said == [end.reason]


def test_a_limit_that_only_the_device_knows_blocks_and_does_not_stall():
    bench = bench_with(Gimbal(IDEAL, stuck=(False, True)), angle_path='angle')
    bench.motion.goals.at_device_limit = (False, True)
    bench.go_to(0.0, 0.5)
    end = bench.until_the_goal_ends()
    assert end.state is GoalState.BLOCKED
    assert end.reason == 'The gimbal reports that its tilt is at its own limit: the goal is not reached.'


def test_each_goal_has_its_own_time():
    bench = bench_with(Gimbal(IDEAL), max_rate_rad_s=0.05)
    bench.go_to(0.9, 0.0, timeout_s=2.0)
    end = bench.until_the_goal_ends()
    assert end.state is GoalState.TIMED_OUT
    assert end.reason == (
        'The gimbal did not reach the goal within 2 s and was stopped: give it more time or a higher `max_rate_rad_s`.'
    )
    assert bench.zeros_after(0)[0] == 2001  # asked at 1 ms


@pytest.mark.parametrize(
    ('end', 'reason'),
    [
        (lambda bench: bench.motion.stop(), 'stop'),
        (lambda bench: bench.motion.arm(False, bench.now), 'disarming'),
        (lambda bench: bench.offer(0.1, source=Source.OPERATOR), 'a newer command of the operator'),
        (lambda bench: bench.offer(0.1, source=Source.CALIBRATION), 'the calibration'),
        (lambda bench: bench.go_to(0.1, 0.0), 'a newer command of the operator'),
        (lambda bench: bench.offer(math.nan, source=Source.OPERATOR), 'a refused command of the operator'),
        (lambda bench: bench.go_to(math.inf, 0.0), 'a refused command of the operator'),
        (lambda bench: bench.motion.cancel_goal(bench.goal.number, 'its client'), 'its client'),
        (lambda bench: bench.motion.set_mode(Source.OPERATOR, GimbalMode.LOCK, bench.now), 'a change to mode lock'),
        (
            lambda bench: bench.motion.mode_reported(GimbalMode.LOCK, bench.now),
            'the gimbal, which went to mode lock',
        ),
        (lambda bench: bench.motion.device_restarted(), 'a restart of the gimbal'),
        (lambda bench: setattr(bench, 'attitude_alive', False), 'loss of the attitude'),
    ],
)
def test_a_goal_is_cancelled_and_it_is_known_by_whom(end, reason):
    bench = bench_with(Gimbal(GREMSY), max_rate_rad_s=0.2)
    number = bench.go_to(0.9, 0.0).number
    bench.run(500)
    end(bench)
    bench.run(1700)
    progress = bench.motion.goals.progress(number)
    assert progress is not None
    assert (progress.state, progress.ended) == (GoalState.CANCELLED, True)
    assert progress.reason == f'The goal was cancelled by {reason}.'


def test_the_tracker_does_not_end_an_operators_goal_and_takes_over_when_it_is_reached():
    bench = bench_with(Gimbal(IDEAL))
    bench.go_to(0.4, 0.0)
    holders = []
    while not bench.goal.ended:
        if bench.now_ms % 20 == 0:
            assert bench.offer(-0.2)
        bench.run(bench.now_ms)
        holders.append(bench.motion.control.holder)
    assert bench.goal.state is GoalState.REACHED
    assert set(holders[:-1]) == {'operator'}
    bench.offer(-0.2)
    bench.run(bench.now_ms + 20)
    assert bench.motion.control.holder == 'tracker'
    assert bench.written[-1][1] is not None
    assert bench.written[-1][1][0] < 0.0


def test_a_lower_source_may_not_set_a_goal_while_a_higher_one_holds():
    bench = bench_with(Gimbal(IDEAL))
    bench.go_to(0.9, 0.0)
    answer = bench.go_to(0.1, 0.0, source=Source.TRACKER)
    assert (answer.done, answer.text) == (
        False,
        'An angle goal from the tracker was refused: the operator holds control.',
    )
    assert bench.goal.state is GoalState.MOVING


def test_the_202_degree_jump_is_refused_with_its_numbers():
    """gimbal.md 1.9: +3 degrees with the yaw of the other frame turned a camera by 202 degrees."""
    bench = bench_with(Gimbal(IDEAL, (-1.7, 0.0)))
    answer = bench.go_to(-1.7 + math.radians(202.0), 0.0)
    assert not answer.done
    assert answer.text == (
        'An angle goal from the operator was refused: its azimuth is 3.53 rad (202 degrees) from where the camera '
        'looks, `max_jump_rad` is 3.1416 rad; check its frame, or go there in steps.'
    )
    bench.run(200)
    assert bench.outputs == []


@pytest.mark.parametrize(('jump_deg', 'taken'), [(29.9, True), (30.1, False)])
def test_the_jump_limit_holds_from_both_sides_and_on_the_tilt(jump_deg, taken):
    bench = bench_with(Gimbal(IDEAL), max_jump_rad=30.0 * DEG)
    assert bench.go_to(0.0, jump_deg * DEG).done == taken
    assert bench.go_to(-jump_deg * DEG, 0.0).done == taken


def test_a_bearing_is_reached_the_short_way_round_and_a_joint_angle_as_it_is_given():
    bench = bench_with(Gimbal(IDEAL, (3.0, 0.0)), azimuth_min_rad=-5.5, azimuth_max_rad=5.5, max_jump_rad=7.0)
    bench.go_to(-3.0, 0.0, any_turn=True)
    assert bench.until_the_goal_ends().state is GoalState.REACHED
    assert bench.angles[0] == pytest.approx(2.0 * math.pi - 3.0, abs=DEG)
    bench.go_to(-3.0, 0.0)
    assert bench.until_the_goal_ends().state is GoalState.REACHED
    assert bench.angles[0] == pytest.approx(-3.0, abs=DEG)


def test_a_stream_of_goals_moves_smoothly_within_rate_and_acceleration():
    bench = bench_with(Gimbal(IDEAL), max_rate_rad_s=0.5, max_acceleration_rad_s2=2.0)
    while bench.now_ms < 4000:
        if bench.now_ms % 20 == 0:
            bench.go_to(0.5 * math.sin(0.8 * bench.now_ms * 1e-3), 0.2)
        bench.run(bench.now_ms)
    commanded = [(ms, output.angles_rad) for ms, output in bench.outputs if output.angles_rad is not None]
    assert len(commanded) == len(bench.outputs)
    rates = [
        (after_ms, (after[0] - before[0]) / ((after_ms - before_ms) * 1e-3))
        for (before_ms, before), (after_ms, after) in itertools.pairwise(commanded)
    ]
    assert max(abs(rate) for _, rate in rates) <= 0.5 + 1e-9
    for (before_ms, before), (after_ms, after) in itertools.pairwise(rates):
        assert abs(after - before) <= 2.0 * (after_ms - before_ms) * 1e-3 + 1e-9
    late = [abs(angles[0] - 0.5 * math.sin(0.8 * ms * 1e-3)) for ms, angles in bench.track if ms > 2000]
    assert max(late) < 0.15


def test_a_gimbal_that_does_not_follow_is_never_given_an_angle_far_ahead():
    bench = bench_with(Gimbal(IDEAL, stuck=(True, True)), angle_path='angle', max_rate_rad_s=0.5)
    bench.go_to(2.5, 0.0)
    bench.until_the_goal_ends()
    # Half a second of the largest rate, the tolerance, and the braking distance.
    most = 0.5 * 0.5 + DEG + 0.5**2 / (2.0 * bench.parameters.max_acceleration_rad_s2) + 0.5 * 0.04
    assert max(output.angles_rad[0] for _, output in bench.outputs if output.angles_rad is not None) <= most


def test_from_a_rate_to_a_goal_the_profile_begins_as_fast_as_the_camera_was_told_to_turn():
    bench = bench_with(Gimbal(IDEAL), max_acceleration_rad_s2=1.0)
    while bench.now_ms < 1000:
        if bench.now_ms % 20 == 0:
            bench.offer(0.4, source=Source.OPERATOR)
        bench.run(bench.now_ms)
    bench.go_to(1.5, 0.0)
    bench.run(bench.now_ms + 200)
    angles = [output.angles_rad[0] for _, output in bench.outputs if output.angles_rad is not None]
    assert (angles[1] - angles[0]) / 0.04 == pytest.approx(0.46, abs=0.05)


@pytest.mark.parametrize(
    ('azimuth', 'tilt', 'more', 'text'),
    [
        (math.nan, 0.0, {}, 'its angles are not finite numbers.'),
        (0.0, -math.inf, {}, 'its angles are not finite numbers.'),
        (None, None, {}, 'it names neither an azimuth nor a tilt.'),
        (0.1, 0.0, {'timeout_s': 0.0}, 'a time-out of 0 s and a hold of 0 s make no sense.'),
        (0.1, 0.0, {'frame_id': 'map'}, "it is in the frame 'map', angles must be in 'gimbal_level'."),
        (
            0.1,
            0.0,
            {'stamp_ns': 0},
            'its stamp is many days old, the limit is 0.8 s; stamp it with the time of the image it was computed from.',
        ),
    ],
)
def test_a_bad_goal_is_refused_with_its_reason_and_counted(azimuth, tilt, more, text):
    bench = bench_with(Gimbal(IDEAL))
    answer = bench.go_to(azimuth, tilt, **more)
    assert (answer.done, answer.text) == (False, f'An angle goal from the operator was refused: {text}')
    assert bench.said == [answer.text]
    bench.run(200)
    assert bench.outputs == []


def test_a_goal_in_the_level_frame_with_a_fresh_stamp_is_taken():
    bench = bench_with(Gimbal(IDEAL))
    assert bench.go_to(0.1, 0.0, frame_id='gimbal_level', stamp_ns=bench.now.ros_ns).done


def test_limits_that_leave_no_angle_refuse_every_goal():
    bench = bench_with(Gimbal(IDEAL))
    bench.motion.device_limits('RC_LIM', None, (1.6, 1.9))
    assert bench.go_to(0.1, 0.0).text == (
        "An angle goal from the operator was refused: our limits of the tilt and the device's leave no angle at all; "
        'correct the soft limits.'
    )


# Home.


@pytest.mark.parametrize('path', ['auto', 'rate'])
def test_home_turns_back_and_reports_its_end(path):
    bench = bench_with(Gimbal(GREMSY, (0.6, -0.3)), angle_path=path, dead_zone_rad_s=GREMSY.dead_zone_rad_s)
    assert bench.motion.home(bench.now).text == 'Moving home.'
    bench.run(100)
    assert (bench.motion.control.holder, bench.motion.control.goal) == ('operator', 'moving')
    assert bench.until_the_goal_ends().state is GoalState.REACHED
    assert bench.said == ['The gimbal is home.']
    assert max(map(abs, bench.angles)) <= DEG


def test_home_by_rates_stays_there_although_the_gimbal_coasts():
    bench = bench_with(Gimbal(GREMSY, (0.6, -0.3)), angle_path='rate', dead_zone_rad_s=GREMSY.dead_zone_rad_s)
    bench.motion.home(bench.now)
    bench.until_the_goal_ends()
    bench.run(bench.now_ms + 1500)
    assert max(map(abs, bench.angles)) <= DEG


def test_an_operator_ends_home_and_the_tracker_does_not():
    bench = Bench()
    bench.angles = (0.6, 0.0)
    bench.armed()
    bench.motion.home(bench.now)
    bench.offer(0.2)
    bench.run(50)
    assert bench.motion.control.holder == 'operator'
    assert bench.goal.state is GoalState.MOVING
    bench.offer(0.1, source=Source.OPERATOR)
    bench.run(240)
    assert bench.written[-1][1] == (0.1, 0.0)
    assert bench.said == ['Home was cancelled by a newer command of the operator.']


def test_home_without_telemetry_or_arm_is_refused():
    bench = Bench()
    assert bench.motion.home(bench.now).text == 'Not moving home: disarmed; call `arm` first.'
    bench.armed()
    bench.attitude_alive = False
    bench.run(1200)
    assert bench.motion.home(bench.now).text == (
        'Not moving home: no attitude comes from the gimbal; check its link and power.'
    )


def test_the_ends_of_old_goals_are_remembered():
    bench = bench_with(Gimbal(IDEAL))
    numbers = [bench.go_to(0.01 * step, 0.0).number for step in range(30)]
    ends = [bench.motion.goals.progress(number) for number in numbers]
    assert all(each is not None and each.state is GoalState.CANCELLED for each in ends[:-1])
    assert ends[-1] == bench.goal
    assert bench.motion.goals.progress(10_000) is None
    assert bench.motion.cancel_goal(numbers[0], 'nobody').text == f'Goal {numbers[0]} does not run any more.'
