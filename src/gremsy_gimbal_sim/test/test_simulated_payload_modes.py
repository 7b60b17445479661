# SPDX-License-Identifier: Apache-2.0
"""The simulated gimbal's modes (gimbal.md 1.7, 1.10, 1.11): each changes only when told, and moves only as it may."""

from __future__ import annotations

import math

import pytest

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_sim.gimbal.simulated_modes import LEVEL, MAPPING, NEUTRAL, RETRACT, YAW_LOCK, mode_of
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.payload_fixture import InstantPayload

ATTITUDE, STATUS = 285, 1
RC_EXCLUSIVE = dialect.GIMBAL_DEVICE_FLAGS_RC_EXCLUSIVE
EXT_SET = dialect.MAVLink_param_ext_set_message


def degrees(bench: InstantPayload) -> tuple[float, float]:
    state = bench.payload.true_state(0)
    return math.degrees(state.azimuth_rad), math.degrees(state.tilt_rad)


def flags(bench: InstantPayload) -> int:
    """Without what they say of the yaw's frame."""
    shown = bench.messages(ATTITUDE, since_s=bench.now_s - 1.0)[-1][1].flags
    return shown & ~dialect.GIMBAL_DEVICE_FLAGS_YAW_IN_VEHICLE_FRAME


def set_parameter(bench: InstantPayload, name: str, value: int) -> None:
    bench.send(EXT_SET(1, 101, name.encode(), value.to_bytes(4, 'little').ljust(128, b'\0'), 5))


@pytest.mark.parametrize(
    ('given', 'mode'),
    [
        (LEVEL, GimbalMode.FOLLOW),
        (0, GimbalMode.FOLLOW),
        (LEVEL | YAW_LOCK, GimbalMode.LOCK),
        (LEVEL | RETRACT, GimbalMode.OFF),
        (LEVEL | MAPPING, GimbalMode.MAPPING),
        (LEVEL | NEUTRAL, GimbalMode.HOME),
        (YAW_LOCK | RETRACT | NEUTRAL | MAPPING, GimbalMode.LOCK),
        (RETRACT | NEUTRAL | MAPPING, GimbalMode.OFF),
        (NEUTRAL | MAPPING, GimbalMode.HOME),
    ],
)
def test_of_several_bits_one_mode_wins(given, mode):
    assert mode_of(given) is mode


@pytest.mark.parametrize('given', [LEVEL, LEVEL | YAW_LOCK, LEVEL | MAPPING, LEVEL | RETRACT])
def test_flags_are_shown_as_given_and_stay_until_another_284(given):
    bench = InstantPayload(heartbeats=True)
    bench.run(1.0)
    assert flags(bench) == LEVEL
    bench.turn(0.0, 0.0, given)
    bench.run(20.0)
    assert flags(bench) == given


def test_a_new_mode_shows_late_where_told():
    bench = InstantPayload(PayloadOptions(mode_delay_s=0.5), heartbeats=True)
    bench.run(1.0)
    bench.turn(0.0, 0.0, LEVEL | YAW_LOCK)
    bench.run(1.45)
    assert flags(bench) == LEVEL
    bench.run(1.6)
    assert flags(bench) == LEVEL | YAW_LOCK


def test_mapping_looks_straight_down_and_takes_azimuth_rates_only():
    bench = InstantPayload(heartbeats=True)
    bench.turn(0.0, 0.0, LEVEL | MAPPING)
    bench.run(6.0)
    assert degrees(bench) == pytest.approx((0.0, 90.0), abs=0.1)
    bench.turn(0.5, 0.2, LEVEL | MAPPING)
    bench.run(8.0)
    azimuth, tilt = degrees(bench)
    assert azimuth < -10.0
    assert tilt == pytest.approx(90.0, abs=0.1)


# Home.


def pulse(bench: InstantPayload, at_s: float) -> None:
    """As the vendor does it: NEUTRAL for 100 ms, then clear."""
    bench.run(at_s)
    bench.turn(0.0, 0.0, LEVEL | NEUTRAL)
    bench.run(at_s + 0.1)
    bench.turn(0.0, 0.0, LEVEL)


def test_a_pulse_of_neutral_goes_home_and_the_mode_before_comes_back():
    bench = InstantPayload(heartbeats=True)
    bench.point(-0.5, 0.8)
    pulse(bench, 6.0)
    bench.run(6.4)
    assert flags(bench) & NEUTRAL
    assert bench.payload.mode is GimbalMode.HOME
    bench.run(12.0)
    assert degrees(bench) == pytest.approx((0.0, 0.0), abs=0.1)
    assert flags(bench) == LEVEL


def test_neutral_that_stays_high_counts_once():
    bench = InstantPayload(heartbeats=True)
    bench.turn(0.0, 0.0, LEVEL | NEUTRAL)
    bench.run(1.0)
    assert bench.payload.mode is GimbalMode.FOLLOW  # it was at home
    bench.turn(-0.2, 0.3, LEVEL | NEUTRAL)
    bench.run(3.0)
    bench.turn(0.0, 0.0, LEVEL | NEUTRAL)
    bench.run(8.0)
    assert abs(degrees(bench)[0]) > 20.0
    assert flags(bench) & NEUTRAL


