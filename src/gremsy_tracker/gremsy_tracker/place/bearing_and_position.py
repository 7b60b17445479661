# SPDX-License-Identifier: Apache-2.0
"""From a bearing's estimate and a range to what other nodes get: a direction, and a position with its covariance."""

from __future__ import annotations

import numpy as np

from gremsy_common.geometry import Array, direction_from_bearing
from gremsy_common.types.target_place import TargetBearing, TargetPosition
from gremsy_tracker.place.target_range import TargetRange
from gremsy_tracker.pointing.bearing_filter import BearingEstimate


def bearing_of(
    estimate: BearingEstimate, rate_std_rad_s: Array, frame_id: str, attitude_std_rad: float
) -> TargetBearing:
    """The estimate as a direction in the still frame `frame_id`.

    Args:
        estimate: of the bearing filter, which takes telemetry to be exact.
        rate_std_rad_s: (2,) of its rates.
        frame_id: of the still frame.
        attitude_std_rad: how exact telemetry is, each axis.
    """
    azimuth, tilt = estimate.bearing_rad
    std = np.hypot(estimate.std_rad, [attitude_std_rad / max(float(np.cos(tilt)), 0.1), attitude_std_rad])
    return TargetBearing(
        estimate.stamp_ns,
        frame_id,
        direction_from_bearing(azimuth, tilt),
        estimate.rate_rad_s,
        std,
        rate_std_rad_s,
    )


def position_of(bearing: TargetBearing, distance: TargetRange) -> TargetPosition:
    """That far along the bearing; errors of range, azimuth and tilt are taken to be independent and small."""
    x, y, z = bearing.direction
    level = float(np.hypot(x, y))
    # Derivatives of the position by range, azimuth and tilt.
    by_azimuth = distance.range_m * np.array([-y, x, 0.0])
    by_tilt = distance.range_m * np.array([x * z / max(level, 1e-9), y * z / max(level, 1e-9), -level])
    spread = np.stack(
        [distance.std_m * bearing.direction, bearing.std_rad[0] * by_azimuth, bearing.std_rad[1] * by_tilt], axis=1
    )
    return TargetPosition(
        bearing.stamp_ns, bearing.frame_id, distance.range_m * bearing.direction, np.asarray(spread @ spread.T)
    )
