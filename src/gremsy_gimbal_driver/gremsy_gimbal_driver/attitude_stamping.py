# SPDX-License-Identifier: Apache-2.0
"""Message 285 to a GimbalAttitude: REP-103 axes, and the time of measurement in our clock."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from gremsy_common.clock_mapping import CounterUnwrapper, MinimumDelayClock
from gremsy_common.gimbal_state import GimbalAttitude
from gremsy_common.rotations import multiply_quaternions
from gremsy_gimbal_driver.euler import yaw_roll_pitch
from gremsy_gimbal_driver.mavlink_events import AttitudeStatus
from gremsy_gimbal_driver.mavlink_frames import level_from_camera_flu, vector_flu

_MILLISECOND_NS = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredAttitude:
    """An attitude and its 3-1-2 angles; `yaw_rad` goes on over +-pi, so that a limit has one side."""

    attitude: GimbalAttitude
    yaw_rad: float
    roll_rad: float
    pitch_rad: float


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

    def measured(self, status: AttitudeStatus, arrival_ns: int) -> MeasuredAttitude | None:
        """The attitude; None for one that is not newer than the last."""
        restarts = self._clock.restarts
        device_ns = self._counter.unwrap(status.time_boot_ms) * _MILLISECOND_NS
        stamp_ns = self._clock.map(device_ns, arrival_ns)
        if self._clock.restarts != restarts:
            self._last = None
        if self._last is not None and stamp_ns <= self._last.attitude.stamp_ns:
            self.rejects['attitude_not_newer'] += 1
            return None
        quaternion = level_from_camera_flu(status.q_frd_wxyz)
        rates = vector_flu(status.rates_frd_rad_s)
        if not np.isfinite(rates).all():
            rates = self._rates_from_motion(quaternion, stamp_ns)
        attitude = GimbalAttitude(stamp_ns, self._frame_id, quaternion, rates)
        yaw, roll, pitch = yaw_roll_pitch(quaternion).tolist()
        if self._last is not None:
            yaw += 2 * math.pi * round((self._last.yaw_rad - yaw) / (2 * math.pi))
        self._last = MeasuredAttitude(attitude, yaw, roll, pitch)
        return self._last

    def _rates_from_motion(self, quaternion: np.ndarray, stamp_ns: int) -> np.ndarray:
        """For a device that does not report rates: the turn since the last attitude, about the camera's axes."""
        if self._last is None:
            return np.zeros(3)
        before = self._last.attitude
        conjugate = before.level_from_camera_wxyz * [1.0, -1.0, -1.0, -1.0]
        turn = multiply_quaternions(conjugate, quaternion)
        turn = turn if turn[0] >= 0 else -turn
        sine = float(np.linalg.norm(turn[1:]))
        if sine < 1e-12:
            return np.zeros(3)
        angle = 2 * math.atan2(sine, float(turn[0]))
        return np.asarray(turn[1:] / sine * angle / ((stamp_ns - before.stamp_ns) * 1e-9))
