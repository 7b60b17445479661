# SPDX-License-Identifier: Apache-2.0
"""The vehicle's attitude as message 286 carries it to the gimbal, at most fifty times a second.

More than that overloads a Gremsy's buffer (100 Hz did, ArduPilot PR #22151), so the pace is kept here, by dropping:
the newest sample is sent, and none twice. A gimbal uses it where bit 0x10 of `RC_REVERSE_AXIS` is set (gimbal.md 1.6).
"""

from __future__ import annotations

import math

import numpy as np

from gremsy_common.geometry import matrix_from_quaternion
from gremsy_common.types.gimbal_state import VehicleAttitude
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import VehicleState
from gremsy_gimbal_driver.mavlink.mavlink_frames import q_frd_ned_from_enu, vector_frd, vector_ned
from gremsy_gimbal_driver.motion.instant import Instant, nanoseconds

LEAST_INTERVAL_S = 0.020

# 0 says "unknown" in the extension angular_velocity_z; the message's text gives this for a measured 0.
_MEASURED_ZERO_RAD_S = 1e-5
_UINT32_MAX = 0xFFFFFFFF


def vehicle_state(vehicle: VehicleAttitude, now: Instant) -> VehicleState:
    """What 286 says of this attitude, sent now. What the vehicle intends and whether it has landed is unknown here."""
    q = q_frd_ned_from_enu(vehicle.earth_from_vehicle_wxyz)
    w, x, y, z = (q if q[0] >= 0 else -q).tolist()
    north, east, down = vector_ned(vehicle.velocity_earth_m_s).tolist()
    age_us = min(max(0, now.ros_ns - vehicle.stamp_ns) // 1000, _UINT32_MAX)
    status = dialect.ESTIMATOR_ATTITUDE
    if math.isfinite(north) and math.isfinite(east):
        status |= dialect.ESTIMATOR_VELOCITY_HORIZ
    if math.isfinite(down):
        status |= dialect.ESTIMATOR_VELOCITY_VERT
    return VehicleState(
        now.monotonic_ns // 1000,
        (w, x, y, z),
        age_us,
        (north, east, down),
        age_us if status != dialect.ESTIMATOR_ATTITUDE else 0,
        yaw_rate_rad_s=_rate_about_down(vehicle),
        estimator_status=status,
    )


class VehicleStatePace:
    """Says which attitude to send when. For one thread, or under a lock.

    Args:
        age_limit_s: an attitude that is older by now is not sent: the gimbal would level its horizon by the past.
    """

    def __init__(self, age_limit_s: float = 0.5) -> None:
        self._age_limit_ns = nanoseconds(age_limit_s)
        self._newest: VehicleAttitude | None = None
        self._due_ns = 0
        self.sent = 0
        self.replaced = 0
        """Attitudes that were never sent because a newer one came in time."""

    def offer(self, vehicle: VehicleAttitude) -> None:
        """A new attitude; it takes the place of one that still waits."""
        if self._newest is not None:
            self.replaced += 1
        self._newest = vehicle

    def due(self, now: Instant) -> VehicleState | None:
        """What to send now, if anything."""
        if self._newest is None or now.monotonic_ns < self._due_ns:
            return None
        vehicle, self._newest = self._newest, None
        if now.ros_ns - vehicle.stamp_ns > self._age_limit_ns:
            return None
        self._due_ns = now.monotonic_ns + nanoseconds(LEAST_INTERVAL_S)
        self.sent += 1
        return vehicle_state(vehicle, now)

    def next_ns(self, now: Instant) -> int | None:
        """When something may be due, on the monotonic clock; None while nothing waits."""
        return None if self._newest is None else max(self._due_ns, now.monotonic_ns)


def _rate_about_down(vehicle: VehicleAttitude) -> float:
    if not np.isfinite(vehicle.rate_rad_s).all():
        return 0.0
    # The earth frames differ only about the vertical, so the turn about up becomes the one about down by its sign.
    about_earth = matrix_from_quaternion(vehicle.earth_from_vehicle_wxyz) @ vehicle.rate_rad_s
    rate = float(vector_frd(about_earth)[2])
    return rate if abs(rate) >= _MEASURED_ZERO_RAD_S else math.copysign(_MEASURED_ZERO_RAD_S, rate)
