# SPDX-License-Identifier: Apache-2.0
"""How the simulated gimbal takes and answers commands and parameters (gimbal.md 1.6, 1.10, 1.11)."""

from __future__ import annotations

import math
import struct

import pytest

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_sim.gimbal.simulated_modes import LEVEL, YAW_LOCK
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.payload_fixture import InstantPayload

NAN = math.nan
ACK, PARAM_VALUE, ATTITUDE, STATUS = 77, 22, 285, 1
MOUNT_CONFIGURE, MOUNT_CONTROL, MOTORS, MODE, AUTOTUNE = 204, 205, 31010, 31011, 31012
SET_HOME, CALIBRATE, REBOOT, SET_INTERVAL = 179, 42503, 246, 511
ACCEPTED, DENIED, UNSUPPORTED, IN_PROGRESS = 0, 2, 3, 5
INT16 = dialect.MAV_PARAM_TYPE_INT16


def bench_of(**options) -> InstantPayload:
    bench = InstantPayload(PayloadOptions(**options), heartbeats=True)
    bench.run(0.5)
    return bench


def degrees(bench: InstantPayload) -> tuple[float, float]:
    """Pitch up +, yaw right +."""
    state = bench.payload.true_state(0)
    return -math.degrees(state.tilt_rad), -math.degrees(state.azimuth_rad)


def results(bench: InstantPayload) -> list[int]:
    return [ack.result for _, ack in bench.messages(ACK)]


def set_attitude(bench: InstantPayload, q, rates, system=1, component=154) -> None:
    message = dialect.MAVLink_gimbal_device_set_attitude_message(system, component, LEVEL, q, *rates)
    bench.send(message)


# 284.


def test_284_is_never_acknowledged():
    bench = bench_of()
    bench.turn(0.1, 0.1)
    bench.run(1.0)
    assert results(bench) == []


@pytest.mark.parametrize(
    ('rates', 'moves'),
    [
        ((NAN, 0.2, 0.3), (True, True)),
        ((0.0, NAN, 0.3), (False, True)),
        ((0.0, 0.2, NAN), (True, False)),
        ((NAN, NAN, NAN), (False, False)),
        ((0.0, math.inf, NAN), (False, False)),
    ],
)
def test_a_rate_that_is_nan_leaves_its_axis(rates, moves):
    bench = bench_of()
    set_attitude(bench, [NAN] * 4, rates)
    bench.run(2.0)
    pitch, yaw = degrees(bench)
    assert (pitch > 5.0, yaw > 5.0) == moves


def test_an_axis_that_is_nan_goes_on_as_it_was_told_before():
    bench = bench_of()
    bench.turn(0.2, 0.0)
    bench.run(1.0)
    bench.turn(NAN, 0.3)
    bench.run(2.0)
    state = bench.payload.true_state(0)
    assert (state.tilt_rate_rad_s, state.azimuth_rate_rad_s) == pytest.approx((-0.2, -0.3), abs=1e-3)


@pytest.mark.parametrize('q', [[NAN, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, NAN], [0.0] * 4])
def test_a_quaternion_that_is_none_is_not_taken_and_the_rates_are(q):
    bench = bench_of()
    set_attitude(bench, q, (0.0, 0.0, 0.3))
    bench.run(2.0)
    assert bench.payload.true_state(0).azimuth_rate_rad_s == pytest.approx(-0.3, abs=1e-3)


def test_a_quaternion_beats_the_rates_beside_it():
    bench = bench_of()
    set_attitude(bench, [1.0, 0.0, 0.0, 0.0], (0.0, 0.5, 0.5))
    bench.run(2.0)
    assert degrees(bench) == (0.0, 0.0)


@pytest.mark.parametrize(
    ('system', 'component', 'moves'), [(0, 0, True), (1, 0, True), (2, 154, False), (1, 101, False)]
)
def test_284_counts_for_its_target_only(system, component, moves):
    bench = bench_of()
    set_attitude(bench, [NAN] * 4, (0.0, 0.0, 0.3), system, component)
    bench.run(2.0)
    assert (degrees(bench)[1] > 5.0) == moves


# v1.


def test_205_turns_by_degrees_a_second_and_is_acknowledged():
    bench = bench_of(protocol='v1')
    bench.command(154, MOUNT_CONTROL, 10.0, 0.0, -20.0, 0, 0, 2, 2)
    bench.run(3.0)
    state = bench.payload.true_state(0)
    rates = -math.degrees(state.tilt_rate_rad_s), -math.degrees(state.azimuth_rate_rad_s)
    assert rates == pytest.approx((10.0, -20.0), abs=0.1)
    assert results(bench) == [ACCEPTED]


