# SPDX-License-Identifier: Apache-2.0
"""The gimbal's IMU and the payload's laser range finder as readings in SI units and REP-103 axes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import matrix_from_quaternion
from gremsy_common.timing.clock_mapping import CounterUnwrapper, MinimumDelayClock
from gremsy_common.timing.stamp_check import JUMP_NS
from gremsy_common.types.gimbal_state import ImuReading, RangeReading
from gremsy_gimbal_driver.mavlink.mavlink_events import PayloadTelemetry, RawImu
from gremsy_gimbal_driver.mavlink.mavlink_frames import IMU_AXES, camera_from_imu
from gremsy_gimbal_driver.motion.instant import Instant

RANGE_NAME = 'LRF_RANGE'
ZOOM_NAME = 'EO_ZOOM'

_MICROSECOND_NS = 1000
# What ranges can be believed: these were used as the gate in the field (gimbal.md 2.4).
_NEAREST_M, _FARTHEST_M = 5.0, 300.0
_BEAM_RAD = 0.001  # usual for a laser


class ImuConversion:
    """RAW_IMU at the time of its measurement. The decoder has made it SI already.

    Args:
        frame_id: of the camera, on whose stage the sensor sits.
        least_delay_ns: the smallest time from measurement to arrival, where known.
        axes: where the sensor's x, y and z point, seen by the camera.
    """

    def __init__(self, frame_id: str, least_delay_ns: int = 0, axes: Sequence[str] = IMU_AXES) -> None:
        self._frame_id = frame_id
        self.use_axes(axes)
        self._counter = CounterUnwrapper(bits=64)
        self._clock = MinimumDelayClock(resolution_ns=_MICROSECOND_NS, least_delay_ns=least_delay_ns)
        self._last_ns: int | None = None
        self._restarts = 0
        self.rejects: Counter[str] = Counter()

    def use_least_delay(self, least_delay_ns: int) -> None:
        """Another smallest time from measurement to arrival, as it is known now."""
        self._clock.least_delay_ns = least_delay_ns

    def use_axes(self, axes: Sequence[str]) -> None:
        """How the sensor sits, as it is known now."""
        self.axes, self._camera_from_imu = axes, camera_from_imu(axes)

    def reading(self, event: RawImu, arrival: Instant) -> ImuReading | None:
        """None for one that is not newer than the last, not finite, or a sensor that measures nothing at all."""
        acceleration, rates = np.array(event.acceleration_m_s2), np.array(event.rates_rad_s)
        if not (np.isfinite(acceleration).all() and np.isfinite(rates).all()):
            self.rejects['imu_not_finite'] += 1
            return None
        # Gravity never leaves all three axes at once; exact zeros are a sensor that is not read.
        if not acceleration.any():
            self.rejects['imu_without_gravity'] += 1
            return None
        stamp_ns = self._stamp(event.time_us, arrival)
        if self._last_ns is not None and 0 <= self._last_ns - stamp_ns <= JUMP_NS:
            self.rejects['imu_not_newer'] += 1
            return None
        self._last_ns = stamp_ns
        turned = self._camera_from_imu @ np.stack([acceleration, rates], axis=1)
        return ImuReading(stamp_ns, self._frame_id, turned[:, 0], turned[:, 1])

    def _stamp(self, time_us: int, arrival: Instant) -> int:
        at_ns = self._clock.map(self._counter.unwrap(time_us) * _MICROSECOND_NS, arrival.monotonic_ns)
        if self._clock.restarts != self._restarts:
            self._restarts = self._clock.restarts
            self._last_ns = None
        return arrival.ros_at(at_ns)


class GravityWatch:
    """Whether what the IMU feels is up is where the attitude has up, taken over some twenty readings.

    A vehicle would have to speed up at 1 g all the while to lead it astray; a sensor that sits otherwise is off by 90
    degrees or more.
    """

    def __init__(self) -> None:
        self._felt = np.zeros(3)

    def agrees(self, reading: ImuReading, level_from_camera_wxyz: NDArray[np.float64]) -> bool:
        """Of the newest reading, and of how the camera stands."""
        self._felt = 0.95 * self._felt + 0.05 * reading.acceleration_m_s2
        up = matrix_from_quaternion(level_from_camera_wxyz)[2]
        return float(self._felt @ up) >= math.cos(math.radians(45.0)) * float(np.linalg.norm(self._felt))


def range_reading(event: PayloadTelemetry, frame_id: str, arrival_ros_ns: int) -> RangeReading | None:
    """None where nothing was measured: a payload sends 0 then (PayloadSdk #34).

    Outside the gate the range is -inf or +inf (REP-117: too near, too far), so that nobody takes it for a place.
    """
    measured = event.value
    if not (math.isfinite(measured) and measured > 0.0):
        return None
    if measured < _NEAREST_M:
        measured = -math.inf
    elif measured > _FARTHEST_M:
        measured = math.inf
    return RangeReading(arrival_ros_ns, frame_id, measured, _NEAREST_M, _FARTHEST_M, _BEAM_RAD)
