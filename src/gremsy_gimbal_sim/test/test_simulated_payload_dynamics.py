# SPDX-License-Identifier: Apache-2.0
"""How the simulated gimbal moves: limits, turns, vehicles, drift, watchdog, stall (gimbal.md 1.7 to 1.10)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_sim.gimbal.simulated_modes import LEVEL, YAW_LOCK
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.payload_fixture import InstantPayload
from gremsy_gimbal_sim.plant.plant import IDEAL, PlantParameters

ATTITUDE, ORIENTATION = 285, 265
LOCK = LEVEL | YAW_LOCK
AT_PITCH_LIMIT, AT_YAW_LIMIT, AT_ROLL_LIMIT = 2, 4, 1


def bench_of(**options) -> InstantPayload:
    bench = InstantPayload(PayloadOptions(**options), heartbeats=True)
    bench.run(0.5)
    return bench


OLD = {'firmware': (7, 8, 4), 'own_heading_rad': 0.0}
"""Its 285 has the earth's yaw in lock, and its own zero is the heading at power-up."""


def degrees(bench: InstantPayload) -> tuple[float, float]:
    """True pitch up + and yaw right +, in the world."""
    state = bench.payload.true_state(0)
    return -math.degrees(state.tilt_rad), -math.degrees(state.azimuth_rad)


def pan_deg(bench: InstantPayload) -> float:
    """Of the joint, right +."""
    return -math.degrees(bench.payload.gimbal.body.pan_rad)


def shown_yaw_deg(bench: InstantPayload) -> float:
    q = bench.messages(ATTITUDE, since_s=bench.now_s - 0.5)[-1][1].q
    return math.degrees(math.atan2(2 * (q[0] * q[3] + q[1] * q[2]), 1 - 2 * (q[2] ** 2 + q[3] ** 2)))


def failure_flags(bench: InstantPayload) -> int:
    return bench.messages(ATTITUDE)[-1][1].failure_flags


def put(bench: InstantPayload, name: str, value: float) -> None:
    bench.send(dialect.MAVLink_param_set_message(1, 154, name.encode(), value, dialect.MAV_PARAM_TYPE_INT16))


def feed(bench: InstantPayload, heading_deg: float) -> None:
    half = math.radians(heading_deg) / 2
    q = [math.cos(half), 0.0, 0.0, math.sin(half)]
    bench.send(dialect.MAVLink_autopilot_state_for_gimbal_device_message(1, 154, 0, q, 0, 0, 0, 0, 0, 0, 0, 0))


# Limits.


@pytest.mark.parametrize(
    ('rates', 'limit', 'flag'),
    [
        ((1.0, 0.0), (90.0, 0.0), AT_PITCH_LIMIT),
        ((-1.0, 0.0), (-120.0, 0.0), AT_PITCH_LIMIT),
        ((0.0, 1.0), (0.0, 320.0), AT_YAW_LIMIT),
    ],
)
def test_motion_ends_at_the_mechanical_limits_and_says_so(rates, limit, flag):
    bench = bench_of()
    assert failure_flags(bench) == 0
    bench.turn(*rates)
    bench.run(8.0)
    assert degrees(bench) == pytest.approx(limit, abs=0.01)
    assert failure_flags(bench) == flag
    bench.turn(-rates[0], -rates[1])
    bench.run(9.0)
    assert failure_flags(bench) == 0


def test_soft_limits_stop_rates_and_clamp_angles():
    bench = bench_of(soft_tilt_limits_deg=(-30.0, 45.0), soft_pan_limits_deg=(-60.0, 80.0))
    bench.turn(0.5, 0.5)
    bench.run(6.0)
    assert degrees(bench) == pytest.approx((30.0, 80.0), abs=0.01)
    bench.point(math.radians(-80.0), math.radians(-100.0))
    bench.run(12.0)
    assert degrees(bench) == pytest.approx((-45.0, -60.0), abs=0.01)
    assert failure_flags(bench) == AT_PITCH_LIMIT | AT_YAW_LIMIT


def test_soft_limits_are_parameters_with_the_tilt_down_positive():
    bench = bench_of()
    put(bench, 'RC_LIM_MAX_TILT', 20.0)
    put(bench, 'RC_LIM_MIN_PAN', -25.0)
    bench.turn(-0.5, -0.5)
    bench.run(5.0)
    assert degrees(bench) == pytest.approx((-20.0, -25.0), abs=0.01)


