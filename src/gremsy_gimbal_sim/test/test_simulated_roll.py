# SPDX-License-Identifier: Apache-2.0
"""A roll that is commanded is taken within its limits, and leaves where the camera looks alone.

Quaternions are the vendor's: MAVLink's Euler angles, yaw, then pitch, then roll (gSDK, gimbal_protocol_v2.cpp,
`mavlink_euler_to_quaternion`).
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_sim.gimbal.simulated_modes import LEVEL, NEUTRAL
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.payload_fixture import InstantPayload

NAN3, NAN4 = [math.nan] * 3, [math.nan] * 4
IMU, ENCODERS, ORIENTATION, FIELD_OF_VIEW, ATTITUDE = 27, 158, 265, 271, 285
AT_ROLL_LIMIT = dialect.GIMBAL_DEVICE_ERROR_FLAGS_AT_ROLL_LIMIT


def quaternion(roll_deg: float, pitch_deg: float, yaw_deg: float) -> list[float]:
    roll, pitch, yaw = (math.radians(each) / 2 for each in (roll_deg, pitch_deg, yaw_deg))
    cr, sr, cp, sp, cy, sy = (trig(each) for each in (roll, pitch, yaw) for trig in (math.cos, math.sin))
    return [
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    ]


def pointed(roll_deg: float, pitch_deg: float, yaw_deg: float, **options: object) -> InstantPayload:
    bench = InstantPayload(PayloadOptions(**options), heartbeats=True)
    q = quaternion(roll_deg, pitch_deg, yaw_deg)
    bench.send(dialect.MAVLink_gimbal_device_set_attitude_message(1, 154, LEVEL, q, *NAN3))
    bench.run(6.0)
    return bench


def newest(bench: InstantPayload, message_id: int):
    return bench.messages(message_id, since_s=bench.now_s - 1.0)[-1][1]


def shown_deg(bench: InstantPayload) -> tuple[float, float, float]:
    """Roll, pitch, yaw of 265, of which 0.012 degrees of roll are always there."""
    message = newest(bench, ORIENTATION)
    return message.roll, message.pitch, message.yaw


@pytest.mark.parametrize(
    ('asked', 'got'),
    [
        ((20.0, -20.0, 0.0), (20.0, -20.0, 0.0)),
        ((-15.0, 10.0, -120.0), (-15.0, 10.0, -120.0)),
        ((60.0, -30.0, 45.0), (40.0, -30.0, 45.0)),  # its limit, and where it looks is kept
        ((0.0, -90.0, 30.0), (0.0, -90.0, 30.0)),
        ((0.0, -110.0, 30.0), (0.0, -110.0, 30.0)),  # over straight down
    ],
)
def test_a_roll_is_taken_within_its_limits_and_the_axis_kept(asked, got):
    bench = pointed(*asked)
    assert shown_deg(bench) == pytest.approx(got, abs=0.1)
    # A quaternion and its negative are the same rotation.
    assert abs(np.dot(newest(bench, ATTITUDE).q, quaternion(*got))) == pytest.approx(1.0, abs=1e-5)
    state = bench.payload.true_state(0)
    assert (-math.degrees(state.tilt_rad), -math.degrees(state.azimuth_rad)) == pytest.approx(got[1:], abs=0.1)
    assert bool(newest(bench, ATTITUDE).failure_flags & AT_ROLL_LIMIT) == (asked[0] > 40.0)
    bench.command(101, dialect.MAV_CMD_REQUEST_MESSAGE, FIELD_OF_VIEW)
    bench.run(6.5)
    assert abs(np.dot(newest(bench, FIELD_OF_VIEW).q, quaternion(*got))) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(('roll_deg', 'xacc', 'within'), [(6.29, -851, 200), (18.23, -2342, 40), (23.68, -3069, 40)])
def test_the_imu_feels_a_roll_as_in_the_vendors_log(roll_deg, xacc, within):
    """gSDK's README, 6.16; its x reads +234 when level, and at 6.29 degrees it was turning at 31 deg/s. The roll
    encoder counts with the roll, 182 a degree."""
    bench = pointed(roll_deg, 0.0, 0.0)
    imu = newest(bench, IMU)
    assert imu.xacc == pytest.approx(xacc - 234, abs=within)
    assert imu.zacc == pytest.approx(8192 * math.cos(math.radians(roll_deg)), abs=5)
    assert newest(bench, ENCODERS).pointing_b == pytest.approx(roll_deg * 65536 / 360, abs=10)


def test_a_roll_that_grows_turns_the_y_gyro_as_in_the_vendors_log():
    bench = InstantPayload(heartbeats=True)
    rates = (math.radians(10.0), 0.0, 0.0)
    bench.send(dialect.MAVLink_gimbal_device_set_attitude_message(1, 154, LEVEL, NAN4, *rates))
    bench.run(2.0)
    imu, status = newest(bench, IMU), newest(bench, ATTITUDE)
    assert (imu.xgyro, imu.ygyro, imu.zgyro) == pytest.approx((0, 328, 0), abs=2)
    assert (status.angular_velocity_x, status.angular_velocity_y) == pytest.approx((math.radians(10.0), 0.0), abs=1e-3)
    bench.send(dialect.MAVLink_gimbal_device_set_attitude_message(1, 154, LEVEL, NAN4, 0.0, 0.0, 0.0))
    bench.run(3.0)
    stopped = shown_deg(bench)[0]
    bench.run(5.0)
    assert shown_deg(bench)[0] == pytest.approx(stopped, abs=0.01)
    assert 15.0 < stopped < 25.0


def test_v1_takes_a_roll_and_home_takes_it_back():
    bench = InstantPayload(heartbeats=True)
    bench.command(154, dialect.MAV_CMD_DO_MOUNT_CONTROL, -20.0, 12.0, 30.0, 0, 0, 1, 2)
    bench.run(5.0)
    assert shown_deg(bench) == pytest.approx((12.0, -20.0, 30.0), abs=0.1)
    bench.turn(0.0, 0.0, LEVEL | NEUTRAL)
    bench.run(5.1)
    bench.turn(0.0, 0.0)
    bench.run(10.0)
    assert shown_deg(bench) == pytest.approx((0.0, 0.0, 0.0), abs=0.1)


def test_a_smaller_limit_of_its_parameter_is_kept():
    bench = InstantPayload(heartbeats=True)
    bench.send(dialect.MAVLink_param_set_message(1, 154, b'RC_LIM_MAX_ROLL', 10.0, dialect.MAV_PARAM_TYPE_INT16))
    bench.command(154, dialect.MAV_CMD_DO_MOUNT_CONTROL, 0.0, 30.0, 0.0, 0, 0, 1, 2)
    bench.run(5.0)
    assert shown_deg(bench) == pytest.approx((10.0, 0.0, 0.0), abs=0.1)
