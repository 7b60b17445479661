# SPDX-License-Identifier: Apache-2.0
"""Every rule of motion, with invented times: what is written when, and above all when zeros are."""

from __future__ import annotations

import math

import pytest

from gremsy_gimbal_driver.motion.command_arbiter import Source
from gremsy_gimbal_driver.motion.instant import Instant
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters
from src.gremsy_gimbal_driver.test.motion_bench import MS, ROS_START, ZERO, Bench


def test_disarmed_nothing_is_written_whoever_asks():
    bench = Bench()
    bench.motion.attitude(ZERO, bench.now)
    for source in Source:
        assert not bench.offer(0.2, source=source)
        assert not bench.go_to(0.2, source=source).done
        assert not bench.motion.set_mode(source, GimbalMode.LOCK, bench.now).done
    assert not bench.motion.home(bench.now).done
    bench.run(2500)
    assert bench.written == []
    assert bench.motion.counts['disarmed'] == 3 * len(Source) + 1


def test_arming_needs_an_attitude():
    answer = Bench().motion.arm(True, Instant(0, ROS_START))
    assert not answer.done
    assert answer.text == 'Not armed: no attitude comes from the gimbal; check its link and power.'


def test_a_command_is_written_at_once_and_repeated_at_25_hz():
    bench = Bench().armed()
    bench.offer(0.2)
    bench.run(150)
    assert [ms for ms, _ in bench.written] == [0, 40, 80, 120]
    assert all(rates == (0.2, 0.0) for _, rates in bench.written)


def test_of_a_burst_of_commands_100_a_second_are_written_and_the_newest_wins():
    bench = Bench().armed()
    for number in range(50):
        bench.offer(0.001 * (number + 1))
        bench.run(bench.now_ms)
    times = [ms for ms, _ in bench.written]
    assert times == [0, 5, 10, 20, 30, 40], 'the second a step ahead of the grid, then 10 ms apart'
    assert [round(rates[0], 4) for _, rates in bench.written] == [0.001, 0.006, 0.011, 0.021, 0.031, 0.041]


def test_what_a_new_image_asks_waits_no_longer_than_half_a_step_of_the_grid():
    """It comes at any time between what the tracker asks 50 times a second."""
    bench = Bench().armed()
    images_ms = range(21, 1000, 61)  # from 1 to 19 ms after the one before
    asked = {ms: 0.2 + 1e-5 * ms for ms in sorted([*range(0, 1000, 20), *images_ms])}
    for ms, rate in asked.items():
        bench.run(ms - 1)
        bench.offer(rate)
    bench.run(1000)
    first_ms = {rates[0]: ms for ms, rates in reversed(bench.written)}
    assert [first_ms[asked[ms]] - ms for ms in images_ms] == [max(0, 5 - ms % 20) for ms in images_ms]


@pytest.mark.parametrize(('ms', 'still_moving'), [(199, True), (200, False)])
def test_setpoint_falls_to_zero_when_the_command_outlives_its_time_to_live(ms, still_moving):
    bench = Bench().armed()
    bench.offer(0.2)
    bench.run(ms)
    assert (bench.written[-1][1] != ZERO) == still_moving


def test_zeros_are_a_burst_of_five_20_ms_apart():
    bench = Bench().armed()
    bench.offer(0.2)
    bench.run(600)
    assert bench.zeros_after(0) == [200, 220, 240, 260, 280]


@pytest.mark.parametrize(('age_ms', 'taken'), [(799, True), (800, False)])
def test_a_command_older_than_the_age_limit_is_refused(age_ms, taken):
    bench = Bench().armed()
    assert bench.offer(0.2, stamp_ns=bench.now.ros_ns - age_ms * MS) == taken
    if not taken:
        assert bench.said == [
            (
                'A rate command from the tracker was refused: its stamp is 0.80 s old, the limit is 0.8 s; '
                'stamp it with the time of the image it was computed from.'
            )
        ]