def test_a_limit_that_is_set_behind_the_camera_does_not_throw_it():
    bench = bench_of()
    bench.point(math.radians(-60.0), 0.0)
    bench.run(6.0)
    put(bench, 'RC_LIM_MAX_TILT', 30.0)
    bench.run(7.0)
    assert degrees(bench)[0] == pytest.approx(-60.0, abs=0.1)
    bench.turn(-0.5, 0.0)
    bench.run(8.0)
    assert degrees(bench)[0] == pytest.approx(-60.0, abs=0.1)
    bench.turn(0.5, 0.0)
    bench.run(10.5)
    bench.turn(-0.5, 0.0)
    bench.run(14.0)
    assert degrees(bench)[0] == pytest.approx(-30.0, abs=0.1)


def test_a_vehicle_that_rolls_beyond_the_roll_motor_is_a_limit():
    bench = bench_of(roll_limit_deg=40.0)
    bench.payload.gimbal.body.vehicle.place(roll_rad=math.radians(45.0))
    bench.run(1.0)
    assert failure_flags(bench) == AT_ROLL_LIMIT


# Turns of the pan joint.


@pytest.mark.parametrize(('path', 'expected_pan_deg'), [('shortest', 200.0), ('direct', -160.0)])
def test_an_angle_across_the_back_takes_the_shortest_or_the_named_turn(path, expected_pan_deg):
    bench = bench_of(angle_path=path)
    bench.point(0.0, math.radians(160.0))
    bench.run(8.0)
    assert pan_deg(bench) == pytest.approx(160.0, abs=0.1)
    bench.point(0.0, math.radians(-160.0))
    bench.run(20.0)
    assert pan_deg(bench) == pytest.approx(expected_pan_deg, abs=0.1)
    assert shown_yaw_deg(bench) == pytest.approx(-160.0, abs=0.1)


def test_the_path_is_a_parameter():
    bench = bench_of()
    bench.point(0.0, math.radians(160.0))
    bench.run(8.0)
    put(bench, 'CTRL_ANGLE_MODE', 1.0)
    bench.point(0.0, math.radians(-160.0))
    bench.run(20.0)
    assert pan_deg(bench) == pytest.approx(-160.0, abs=0.1)


def test_the_shortest_turn_never_leads_into_a_stop():
    bench = bench_of()
    for target in (120.0, -120.0, -30.0, 60.0):  # 120, 240, 330 -> out of reach, so back to -30, 60
        bench.point(0.0, math.radians(target))
        bench.run(bench.now_s + 12.0)
    assert pan_deg(bench) == pytest.approx(60.0, abs=0.1)


# The vehicle.


def test_follow_turns_with_the_vehicle_and_lock_holds_the_earth():
    for flags, world_deg, joint_deg in ((LEVEL, -60.0, 0.0), (LOCK, 0.0, 60.0)):
        bench = bench_of(vehicle_turn_rad_s=math.radians(20.0), **OLD)
        bench.turn(0.0, 0.0, flags)
        begun = degrees(bench)[1]
        bench.run(3.5)
        assert degrees(bench)[1] - begun == pytest.approx(world_deg, abs=0.15)
        assert pan_deg(bench) == pytest.approx(joint_deg, abs=0.15)
        # In FOLLOW the yaw is from the heading, in LOCK from the earth, since power-up.
        assert shown_yaw_deg(bench) == pytest.approx(0.0 if flags == LEVEL else -10.0, abs=0.15)


def test_lock_holds_the_earth_against_a_swaying_vehicle_but_for_the_stops():
    bench = bench_of(vehicle_yaw_rad=0.4, vehicle_period_s=3.0)
    bench.turn(0.0, 0.0, LOCK)
    begun = degrees(bench)[1]
    for _ in range(40):
        bench.run(bench.now_s + 0.1)
        assert degrees(bench)[1] == pytest.approx(begun, abs=1e-6)
    assert bench.payload.true_state(0).azimuth_rate_rad_s == pytest.approx(0.0, abs=1e-9)


