# SPDX-License-Identifier: Apache-2.0
"""From 285 and 265 to one attitude: frames by their flags, one source at a time, and no garbage."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_common.geometry import quaternion_from_bearing, quaternion_from_yaw_roll_pitch, yaw_roll_pitch
from gremsy_gimbal_driver.attitude.attitude_reading import (
    AttitudeSource,
    YawFrame,
    reading_from_orientation,
    reading_from_status,
)
from gremsy_gimbal_driver.attitude.attitude_telemetry import AttitudeStamping, AttitudeTelemetry
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, MountOrientation, Sender
from gremsy_gimbal_driver.mavlink.mavlink_frames import q_frd_from_level_camera
from gremsy_gimbal_driver.motion.instant import Instant

GIMBAL = Sender(1, 154)
NAN3 = (math.nan,) * 3
FOLLOW, LOCK, IN_VEHICLE, IN_EARTH = 0x0C, 0x1C, 0x20, 0x40
DEG = math.pi / 180
# The ROS clock is far from the monotonic one, so that taking one for the other shows.
ROS_NS = 1_700_000_000_000_000_000


def status(azimuth_deg=0.0, tilt_deg=0.0, boot_ms=0, flags=FOLLOW, delta_yaw_deg=math.nan, rates=NAN3):
    q = q_frd_from_level_camera(quaternion_from_bearing(azimuth_deg * DEG, tilt_deg * DEG))
    return AttitudeStatus(GIMBAL, boot_ms, flags, tuple(q.tolist()), rates, 0, delta_yaw_deg * DEG)


def orientation(yaw_right_deg=5.0, pitch_up_deg=-10.0, boot_ms=0, absolute_deg=math.nan, roll_deg=0.1):
    return MountOrientation(
        GIMBAL, boot_ms, roll_deg * DEG, pitch_up_deg * DEG, yaw_right_deg * DEG, absolute_deg * DEG
    )


class Bench:
    """A telemetry in invented time: every event arrives 10 ms after it was measured."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.informed: list[str] = []
        self.telemetry = AttitudeTelemetry(AttitudeStamping('camera'), self.said.append, self.informed.append)

    def take(self, event, arrival_s=None, locked=False):
        arrival_s = event.time_boot_ms * 1e-3 + 0.01 if arrival_s is None else arrival_s
        ns = round(arrival_s * 1e9)
        return self.telemetry.take(event, Instant(ns, ROS_NS + ns), locked)

    @property
    def counts(self):
        return dict(self.telemetry.counts)


# What azimuth counts from.


@pytest.mark.parametrize(
    ('flags', 'frame', 'azimuth_deg', 'heading_deg'),
    [
        # Old firmware: the mode says it, and delta_yaw is not looked at.
        (FOLLOW, YawFrame.VEHICLE, 20.0, None),
        (LOCK, YawFrame.EARTH, 20.0, None),
        # It says so, and it is what the mode wants.
        (FOLLOW | IN_VEHICLE, YawFrame.VEHICLE, 20.0, -30.0),
        (LOCK | IN_EARTH, YawFrame.EARTH, 20.0, -30.0),
        # It reports the other frame: 30 degrees right of north is the vehicle, so 20 left of it is 10 right of north.
        (LOCK | IN_VEHICLE, YawFrame.EARTH, -10.0, -30.0),
        (FOLLOW | IN_EARTH, YawFrame.VEHICLE, 50.0, -30.0),
        # Both at once is not allowed and says nothing.
        (FOLLOW | IN_EARTH | IN_VEHICLE, YawFrame.VEHICLE, 20.0, None),
    ],
)
def test_azimuth_is_in_the_frame_of_the_modes_angle_commands(flags, frame, azimuth_deg, heading_deg):
    reading = reading_from_status(status(20.0, 40.0, flags=flags, delta_yaw_deg=30.0))
    assert reading.yaw_frame is frame
    assert yaw_roll_pitch(reading.level_from_camera_wxyz) / DEG == pytest.approx([azimuth_deg, 0.0, 40.0])
    assert reading.heading_rad == (None if heading_deg is None else pytest.approx(heading_deg * DEG))


def test_a_frame_that_cannot_be_turned_is_named_as_it_is():
    reading = reading_from_status(status(20.0, flags=LOCK | IN_VEHICLE, delta_yaw_deg=math.nan))
    assert (reading.yaw_frame, reading.heading_rad) == (YawFrame.VEHICLE, None)
    assert yaw_roll_pitch(reading.level_from_camera_wxyz)[0] / DEG == pytest.approx(20.0)