@pytest.mark.parametrize('yaw_deg', [45.0, 250.0])
def test_205_points_by_degrees_beyond_half_a_turn_too(yaw_deg):
    bench = bench_of(protocol='v1')
    bench.command(154, MOUNT_CONTROL, -30.0, 0.0, yaw_deg, 0, 0, 1, 2)
    bench.run(12.0)
    assert degrees(bench) == pytest.approx((-30.0, yaw_deg), abs=0.1)


@pytest.mark.parametrize(('rule', 'result', 'pitch_deg'), [('denied', DENIED, 0.0), ('angle', ACCEPTED, -30.0)])
def test_205_without_an_input_mode_is_denied_or_taken_as_an_angle(rule, result, pitch_deg):
    bench = bench_of(v1_mode_0=rule)
    bench.command(154, MOUNT_CONTROL, -30.0, 0.0, 0.0, 0, 0, 0, 2)
    bench.run(5.0)
    assert results(bench) == [result]
    assert degrees(bench)[0] == pytest.approx(pitch_deg, abs=0.1)


def test_old_firmware_learns_from_204_that_205_means_rates():
    bench = bench_of(v1_mode_0='angle', v1_pan_inverted=True)
    bench.command(154, MOUNT_CONFIGURE, 2, 1, 1, 1, 1, 1, 1)
    bench.command(154, MOUNT_CONTROL, 0.0, 0.0, 15.0, 0, 0, 0, 2)
    bench.run(3.0)
    assert math.degrees(bench.payload.true_state(0).azimuth_rate_rad_s) == pytest.approx(15.0, abs=0.1)


@pytest.mark.parametrize('parameters', [(NAN, 0, 0, 0, 0, 2, 2), (0, 0, math.inf, 0, 0, 1, 2), (0, 0, 0, 0, 0, 2, 0)])
def test_205_with_no_numbers_or_no_targeting_is_denied(parameters):
    bench = bench_of()
    bench.command(154, MOUNT_CONTROL, *parameters)
    bench.run(1.0)
    assert results(bench) == [DENIED]
    assert degrees(bench) == (0.0, 0.0)


def test_204_gives_the_gimbal_to_the_remote_control_and_back():
    bench = bench_of()
    bench.command(154, MOUNT_CONFIGURE, 3)
    bench.turn(0.0, 0.3)
    bench.run(2.0)
    assert degrees(bench) == (0.0, 0.0)
    bench.command(154, MOUNT_CONFIGURE, 2)
    bench.turn(0.0, 0.3)
    bench.run(4.0)
    assert degrees(bench)[1] > 10.0
    bench.command(154, MOUNT_CONFIGURE, 1)
    bench.run(4.1)
    assert results(bench) == [ACCEPTED, ACCEPTED, UNSUPPORTED]


@pytest.mark.parametrize(('value', 'mode'), [(0, GimbalMode.OFF), (1, GimbalMode.LOCK), (2, GimbalMode.FOLLOW)])
def test_31011_sets_the_mode(value, mode):
    bench = bench_of()
    bench.turn(0.0, 0.0, LEVEL | YAW_LOCK)
    bench.command(154, MODE, 0, 0, 0, 0, 0, 0, value)
    bench.run(1.0)
    assert bench.payload.mode is mode
    assert results(bench) == [ACCEPTED]


@pytest.mark.parametrize(
    ('reset', 'pitch_yaw_deg'),
    [(0, (0, 0)), (1, (-20, 0)), (3, (0, 0)), (11, (-90, 0)), (12, (-90, 30)), (13, (-90, 30))],
)
def test_31011_resets_what_it_is_told(reset, pitch_yaw_deg):
    bench = bench_of()
    bench.point(math.radians(-20), math.radians(30))
    bench.run(6.0)
    bench.command(154, MODE, 0, 0, 0, 0, 0, reset, 4)
    bench.run(12.0)
    assert degrees(bench) == pytest.approx(pitch_yaw_deg, abs=0.6)


def test_31010_switches_the_motors():
    bench = bench_of()
    bench.command(154, MOTORS, 0, 0, 0, 0, 0, 0, 0)
    bench.run(5.0)
    assert not bench.messages(STATUS)[-1][1].errors_count1 & 0x10
    bench.command(154, MOTORS, 0, 0, 0, 0, 0, 0, 1)
    bench.run(7.0)
    assert bench.messages(STATUS)[-1][1].errors_count1 & 0x10


# What takes its time.


@pytest.mark.parametrize(
    ('command', 'value', 'bit'),
    [(CALIBRATE, 1, 0x400), (CALIBRATE, 2, 0x400), (SET_HOME, 1, 0x400), (SET_HOME, 2, 0x100)],
)
def test_a_calibration_acknowledges_its_progress(command, value, bit):
    bench = bench_of(calibration_s=3.5)
    bench.command(154, command, 0, 0, 0, 0, 0, 0, value)
    bench.run(3.0)
    assert bench.messages(STATUS)[-1][1].errors_count1 & bit
    bench.run(6.0)
    acks = bench.messages(ACK)
    assert [(ack.result, ack.progress) for _, ack in acks] == [(IN_PROGRESS, 5)] * 4 + [(ACCEPTED, 0)]
    assert acks[-1][0] == pytest.approx(4.0, abs=0.01)
    assert not bench.messages(STATUS)[-1][1].errors_count1 & bit


