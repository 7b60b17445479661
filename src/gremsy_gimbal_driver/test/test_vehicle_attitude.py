# SPDX-License-Identifier: Apache-2.0
"""The vehicle's attitude: kept, interpolated, told to the gimbal in NED, and what it makes of the level frame."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gremsy_common.geometry import (
    matrix_from_quaternion,
    multiply_quaternions,
    quaternion_from_bearing,
    quaternion_from_yaw_roll_pitch,
    yaw_roll_pitch,
)
from gremsy_common.types.gimbal_state import GimbalAttitude, VehicleAttitude
from gremsy_gimbal_driver.attitude.attitude_reading import YawFrame
from gremsy_gimbal_driver.attitude.attitude_telemetry import MeasuredAttitude
from gremsy_gimbal_driver.attitude.level_frame import earth_attitude, level_reference
from gremsy_gimbal_driver.attitude.vehicle_attitude import VEHICLE_REFUSALS, VehicleHistory, heading
from gremsy_gimbal_driver.attitude.vehicle_state import VehicleStatePace, vehicle_state
from gremsy_gimbal_driver.driver import GimbalDriver
from gremsy_gimbal_driver.driver_reports import DriverListener
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.motion.instant import Instant
from gremsy_gimbal_driver.motion.notices import Refusal

DEG = math.pi / 180
NS = 1_000_000_000
T0 = 1_700_000_000 * NS
NAN3 = np.full(3, np.nan)


def standing(heading_deg=0.0, pitch_deg=0.0, roll_deg=0.0, at_s=0.0, **fields):
    """Heading left + from east, pitch nose down +, roll right side down +."""
    q = quaternion_from_yaw_roll_pitch(heading_deg * DEG, roll_deg * DEG, pitch_deg * DEG)
    known = {'rate_rad_s': NAN3, 'velocity_earth_m_s': NAN3, 'position_earth_m': NAN3, **fields}
    return VehicleAttitude(T0 + round(at_s * NS), 'base_link', 'odom', q, **known)


def history(*samples, age_limit_s=0.5):
    made = VehicleHistory(age_limit_s)
    for sample in samples:
        made.take(sample, sample.stamp_ns)
    return made


def heading_deg(vehicle):
    return heading(vehicle.earth_from_vehicle_wxyz) / DEG


# What is kept.


def test_between_samples_it_is_interpolated_on_the_shortest_way():
    made = history(standing(170.0, at_s=0.0), standing(-170.0, at_s=0.1))
    at = made.at(T0 + NS // 40)
    assert heading_deg(at) == pytest.approx(175.0)
    assert at.stamp_ns == T0 + NS // 40


@pytest.mark.parametrize(('after_s', 'expected_deg'), [(0.05, 3.0), (0.1, 6.0), (0.3, 6.0)])
def test_after_the_newest_its_rate_is_trusted_for_a_tenth_of_a_second(after_s, expected_deg):
    made = history(standing(0.0, rate_rad_s=np.array([0.0, 0.0, 60 * DEG])))
    assert heading_deg(made.at(T0 + round(after_s * NS))) == pytest.approx(expected_deg)


def test_without_a_rate_the_newest_is_held():
    assert heading_deg(history(standing(20.0)).at(T0 + NS // 20)) == pytest.approx(20.0)


@pytest.mark.parametrize(('stamp_s', 'known'), [(-0.001, False), (0.0, True), (0.5, True), (0.501, False)])
def test_it_is_known_from_its_first_sample_until_half_a_second_after_its_last(stamp_s, known):
    assert (history(standing()).at(T0 + round(stamp_s * NS)) is not None) == known


def test_a_gap_in_the_samples_is_not_bridged():
    made = history(standing(0.0), standing(90.0, at_s=2.0))
    assert made.at(T0 + NS) is None


def test_why_there_is_none_is_said():
    made = VehicleHistory()
    assert made.fault(T0) == (
        "The vehicle's attitude is unknown: nothing came on `vehicle/imu` or `vehicle/odometry`; "
        "remap one of them to the vehicle's own topic."
    )
    made.take(standing(), T0)
    assert made.fault(T0 + NS // 2) == ''
    assert made.fault(T0 + NS) == (
        "The vehicle's attitude is 1.00 s old, the limit is 0.5 s: see whether its publisher still runs."
    )


@pytest.mark.parametrize(
    ('sample', 'kind', 'sentence'),
    [
        (
            replace(standing(), earth_from_vehicle_wxyz=np.array([1.0, np.nan, 0.0, 0.0])),
            'vehicle_not_a_rotation',
            'A vehicle attitude was refused: its orientation is not a unit quaternion of finite numbers.',
        ),
        (
            replace(standing(), earth_from_vehicle_wxyz=np.zeros(4)),
            'vehicle_not_a_rotation',
            'A vehicle attitude was refused: its orientation is not a unit quaternion of finite numbers.',
        ),
        (
            standing(at_s=-0.6),
            'vehicle_too_old',
            'A vehicle attitude was refused: its stamp is 0.60 s old, the limit is 0.5 s; synchronise the clocks.',
        ),
        (
            standing(at_s=0.2),
            'vehicle_from_the_future',
            'A vehicle attitude was refused: its stamp is 0.20 s ahead of this machine; synchronise the clocks.',
        ),
    ],
)
def test_what_cannot_be_used_is_refused_and_counted(sample, kind, sentence):
    made = VehicleHistory()
    with pytest.raises(Refusal) as refusal:
        made.take(sample, T0)
    assert (refusal.value.kind, str(refusal.value)) == (kind, sentence)
    assert kind in VEHICLE_REFUSALS
    assert made._samples.newest is None


def test_the_driver_counts_each_refusal_once_and_reports_the_first():
    reported: list[str] = []
    driver = GimbalDriver([], listener=DriverListener(report=reported.append), clock=lambda: Instant(0, T0))
    driver.offer_vehicle(standing(at_s=-0.6))
    driver.offer_vehicle(standing(at_s=-0.7))
    assert driver.status().counts['vehicle_too_old'] == 2
    assert len(reported) == 1
    driver.offer_vehicle(standing())
    driver.offer_vehicle(standing(at_s=-0.8))
    assert len(reported) == 2


def test_what_is_not_newer_is_ignored_and_another_frame_begins_anew():
    made = history(standing(0.0, at_s=0.0), standing(10.0, at_s=0.2))
    with pytest.raises(Refusal) as refusal:
        made.take(standing(99.0, at_s=0.1), T0 + NS // 5)
    assert refusal.value.kind == 'vehicle_not_newer'
    assert heading_deg(made.at(T0 + NS // 10)) == pytest.approx(5.0)
    made.take(replace(standing(50.0, at_s=0.25), earth_frame='map'), T0 + NS // 4)
    assert made.at(T0 + NS // 10) is None


def test_it_does_not_grow():
    made = VehicleHistory()
    for n in range(5000):
        made.take(standing(at_s=0.002 * n), T0 + 2_000_000 * n)
    assert len(made._samples) == 512


@pytest.mark.parametrize(('pitch_deg', 'known'), [(84.0, True), (86.0, False), (-86.0, False)])
def test_a_vehicle_on_end_has_no_heading(pitch_deg, known):
    q = quaternion_from_yaw_roll_pitch(0.5, 0.0, pitch_deg * DEG)
    assert heading(q) == (pytest.approx(0.5) if known else None)


# Message 286.


def test_286_says_it_in_ned_with_its_age():
    vehicle = standing(
        60.0,
        pitch_deg=-20.0,
        velocity_earth_m_s=np.array([1.0, 2.0, 3.0]),
        rate_rad_s=np.array([0.0, 0.0, 0.3]),
    )
    state = vehicle_state(vehicle, Instant(5 * NS, T0 + NS // 50))
    cy, sy, cp, sp = (f(a * DEG / 2) for a in (30.0, 20.0) for f in (math.cos, math.sin))
    # Heading 60 left of east is yaw 30 right of north; nose 20 up.
    assert state.q_ned_wxyz == pytest.approx((cy * cp, -sy * sp, cy * sp, sy * cp))
    assert (state.time_boot_us, state.q_delay_us, state.velocity_delay_us) == (5_000_000, 20_000, 20_000)
    assert state.velocity_ned_m_s == (2.0, 1.0, -3.0)
    # About the vehicle's own up axis, which leans: about the earth's it is less, and right +.
    assert state.yaw_rate_rad_s == pytest.approx(-0.3 * math.cos(20 * DEG))
    assert (state.estimator_status, state.landed_state) == (0b111, 0)
    assert math.isnan(state.commanded_yaw_rate_rad_s)


def test_286_says_what_is_not_known():
    state = vehicle_state(standing(), Instant(0, T0 - NS))
    assert (state.q_delay_us, state.velocity_delay_us, state.estimator_status) == (0, 0, 1)
    assert all(map(math.isnan, state.velocity_ned_m_s))
    assert state.yaw_rate_rad_s == 0.0


def test_a_vehicle_that_is_measured_not_to_turn_is_told_apart_from_an_unknown_rate():
    assert abs(vehicle_state(standing(rate_rad_s=np.zeros(3)), Instant(0, T0)).yaw_rate_rad_s) == 1e-5


def test_286_goes_into_bytes():
    assert (
        len(MavlinkEncoder(Sender(1, 191)).vehicle_state(Sender(1, 154), vehicle_state(standing(), Instant(0, T0))))
        <= 69
    )


@pytest.mark.parametrize('offered_hz', [10, 49, 50, 51, 100, 200, 997])
def test_no_second_has_more_than_fifty_and_the_newest_is_sent(offered_hz):
    pace = VehicleStatePace()
    sent_ns = []
    period_ns = NS // offered_hz
    next_offer_ns, offered = 0, 0
    for now_ns in range(0, 3 * NS, 1_000_000):
        while next_offer_ns <= now_ns:
            offered += 1
            pace.offer(standing(at_s=next_offer_ns / NS))
            newest_ns, next_offer_ns = next_offer_ns, next_offer_ns + period_ns
        state = pace.due(Instant(now_ns, T0 + now_ns))
        if state is not None:
            sent_ns.append(now_ns)
            assert state.q_delay_us == pytest.approx((now_ns - newest_ns) / 1000, abs=2)
    assert min(np.diff(sent_ns)) >= 20_000_000
    assert pace.sent == len(sent_ns) >= 0.9 * min(offered, 150)
    assert pace.sent + pace.replaced == pytest.approx(offered, abs=1)


def test_none_is_sent_twice_and_none_that_is_stale():
    pace = VehicleStatePace(age_limit_s=0.5)
    pace.offer(standing())
    assert pace.next_ns(Instant(7, T0)) == 7
    assert pace.due(Instant(0, T0)) is not None
    assert pace.due(Instant(NS, T0)) is None
    assert pace.next_ns(Instant(NS, T0)) is None
    pace.offer(standing())
    assert pace.due(Instant(2 * NS, T0 + NS)) is None
    assert pace.sent == 1


# The level frame.


def measured(azimuth_deg=0.0, tilt_deg=0.0, yaw_frame=YawFrame.VEHICLE):
    q = quaternion_from_bearing(azimuth_deg * DEG, tilt_deg * DEG)
    attitude = GimbalAttitude(T0, 'camera', q, np.array([0.1, 0.2, 0.3]))
    return MeasuredAttitude(attitude, azimuth_deg * DEG, 0.0, tilt_deg * DEG, yaw_frame)


def earth_azimuth_tilt_deg(attitude, reference):
    earth = earth_attitude(attitude, reference)
    return yaw_roll_pitch(earth.earth_from_camera_wxyz)[[0, 2]] / DEG


def test_in_follow_azimuth_counts_from_the_vehicles_heading_and_tilt_changes_nothing():
    for tilt in ({}, {'pitch_deg': 20.0}, {'roll_deg': -15.0}):
        reference = level_reference(YawFrame.VEHICLE, None, standing(40.0, **tilt), '')
        assert earth_azimuth_tilt_deg(measured(10.0, 30.0), reference) == pytest.approx([50.0, 30.0])
        assert reference.vehicle is not None
        # Level: the level frame's up is the earth's, whatever the vehicle does.
        up = matrix_from_quaternion(reference.level_from_base_wxyz).T @ [0.0, 0.0, 1.0]
        expected = matrix_from_quaternion(standing(40.0, **tilt).earth_from_vehicle_wxyz).T @ [0.0, 0.0, 1.0]
        assert up == pytest.approx(expected)


def test_the_cameras_rates_stamp_and_frame_go_through():
    earth = earth_attitude(measured(), level_reference(YawFrame.VEHICLE, None, standing(), ''))
    assert (earth.stamp_ns, earth.frame_id) == (T0, 'camera')
    assert earth.rate_rad_s.tolist() == [0.1, 0.2, 0.3]


def test_in_lock_azimuth_counts_from_north_where_it_is_known_to():
    reference = level_reference(YawFrame.EARTH, None, standing(40.0), '', lock_is_north=True)
    # 10 left of north is 100 left of east.
    assert earth_azimuth_tilt_deg(measured(10.0, 30.0), reference) == pytest.approx([100.0, 30.0])
    # The base looks 40 left of east, which is 50 right of north.
    assert yaw_roll_pitch(reference.level_from_base_wxyz)[0] / DEG == pytest.approx(-50.0)


def test_in_lock_the_gimbals_own_heading_serves_whatever_its_north_is():
    # It believes the vehicle to look 70 left of its north; it really looks 40 left of east.
    reference = level_reference(YawFrame.EARTH, 70 * DEG, standing(40.0), '')
    assert earth_azimuth_tilt_deg(measured(80.0), reference) == pytest.approx([50.0, 0.0])
    assert yaw_roll_pitch(reference.level_from_base_wxyz)[0] / DEG == pytest.approx(70.0)


def test_in_lock_without_north_nothing_is_said_but_why():
    for vehicle in (None, standing(40.0)):
        reference = level_reference(YawFrame.EARTH, None, vehicle, 'no vehicle' if vehicle is None else '')
        assert (reference.earth_from_level_rad, reference.level_from_base_wxyz) == (None, None)
        assert reference.reason == (
            'In lock azimuth counts from the heading at power-up, which nothing relates to the vehicle or to north: '
            "feed the vehicle's attitude and set `lock_reference` to north, or use follow."
        )
        assert earth_attitude(measured(), reference) is None


def test_without_a_vehicle_it_is_taken_as_level_and_the_earth_is_unknown():
    reference = level_reference(YawFrame.VEHICLE, None, None, 'nothing came')
    assert (reference.earth_from_level_rad, reference.vehicle, reference.reason) == (None, None, 'nothing came')
    assert reference.level_from_base_wxyz.tolist() == [1.0, 0.0, 0.0, 0.0]


def test_a_base_that_is_mounted_askew_is_told_apart_from_the_vehicle():
    mount = quaternion_from_yaw_roll_pitch(0.0, 0.0, 30 * DEG)
    level = level_reference(YawFrame.VEHICLE, None, None, 'unknown', vehicle_from_base_wxyz=mount)
    assert level.level_from_base_wxyz == pytest.approx(mount)
    backwards = quaternion_from_bearing(math.pi, 0.0)
    reference = level_reference(YawFrame.VEHICLE, None, standing(40.0), '', vehicle_from_base_wxyz=backwards)
    assert earth_azimuth_tilt_deg(measured(0.0), reference)[0] % 360 == pytest.approx(220.0)


def test_on_end_there_is_no_level_frame():
    reference = level_reference(YawFrame.VEHICLE, None, standing(pitch_deg=89.0), '')
    assert reference.level_from_base_wxyz is None
    assert reference.reason == (
        "The vehicle stands on end, so it has no heading: the level frame's azimuth is unknown until it lies down."
    )


def test_level_and_base_make_the_vehicle_again():
    vehicle = standing(-70.0, pitch_deg=12.0, roll_deg=-9.0)
    for yaw_frame, own_heading, north in ((YawFrame.VEHICLE, None, False), (YawFrame.EARTH, 1.0, False),
                                          (YawFrame.EARTH, None, True)):  # fmt: skip
        reference = level_reference(yaw_frame, own_heading, vehicle, '', north)
        turn = quaternion_from_bearing(reference.earth_from_level_rad, 0.0)
        again = multiply_quaternions(turn, reference.level_from_base_wxyz)
        assert abs(float(again @ vehicle.earth_from_vehicle_wxyz)) == pytest.approx(1.0, abs=1e-12)
