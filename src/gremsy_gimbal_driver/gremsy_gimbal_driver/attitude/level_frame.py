# SPDX-License-Identifier: Apache-2.0
"""How the gimbal's level frame stands against the earth and against the vehicle that carries it.

The level frame is levelled by the horizon, not by the vehicle: a Gremsy's quaternion has roll and pitch against gravity
(gimbal.md 1.7), so the vehicle's tilt moves the base under the camera but changes no angle of the camera's attitude. It
matters only here, between the level frame and what is bolted to the vehicle. Which way the level frame's x axis looks
depends on the mode (`attitude_reading`): the vehicle's heading in follow, north or the power-up heading in lock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import multiply_quaternions, quaternion_from_bearing
from gremsy_common.types.gimbal_state import EarthAttitude, VehicleAttitude
from gremsy_gimbal_driver.attitude.attitude_reading import YawFrame
from gremsy_gimbal_driver.attitude.attitude_telemetry import MeasuredAttitude
from gremsy_gimbal_driver.attitude.vehicle_attitude import heading
from gremsy_gimbal_driver.mavlink.mavlink_frames import NORTH_IN_EARTH_RAD

Array = NDArray[np.float64]

_IDENTITY: Array = np.array([1.0, 0.0, 0.0, 0.0])
_ON_END = "The vehicle stands on end, so it has no heading: the level frame's azimuth is unknown until it lies down."
_NO_NORTH = (
    'In lock azimuth counts from the heading at power-up, which nothing relates to the vehicle or to north: feed '
    "the vehicle's attitude and set `lock_reference` to north, or use follow."
)


@dataclass(frozen=True, slots=True, eq=False)
class LevelReference:
    """Where the level frame is, at one time.

    Attributes:
        vehicle: its attitude then; None where unknown: it is taken as level.
        earth_from_level_rad: azimuth of the level frame's x axis in the earth frame; None where unknown.
        level_from_base_wxyz: (4,) how the base that the gimbal hangs from (x along its yaw motor's zero) stands in the
            level frame, with the vehicle's tilt where it is known; None where unknown.
        reason: why something is unknown; empty where nothing is.
    """

    vehicle: VehicleAttitude | None
    earth_from_level_rad: float | None = None
    level_from_base_wxyz: Array | None = None
    reason: str = ''


def level_reference(
    yaw_frame: YawFrame,
    heading_rad: float | None,
    vehicle: VehicleAttitude | None,
    fault: str,
    lock_is_north: bool = False,
    vehicle_from_base_wxyz: Array | None = None,
) -> LevelReference:
    """From what is known about the mode and the vehicle.

    Args:
        yaw_frame: of the measured attitude.
        heading_rad: of the measured attitude.
        vehicle: at the same time; None where unknown.
        fault: why `vehicle` is None.
        lock_is_north: whether lock's azimuth is known to count from north, as with a gimbal that is fed message 286;
            without, it counts from the heading at power-up and drifts with the gyro (gimbal.md 1.7, 8i).
        vehicle_from_base_wxyz: how the gimbal's base is mounted; None for upright and forward.
    """
    mount = _IDENTITY if vehicle_from_base_wxyz is None else vehicle_from_base_wxyz
    # An unknown vehicle is taken as level; its heading cancels out.
    base = mount if vehicle is None else multiply_quaternions(vehicle.earth_from_vehicle_wxyz, mount)
    base_heading = heading(base)
    if base_heading is None:
        return LevelReference(vehicle, reason=_ON_END)
    if yaw_frame is YawFrame.EARTH and heading_rad is None:
        # Only north can tell: the gimbal itself does not say how its azimuth relates to the vehicle.
        if vehicle is None or not lock_is_north:
            return LevelReference(vehicle, reason=_NO_NORTH)
        return LevelReference(vehicle, NORTH_IN_EARTH_RAD, _levelled(-NORTH_IN_EARTH_RAD, base))
    in_level = heading_rad if yaw_frame is YawFrame.EARTH and heading_rad is not None else 0.0
    level_from_base = _levelled(in_level - base_heading, base)
    if vehicle is None:
        return LevelReference(None, None, level_from_base, fault)
    return LevelReference(vehicle, math.remainder(base_heading - in_level, 2 * math.pi), level_from_base)


def earth_attitude(measured: MeasuredAttitude, reference: LevelReference) -> EarthAttitude | None:
    """The camera against the earth; None where the reference does not reach it (its `reason` says why)."""
    if reference.earth_from_level_rad is None:
        return None
    attitude = measured.attitude
    turn = quaternion_from_bearing(reference.earth_from_level_rad, 0.0)
    return EarthAttitude(
        attitude.stamp_ns,
        attitude.frame_id,
        multiply_quaternions(turn, attitude.level_from_camera_wxyz),
        attitude.rate_rad_s,
    )


def _levelled(turn_rad: float, earth_from_base_wxyz: Array) -> Array:
    return multiply_quaternions(quaternion_from_bearing(turn_rad, 0.0), earth_from_base_wxyz)