def test_age_ends_motion_before_the_time_to_live_does():
    bench = Bench().armed()
    bench.offer(0.2, stamp_ns=bench.now.ros_ns - 700 * MS)
    bench.run(300)
    assert bench.zeros_after(0)[0] == 100


def test_time_to_live_counts_from_arrival_on_the_monotonic_clock_not_from_the_stamp():
    bench = Bench().armed()
    bench.offer(0.2, stamp_ns=bench.now.ros_ns - 500 * MS)
    bench.run(300)
    assert bench.zeros_after(0)[0] == 200


@pytest.mark.parametrize(
    ('changes', 'kind', 'sentence'),
    [
        ({'azimuth': math.nan}, 'not_finite', 'its rates are not finite numbers.'),
        ({'azimuth': math.inf}, 'not_finite', 'its rates are not finite numbers.'),
        ({'tilt': -math.inf}, 'not_finite', 'its rates are not finite numbers.'),
        (
            {'frame_id': 'map'},
            'wrong_frame',
            "it is in the frame 'map', rates must be in 'gimbal_level'.",
        ),
        (
            {'stamp_ns': 0},
            'too_old',
            'its stamp is many days old, the limit is 0.8 s; stamp it with the time of the image it was computed from.',
        ),
        (
            {'stamp_ns': ROS_START + 500 * MS},
            'from_the_future',
            'its stamp is 0.40 s ahead of this machine; synchronise the clocks.',
        ),
    ],
)
def test_a_bad_command_stops_motion_is_said_once_and_counted(changes, kind, sentence):
    bench = Bench().armed()
    bench.offer(0.2)
    bench.run(99)
    for _ in range(3):
        assert not bench.offer(**{'azimuth': 0.2, **changes})
    bench.run(150)
    assert bench.zeros_after(0)[0] == 100
    assert bench.said == [f'A rate command from the tracker was refused: {sentence}']
    assert bench.motion.counts[kind] == 3


def test_a_trouble_is_said_again_after_it_was_well():
    bench = Bench().armed()
    for _ in range(2):
        bench.offer(math.nan)
        bench.offer(0.1)
    assert len(bench.said) == 2


def test_operator_beats_the_tracker_and_keeps_it_out_for_the_lease():
    bench = Bench().armed()
    bench.offer(0.2)
    bench.offer(-0.1, source=Source.OPERATOR)
    holders = {}
    while bench.now_ms < 1000:
        if bench.now_ms % 20 == 0:
            bench.offer(0.2)
        bench.run(bench.now_ms)
        holders[bench.now_ms - 1] = bench.motion.control.holder
    assert {rates for ms, rates in bench.written if ms < 200} == {(-0.1, 0.0)}
    assert {rates for ms, rates in bench.written if 200 <= ms < 700} == {ZERO}
    assert {rates for ms, rates in bench.written if ms >= 700} == {(0.2, 0.0)}
    assert (holders[100], holders[699], holders[700]) == ('operator', 'operator', 'tracker')


def test_disarm_and_stop_write_zeros_at_once_and_refuse_what_comes_after():
    for end in (lambda bench: bench.motion.arm(False, bench.now), lambda bench: bench.motion.stop()):
        bench = Bench().armed()
        bench.offer(0.2)
        bench.run(49)
        end(bench)
        bench.run(bench.now_ms)
        assert bench.written[-1] == (50, ZERO)
        assert not bench.offer(0.2)
        bench.run(500)
        assert bench.zeros_after(0) == [50, 70, 90, 110, 130]
        assert not bench.motion.armed


def test_zeros_go_on_while_telemetry_says_that_the_camera_still_turns():
    bench = Bench().armed()
    bench.offer(0.5)
    bench.run(300)
    assert len(bench.zeros_after(0)) == 5
    bench.attitude_alive = False
    bench.motion.attitude(ZERO, bench.now, speed_rad_s=0.5)
    bench.run(600)
    assert len(bench.zeros_after(0)) >= 15
    bench.motion.attitude(ZERO, bench.now, speed_rad_s=0.01)
    bench.run(700)
    before = len(bench.written)
    bench.run(1500)
    assert len(bench.written) == before


