# SPDX-License-Identifier: Apache-2.0
"""Where the target is (`target/bearing`, `target/position`), in a level frame that does not turn with the vehicle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class TargetBearing:
    """The direction in which the target is seen from the camera.

    Attributes:
        stamp_ns: capture stamp of the image that it is of.
        frame_id: the still frame: x forward, y left, z up when it began; origin at the camera.
        direction: (3,) unit vector.
        rate_rad_s: (2,) of azimuth and tilt; NaN where it came over DDS, which carries none.
        std_rad: (2,) standard deviation of azimuth and tilt; NaN likewise.
        rate_std_rad_s: (2,) of the rates; NaN likewise.
    """

    stamp_ns: int
    frame_id: str
    direction: NDArray[np.float64]
    rate_rad_s: NDArray[np.float64]
    std_rad: NDArray[np.float64]
    rate_std_rad_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TargetPosition:
    """Where the target's middle is.

    Attributes:
        stamp_ns, frame_id: as of the bearing.
        position_m: (3,).
        covariance_m2: (3, 3).
    """

    stamp_ns: int
    frame_id: str
    position_m: NDArray[np.float64]
    covariance_m2: NDArray[np.float64]
