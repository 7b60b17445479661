# SPDX-License-Identifier: Apache-2.0
"""The gimbal's own soft limits, from its parameters."""

from __future__ import annotations

import math

from gremsy_gimbal_driver.device.gimbal_parameters import GimbalParameters
from gremsy_gimbal_driver.device.parameter_names import OLDER_NAMES
from gremsy_gimbal_driver.mavlink.mavlink_frames import level_limits

_Range = tuple[float, float]

LIMIT_NAMES = tuple(f'RC_LIM_{end}_{axis}' for axis in ('TILT', 'PAN') for end in ('MIN', 'MAX'))
"""What has to be read for `soft_limits`."""


def soft_limits(parameters: GimbalParameters) -> tuple[_Range | None, _Range | None]:
    """Of azimuth and tilt in the level frame (left +, down +); None where not known.

    RC_LIM_* are in degrees; their pan counts right +, and their tilt down + (gimbal.md 1.7).

    Older firmware's TRAVEL_*_PIT are left out: no source tells which way they count.
    """
    results = parameters.results
    tilt_names = ('RC_LIM_MIN_TILT', 'RC_LIM_MAX_TILT')
    is_older = any(name in results and results[name].wire_name == OLDER_NAMES[name] for name in tilt_names)
    tilt = None if is_older else _range(parameters, 'TILT')
    pan = _range(parameters, 'PAN')
    return None if pan is None else level_limits(pan), tilt


def _range(parameters: GimbalParameters, axis: str) -> _Range | None:
    low, high = parameters.value(f'RC_LIM_MIN_{axis}'), parameters.value(f'RC_LIM_MAX_{axis}')
    if low is None or high is None or low >= high:
        return None
    return math.radians(low), math.radians(high)