def test_zeros_are_written_again_to_a_gimbal_that_still_turns_when_a_cut_link_is_back():
    bench = Bench().armed()
    bench.offer(0.5)
    bench.run(100)
    bench.attitude_alive = False
    bench.run(10_000)
    # It never heard a zero, and goes on as it was told last.
    back_ms = bench.now_ms
    bench.motion.attitude((0.1, 0.0), bench.now, speed_rad_s=0.5)
    bench.run(back_ms + 200)
    assert len(bench.zeros_after(back_ms)) >= 5
    bench.motion.attitude((0.1, 0.0), bench.now, speed_rad_s=0.0)
    bench.run(back_ms + 10_000)
    assert not bench.zeros_after(back_ms + 600)


def test_a_gimbal_that_a_dead_driver_left_turning_rests_when_it_is_armed_or_its_next_driver_was_told():
    armed = Bench().armed()
    armed.attitude_alive = False
    armed.motion.attitude(ZERO, armed.now, speed_rad_s=0.5)
    armed.run(200)
    assert len(armed.zeros_after(0)) >= 5
    told = Bench()
    told.motion.watch_rest(told.now)
    told.attitude_alive = False
    told.run(20_000)  # its link comes up late
    told.motion.attitude(ZERO, told.now, speed_rad_s=0.5)
    told.run(20_200)
    assert len(told.zeros_after(20_000)) >= 5 and not told.motion.armed
    untold = Bench()
    untold.attitude_alive = False
    untold.motion.attitude(ZERO, untold.now, speed_rad_s=0.5)
    untold.run(1000)
    assert untold.written == []


def test_a_camera_that_the_vehicle_turns_is_not_answered_with_zeros_for_ever():
    bench = Bench().armed()
    bench.offer(0.5)
    bench.run(300)
    for _ in range(60):
        bench.motion.attitude(ZERO, bench.now, speed_rad_s=0.5)
        bench.attitude_alive = False
        bench.run(bench.now_ms + 100)
    assert bench.written[-1][0] < 3500


def test_a_hand_over_rests_the_camera_before_the_next_tracker_moves_it():
    bench = Bench().armed()
    bench.offer(0.2)
    bench.run(49)
    assert bench.motion.control.holder == 'tracker'
    bench.motion.hand_over(Source.TRACKER, bench.now)
    holders = {bench.now_ms: bench.motion.control.holder}
    # The next one asks at once, and every 20 ms from then on.
    while bench.now_ms <= 200:
        if bench.now_ms % 20 == 10:
            bench.offer(-0.1)
        bench.run(bench.now_ms)
        holders[bench.now_ms] = bench.motion.control.holder
    after = [(ms, rates) for ms, rates in bench.written if ms >= 50]
    assert after[:5] == [(ms, ZERO) for ms in (50, 70, 90, 110, 130)]
    # It begins at rest, within the acceleration that is allowed.
    assert after[5][0] <= 150 and -0.1 < after[5][1][0] < 0.0
    assert {rates for _, rates in after[6:]} == {(-0.1, 0.0)}
    # Neither tracker is told that its commands move the camera while they do not.
    told = [holder for _, holder in sorted(holders.items())]
    assert told == ['hand_over'] * told.count('hand_over') + ['tracker'] * told.count('tracker')
    first_told = min(ms for ms, holder in holders.items() if holder == 'tracker')
    assert first_told - after[5][0] <= 2


def test_after_a_hand_over_a_stop_of_the_trackers_own_holds_nobody_up():
    bench = Bench().armed()
    bench.offer(0.2)
    bench.run(49)
    bench.motion.hand_over(Source.TRACKER, bench.now)
    bench.run(300)
    bench.offer(0.2)
    # It dies after 200 ms and is followed by zeros, in whose midst the next one comes.
    bench.run(530)
    assert bench.written[-1][1] == ZERO
    bench.offer(0.2)
    bench.run(bench.now_ms + 20)
    assert bench.written[-1][1] != ZERO
    assert bench.motion.control.holder == 'tracker'


