# SPDX-License-Identifier: Apache-2.0
"""The gimbal's own soft limits, from its parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gremsy_gimbal_driver.device.gimbal_parameters import GimbalParameters
from gremsy_gimbal_driver.device.parameter_names import OLDER_NAMES

LIMIT_NAMES = tuple(f'RC_LIM_{end}_{axis}' for axis in ('TILT', 'ROLL', 'PAN') for end in ('MIN', 'MAX'))
"""What has to be read for `soft_limits`."""


@dataclass(frozen=True, slots=True)
class ParameterLimits:
    """Limits in NED like those of 283: pitch up +, yaw right +, roll right +; None where not known."""

    pitch_rad: tuple[float, float] | None
    roll_rad: tuple[float, float] | None
    yaw_rad: tuple[float, float] | None


def soft_limits(parameters: GimbalParameters) -> ParameterLimits:
    """RC_LIM_* in degrees, whose tilt counts down + against the attitude's up + (gimbal.md 1.7).

    Older firmware's TRAVEL_*_PIT are left out: no source tells which way they count.
    """
    results = parameters.results
    tilt_names = ('RC_LIM_MIN_TILT', 'RC_LIM_MAX_TILT')
    is_older = any(name in results and results[name].wire_name == OLDER_NAMES[name] for name in tilt_names)
    tilt = None if is_older else _range(parameters, 'TILT')
    pitch = None if tilt is None else (-tilt[1], -tilt[0])
    return ParameterLimits(pitch, _range(parameters, 'ROLL'), _range(parameters, 'PAN'))


def _range(parameters: GimbalParameters, axis: str) -> tuple[float, float] | None:
    low, high = parameters.value(f'RC_LIM_MIN_{axis}'), parameters.value(f'RC_LIM_MAX_{axis}')
    if low is None or high is None or low >= high:
        return None
    return math.radians(low), math.radians(high)