def test_an_angle_in_lock_is_an_earth_angle_while_the_vehicle_turns():
    bench = bench_of(vehicle_turn_rad_s=0.1, firmware=(7, 8, 4))
    bench.point(0.0, math.radians(30.0), LOCK)
    bench.run(6.0)
    assert shown_yaw_deg(bench) == pytest.approx(30.0, abs=0.05)
    # The vehicle began at 0 in the world, and at 0.35 rad to the left by the gimbal's own zero.
    assert degrees(bench)[1] == pytest.approx(30.0 + math.degrees(0.35), abs=0.05)


def test_lock_ends_at_the_pan_stop():
    bench = bench_of(vehicle_turn_rad_s=1.0)
    bench.turn(0.0, 0.0, LOCK)
    bench.run(9.0)
    assert pan_deg(bench) == pytest.approx(320.0, abs=0.1)
    assert failure_flags(bench) == AT_YAW_LIMIT


def test_follow_leaves_what_is_inside_its_window():
    window = math.radians(10.0)
    bench = bench_of(follow_window_rad=window)
    vehicle = bench.payload.gimbal.body.vehicle
    vehicle.place(heading_rad=math.radians(8.0))
    bench.run(2.0)
    assert degrees(bench)[1] == pytest.approx(0.0, abs=0.01)
    vehicle.place(heading_rad=math.radians(25.0))
    bench.run(4.0)
    assert degrees(bench)[1] == pytest.approx(-15.0, abs=0.01)


def test_follow_makes_up_at_its_own_speed():
    bench = bench_of(follow_rate_rad_s=math.radians(5.0))
    bench.payload.gimbal.body.vehicle.place(heading_rad=math.radians(30.0))
    bench.run(2.5)
    assert degrees(bench)[1] == pytest.approx(-10.0, abs=0.2)
    bench.run(8.0)
    assert degrees(bench)[1] == pytest.approx(-30.0, abs=0.01)


def test_the_truth_does_not_depend_on_how_often_time_advances():
    ends = []
    for wake_s in (0.001, 0.005, 0.010, 0.030):
        bench = InstantPayload(
            PayloadOptions(vehicle_yaw_rad=0.5, follow_window_rad=0.1, follow_rate_rad_s=0.2, drift_rad_s=0.01),
            heartbeats=True,
            wake_s=wake_s,
        )
        bench.turn(0.1, 0.2)
        bench.run(3.0)
        ends.append(degrees(bench))
    assert np.ptp(ends, axis=0) == pytest.approx([0.0, 0.0], abs=0.05)


# What the gimbal takes for the earth.


def test_the_gyros_earth_drifts_and_lock_drifts_with_it():
    bench = bench_of(drift_rad_s=math.radians(0.5), **OLD)
    bench.turn(0.0, 0.0, LOCK)
    begun = degrees(bench)[1]
    bench.run(20.5)
    assert degrees(bench)[1] - begun == pytest.approx(-10.0, abs=0.05)
    assert shown_yaw_deg(bench) == pytest.approx(0.25, abs=0.06)  # 0.5 s in FOLLOW


def test_a_fed_heading_ends_the_drift_and_sets_north():
    bench = bench_of(drift_rad_s=math.radians(0.5), **OLD)
    bench.turn(0.0, 0.0, LOCK)
    for _ in range(200):
        feed(bench, 40.0)
        bench.run(bench.now_s + 0.05)
    first = degrees(bench)[1]
    assert first == pytest.approx(0.0, abs=0.3)
    assert shown_yaw_deg(bench) == pytest.approx(40.0, abs=0.3)
    bench.run(bench.now_s + 5.0)
    assert abs(degrees(bench)[1] - first) == pytest.approx(2.0, abs=0.1)  # 1 s later it drifts again


def test_a_heading_is_not_used_unless_the_parameter_says_so():
    bench = bench_of(combines_vehicle_attitude=False, **OLD)
    bench.turn(0.0, 0.0, LOCK)
    feed(bench, 40.0)
    bench.run(1.0)
    assert shown_yaw_deg(bench) == pytest.approx(0.0, abs=0.01)
    bench.send(dialect.MAVLink_param_set_message(1, 154, b'RC_REVERSE_AXIS', 16.0, dialect.MAV_PARAM_TYPE_INT16))
    bench.send(dialect.MAVLink_attitude_message(0, 0.0, 0.0, math.radians(40.0), 0.0, 0.0, 0.0))
    bench.run(2.0)
    assert shown_yaw_deg(bench) == pytest.approx(40.0, abs=0.01)