def test_a_hand_over_leaves_an_operators_motion_alone():
    bench = Bench().armed()
    bench.offer(0.2)
    bench.offer(0.1, source=Source.OPERATOR)
    bench.run(49)
    bench.motion.hand_over(Source.TRACKER, bench.now)
    bench.run(150)
    assert {rates for _, rates in bench.written} == {(0.1, 0.0)}


def test_an_operator_need_not_wait_for_a_hand_over():
    bench = Bench().armed()
    bench.offer(0.2)
    bench.run(49)
    bench.motion.hand_over(Source.TRACKER, bench.now)
    bench.run(60)
    bench.offer(0.1, source=Source.OPERATOR)
    bench.run(80)
    first, *others = [rates for ms, rates in bench.written if ms >= 50]
    assert first == ZERO
    assert all(azimuth > 0.0 for azimuth, _ in others)
    assert others[-1] == (0.1, 0.0)


def test_a_hand_over_at_rest_writes_nothing():
    bench = Bench().armed()
    bench.motion.hand_over(Source.TRACKER, bench.now)
    assert bench.motion.control.holder == 'nobody'
    bench.run(100)
    assert bench.written == []
    bench.offer(0.2)
    bench.run(bench.now_ms)
    assert bench.written[0][1] == (0.2, 0.0)


def test_stop_writes_zeros_even_when_disarmed():
    bench = Bench()
    bench.motion.stop()
    bench.run(200)
    assert len(bench.zeros_after(0)) == 5


def test_lost_attitude_stops_motion_and_arming_survives_it():
    bench = Bench().armed()
    bench.attitude_alive = False
    while bench.now_ms < 1300:
        if bench.now_ms % 20 == 0:
            bench.offer(0.2)
        bench.run(bench.now_ms)
    assert bench.zeros_after(0)[0] == 1000
    assert {rates for ms, rates in bench.written if ms >= 1000} == {ZERO}
    assert bench.said == ['No attitude has come from the gimbal for 1 s: motion is stopped until it comes again.']
    bench.attitude_alive = True
    bench.run(1320)
    bench.offer(0.2)
    bench.run(1330)
    assert bench.written[-1][1] == (0.2, 0.0)


def test_rate_beyond_the_limit_is_cut_said_once_and_counted():
    bench = Bench(max_rate_rad_s=0.5).armed()
    bench.offer(2.0, -3.0)
    bench.run(100)
    assert bench.written[-1][1] == (0.5, -0.5)
    assert bench.said == ['A rate command is beyond `max_rate_rad_s` (0.5 rad/s) and is cut to it.']
    assert bench.motion.counts['rate'] >= 2


def test_acceleration_is_limited_in_steps_of_the_time_between_writes():
    bench = Bench(max_acceleration_rad_s2=2.0).armed()
    bench.offer(0.5)
    bench.run(199)
    previous_ms, previous = -40.0, 0.0
    for ms, rates in bench.written:
        assert rates[0] - previous <= 2.0 * (ms - previous_ms) * 1e-3 + 1e-9
        previous_ms, previous = ms, rates[0]
    assert bench.written[-1][1][0] == pytest.approx(2.0 * 0.04 + 2.0 * 0.190, abs=0.05)