def test_265_is_three_angles_in_the_order_of_the_motors():
    reading = reading_from_orientation(orientation(30.0, 20.0, roll_deg=10.0))
    expected = quaternion_from_yaw_roll_pitch(-30.0 * DEG, 10.0 * DEG, -20.0 * DEG)
    assert reading.level_from_camera_wxyz == pytest.approx(expected)
    assert (reading.rate_rad_s, reading.yaw_frame, reading.heading_rad) == (None, YawFrame.VEHICLE, None)


def test_265_in_lock_counts_from_north_where_it_can():
    held = orientation(yaw_right_deg=30.0, absolute_deg=75.0)
    assert reading_from_orientation(held, locked=False).yaw_frame is YawFrame.VEHICLE
    reading = reading_from_orientation(held, locked=True)
    assert reading.yaw_frame is YawFrame.EARTH
    assert yaw_roll_pitch(reading.level_from_camera_wxyz)[0] / DEG == pytest.approx(-75.0)
    assert reading.heading_rad == pytest.approx(-45.0 * DEG)
    assert reading_from_orientation(orientation(30.0), locked=True).yaw_frame is YawFrame.VEHICLE


# Stamps, rates, turns.


def test_it_is_stamped_when_it_was_measured_on_the_ros_clock():
    bench = Bench()
    stamps = [bench.take(status(boot_ms=ms), ms * 1e-3 + late).attitude.stamp_ns for ms, late in
              ((0, 0.01), (50, 0.04), (100, 0.01))]  # fmt: skip
    assert np.diff(stamps) == pytest.approx([50e6, 50e6], abs=1e6)
    assert stamps[0] == pytest.approx(ROS_NS + 10e6, abs=1e6)


def test_rates_come_from_the_motion_where_the_device_gives_none():
    bench = Bench()
    bench.take(status(0.0, boot_ms=0))
    measured = bench.take(status(2.0, boot_ms=100))
    assert measured.attitude.rate_rad_s / DEG == pytest.approx([0.0, 0.0, 20.0], abs=0.2)
    assert measured.speed_rad_s / DEG == pytest.approx(20.0, abs=0.2)


def test_rates_that_the_device_gives_are_taken():
    measured = Bench().take(status(rates=(0.1, 0.2, 0.2)))
    assert measured.attitude.rate_rad_s == pytest.approx([0.1, -0.2, -0.2])
    assert measured.speed_rad_s == pytest.approx(0.3)


def test_yaw_goes_on_over_half_a_turn():
    bench = Bench()
    yaws = [bench.take(status(azimuth, boot_ms=100 * n)).yaw_rad / DEG for n, azimuth in enumerate((170, 179, -172))]
    assert yaws == pytest.approx([170.0, 179.0, 188.0])


def test_going_over_to_lock_is_no_motion():
    bench = Bench()
    bench.take(status(0.0, boot_ms=0))
    measured = bench.take(status(-120.0, boot_ms=50, flags=LOCK))
    assert (measured.yaw_frame, measured.speed_rad_s) == (YawFrame.EARTH, 0.0)
    assert bench.counts == {}


# One source at a time.


def test_265_is_not_used_beside_285():
    bench = Bench()
    for ms in range(0, 10_000, 100):
        assert bench.take(status(boot_ms=ms)).source is AttitudeSource.STATUS
        assert bench.take(orientation(boot_ms=ms + 50)) is None
    assert (bench.telemetry.source, bench.said, bench.counts) == (AttitudeSource.STATUS, [], {})


@pytest.mark.parametrize(('boot_ms', 'used'), [(1900, False), (2000, True)])
def test_a_gimbal_that_sends_no_285_is_read_by_265_after_two_seconds(boot_ms, used):
    bench = Bench()
    taken = [bench.take(orientation(boot_ms=ms)) for ms in range(0, boot_ms + 1, 100)]
    assert all(each is None for each in taken[:-1])
    assert (taken[-1] is not None) == used
    expected = (
        'The gimbal sends no usable GIMBAL_DEVICE_ATTITUDE_STATUS 285: its attitude is taken from MOUNT_ORIENTATION '
        '265, which has neither flags nor rates; update its firmware if it is older than 7.5.6.'
    )
    assert bench.said == ([expected] if used else [])


