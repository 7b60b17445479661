# SPDX-License-Identifier: Apache-2.0
"""How the vehicle stood when the camera was measured: the newest second of `vehicle/imu` or `vehicle/odometry`.

A vehicle that turns at 60 deg/s is 3 degrees further after the 50 ms that lie between two of its messages, so its
attitude is interpolated at the stamp of the camera's.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gremsy_common.geometry import (
    matrix_from_quaternion,
    multiply_quaternions,
    quaternion_from_rotation_vector,
    rotation_vector_between,
)
from gremsy_common.timing.timed_history import TimedHistory
from gremsy_common.types.attitude_screen import VEHICLE_LIMITS, fault_of
from gremsy_common.types.gimbal_state import VehicleAttitude
from gremsy_gimbal_driver.motion.instant import nanoseconds
from gremsy_gimbal_driver.motion.notices import Refusal

Array = NDArray[np.float64]

# A 500 Hz IMU for as long as attitudes are late.
_KEPT = 512
# Beyond the newest sample its rate is trusted for so long; a vehicle's turn rate changes within tenths of a second.
_EXTRAPOLATED_NS = nanoseconds(0.1)
_FUTURE_LIMIT_NS = nanoseconds(0.1)  # as for commands
# Heading is where the x axis points on the map: nose up or down by more than this, it points nowhere.
_STEEPEST_RAD = math.radians(85.0)
VEHICLE_REFUSALS = ('vehicle_not_a_rotation', 'vehicle_too_old', 'vehicle_from_the_future', 'vehicle_not_newer')
"""The kinds of refusals."""


def heading(earth_from_vehicle_wxyz: ArrayLike) -> float | None:
    """Azimuth of the vehicle's x axis in the earth frame, left +; None where the x axis stands on end."""
    forward = matrix_from_quaternion(earth_from_vehicle_wxyz)[:, 0]
    if abs(float(forward[2])) > math.sin(_STEEPEST_RAD):
        return None
    return math.atan2(float(forward[1]), float(forward[0]))


class VehicleHistory:
    """Keeps what came of the vehicle's attitude. For one thread, or under a lock.

    Args:
        age_limit_s: an attitude older than this is none.
    """

    def __init__(self, age_limit_s: float = 0.5) -> None:
        self._age_limit_s = age_limit_s
        self._samples: TimedHistory[VehicleAttitude] = TimedHistory(most=_KEPT)

    def take(self, sample: VehicleAttitude, now_ros_ns: int) -> None:
        """Keep a sample.

        Raises:
            Refusal: of a kind in `VEHICLE_REFUSALS`.
        """
        norm = float(np.linalg.norm(sample.earth_from_vehicle_wxyz))
        if fault_of(norm, (), VEHICLE_LIMITS) is not None:
            raise Refusal(
                'vehicle_not_a_rotation',
                'A vehicle attitude was refused: its orientation is not a unit quaternion of finite numbers.',
            )
        age_ns = now_ros_ns - sample.stamp_ns
        if age_ns > nanoseconds(self._age_limit_s):
            raise Refusal(
                'vehicle_too_old',
                f'A vehicle attitude was refused: its stamp is {age_ns * 1e-9:.2f} s old, the limit is '
                f'{self._age_limit_s:g} s; synchronise the clocks.',
            )
        if age_ns < -_FUTURE_LIMIT_NS:
            raise Refusal(
                'vehicle_from_the_future',
                f'A vehicle attitude was refused: its stamp is {-age_ns * 1e-9:.2f} s ahead of this machine; '
                'synchronise the clocks.',
            )
        newest = self._samples.newest
        if newest is not None:
            other = (newest.earth_frame, newest.vehicle_frame) != (sample.earth_frame, sample.vehicle_frame)
            if other or sample.stamp_ns < newest.stamp_ns - nanoseconds(self._age_limit_s):
                # Another frame, or the clock went back (a replay started again): nothing before can be compared.
                self._samples.clear()
            elif sample.stamp_ns <= newest.stamp_ns:
                raise Refusal('vehicle_not_newer', 'A vehicle attitude was ignored: a newer one came before.')
        self._samples.put(sample.stamp_ns, sample)

    def fault(self, now_ros_ns: int) -> str:
        """Why there is no vehicle attitude now; empty where there is one."""
        newest = self._samples.newest
        if newest is None:
            return (
                "The vehicle's attitude is unknown: nothing came on `vehicle/imu` or `vehicle/odometry`; "
                "remap one of them to the vehicle's own topic."
            )
        age_s = (now_ros_ns - newest.stamp_ns) * 1e-9
        if age_s > self._age_limit_s:
            return (
                f"The vehicle's attitude is {age_s:.2f} s old, the limit is {self._age_limit_s:g} s: "
                'see whether its publisher still runs.'
            )
        return ''

    def at(self, stamp_ns: int) -> VehicleAttitude | None:
        """The attitude at that time: between samples on the shortest way, shortly after the newest by its rate.

        None where the nearest sample before is older than the limit, or all are younger than the stamp.
        """
        before, after = self._samples.around(stamp_ns)
        if before is None or stamp_ns - before.stamp_ns > nanoseconds(self._age_limit_s):
            return None
        if before is after:
            return before
        since_ns, moved_m = stamp_ns - before.stamp_ns, np.zeros(3)
        if after is None:
            rates_rad_s = np.where(np.isfinite(before.rate_rad_s), before.rate_rad_s, 0.0)
            turn = rates_rad_s * min(since_ns, _EXTRAPOLATED_NS) * 1e-9
        else:
            share = since_ns / (after.stamp_ns - before.stamp_ns)
            turn = share * rotation_vector_between(before.earth_from_vehicle_wxyz, after.earth_from_vehicle_wxyz)
            moved_m = share * (after.position_earth_m - before.position_earth_m)
        turned = multiply_quaternions(before.earth_from_vehicle_wxyz, quaternion_from_rotation_vector(turn))
        return replace(
            before,
            stamp_ns=stamp_ns,
            earth_from_vehicle_wxyz=turned / np.linalg.norm(turned),
            position_earth_m=before.position_earth_m + moved_m,
        )
