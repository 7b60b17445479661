# SPDX-License-Identifier: Apache-2.0
"""What the simulated gimbal says by itself (gimbal.md 1.4, 1.5), read by pymavlink."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_sim.gimbal.simulated_modes import LEVEL, MAPPING, RETRACT, YAW_LOCK
from gremsy_gimbal_sim.options.options import PRESETS, PayloadOptions
from gremsy_gimbal_sim.payload_fixture import InstantPayload

HEARTBEAT, STATUS, IMU, PARAM_VALUE, ACK = 0, 1, 27, 22, 77
ENCODERS, ORIENTATION, INFORMATION, ATTITUDE = 158, 265, 283, 285
SET_INTERVAL, REQUEST = 511, 512
IN_VEHICLE = dialect.GIMBAL_DEVICE_FLAGS_YAW_IN_VEHICLE_FRAME
IN_EARTH = dialect.GIMBAL_DEVICE_FLAGS_YAW_IN_EARTH_FRAME


def at(pitch_deg: float, yaw_deg: float, options: PayloadOptions | None = None) -> InstantPayload:
    """Pointed there and arrived, pitch up +, yaw right +."""
    bench = InstantPayload(options, heartbeats=True)
    bench.point(math.radians(pitch_deg), math.radians(yaw_deg))
    bench.run(6.0)
    return bench


def newest(bench: InstantPayload, message_id: int):
    return bench.messages(message_id, since_s=bench.now_s - 2.0)[-1][1]


@pytest.mark.parametrize(
    ('message_id', 'expected_hz'), [(ATTITUDE, 20), (ORIENTATION, 10), (ENCODERS, 10), (IMU, 10), (STATUS, 1)]
)
def test_default_rates(message_id, expected_hz):
    bench = InstantPayload(heartbeats=True)
    bench.run(10.0)
    assert len(bench.messages(message_id)) == pytest.approx(10 * expected_hz, abs=2)


@pytest.mark.parametrize('message_id', [ATTITUDE, ORIENTATION, ENCODERS, IMU, STATUS])
@pytest.mark.parametrize(('interval_us', 'expected_hz'), [(50_000, 20), (100_000, 10), (-1, 0)])
def test_every_stream_takes_an_interval(message_id, interval_us, expected_hz):
    bench = InstantPayload(heartbeats=True)
    bench.command(154, SET_INTERVAL, message_id, interval_us)
    bench.run(5.0)
    assert len(bench.messages(message_id, since_s=1.0)) == pytest.approx(4 * expected_hz, abs=1)
    assert [(ack.command, ack.result) for _, ack in bench.messages(ACK)] == [(SET_INTERVAL, 0)]


def test_an_interval_of_a_message_that_it_does_not_have_is_unsupported():
    bench = InstantPayload(heartbeats=True)
    bench.command(154, SET_INTERVAL, 33, 100_000)
    bench.command(154, SET_INTERVAL, ATTITUDE, math.nan)
    bench.run(1.0)
    assert [ack.result for _, ack in bench.messages(ACK)] == [dialect.MAV_RESULT_UNSUPPORTED] * 2


@pytest.mark.parametrize(
    ('rule', 'result', 'second_hz'),
    [('saturate', dialect.MAV_RESULT_ACCEPTED, 50), ('refuse', dialect.MAV_RESULT_DENIED, 10), ('allow', 0, 100)],
)
def test_only_one_stream_goes_above_50_hz(rule, result, second_hz):
    bench = InstantPayload(PayloadOptions(fast_streams=rule), heartbeats=True, wake_s=0.001)
    bench.command(154, SET_INTERVAL, ATTITUDE, 10_000)
    bench.command(154, SET_INTERVAL, ORIENTATION, 10_000)
    bench.run(4.0)
    assert len(bench.messages(ATTITUDE, since_s=2.0)) == pytest.approx(200, abs=2)
    assert len(bench.messages(ORIENTATION, since_s=2.0)) == pytest.approx(2 * second_hz, abs=2)
    assert bench.messages(ACK)[-1][1].result == result


def test_no_stream_is_faster_than_200_hz():
    bench = InstantPayload(heartbeats=True, wake_s=0.001)
    bench.command(154, SET_INTERVAL, ATTITUDE, 1_000)
    bench.run(2.0)
    assert len(bench.messages(ATTITUDE, since_s=1.0)) == pytest.approx(200, abs=2)


@pytest.mark.parametrize('options', [PayloadOptions(model='AEVO'), PayloadOptions(streams_wait_for_interval=True)])
def test_an_aevo_streams_nothing_before_it_was_asked(options):
    bench = InstantPayload(options, heartbeats=True)
    bench.run(3.0)
    assert not any(bench.messages(number) for number in (ATTITUDE, ORIENTATION, ENCODERS, IMU))
    assert bench.messages(STATUS)
    bench.command(154, SET_INTERVAL, ATTITUDE, 0)
    bench.run(5.0)
    assert len(bench.messages(ATTITUDE)) == pytest.approx(40, abs=2)


def test_the_attitude_says_where_it_points():
    bench = at(-20.0, 30.0)
    q = newest(bench, ATTITUDE).q
    expected = np.radians([-20.0, 30.0]) / 2
    cp, sp, cy, sy = math.cos(expected[0]), math.sin(expected[0]), math.cos(expected[1]), math.sin(expected[1])
    assert q == pytest.approx([cy * cp, -sy * sp, cy * sp, sy * cp], abs=1e-4)
    orientation = newest(bench, ORIENTATION)
    absolute = 30 - math.degrees(0.35)  # the vehicle is 0.35 rad to the left, by the gimbal's own zero
    assert (orientation.pitch, orientation.yaw, orientation.yaw_absolute) == pytest.approx(
        (-20, 30, absolute), abs=0.01
    )


@pytest.mark.parametrize(
    ('options', 'follow', 'lock'),
    [
        (PayloadOptions(firmware=(7, 8, 6)), 0, 0),
        (PayloadOptions(firmware=(7, 8, 7)), IN_VEHICLE, IN_VEHICLE),
        (PayloadOptions(yaw_frame_by_mode=True), IN_VEHICLE, IN_EARTH),
        (PayloadOptions(yaw_frame_flags=False), 0, 0),
    ],
)
def test_the_frame_of_the_yaw_is_said_as_the_firmware_does(options, follow, lock):
    bench = InstantPayload(options, heartbeats=True)
    for flags, frame in ((LEVEL, follow), (LEVEL | YAW_LOCK, lock)):
        # A client's flags of a frame are its command's alone.
        bench.turn(0.0, 0.0, flags | IN_EARTH)
        bench.run(bench.now_s + 1.0)
        assert newest(bench, ATTITUDE).flags == flags | frame


@pytest.mark.parametrize('extensions', [False, True, None])
def test_delta_yaw_leads_from_the_vehicle_to_the_earth(extensions):
    options = PayloadOptions(attitude_extensions=extensions, vehicle_turn_rad_s=0.2)
    bench = InstantPayload(options, heartbeats=True)
    bench.run(2.0)
    message = newest(bench, ATTITUDE)
    if extensions is not False:
        # The vehicle has turned left since power-up; yaw is right +.
        assert message.delta_yaw == pytest.approx(-0.35 - 0.2 * (message.time_boot_ms / 1e3 - 12.0), abs=1e-3)
        assert message.delta_yaw_velocity == pytest.approx(-0.2, abs=1e-3)
    else:
        assert (message.delta_yaw, message.delta_yaw_velocity) == (0.0, 0.0)


def test_yaw_dither_is_bounded_and_noise_is_not_in_the_truth():
    options = PayloadOptions(yaw_dither_rad=math.radians(0.1))
    bench = InstantPayload(options, heartbeats=True)
    bench.run(30.0)
    yaws = [math.degrees(2 * math.atan2(message.q[3], message.q[0])) for _, message in bench.messages(ATTITUDE)]
    assert max(map(abs, yaws)) <= 0.1001
    assert np.std(yaws) == pytest.approx(0.1 / math.sqrt(3), rel=0.1)
    assert bench.payload.true_state(0).azimuth_rad == 0.0


def test_only_a_fault_makes_a_triple_of_zeros():
    bench = InstantPayload(heartbeats=True)
    bench.run(10.0)
    assert all(message.roll != 0.0 for _, message in bench.messages(ORIENTATION))
    faulty = InstantPayload(PayloadOptions(zero_triple_share=1.0), heartbeats=True)
    faulty.run(2.0)
    assert {(m.roll, m.pitch, m.yaw, m.yaw_absolute) for _, m in faulty.messages(ORIENTATION)} == {(0.0,) * 4}


def test_another_component_may_send_zeros_too():
    bench = at(-20.0, 30.0, PayloadOptions(foreign_orientation_hz=5.0, foreign_component=173))
    foreign = [message for _, message in bench.messages(ORIENTATION) if message.get_srcComponent() == 173]
    assert len(foreign) == pytest.approx(30, abs=2)
    assert all((message.roll, message.pitch, message.yaw) == (0.0, 0.0, 0.0) for message in foreign)


def test_encoders_count_65536_a_turn_or_hundredths_of_a_degree():
    counts = newest(at(-20.0, 30.0), ENCODERS)
    # The tilt's runs opposite to the attitude (gSDK's README, 6.16).
    assert (counts.pointing_a, counts.pointing_b, counts.pointing_c) == (
        pytest.approx(20 / 360 * 65536, abs=2),
        0,
        pytest.approx(30 / 360 * 65536, abs=2),
    )
    cdeg = newest(at(-20.0, 30.0, PayloadOptions(encoder_counts=False)), ENCODERS)
    assert (cdeg.pointing_a, cdeg.pointing_c) == (pytest.approx(2000, abs=1), pytest.approx(3000, abs=1))


def test_the_tilt_encoder_may_be_offset_and_run_as_the_attitude_does():
    options = PayloadOptions(encoder_tilt_offset_counts=-23336, encoder_tilt_inverted=False)
    counts = newest(at(-20.0, 0.0, options), ENCODERS)
    assert counts.pointing_a == pytest.approx(-20 / 360 * 65536 - 23336, abs=2)


def test_encoders_show_what_the_joints_do_about_a_leaning_vehicle():
    bench = InstantPayload(heartbeats=True)
    bench.payload.gimbal.body.vehicle.place(pitch_rad=math.radians(10.0), roll_rad=math.radians(5.0))
    bench.run(1.0)
    counts = newest(bench, ENCODERS)
    # The vehicle's nose is down and its right side too: the camera is held up and to the left against it.
    assert counts.pointing_a == pytest.approx(-10 / 360 * 65536, rel=0.02)
    assert counts.pointing_b == pytest.approx(-5 / 360 * 65536, rel=0.03)


@pytest.mark.parametrize('pitch_deg', [0.0, -40.0, -90.0, 60.0])
@pytest.mark.parametrize('axes', ['right_forward_up', 'forward_right_down'])
def test_the_imu_feels_gravity_in_the_sensors_axes(pitch_deg, axes):
    imu = newest(at(pitch_deg, 10.0, PayloadOptions(imu_axes=axes)), IMU)
    pitch = math.radians(pitch_deg)
    # At rest an accelerometer shows up: with the nose up along forward.
    forward, up = 8192 * math.sin(pitch), 8192 * math.cos(pitch)
    expected = (0, forward, up) if axes == 'right_forward_up' else (forward, 0, -up)
    assert (imu.xacc, imu.yacc, imu.zacc) == pytest.approx(expected, abs=15)


def test_the_imu_feels_the_turn_and_the_noise():
    bench = InstantPayload(heartbeats=True)
    bench.turn(0.0, math.radians(20.0))
    bench.run(2.0)
    # To the right, and the sensor's z is up.
    assert newest(bench, IMU).zgyro == pytest.approx(-20 * 32.8, abs=1)
    noisy = InstantPayload(PayloadOptions(imu_rate_noise_rad_s=math.radians(1.0)), heartbeats=True)
    noisy.run(30.0)
    assert np.std([message.xgyro for _, message in noisy.messages(IMU)]) == pytest.approx(32.8, rel=0.15)
    shaken = InstantPayload(PayloadOptions(imu_acceleration_noise_m_s2=0.1), heartbeats=True)
    shaken.run(30.0)
    assert np.std([message.yacc for _, message in shaken.messages(IMU)]) == pytest.approx(
        8192 * 0.1 / 9.80665, rel=0.15
    )


@pytest.mark.parametrize(
    ('flags', 'bits'),
    [(LEVEL, 0x11), (LEVEL | YAW_LOCK, 0x10), (LEVEL | MAPPING, 0x10), (LEVEL | RETRACT, 0x00)],
)
def test_status_bits_show_follow_and_motors(flags, bits):
    bench = InstantPayload(heartbeats=True)
    bench.turn(0.0, 0.0, flags)
    bench.run(2.0)
    assert newest(bench, STATUS).errors_count1 == bits


def test_fault_bits_and_failure_flags_are_shown_as_told():
    options = PayloadOptions(fault_bits=0x0042, extra_status_bits=0x0008, failure_flags=32, battery_v=11.1)
    bench = InstantPayload(options, heartbeats=True)
    bench.run(2.0)
    status = newest(bench, STATUS)
    assert (status.errors_count1, status.errors_count2, status.voltage_battery) == (0x19, 0x42, 11_100)
    assert newest(bench, ATTITUDE).failure_flags == 32


def test_the_version_comes_unasked_where_told():
    bench = InstantPayload(PayloadOptions(version_every_s=2.0), heartbeats=True)
    bench.run(9.0)
    values = [(message.param_id, message.param_value) for _, message in bench.messages(PARAM_VALUE)]
    assert values == [('VERSION_X', 7.0)] * 5


def test_heartbeats_end_where_told_and_the_rest_goes_on():
    bench = InstantPayload(PayloadOptions(heartbeats_end_after_s=3.0), heartbeats=True)
    bench.run(8.0)
    gimbal = [at_s for at_s, message in bench.messages(HEARTBEAT) if message.get_srcComponent() == 154]
    assert max(gimbal) < 3.0
    assert bench.messages(ATTITUDE, since_s=7.0)


def test_the_information_is_that_of_the_model():
    options = PayloadOptions(model='MIO', firmware=(7, 8, 4), firmware_type=128, roll_limit_deg=45.0)
    bench = InstantPayload(options, heartbeats=True)
    bench.command(154, REQUEST, INFORMATION)
    bench.run(0.5)
    information = newest(bench, INFORMATION)
    assert (information.vendor_name, information.model_name) == ('GREMSY', 'MIO')
    assert information.firmware_version == 7 | 8 << 8 | 4 << 16 | 128 << 24
    limits = [information.roll_max, information.pitch_min, information.pitch_max, information.yaw_max]
    assert np.degrees(limits) == pytest.approx([45, -120, 90, 320], abs=1e-3)


def test_a_stream_can_be_asked_for_once():
    bench = InstantPayload(heartbeats=True)
    bench.command(154, SET_INTERVAL, ORIENTATION, -1)
    bench.run(1.0)
    before = len(bench.messages(ORIENTATION))
    bench.command(154, REQUEST, ORIENTATION)
    bench.run(3.0)
    assert len(bench.messages(ORIENTATION)) == before + 1


def test_a_v1_device_knows_nothing_of_v2():
    bench = InstantPayload(PayloadOptions(protocol='v1'), heartbeats=True)
    bench.command(154, REQUEST, INFORMATION)
    bench.command(154, SET_INTERVAL, ATTITUDE, 20_000)
    bench.turn(0.0, 0.5)
    bench.point(0.2, 0.2)
    bench.run(3.0)
    assert not bench.messages(ATTITUDE)
    assert not bench.messages(INFORMATION)
    assert [ack.result for _, ack in bench.messages(ACK)] == [dialect.MAV_RESULT_UNSUPPORTED] * 2
    assert bench.payload.true_state(0).azimuth_rad == 0.0
    assert bench.messages(ORIENTATION)
    assert bench.messages(ENCODERS)


def test_presets_are_what_they_are_called():
    ideal, gremsy, realistic = (PRESETS[name] for name in ('ideal', 'gremsy', 'realistic'))
    assert ideal == PayloadOptions()
    assert replace(gremsy, plant=ideal.plant) == ideal
    plant = realistic.plant
    assert plant.delay_s + plant.lag_s == pytest.approx(0.25)
    assert math.degrees(plant.dead_zone_rad_s) == pytest.approx(2.0)
    assert plant.rate_gain_by_zoom[0] == (1.0, 1.04)
    assert (realistic.zero_triple_share, realistic.lost_byte_share) == (0.14, 0.02)