def test_sources_change_once_each_way_and_it_is_said_and_counted():
    bench = Bench()
    sources = []
    for ms in range(0, 9000, 100):
        if not 3000 <= ms < 6000:
            bench.take(status(-5.0, 10.0, boot_ms=ms))
        bench.take(orientation(5.0, -10.0, boot_ms=ms + 40))
        sources.append(bench.telemetry.source)
    assert sources.count(AttitudeSource.ORIENTATION) == 11  # 4.9 s (two after the last 285) to 6 s
    assert bench.counts == {'attitude_source_changes': 2}
    assert bench.informed == ["The gimbal's attitude comes from GIMBAL_DEVICE_ATTITUDE_STATUS 285 again."]
    assert len(bench.said) == 1


def test_a_gimbal_that_is_back_after_a_silence_is_given_time_for_its_first_285():
    bench = Bench()
    for ms in (*range(0, 3000, 50), *range(15_000, 18_000, 50)):
        bench.take(orientation(5.0, -10.0, boot_ms=ms))
        if ms % 1000 == 900:
            bench.take(status(-5.0, 10.0, boot_ms=ms + 10))
    assert (bench.said, bench.informed, bench.telemetry.source) == ([], [], AttitudeSource.STATUS)


# Garbage.


@pytest.mark.parametrize('boot_ms', [100, 90, 0])
def test_what_is_not_newer_is_dropped(boot_ms):
    bench = Bench()
    bench.take(status(boot_ms=100))
    assert bench.take(status(boot_ms=boot_ms), 0.15) is None
    assert bench.counts == {'attitude_not_newer': 1}
    assert bench.take(status(boot_ms=150)) is not None


@pytest.mark.parametrize('jumped_ms', [5_000, 60_000, 4_000_000_000])
def test_a_single_wrong_device_time_changes_nothing(jumped_ms):
    bench = Bench()
    for ms in range(2000, 3000, 50):
        assert bench.take(status(boot_ms=ms)) is not None
    assert bench.take(status(boot_ms=jumped_ms), 3.01) is None
    after = bench.take(status(boot_ms=3050))
    assert after.attitude.stamp_ns == pytest.approx(ROS_NS + 3.06e9, abs=1e6)
    assert bench.counts == {'attitude_time_jump': 1}
    assert bench.telemetry.stamping.clock.restarts == 0


@pytest.mark.parametrize(('heard_for_s', 'back'), [(0.25, False), (0.35, True)])
def test_a_reboot_is_believed_after_0_3_s(heard_for_s, back):
    bench = Bench()
    for ms in range(60_000, 61_000, 50):
        bench.take(status(boot_ms=ms))
    taken = [bench.take(status(90.0, boot_ms=ms), 71.0 + ms * 1e-3) for ms in range(0, round(heard_for_s * 1e3), 50)]
    assert (taken[-1] is not None) == back
    assert bench.telemetry.stamping.clock.restarts == (1 if back else 0)
    assert bench.counts['attitude_time_jump'] == len(taken) - (1 if back else 0)
    assert bench.counts.get('attitude_believed_anew', 0) == (1 if back else 0)


def test_a_hold_up_of_the_link_is_not_a_jump_of_the_device():
    bench = Bench()
    for ms in range(0, 2000, 50):
        assert bench.take(status(boot_ms=ms)) is not None
    for ms in range(2000, 2900, 50):  # nine tenths of a second that come all at once
        assert bench.take(status(boot_ms=ms), 2.91) is not None
    for ms in range(2900, 4000, 50):
        assert bench.take(status(boot_ms=ms)) is not None
    assert bench.counts == {}


def test_the_devices_counter_may_wrap():
    bench = Bench()
    start = (1 << 32) - 500
    for n in range(0, 1000, 50):
        assert bench.take(status(boot_ms=(start + n) % (1 << 32)), 1.0 + n * 1e-3) is not None
    assert bench.counts == {}


def test_a_slow_device_clock_is_not_a_jump_in_a_day():
    bench = Bench()
    for minute in range(0, 24 * 60, 5):
        device_s = 60.0 * minute * (1 - 100e-6)  # 8.6 s in a day
        assert bench.take(status(boot_ms=round(device_s * 1e3)), 60.0 * minute + 0.01) is not None
    assert bench.counts == {}


@pytest.mark.parametrize(('jump_deg', 'good'), [(22.0, True), (24.0, False)])
def test_an_angle_that_no_gimbal_reaches_is_dropped(jump_deg, good):
    """360 deg/s for 50 ms and 5 degrees more."""
    bench = Bench()
    bench.take(status(0.0, boot_ms=0))
    assert (bench.take(status(0.0, jump_deg, boot_ms=50)) is not None) == good
    assert bench.counts == ({} if good else {'attitude_angle_jump': 1})


