# SPDX-License-Identifier: Apache-2.0
"""What the gimbal says (attitude, plant, zoom) and what it is asked (rates), in REP-103 axes and SI units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STANDARD_GRAVITY_M_S2 = 9.80665
"""What an IMU at rest feels upwards."""


@dataclass(frozen=True, slots=True, eq=False)
class GimbalAttitude:
    """Where the camera looked when this was measured (`gimbal/attitude`).

    Attributes:
        stamp_ns: when it was measured, ns of the ROS clock (device time mapped to ours).
        frame_id: the camera frame (x forward, y left, z up) whose orientation this is.
        level_from_camera_wxyz: (4,) unit quaternion, camera frame to the gimbal's level frame.
        rate_rad_s: (3,) angular velocity of the camera about its own x, y, z axes.
    """

    stamp_ns: int
    frame_id: str
    level_from_camera_wxyz: NDArray[np.float64]
    rate_rad_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RateSetpoint:
    """A request for the camera's true rates in the level frame (`gimbal/setpoint`, `~/cmd/rate`).

    Attributes:
        stamp_ns: capture stamp of the image the request rests on (its age is now minus this), ns of the ROS clock.
        frame_id: must be the level frame.
        azimuth_rate_rad_s: about up, positive to the left.
        tilt_rate_rad_s: about the camera's left axis, positive down.
    """

    stamp_ns: int
    frame_id: str
    azimuth_rate_rad_s: float
    tilt_rate_rad_s: float


@dataclass(frozen=True, slots=True)
class ZoomState:
    """Magnification against the widest view, 1.0 = widest, and when it was so."""

    stamp_ns: int
    factor: float


@dataclass(frozen=True, slots=True, eq=False)
class EarthAttitude:
    """Where the camera looked against the earth when this was measured (`gimbal/attitude_earth`).

    Attributes:
        stamp_ns, frame_id, rate_rad_s: as of the GimbalAttitude that it comes from.
        earth_from_camera_wxyz: (4,) unit quaternion, camera frame to the earth frame of the vehicle's attitude (z up;
            ENU for an IMU, the odometry's own frame for an odometry).
    """

    stamp_ns: int
    frame_id: str
    earth_from_camera_wxyz: NDArray[np.float64]
    rate_rad_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class VehicleAttitude:
    """How the vehicle that carries the gimbal stands and moves (`vehicle/imu` or `vehicle/odometry`).

    Attributes:
        stamp_ns: when it was measured, ns of the ROS clock.
        vehicle_frame: the vehicle's frame, x forward, y left, z up.
        earth_frame: the frame that it is against, z up; empty for an IMU, which does not name it (REP-145: ENU).
        earth_from_vehicle_wxyz: (4,) unit quaternion.
        rate_rad_s: (3,) angular velocity about the vehicle's own axes; NaN where unknown.
        velocity_earth_m_s: (3,) in the earth frame; NaN where unknown.
        position_earth_m: (3,) in the earth frame; NaN where unknown.
    """

    stamp_ns: int
    vehicle_frame: str
    earth_frame: str
    earth_from_vehicle_wxyz: NDArray[np.float64]
    rate_rad_s: NDArray[np.float64]
    velocity_earth_m_s: NDArray[np.float64]
    position_earth_m: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LevelHeading:
    """How far the gimbal's level frame has turned about up, against a frame that does not turn (`gimbal/heading`).

    Its zero is arbitrary, and stays where it is when another source goes on in the place of one that fell silent.

    Attributes:
        stamp_ns: when it was measured, ns of the ROS clock.
        frame_id: the level frame.
        heading_rad: azimuth of the level frame's x axis, left +.
        rate_rad_s: of that; NaN where the source does not say.
    """

    stamp_ns: int
    frame_id: str
    heading_rad: float
    rate_rad_s: float


@dataclass(frozen=True, slots=True, eq=False)
class ImuReading:
    """The gimbal's own IMU (`gimbal/imu`): specific force (+g about up at rest) and rates about the camera's axes."""

    stamp_ns: int
    frame_id: str
    acceleration_m_s2: NDArray[np.float64]
    rate_rad_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RangeReading:
    """The laser range finder (`gimbal/range`).

    Attributes:
        stamp_ns: when it arrived.
        frame_id: the camera frame; the beam is along x.
        range_m: -inf when nearer than `min_m`, +inf when farther than `max_m` (REP-117).
        min_m, max_m: between them a range can be believed.
        beam_rad: the beam's width.
    """

    stamp_ns: int
    frame_id: str
    range_m: float
    min_m: float
    max_m: float
    beam_rad: float


@dataclass(frozen=True, slots=True, eq=False)
class OrientationRequest:
    """The orientation that the camera is to have, in some frame (`~/cmd/attitude`); w, x, y, z as they came."""

    stamp_ns: int
    frame_id: str
    frame_from_camera_wxyz: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PointRequest:
    """A point to look at, in some frame (`~/cmd/look_at`), m."""

    stamp_ns: int
    frame_id: str
    point_m: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class JointRequest:
    """Angles for the gimbal's joints by name (`~/cmd/joint`), rad."""

    stamp_ns: int
    names: tuple[str, ...]
    positions_rad: tuple[float, ...]