@pytest.mark.parametrize('own_heading_rad', [0.0, 0.35])
def test_earth_yaw_begins_at_the_gimbals_own_zero_whatever_the_heading(own_heading_rad):
    options = PayloadOptions(vehicle_turn_rad_s=0.2, boot_s=1.0, firmware=(7, 8, 4), own_heading_rad=own_heading_rad)
    bench = InstantPayload(options, heartbeats=True)
    bench.run(5.0)
    bench.payload.reboot(5.0)
    bench.run(7.5)
    bench.turn(0.0, 0.0, LOCK)
    bench.run(8.0)
    assert shown_yaw_deg(bench) == pytest.approx(-math.degrees(own_heading_rad + 0.2 * 1.5), abs=0.5)


# What stops and what does not.


@pytest.mark.parametrize(('expiry_s', 'turned_deg'), [(0.3, 6.0), (0.0, 60.0)])
def test_the_rate_watchdog_ends_a_command_or_latches_it(expiry_s, turned_deg):
    bench = bench_of(rate_expiry_s=expiry_s)
    bench.turn(0.0, math.radians(20.0))
    bench.run(3.5)
    assert degrees(bench)[1] == pytest.approx(turned_deg, abs=2.0)


def test_commands_that_keep_coming_keep_it_turning():
    bench = bench_of(rate_expiry_s=0.3)
    for _ in range(20):
        bench.turn(0.0, 0.3)
        bench.run(bench.now_s + 0.1)
    assert bench.payload.true_state(0).azimuth_rate_rad_s == pytest.approx(-0.3, abs=1e-3)


@pytest.mark.parametrize(('axis', 'still'), [('azimuth', 1), ('tilt', 0)])
def test_a_stalled_axis_stands_and_the_other_turns(axis, still):
    bench = bench_of(stalled_axis=axis, stalls_after_s=2.0)
    bench.turn(0.1, 0.1)
    bench.run(2.0)
    at_stall = degrees(bench)
    assert min(at_stall) > 5.0
    bench.run(5.0)
    now = degrees(bench)
    assert now[still] == pytest.approx(at_stall[still], abs=0.1)
    assert now[1 - still] > at_stall[1 - still] + 10.0


def test_a_stall_can_come_and_go_at_run_time():
    bench = bench_of()
    bench.payload.gimbal.body.stall('azimuth')
    bench.turn(0.0, 0.3)
    bench.run(2.0)
    assert degrees(bench)[1] == 0.0
    bench.payload.gimbal.body.stall('none')
    bench.run(4.0)
    assert degrees(bench)[1] > 20.0


def test_smoothing_makes_a_rate_come_slowly():
    rates = []
    for smoothing in (0.0, 1.0):
        bench = bench_of(smoothing=smoothing)
        bench.turn(0.0, 0.3)
        bench.run(1.3)
        rates.append(-bench.payload.true_state(0).azimuth_rate_rad_s)
        bench.run(8.0)
        rates.append(-bench.payload.true_state(0).azimuth_rate_rad_s)
    # 80 of 100 by default, so 0.8 s; 0.8 s after the command less delay and lag.
    assert rates == pytest.approx([0.3, 0.3, 0.3 * (1 - math.exp(-0.72 / 0.8)), 0.3], abs=0.01)


def test_once_smoothing_is_off_the_newest_rate_holds_though_an_earlier_one_was_smoothed():
    bench = bench_of(smoothing=1.0, vehicle_yaw_rad=0.01)
    bench.turn(0.0, 0.3)
    bench.run(2.0)
    put(bench, 'RC_LPF_PAN', 0)
    put(bench, 'RC_LPF_TILT', 0)
    bench.run(2.1)
    bench.turn(0.0, 0.0)
    bench.run(3.0)
    before = pan_deg(bench)
    bench.run(5.0)
    assert pan_deg(bench) == pytest.approx(before, abs=0.01)


def test_the_plant_of_the_options_is_the_plant():
    slow = PlantParameters(delay_s=0.5, lag_s=IDEAL.lag_s, max_rate_rad_s=0.1)
    bench = bench_of(plant=slow)
    bench.turn(0.0, 1.0)
    bench.run(0.95)
    assert degrees(bench)[1] == 0.0
    bench.run(3.0)
    assert bench.payload.true_state(0).azimuth_rate_rad_s == pytest.approx(-0.1, abs=1e-6)
