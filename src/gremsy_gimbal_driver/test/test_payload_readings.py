# SPDX-License-Identifier: Apache-2.0
"""IMU and range as readings."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_gimbal_driver.device.payload_readings import ImuConversion, range_reading
from gremsy_gimbal_driver.mavlink.mavlink_events import PayloadTelemetry, RawImu, Sender
from gremsy_gimbal_driver.motion.instant import Instant

GIMBAL, BOARD = Sender(1, 154), Sender(1, 26)
ROS_NS = 1_700_000_000_000_000_000
GRAVITY = (0.0, 0.0, 9.8)  # at rest z is pushed up


def imu(time_us=0, acceleration=GRAVITY, rates=(0.1, 0.2, 0.3)):
    return RawImu(GIMBAL, time_us, acceleration, rates)


def at(ros_ns):
    return Instant(ros_ns - ROS_NS, ros_ns)


def test_the_sensors_axes_are_turned_into_the_cameras():
    conversion = ImuConversion('camera')
    reading = conversion.reading(imu(acceleration=(1.0, 2.0, 9.8)), at(ROS_NS))
    assert reading.acceleration_m_s2 == pytest.approx([2.0, -1.0, 9.8])
    assert reading.rate_rad_s == pytest.approx([0.2, -0.1, 0.3])
    assert reading.frame_id == 'camera'
    conversion.use_axes(('forward', 'right', 'down'))
    reading = conversion.reading(imu(1000, acceleration=(1.0, 2.0, -9.8)), at(ROS_NS + 1_000_000))
    assert reading.acceleration_m_s2 == pytest.approx([1.0, -2.0, 9.8])
    assert reading.rate_rad_s == pytest.approx([0.1, -0.2, -0.3])


def test_it_is_stamped_when_it_was_measured():
    conversion = ImuConversion('camera')
    stamps = [
        conversion.reading(imu(time_us), at(ROS_NS + time_us * 1000 + late_ns)).stamp_ns
        for time_us, late_ns in ((0, 0), (100_000, 30_000_000), (200_000, 0))
    ]
    assert np.diff(stamps) == pytest.approx([100e6, 100e6], abs=2e3)


def test_a_restart_of_the_device_does_not_shut_it_out():
    conversion = ImuConversion('camera')
    conversion.reading(imu(60_000_000), at(ROS_NS))
    assert conversion.reading(imu(1000), at(ROS_NS + 10_000_000_000)) is not None


@pytest.mark.parametrize(
    ('event', 'reason'),
    [
        (imu(acceleration=(math.nan, 0.0, 1.0)), 'imu_not_finite'),
        (imu(rates=(0.0, math.inf, 0.0)), 'imu_not_finite'),
        (imu(acceleration=(0.0, 0.0, 0.0)), 'imu_without_gravity'),
        (imu(time_us=0), 'imu_not_newer'),
    ],
)
def test_what_is_no_reading_is_counted(event, reason):
    conversion = ImuConversion('camera')
    conversion.reading(imu(time_us=0), at(ROS_NS))
    assert conversion.reading(event, at(ROS_NS)) is None
    assert conversion.rejects == {reason: 1}


@pytest.mark.parametrize(
    ('value', 'range_m'),
    [
        (0.0, None),
        (-1.0, None),
        (math.nan, None),
        (math.inf, None),
        (4.99, -math.inf),
        (5.0, 5.0),
        (123.4, 123.4),
        (300.0, 300.0),
        (300.1, math.inf),
    ],
)
def test_a_range_is_believed_within_its_gate(value, range_m):
    reading = range_reading(PayloadTelemetry(BOARD, 'LRF_RANGE', value), 'camera', ROS_NS)
    assert (None if reading is None else reading.range_m) == range_m
    if reading is not None:
        assert (reading.stamp_ns, reading.frame_id, reading.min_m, reading.max_m) == (ROS_NS, 'camera', 5.0, 300.0)
