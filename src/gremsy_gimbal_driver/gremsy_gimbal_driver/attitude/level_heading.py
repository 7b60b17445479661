# SPDX-License-Identifier: Apache-2.0
"""How the level frame turns with the vehicle: by the best source, and by the next when that falls silent.

In follow a gimbal reports its azimuth against the vehicle's heading, so everything at rest turns in the level frame
when the vehicle turns. Who points at things must know by how much (`gimbal/heading`). What tells of it, best first:

* the vehicle's attitude that the driver is fed;
* the gimbal, where its 285 says both azimuths (`delta_yaw`, firmware from 7.8.7);
* the camera's gyro (message 27, where it comes 30 times a second: `imu_rate_hz`), less what the gimbal turned it by its
  own account.

Each has a zero of its own. What goes on in another's place begins where that one ended, so that nothing jumps.
"""

from __future__ import annotations

import math
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import matrix_from_quaternion
from gremsy_common.types.gimbal_state import ImuReading, LevelHeading, VehicleAttitude
from gremsy_gimbal_driver.attitude.attitude_reading import YawFrame
from gremsy_gimbal_driver.attitude.attitude_telemetry import MeasuredAttitude
from gremsy_gimbal_driver.attitude.vehicle_attitude import heading
from gremsy_gimbal_driver.motion.instant import nanoseconds

# A source that was silent for so long has fallen silent: two samples of one that comes at 10 Hz.
_SILENT_NS = nanoseconds(0.25)
# Of a gyro between its samples. At the 10 Hz that come where no more are asked for, a gimbal that starts to turn at
# 60 deg/s is two degrees wrong, which is worse than a vehicle that is taken not to turn.
_GYRO_REACH_NS = nanoseconds(0.035)
# A hundred a second are enough for any vehicle, and a flight controller's IMU sends five hundred.
_LEAST_INTERVAL_NS = nanoseconds(0.009)
_LEAST_COS_TILT = 0.1


class HeadingSource(str, Enum):
    """What reports how the level frame turns; best first."""

    LOCK = 'the mode: in lock it does not turn'
    VEHICLE = "the vehicle's attitude"
    GIMBAL = "the gimbal's delta_yaw"
    GYRO = "the camera's gyro less the joint's turning"


_RANK = {source: rank for rank, source in enumerate(HeadingSource)}


class LevelHeadings:
    """Takes what comes, in order of arrival, and returns the heading where it is new; for one thread, or under a lock.

    Args:
        level_frame: of the headings.
    """

    def __init__(self, level_frame: str) -> None:
        self._level_frame = level_frame
        self._locked = False
        self._source: HeadingSource | None = None
        self._newest: LevelHeading | None = None
        self._zero_rad = self._slope_rad_s = 0.0
        self._gyro: tuple[int, float] | None = None  # its newest stamp, and the azimuth's rate then
        self._gyro_rad = 0.0  # its integral up to then
        self._gyro_whole = False
        self._level_from_camera = np.eye(3)

    def source(self, now_ns: int) -> HeadingSource | None:
        """What the heading comes from now, by the ROS clock; None where nothing reports it."""
        return None if self._newest is None or now_ns - self._newest.stamp_ns > 2 * _SILENT_NS else self._source

    def vehicle(self, vehicle: VehicleAttitude) -> LevelHeading | None:
        """The vehicle's attitude, as the driver is fed it."""
        heading_rad = heading(vehicle.earth_from_vehicle_wxyz)
        if heading_rad is None or self._locked:
            return None
        rate = _azimuth_rate(matrix_from_quaternion(vehicle.earth_from_vehicle_wxyz), vehicle.rate_rad_s)
        return self._update(HeadingSource.VEHICLE, vehicle.stamp_ns, heading_rad, rate)

    def attitude(self, measured: MeasuredAttitude) -> LevelHeading | None:
        """The gimbal's attitude."""
        stamp_ns = measured.attitude.stamp_ns
        self._level_from_camera = matrix_from_quaternion(measured.attitude.level_from_camera_wxyz)
        self._locked = measured.yaw_frame is YawFrame.EARTH
        if self._locked:
            return self._update(HeadingSource.LOCK, stamp_ns, 0.0, 0.0)
        if measured.heading_rad is not None:
            newest = self._update(HeadingSource.GIMBAL, stamp_ns, measured.heading_rad, math.nan)
            if newest is not None:
                return newest
        if self._gyro is None or not self._gyro_whole or not 0 <= stamp_ns - self._gyro[0] <= _GYRO_REACH_NS:
            return None
        at_ns, rate = self._gyro
        turned = self._gyro_rad + rate * (stamp_ns - at_ns) * 1e-9
        return self._update(HeadingSource.GYRO, stamp_ns, turned - measured.yaw_rad, math.nan)

    def imu(self, reading: ImuReading) -> None:
        """The camera's own gyro: it knows of every turn in the world, whatever caused it."""
        rate = _azimuth_rate(self._level_from_camera, reading.rate_rad_s)
        before, self._gyro = self._gyro, (reading.stamp_ns, rate)
        self._gyro_whole = before is not None and 0 < reading.stamp_ns - before[0] <= _GYRO_REACH_NS
        if before is not None and self._gyro_whole:
            self._gyro_rad += 0.5 * (before[1] + rate) * (reading.stamp_ns - before[0]) * 1e-9
        elif self._source is HeadingSource.GYRO:
            self._source = None  # what it missed is not known: it starts again

    def _update(self, source: HeadingSource, stamp_ns: int, raw_rad: float, rate_rad_s: float) -> LevelHeading | None:
        """None for what is not newer, too soon, or of a worse source while a better one reports."""
        newest = self._newest
        since_ns = _SILENT_NS if newest is None else stamp_ns - newest.stamp_ns
        if since_ns < 0 and since_ns > -nanoseconds(1.0):
            return None
        # In lock it is known at once that the mode has ended; of the others one is waited for that is only late.
        lock_ended = self._source is HeadingSource.LOCK and not self._locked
        worse = self._source is not None and _RANK[source] > _RANK[self._source] and not lock_ended
        if worse and 0 <= since_ns < _SILENT_NS:
            return None
        if source is self._source:
            if 0 <= since_ns < _LEAST_INTERVAL_NS:
                return None
            heading_rad = raw_rad + self._zero_rad
            if newest is not None:
                heading_rad = newest.heading_rad + math.remainder(heading_rad - newest.heading_rad, 2 * math.pi)
        else:
            heading_rad = 0.0
            if newest is not None:
                carried_s = min(max(since_ns, 0), 2 * _SILENT_NS) * 1e-9
                rate = newest.rate_rad_s if math.isfinite(newest.rate_rad_s) else self._slope_rad_s
                heading_rad = newest.heading_rad + rate * carried_s
            self._source, self._zero_rad = source, heading_rad - raw_rad
        if newest is not None and 0 < since_ns <= _SILENT_NS:
            self._slope_rad_s = (heading_rad - newest.heading_rad) / (since_ns * 1e-9)
        self._newest = LevelHeading(stamp_ns, self._level_frame, heading_rad, rate_rad_s)
        return self._newest


def _azimuth_rate(level_from_body: NDArray[np.float64], rate_rad_s: NDArray[np.float64]) -> float:
    """Of the body's x axis d, which turns by w x d, seen from above; rates are about the body's own axes."""
    turning = level_from_body @ rate_rad_s
    x, y, z = level_from_body[:, 0]
    level = max(x * x + y * y, _LEAST_COS_TILT**2)
    return float(turning[2] - z * (x * turning[0] + y * turning[1]) / level)
