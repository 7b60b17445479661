# SPDX-License-Identifier: Apache-2.0
"""What the gimbal and its vehicle say and are asked, there and back; needs the built workspace."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from nav_msgs.msg import Odometry
from sensor_msgs.msg import Imu, Range

from gremsy_common.geometry import matrix_from_quaternion, quaternion_from_bearing, rotation_vector_between
from gremsy_common.ros import topics
from gremsy_common.ros.transport.quality import Quality
from gremsy_common.types.gimbal_state import (
    EarthAttitude,
    ImuReading,
    JointRequest,
    LevelHeading,
    OrientationRequest,
    PointRequest,
    RangeReading,
    VehicleAttitude,
)

STAMP = 1_700_000_000_123_456_789
Q = np.array([0.8, 0.0, 0.6, 0.0])
NAN3 = np.full(3, np.nan)


def there_and_back(topic, item):
    return topic.from_message(topic.to_message(item))


def test_attitude_against_the_earth_is_an_imu_message():
    back = there_and_back(topics.GIMBAL_ATTITUDE_EARTH, EarthAttitude(STAMP, 'camera', Q, np.array([0.1, 0.2, 0.3])))
    assert (back.stamp_ns, back.frame_id) == (STAMP, 'camera')
    assert back.earth_from_camera_wxyz == pytest.approx(Q)
    assert back.rate_rad_s.tolist() == [0.1, 0.2, 0.3]


@pytest.mark.parametrize('rate_rad_s', [-0.3, 0.0, math.nan], ids=['turning', 'still', 'of no rate'])
def test_a_heading_is_an_imu_message_that_turns_about_up_alone(rate_rad_s):
    heading = LevelHeading(STAMP, 'robot/gimbal_level', -2.5, rate_rad_s)
    message = topics.GIMBAL_HEADING.to_message(heading)
    # REP-145: an element 0 of -1 marks what is not given.
    assert message.linear_acceleration_covariance[0] == -1.0
    assert message.angular_velocity_covariance[0] == (-1.0 if math.isnan(rate_rad_s) else 0.0)
    assert matrix_from_quaternion(
        [message.orientation.w, message.orientation.x, message.orientation.y, message.orientation.z]
    )[:, 0] == pytest.approx([math.cos(-2.5), math.sin(-2.5), 0.0])
    back = topics.GIMBAL_HEADING.from_message(message)
    assert (back.stamp_ns, back.frame_id) == (STAMP, 'robot/gimbal_level')
    assert math.remainder(back.heading_rad, 2 * math.pi) == pytest.approx(-2.5)
    assert back.rate_rad_s == pytest.approx(rate_rad_s, nan_ok=True)


def test_a_heading_that_leans_is_none():
    message = topics.GIMBAL_HEADING.to_message(LevelHeading(STAMP, 'level', 0.0, 0.0))
    message.orientation.y = 0.2
    with pytest.raises(ValueError, match=r'the orientation \[1.0, 0.0, 0.2, 0.0\] is no turn about up.'):
        topics.GIMBAL_HEADING.from_message(message)


def test_the_gimbals_imu_says_that_it_gives_no_orientation():
    reading = ImuReading(STAMP, 'camera', np.array([0.0, 0.1, 9.8]), np.array([0.1, 0.2, 0.3]))
    message = topics.GIMBAL_IMU.to_message(reading)
    assert message.orientation_covariance[0] == -1.0
    assert message.linear_acceleration.z == 9.8
    back = topics.GIMBAL_IMU.from_message(message)
    assert back.acceleration_m_s2.tolist() == [0.0, 0.1, 9.8]
    assert back.rate_rad_s.tolist() == [0.1, 0.2, 0.3]
    message.linear_acceleration.x = math.nan
    with pytest.raises(ValueError, match='are no IMU reading'):
        topics.GIMBAL_IMU.from_message(message)


@pytest.mark.parametrize('range_m', [12.5, math.inf, -math.inf])
def test_a_range_keeps_its_gate_and_what_is_beyond_it(range_m):
    reading = RangeReading(STAMP, 'camera', range_m, 5.0, 300.0, 0.0009765625)
    assert topics.GIMBAL_RANGE.to_message(reading).radiation_type == Range.INFRARED
    assert there_and_back(topics.GIMBAL_RANGE, reading) == reading


def test_a_range_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match='not a number'):
        topics.GIMBAL_RANGE.from_message(Range(range=math.nan))


def test_requests_come_through_as_they_are():
    request = there_and_back(topics.COMMAND_ATTITUDE, OrientationRequest(STAMP, 'map', Q))
    assert (request.stamp_ns, request.frame_id, request.frame_from_camera_wxyz.tolist()) == (STAMP, 'map', Q.tolist())
    # What is no rotation is the driver's to refuse, with a sentence.
    zeros = OrientationRequest(STAMP, 'map', np.zeros(4))
    assert there_and_back(topics.COMMAND_ATTITUDE, zeros).frame_from_camera_wxyz.tolist() == [0.0] * 4
    point = PointRequest(STAMP, 'map', (1.0, 2.0, 3.0))
    assert there_and_back(topics.COMMAND_LOOK_AT, point) == point
    joints = JointRequest(STAMP, ('gimbal_yaw_joint',), (0.25,))
    assert there_and_back(topics.COMMAND_JOINT, joints) == joints
    assert there_and_back(topics.COMMAND_ZOOM, 3.5) == 3.5


def vehicle(**changes):
    known = {
        'rate_rad_s': np.array([0.1, 0.2, 0.3]),
        'velocity_earth_m_s': np.array([1.0, 2.0, 3.0]),
        'position_earth_m': np.array([4.0, 5.0, 6.0]),
    }
    return VehicleAttitude(STAMP, 'base_link', 'odom', Q, **{**known, **changes})


def test_an_odometrys_velocity_is_turned_from_the_vehicle_to_the_earth():
    message = Odometry(child_frame_id='base_link')
    message.header.frame_id = 'odom'
    quarter_left = quaternion_from_bearing(math.pi / 2, 0.0)
    message.pose.pose.orientation.w, message.pose.pose.orientation.z = quarter_left[0], quarter_left[3]
    message.twist.twist.linear.x = 2.0
    heard = topics.VEHICLE_ODOMETRY.from_message(message)
    assert heard.velocity_earth_m_s == pytest.approx([0.0, 2.0, 0.0])
    assert (heard.vehicle_frame, heard.earth_frame) == ('base_link', 'odom')


def test_an_odometry_survives():
    back = there_and_back(topics.VEHICLE_ODOMETRY, vehicle())
    assert np.linalg.norm(rotation_vector_between(back.earth_from_vehicle_wxyz, Q)) < 1e-12
    for name in ('rate_rad_s', 'velocity_earth_m_s', 'position_earth_m'):
        assert getattr(back, name) == pytest.approx(getattr(vehicle(), name))


def test_an_imu_knows_neither_place_nor_frame_of_the_earth():
    back = there_and_back(topics.VEHICLE_IMU, vehicle())
    assert (back.vehicle_frame, back.earth_frame, back.stamp_ns) == ('base_link', '', STAMP)
    assert back.rate_rad_s.tolist() == [0.1, 0.2, 0.3]
    assert np.isnan(back.position_earth_m).all()
    assert np.isnan(there_and_back(topics.VEHICLE_IMU, vehicle(rate_rad_s=NAN3)).rate_rad_s).all()


def test_an_imu_without_an_orientation_is_refused():
    message = Imu()
    message.orientation_covariance[0] = -1.0
    with pytest.raises(ValueError, match='gives no orientation') as refused:
        topics.VEHICLE_IMU.from_message(message)
    assert str(refused.value) == (
        'the IMU says that it gives no orientation (orientation_covariance[0] is -1): connect one that does, behind an '
        'attitude filter.'
    )


@pytest.mark.parametrize('w', [0.0, math.nan])
def test_a_vehicle_without_a_rotation_is_refused(w):
    imu, odometry = Imu(), Odometry()
    imu.orientation.w = odometry.pose.pose.orientation.w = w
    for topic, message in ((topics.VEHICLE_IMU, imu), (topics.VEHICLE_ODOMETRY, odometry)):
        with pytest.raises(ValueError, match='is no rotation'):
            topic.from_message(message)


def test_everybodys_frames_are_heard_over_dds_even_beside_an_own_publisher():
    assert topics.TF_RECEIVED.latched
    assert topics.TF_STATIC_RECEIVED.latched
    assert topics.TF_STATIC_RECEIVED.quality is Quality.STATIC_FRAMES
    assert not topics.TF.latched


@pytest.mark.parametrize(
    ('turn_rad', 'axis'), [(0.0, [1, 0, 0]), (1e-9, [0, 1, 0]), (1.0, [0, 0, 1]), (3.1, [0.6, 0.8, 0.0])]
)
def test_the_rotation_between_two_is_found_again(turn_rad, axis):
    from gremsy_common.geometry import multiply_quaternions, quaternion_from_rotation_vector

    vector = turn_rad * np.array(axis, dtype=float)
    b = multiply_quaternions(Q, quaternion_from_rotation_vector(vector))
    assert rotation_vector_between(Q, b) == pytest.approx(vector, abs=1e-12)
    assert rotation_vector_between(Q, -b) == pytest.approx(vector, abs=1e-12)
    many = rotation_vector_between(np.stack([Q, b]), np.stack([b, b]))
    assert many == pytest.approx(np.stack([vector, np.zeros(3)]), abs=1e-12)