@pytest.mark.parametrize(
    ('angles', 'asked', 'expected'),
    [
        ((0.0, 1.5), (0.0, 0.5), (0.0, (MotionParameters().tilt_max_rad - 1.5) * 2.0)),  # slower towards the limit
        ((0.0, 1.7), (0.0, 0.5), (0.0, 0.0)),  # beyond: not further
        ((0.0, 1.7), (0.0, -0.5), (0.0, -0.5)),  # beyond: back is free
        ((-3.1, 0.0), (-0.5, 0.0), (0.0, 0.0)),
        ((-3.1, 0.0), (0.5, 0.0), (0.5, 0.0)),
    ],
)
def test_soft_limits_hold_from_both_sides(angles, asked, expected):
    bench = Bench()
    bench.angles = angles
    bench.armed()
    bench.offer(*asked)
    bench.run(100)
    assert bench.written[-1][1] == pytest.approx(expected, abs=1e-12)


def test_soft_limit_is_said_once_with_its_numbers():
    bench = Bench()
    bench.angles = (0.0, 1.7)
    bench.armed()
    bench.offer(0.0, 0.3)
    bench.run(150)
    assert bench.said == ['The tilt is at its limit (-0.7854 .. 1.5708 rad): motion beyond it is cut off.']


def test_the_plants_inverse_is_applied_last():
    plant = {'azimuth_sign': -1, 'dead_zone_rad_s': 0.05, 'rate_gain_zooms': (1.0, 4.0), 'rate_gains': (1.0, 0.25)}
    bench = Bench(**plant, max_rate_rad_s=0.5, pulse_in_dead_zone=False).armed()
    bench.motion.writer.zoom = 2.0
    bench.offer(0.5, 0.01)
    bench.run(100)
    azimuth, tilt = bench.written[-1][1]
    assert azimuth == pytest.approx(-1.0)  # gain 0.5 at zoom 2
    assert tilt == 0.0  # 0.02 is nearer to 0 than to the dead zone's edge


def test_wake_time_is_never_later_than_what_is_due():
    bench = Bench().armed()
    bench.offer(0.2)
    wakes = []
    for _ in range(40):
        output, wake_ns = bench.motion.step(bench.now)
        if output is not None:
            wakes.append((bench.now_ms, output.rates_rad_s == ZERO))
        if wake_ns is None:
            break
        bench.now_ms = max(bench.now_ms, wake_ns / MS)
    assert wakes == [
        *((ms, False) for ms in (0, 40, 80, 120, 160)),
        *((ms, True) for ms in (200, 220, 240, 260, 280)),
    ]


def test_calibration_rates_are_written_raw_and_only_within_the_limits():
    bench = Bench(azimuth_sign=-1, dead_zone_rad_s=0.05, max_rate_rad_s=0.5, max_acceleration_rad_s2=0.1)
    bench.angles = (0.0, 1.5)
    bench.armed()
    bench.offer(0.01, 0.9, source=Source.CALIBRATION)
    bench.run(19)
    assert bench.written[-1] == (0, (0.01, 0.5))
    bench.angles = (0.0, 1.6)
    bench.run(59)
    assert bench.written[-1] == (40, ZERO)
    assert bench.said == ['The tilt is at its limit (-0.7854 .. 1.5708 rad): motion beyond it is cut off.']


def test_a_stop_of_last_resort_changes_no_mode():
    bench = Bench(mode=GimbalMode.LOCK)
    assert bench.motion.writer.zero.mode is GimbalMode.LOCK
    bench.telemetry()
    assert bench.motion.writer.zero.mode is GimbalMode.FOLLOW
    assert bench.motion.writer.zero.rates_rad_s == ZERO


def test_control_says_who_holds_it_in_which_mode_and_how_the_goal_stands():
    bench = Bench()
    bench.run(0)
    control = bench.motion.control
    assert (control.armed, control.holder, control.mode, control.mode_state, control.goal) == (
        (False, 'nobody', 'follow', 'confirmed', '')
    )
    bench.armed()
    bench.go_to(0.5, source=Source.CALIBRATION)
    bench.run(20)
    assert (bench.motion.control.holder, bench.motion.control.goal) == ('calibration', 'moving')
    bench.motion.stop()
    bench.run(40)
    assert (bench.motion.control.holder, bench.motion.control.goal) == ('nobody', 'cancelled')