@pytest.mark.parametrize(('command', 'value'), [(CALIBRATE, 0), (CALIBRATE, 3), (SET_HOME, 0), (31099, 1)])
def test_what_it_cannot_do_is_unsupported(command, value):
    bench = bench_of()
    bench.command(154, command, 0, 0, 0, 0, 0, 0, value)
    bench.run(1.0)
    assert results(bench) == [UNSUPPORTED]


def test_auto_tune_ends_in_twenty_seconds_of_silence():
    bench = bench_of()
    bench.command(154, AUTOTUNE, 0, 0, 0, 0, 0, 0, 1)
    bench.run(2.0)
    assert results(bench) == [ACCEPTED]
    assert bench.messages(STATUS)[-1][1].errors_count1 & 0x40
    bench.run(22.4)
    assert not bench.messages(ATTITUDE, since_s=2.6)
    bench.run(25.0)
    assert bench.messages(ATTITUDE, since_s=22.4)


@pytest.mark.parametrize(('parameters', 'silence_s'), [((0, 0, 0, 1), 10.0), ((0, 0, 1, 154), 10.0)])
def test_246_is_acknowledged_and_reboots(parameters, silence_s):
    bench = bench_of()
    bench.command(154, REBOOT, *parameters)
    bench.run(1.0)
    assert results(bench) == [ACCEPTED]
    assert not bench.payload.power.running
    bench.run(0.6 + silence_s - 0.05)
    assert not bench.payload.power.running
    bench.run(0.6 + silence_s + 0.05)
    assert bench.payload.power.running


def test_246_shuts_down():
    bench = bench_of()
    bench.command(154, REBOOT, 0, 0, 2, 154)
    bench.run(120.0)
    assert not bench.payload.power.running


# Acknowledgements.


def acks_of_fifty(**options) -> list[tuple[float, object]]:
    bench = bench_of(**options)
    for number in range(50):
        bench.run(1.0 + 0.1 * number)
        bench.command(154, SET_INTERVAL, ATTITUDE, 100_000)
    bench.run(8.0)
    return bench.messages(ACK)


def test_acknowledgements_may_get_lost():
    assert len(acks_of_fifty(ack_lost_share=0.4)) == pytest.approx(30, abs=10)


def test_acknowledgements_may_come_twice():
    assert len(acks_of_fifty(ack_duplicated_share=0.4)) == pytest.approx(70, abs=10)


def test_acknowledgements_may_be_for_somebody_else():
    targets = [ack.target_component for _, ack in acks_of_fifty(ack_foreign_share=0.4)]
    assert len(targets) == 50
    assert targets.count(191) == pytest.approx(30, abs=10)
    assert targets.count(dialect.MAV_COMP_ID_MISSIONPLANNER) == 50 - targets.count(191)


def test_acknowledgements_may_be_late():
    assert acks_of_fifty(ack_delay_s=1.5)[0][0] == pytest.approx(2.5, abs=0.01)


# Angles that are not taken.


def test_an_angle_is_taken_the_second_time_where_told():
    bench = bench_of(angle_needs_twice=True)
    bench.point(-0.3, 0.4)
    bench.run(3.0)
    assert degrees(bench) == (0.0, 0.0)
    bench.point(-0.3, 0.4)
    bench.run(8.0)
    assert degrees(bench) == pytest.approx((math.degrees(-0.3), math.degrees(0.4)), abs=0.1)


def test_dead_angles_leave_the_rates_alive():
    bench = bench_of(angles_dead='always')
    bench.point(-0.3, 0.4)
    bench.run(3.0)
    assert degrees(bench) == (0.0, 0.0)
    bench.turn(0.0, 0.3)
    bench.run(5.0)
    assert degrees(bench)[1] > 10.0


# The vehicle's attitude.


def feed(bench: InstantPayload, heading_deg: float) -> None:
    half = math.radians(heading_deg) / 2
    q = [math.cos(half), 0.0, 0.0, math.sin(half)]
    message = dialect.MAVLink_autopilot_state_for_gimbal_device_message(1, 154, 0, q, 0, 0.0, 0.0, 0.0, 0, 0.0, 0, 0)
    bench.send(message)


def test_too_many_286_drown_other_messages_where_told():
    heard = []
    for limit_hz in (0.0, 60.0):
        bench = bench_of(overload_hz=limit_hz)
        for number in range(300):
            bench.run(0.5 + 0.01 * (number + 1))
            feed(bench, 0.0)
            if number % 10 == 0:
                bench.turn(0.0, 0.1)
        heard.append(len(bench.payload.rate_commands))
    assert heard[0] == 30
    assert heard[1] < 25


