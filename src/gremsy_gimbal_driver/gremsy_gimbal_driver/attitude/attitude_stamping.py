# SPDX-License-Identifier: Apache-2.0
"""A reading to a GimbalAttitude: its time in our clock, rates where the device gives none, whole turns counted."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from gremsy_common.geometry import rotation_vector_between, yaw_roll_pitch
from gremsy_common.timing.clock_mapping import CounterUnwrapper, MinimumDelayClock
from gremsy_common.timing.stamp_check import JUMP_NS
from gremsy_common.types.gimbal_state import GimbalAttitude
from gremsy_gimbal_driver.attitude.attitude_reading import (
    AttitudeReading,
    AttitudeSource,
    YawFrame,
    reading_from_status,
)
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus
from gremsy_gimbal_driver.motion.instant import Instant

_MILLISECOND_NS = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredAttitude:
    """An attitude and its 3-1-2 angles; `yaw_rad` goes on over +-pi, so that a limit has one side.

    `yaw_frame` says where azimuth 0 is, `heading_rad` where the vehicle's heading is in an earth-fixed level frame
    (see `attitude_reading`).
    """

    attitude: GimbalAttitude
    yaw_rad: float
    roll_rad: float
    pitch_rad: float
    yaw_frame: YawFrame = YawFrame.VEHICLE
    heading_rad: float | None = None
    source: AttitudeSource = AttitudeSource.STATUS

    @property
    def ahead_rad(self) -> float:
        """Azimuth of the vehicle's heading, where that is known; else 0."""
        return 0.0 if self.yaw_frame is YawFrame.VEHICLE else math.remainder(self.heading_rad or 0.0, 2 * math.pi)

    @property
    def speed_rad_s(self) -> float:
        """How fast the camera turns, about whatever axis; tells whether a stop was obeyed."""
        return math.hypot(*self.attitude.rate_rad_s.tolist())


class AttitudeStamping:
    """Keeps the clock mapping of one gimbal.

    Args:
        frame_id: of the camera whose orientation it is.
        least_delay_ns: the smallest time from measurement to arrival, where known.
    """

    def __init__(self, frame_id: str, least_delay_ns: int = 0) -> None:
        self._frame_id = frame_id
        self._counter = CounterUnwrapper()
        self._clock = MinimumDelayClock(resolution_ns=_MILLISECOND_NS, least_delay_ns=least_delay_ns)
        self._last: MeasuredAttitude | None = None
        self.rejects: Counter[str] = Counter()

    @property
    def restarts(self) -> int:
        """How often the device's clock began anew (a reboot)."""
        return self._clock.restarts

    def use_least_delay(self, least_delay_ns: int) -> None:
        """From the next reading on; none comes until they are newer again than those before."""
        self._clock.least_delay_ns = least_delay_ns

    def measured(self, status: AttitudeStatus, arrival: Instant) -> MeasuredAttitude | None:
        """The attitude of a 285; None for one that is not newer than the last."""
        return self.stamped(reading_from_status(status), arrival)

    def stamped(self, reading: AttitudeReading, arrival: Instant) -> MeasuredAttitude | None:
        """The attitude at its time; None for one that is not newer than the last, unless the ROS clock was set back."""
        restarts = self._clock.restarts
        device_ns = self._counter.unwrap(reading.time_boot_ms) * _MILLISECOND_NS
        stamp_ns = arrival.ros_at(self._clock.map(device_ns, arrival.monotonic_ns))
        if self._clock.restarts != restarts:
            self._last = None
        if self._last is not None and 0 <= self._last.attitude.stamp_ns - stamp_ns <= JUMP_NS:
            self.rejects['attitude_not_newer'] += 1
            return None
        quaternion = reading.level_from_camera_wxyz
        rates = self._rates_from_motion(reading, stamp_ns) if reading.rate_rad_s is None else reading.rate_rad_s
        attitude = GimbalAttitude(stamp_ns, self._frame_id, quaternion, rates)
        yaw, roll, pitch = yaw_roll_pitch(quaternion).tolist()
        if self._last is not None:
            yaw += 2 * math.pi * round((self._last.yaw_rad - yaw) / (2 * math.pi))
        self._last = MeasuredAttitude(
            attitude, yaw, roll, pitch, reading.yaw_frame, reading.heading_rad, reading.source
        )
        return self._last

    def _rates_from_motion(self, reading: AttitudeReading, stamp_ns: int) -> np.ndarray:
        """For a device that does not report rates: the turn since the last attitude, about the camera's axes."""
        # When azimuth counts from elsewhere than before, the difference is no motion.
        if self._last is None or self._last.yaw_frame is not reading.yaw_frame:
            return np.zeros(3)
        before = self._last.attitude
        if stamp_ns <= before.stamp_ns:
            return np.zeros(3)
        turn = rotation_vector_between(before.level_from_camera_wxyz, reading.level_from_camera_wxyz)
        return np.asarray(turn / ((stamp_ns - before.stamp_ns) * 1e-9))
