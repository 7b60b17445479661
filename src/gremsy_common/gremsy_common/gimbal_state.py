# SPDX-License-Identifier: Apache-2.0
"""What the gimbal says (attitude, plant, zoom) and what it is asked (rates), in REP-103 axes and SI units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
    """A wish for the camera's true rates in the level frame (`gimbal/setpoint`, `~/cmd/rate`).

    Attributes:
        stamp_ns: capture stamp of the image the wish rests on (its age is now minus this), ns of the ROS clock.
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