def test_single_jumps_never_come_through_however_many():
    random = np.random.default_rng(5)
    bench = Bench()
    good = dropped = 0
    for n in range(2000):
        garbage = n > 0 and random.random() < 0.14
        taken = bench.take(status(120.0 if garbage else 10.0, 30.0 if garbage else 5.0, boot_ms=50 * n))
        if taken is not None:
            assert taken.yaw_rad / DEG == pytest.approx(10.0)
        good += taken is not None
        dropped += garbage
    assert good == 2000 - dropped
    assert bench.counts == {'attitude_angle_jump': dropped}


@pytest.mark.parametrize(('held_for_s', 'believed'), [(0.45, False), (0.5, True)])
def test_an_orientation_that_persists_is_believed_after_half_a_second(held_for_s, believed):
    bench = Bench()
    bench.take(status(0.0, boot_ms=1000))
    ends_ms = 1050 + round(held_for_s * 1e3)
    taken = [bench.take(status(120.0, boot_ms=ms)) for ms in range(1050, ends_ms + 1, 50)]
    assert all(each is None for each in taken[:-1])
    assert (taken[-1] is not None) == believed


def test_after_half_a_second_of_silence_the_camera_may_be_anywhere():
    bench = Bench()
    bench.take(status(0.0, boot_ms=1000))
    assert bench.take(status(170.0, boot_ms=1501)) is not None
    assert bench.counts == {}


def test_garbage_that_never_agrees_with_itself_is_never_believed():
    random = np.random.default_rng(6)
    bench = Bench()
    bench.take(status(0.0, boot_ms=0))
    for n in range(1, 200):
        garbage = status(120.0 + 60.0 * (n % 2), float(random.uniform(-5, 5)), boot_ms=50 * n)
        assert bench.take(garbage) is None
    assert bench.counts == {'attitude_angle_jump': 199}


def test_zero_triples_of_a_real_wire_are_counted_by_the_decoder_and_an_identity_285_is_not_one():
    from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
    from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect

    decoder = MavlinkDecoder(Sender(1, 191))
    mavlink = dialect.MAVLink(None, 1, 154)
    heartbeat = dialect.MAVLink_heartbeat_message(dialect.MAV_TYPE_GIMBAL, 8, 0, 0, 4, 3)
    zeros = dialect.MAVLink_mount_orientation_message(0, 0.0, 0.0, 0.0)
    identity = dialect.MAVLink_gimbal_device_attitude_status_message(0, 0, 100, FOLLOW, [1.0, 0, 0, 0], 0, 0, 0, 0)
    events = decoder.feed(b''.join(bytes(each.pack(mavlink)) for each in (heartbeat, zeros, identity)))
    attitudes = [event for event in events if isinstance(event, AttitudeStatus | MountOrientation)]
    assert [type(event) for event in attitudes] == [AttitudeStatus]
    assert Bench().take(attitudes[0], 0.2) is not None
    assert decoder.rejects['orientation_zero_triple'] == 1


@pytest.mark.parametrize('speed', [0.1, 0.5, 2.0, 10.0])
def test_a_simulated_clock_at_any_speed_is_no_restart_of_the_device(speed):
    """A bag that is played slower or faster; the gimbal's own clock goes on as it does."""
    bench = Bench()
    stamps = []
    for ms in range(0, 20_000, 20):
        ns = ms * 1_000_000 + 10_000_000
        ros_ns = ROS_NS + round(speed * ns)
        measured = bench.telemetry.take(status(5.0, boot_ms=ms), Instant(ns, ros_ns))
        assert -20e6 < measured.attitude.stamp_ns - ros_ns <= 0
        stamps.append(measured.attitude.stamp_ns)
    assert (stamps, bench.telemetry.stamping.clock.restarts) == (sorted(set(stamps)), 0)


@pytest.mark.parametrize('step_s', [-3600.0, -1.0, 3600.0])
def test_our_clock_that_is_set_is_no_restart_of_the_device_and_keeps_nothing_out(step_s):
    bench = Bench()
    for ms in range(0, 4000, 20):
        ns = ms * 1_000_000
        ros_ns = ROS_NS + ns + (round(step_s * 1e9) if ms >= 2000 else 0)
        measured = bench.telemetry.take(status(170.0 + 0.01 * ms, boot_ms=ms), Instant(ns, ros_ns))
        assert -20e6 < measured.attitude.stamp_ns - ros_ns <= 0
    assert (bench.counts, bench.telemetry.stamping.clock.restarts) == ({}, 0)
    assert math.degrees(measured.yaw_rad) == pytest.approx(170.0 + 39.8)