def test_a_rate_ends_a_home_but_a_zero_rate_does_not():
    bench = InstantPayload(heartbeats=True)
    bench.point(0.0, 1.5)
    pulse(bench, 6.0)
    bench.run(6.5)
    bench.turn(0.0, 0.3)
    bench.run(7.0)
    assert bench.payload.mode is GimbalMode.FOLLOW
    assert bench.payload.true_state(0).azimuth_rate_rad_s == pytest.approx(-0.3, abs=0.02)


def test_some_edges_are_missed_where_told():
    seen = 0
    for seed in range(40):
        bench = InstantPayload(PayloadOptions(missed_home_share=0.5), seed=seed, heartbeats=True)
        bench.run(0.1)
        bench.payload.gimbal.body.plant.displace((0.5, 0.0))
        bench.turn(0.0, 0.0, LEVEL | NEUTRAL)
        is_home = bench.payload.mode is GimbalMode.HOME
        seen += is_home
        # 285 shows the home that goes on, and none that was missed.
        bench.run(0.3)
        assert bool(bench.messages(ATTITUDE)[-1][1].flags & NEUTRAL) == is_home
    assert 12 <= seen <= 28


# Off.


def test_retract_drops_the_motors_and_the_camera_hangs():
    bench = InstantPayload(heartbeats=True)
    bench.turn(0.0, 0.0, LEVEL | RETRACT)
    bench.run(6.0)
    assert degrees(bench) == pytest.approx((0.0, 90.0), abs=0.1)
    assert not bench.messages(STATUS)[-1][1].errors_count1 & 0x10
    bench.turn(0.5, 0.5, LEVEL | RETRACT)
    bench.run(8.0)
    assert degrees(bench) == pytest.approx((0.0, 90.0), abs=0.1)


def test_a_payload_that_starts_off_follows_an_angle_briefly_and_sinks_back():
    bench = InstantPayload(PayloadOptions(start_mode='off', off_decay_s=1.5), heartbeats=True)
    bench.run(1.0)
    assert degrees(bench) == pytest.approx((0.0, 90.0))
    bench.point(0.0, 0.0, LEVEL | RETRACT)
    bench.run(2.4)
    assert degrees(bench)[1] < 50.0
    bench.run(8.0)
    assert degrees(bench) == pytest.approx((0.0, 90.0), abs=0.1)
    bench.turn(0.0, 0.0, LEVEL)
    bench.point(0.0, 0.0, LEVEL)
    bench.run(16.0)
    assert degrees(bench) == pytest.approx((0.0, 0.0), abs=0.1)
    assert bench.payload.mode is GimbalMode.FOLLOW


def test_motors_that_come_on_hold_the_camera_where_it_hangs():
    bench = InstantPayload(PayloadOptions(start_mode='off'), heartbeats=True)
    bench.turn(0.0, 0.0, LEVEL)
    bench.run(4.0)
    assert degrees(bench) == pytest.approx((0.0, 90.0), abs=0.01)


# Who may move it.


@pytest.mark.parametrize('options', [PayloadOptions(rc_mode=0), PayloadOptions(rc_exclusive=True)])
def test_mavlink_does_not_move_what_the_remote_control_has(options):
    bench = InstantPayload(options, heartbeats=True)
    bench.turn(0.2, 0.5, LEVEL | YAW_LOCK)
    bench.point(0.3, 0.3, LEVEL | YAW_LOCK)
    bench.run(3.0)
    assert degrees(bench) == (0.0, 0.0)
    assert bench.payload.mode is GimbalMode.FOLLOW
    assert bool(flags(bench) & RC_EXCLUSIVE) == options.rc_exclusive


def test_rc_mode_standard_lets_mavlink_in():
    bench = InstantPayload(PayloadOptions(rc_mode=0), heartbeats=True)
    set_parameter(bench, 'RC_MODE', 1)
    bench.turn(0.0, 0.5)
    bench.run(3.0)
    assert degrees(bench)[0] < -10.0


def test_a_board_that_does_not_forward_flags_puts_its_own_in():
    bench = InstantPayload(PayloadOptions(forwards_flags=False), heartbeats=True)
    bench.turn(0.0, 0.0, LEVEL | YAW_LOCK)
    bench.run(1.0)
    assert flags(bench) == LEVEL
    set_parameter(bench, 'GB_MODE', 3)
    bench.turn(0.0, 0.0, LEVEL | YAW_LOCK)
    bench.run(2.0)
    assert flags(bench) == LEVEL | MAPPING
    set_parameter(bench, 'GB_FW_FLAG', 1)
    bench.turn(0.0, 0.0, LEVEL | YAW_LOCK)
    bench.run(3.0)
    assert flags(bench) == LEVEL | YAW_LOCK


@pytest.mark.parametrize(
    ('value', 'mode'),
    [(0, GimbalMode.OFF), (1, GimbalMode.LOCK), (2, GimbalMode.FOLLOW), (3, GimbalMode.MAPPING)],
)
def test_gb_mode_sets_the_mode(value, mode):
    bench = InstantPayload(heartbeats=True)
    set_parameter(bench, 'GB_MODE', value)
    bench.run(1.0)
    assert bench.payload.mode is mode
