# SPDX-License-Identifier: Apache-2.0
"""What tells how the level frame turns, each alone, and one after the other."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gremsy_common.geometry import multiply_quaternions, quaternion_from_bearing, quaternion_from_rotation_vector
from gremsy_common.types.gimbal_state import GimbalAttitude, ImuReading, LevelHeading, VehicleAttitude
from gremsy_gimbal_driver.attitude.attitude_reading import YawFrame
from gremsy_gimbal_driver.attitude.attitude_telemetry import MeasuredAttitude
from gremsy_gimbal_driver.attitude.level_heading import HeadingSource, LevelHeadings
from gremsy_gimbal_driver.device.payload_readings import ImuConversion
from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.motion.instant import Instant

MS = 1_000_000
T0 = 50_000 * MS
NAN = np.full(3, math.nan)
TURN_RAD_S = 0.3


class Robot:
    """A vehicle that turns left at 0.3 rad/s under a camera that looks 0.2 rad down and stands still in the world."""

    def __init__(self) -> None:
        self.headings = LevelHeadings('robot/gimbal_level')
        self.told: list[LevelHeading] = []

    def true_rad(self, at_ms: int) -> float:
        return TURN_RAD_S * at_ms * 1e-3

    def run(self, begin_ms: int, end_ms: int, *sources: HeadingSource, gyro_ms: int = 20) -> None:
        for at_ms in range(begin_ms, end_ms, 10):
            if HeadingSource.VEHICLE in sources and at_ms % 20 == 0:
                self.tell(self.headings.vehicle(self.vehicle(at_ms)))
            if HeadingSource.GYRO in sources and at_ms % gyro_ms == 0:
                # The gyro of a camera that stands still in the world, however the joint turns.
                self.headings.imu(ImuReading(T0 + at_ms * MS, 'camera', np.array([0.0, 0.0, 9.8]), np.zeros(3)))
            if at_ms % 20 == 10:
                delta = self.true_rad(at_ms) + 0.5 if HeadingSource.GIMBAL in sources else None
                self.tell(self.headings.attitude(self.measured(at_ms, delta, HeadingSource.LOCK in sources)))

    def tell(self, heading: LevelHeading | None) -> None:
        if heading is not None:
            self.told.append(heading)

    def vehicle(self, at_ms: int) -> VehicleAttitude:
        """Leaning, so that its heading is not its quaternion's angle, and its rate not its gyro's z."""
        lean = quaternion_from_rotation_vector([0.1, 0.2, 0.0])
        attitude = multiply_quaternions(quaternion_from_bearing(self.true_rad(at_ms) + 2.0, 0.0), lean)
        up = np.array([0.0, 0.0, TURN_RAD_S])
        leaned = multiply_quaternions(multiply_quaternions(lean * [1, -1, -1, -1], [0.0, *up]), lean)
        return VehicleAttitude(T0 + at_ms * MS, 'base', 'odom', attitude, np.asarray(leaned[1:]), NAN, NAN)

    def measured(self, at_ms: int, delta_yaw: float | None, locked: bool) -> MeasuredAttitude:
        azimuth = 0.0 if locked else -self.true_rad(at_ms)
        attitude = GimbalAttitude(T0 + at_ms * MS, 'camera', quaternion_from_bearing(azimuth, 0.2), np.zeros(3))
        frame = YawFrame.EARTH if locked else YawFrame.VEHICLE
        return MeasuredAttitude(attitude, azimuth, 0.0, 0.2, frame, delta_yaw)

    def turned_rad(self, since: int = 0) -> float:
        return self.told[-1].heading_rad - self.told[since].heading_rad


@pytest.mark.parametrize('source', [HeadingSource.VEHICLE, HeadingSource.GIMBAL, HeadingSource.GYRO])
def test_each_alone_tells_how_the_level_frame_turns(source: HeadingSource) -> None:
    robot = Robot()
    robot.run(0, 1000, source)
    assert robot.headings.source(T0 + 1000 * MS) is source
    assert robot.told[0].frame_id == 'robot/gimbal_level'
    elapsed_s = (robot.told[-1].stamp_ns - robot.told[0].stamp_ns) * 1e-9
    assert elapsed_s > 0.9
    assert robot.turned_rad() == pytest.approx(TURN_RAD_S * elapsed_s, abs=1e-6)
    if source is HeadingSource.VEHICLE:
        assert robot.told[-1].rate_rad_s == pytest.approx(TURN_RAD_S, abs=1e-6)


def test_the_best_that_speaks_tells_and_when_it_falls_silent_the_next_goes_on_where_it_ended() -> None:
    robot = Robot()
    every = (HeadingSource.VEHICLE, HeadingSource.GIMBAL, HeadingSource.GYRO)
    for number in range(3):
        robot.run(1000 * number, 1000 * (number + 1), *every[number:])
        assert robot.headings.source(T0 + (1000 * number + 990) * MS) is every[number]
    robot.run(3000, 4000, *every)
    assert robot.headings.source(T0 + 3990 * MS) is HeadingSource.VEHICLE
    first = robot.told[0]
    for each in robot.told:
        assert each.heading_rad == pytest.approx(
            first.heading_rad + TURN_RAD_S * (each.stamp_ns - first.stamp_ns) * 1e-9, abs=1e-4
        )
    stamps = [each.stamp_ns for each in robot.told]
    assert stamps == sorted(stamps)


def test_in_lock_it_does_not_turn_whatever_the_vehicle_does() -> None:
    robot = Robot()
    robot.run(0, 1000, HeadingSource.LOCK, HeadingSource.VEHICLE)
    # Before the first attitude nobody knows of the lock.
    assert robot.turned_rad(since=1) == 0.0
    assert robot.headings.source(T0 + 990 * MS) is HeadingSource.LOCK
    robot.run(1000, 2000, HeadingSource.VEHICLE)
    assert robot.headings.source(T0 + 1990 * MS) is HeadingSource.VEHICLE


def test_where_nothing_tells_there_is_nothing_to_tell() -> None:
    robot = Robot()
    robot.run(0, 1000)
    assert (robot.told, robot.headings.source(T0 + 1000 * MS)) == ([], None)


def test_a_gyro_at_ten_hertz_is_too_slow_to_be_integrated() -> None:
    robot = Robot()
    robot.run(0, 2000, HeadingSource.GYRO, gyro_ms=100)
    assert robot.told == []


def test_a_silent_source_is_named_no_longer() -> None:
    robot = Robot()
    robot.run(0, 1000, HeadingSource.VEHICLE)
    robot.run(1000, 2000)
    assert robot.headings.source(T0 + 2000 * MS) is None


def test_a_gyro_that_sits_as_the_vendors_log_has_it_tells_the_turn_of_a_tilted_camera():
    """x right, y forward, z up (gSDK's README, 6.16), on a camera that looks 0.5 rad down, carried to the left."""
    tilt, up = 0.5, math.degrees(TURN_RAD_S) * 32.8
    mavlink, headings = dialect.MAVLink(None, 1, 154), LevelHeadings('gimbal_level')
    decoder, conversion = MavlinkDecoder(Sender(1, 191), Sender(1, 154)), ImuConversion('camera')
    attitude = GimbalAttitude(0, 'camera', quaternion_from_bearing(0.0, tilt), np.zeros(3))
    told = []
    for at_ms in range(0, 2000, 20):
        counts = 0, round(-math.sin(tilt) * up), round(math.cos(tilt) * up)
        message = dialect.MAVLink_raw_imu_message(at_ms * 1000, 0, 0, 8192, *counts, 0, 0, 0)
        (event,) = decoder.feed(bytes(message.pack(mavlink)), True)
        headings.imu(conversion.reading(event, Instant(at_ms * MS, T0 + at_ms * MS)))
        seen = replace(attitude, stamp_ns=T0 + at_ms * MS + MS)
        told.append(headings.attitude(MeasuredAttitude(seen, 0.0, 0.0, tilt)))
    (first, *_, last) = [each for each in told if each is not None]
    assert headings.source(last.stamp_ns) is HeadingSource.GYRO
    turned_rad = TURN_RAD_S * (last.stamp_ns - first.stamp_ns) * 1e-9
    assert last.heading_rad - first.heading_rad == pytest.approx(turned_rad, rel=0.01)