def test_fifty_286_a_second_drown_nothing():
    bench = bench_of(overload_hz=60.0)
    for number in range(150):
        bench.run(0.5 + 0.02 * (number + 1))
        feed(bench, 0.0)
        bench.turn(0.0, 0.1)
    assert len(bench.payload.rate_commands) == 150


# Parameters.


def ask(bench: InstantPayload, name: str = '', index: int = -1) -> None:
    bench.send(dialect.MAVLink_param_request_read_message(1, 154, name.encode(), index))


def put(bench: InstantPayload, name: str, value: float) -> None:
    bench.send(dialect.MAVLink_param_set_message(1, 154, name.encode(), value, INT16))


def values(bench: InstantPayload) -> list[tuple[str, float]]:
    return [(message.param_id, message.param_value) for _, message in bench.messages(PARAM_VALUE)]


def test_a_parameter_is_read_by_name_and_by_index_as_a_cast_number():
    bench = bench_of()
    ask(bench, 'RC_LIM_MAX_TILT')
    bench.run(1.0)
    ((_, message),) = bench.messages(PARAM_VALUE)
    assert (message.param_value, message.param_type) == (120.0, INT16)
    ask(bench, index=message.param_index)
    bench.run(2.0)
    assert values(bench) == [('RC_LIM_MAX_TILT', 120.0)] * 2


def test_the_list_has_every_parameter_once():
    bench = bench_of()
    bench.send(dialect.MAVLink_param_request_list_message(1, 154))
    bench.run(2.0)
    messages = [message for _, message in bench.messages(PARAM_VALUE)]
    assert [message.param_index for message in messages] == list(range(messages[0].param_count))
    assert len({message.param_id for message in messages}) == len(messages) > 30


@pytest.mark.parametrize(('name', 'index'), [('NO_SUCH_THING', -1), ('PITCH_P', -1), ('', 999)])
def test_what_does_not_exist_gets_silence(name, index):
    bench = bench_of()
    ask(bench, name, index)
    put(bench, name, 3.0)
    bench.run(2.0)
    assert values(bench) == []


def test_old_firmware_has_the_old_names():
    bench = bench_of(parameter_names='old')
    ask(bench, 'PITCH_P')
    ask(bench, 'STIFF_TILT')
    bench.run(2.0)
    assert [name for name, _ in values(bench)] == ['PITCH_P']


@pytest.mark.parametrize(
    ('given', 'kept'),
    [
        (70.0, 70.0),
        (70.9, 70.0),
        (300.0, 100.0),
        (-5.0, 0.0),
        (NAN, 40.0),
        (struct.unpack('<f', b'\x46\0\0\0')[0], 0.0),
    ],
)
def test_a_value_is_cast_and_clamped(given, kept):
    bench = bench_of()
    put(bench, 'STIFF_TILT', given)  # the last is 70 byte by byte, as MAVLink also allows and this firmware does not
    bench.run(1.0)
    assert values(bench) == [('STIFF_TILT', kept)]


def test_a_read_only_parameter_answers_with_what_it_is():
    bench = bench_of()
    put(bench, 'VERSION_X', 3.0)
    bench.run(1.0)
    assert values(bench) == [('VERSION_X', 7.0)]


def test_answers_may_be_slow_lost_or_none_at_all():
    slow = bench_of(parameter_delay_s=1.2)
    ask(slow, 'RC_TYPE')
    slow.run(3.0)
    assert slow.messages(PARAM_VALUE)[0][0] == pytest.approx(1.7, abs=0.01)
    lossy = bench_of(parameter_lost_share=0.5)
    lossy.send(dialect.MAVLink_param_request_list_message(1, 154))
    lossy.run(3.0)
    assert 8 < len(values(lossy)) < 32
    mute = bench_of(parameters_answered=False)
    ask(mute, 'RC_TYPE')
    put(mute, 'RC_TYPE', 1.0)
    mute.run(3.0)
    assert values(mute) == []


def test_encoders_change_their_unit_by_parameter():
    bench = bench_of()
    bench.point(0.0, math.radians(30.0))
    put(bench, 'MAV_TS_ENCNT', 0.0)
    bench.run(6.0)
    assert bench.messages(158)[-1][1].pointing_c == pytest.approx(3000, abs=2)


def test_reversed_axes_turn_the_other_way():
    bench = bench_of()
    put(bench, 'RC_REVERSE_AXIS', 3.0)
    bench.turn(0.1, 0.2)
    bench.run(2.0)
    pitch, yaw = degrees(bench)
    assert pitch < -3.0
    assert yaw < -6.0
