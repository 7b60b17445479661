# SPDX-License-Identifier: Apache-2.0
"""What the simulated payload does and what is wrong with it; presets are named sets of these."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gremsy_gimbal_sim.options.option import OptionError, check
from gremsy_gimbal_sim.options.options_camera import BoardOptions, CameraOptions
from gremsy_gimbal_sim.options.options_gimbal import CommandOptions, DynamicsOptions, ModeOptions, StreamOptions
from gremsy_gimbal_sim.options.options_link import LinkOptions, PowerOptions
from gremsy_gimbal_sim.plant.plant import GREMSY, ZOOM_RATE_GAIN

# A lag of one step is the shortest that the plant can have.
_PLANT_RANGES = (
    ('delay_s', 0.0, 10.0),
    ('lag_s', 0.001, 10.0),
    ('dead_zone_rad_s', 0.0, 10.0),
    ('max_rate_rad_s', 0.001, 100.0),
    ('max_acceleration_rad_s2', 0.001, 10_000.0),
    ('azimuth_limit_rad', 0.0, 100.0),
)

OPTION_GROUPS = (
    LinkOptions,
    PowerOptions,
    StreamOptions,
    ModeOptions,
    DynamicsOptions,
    CommandOptions,
    CameraOptions,
    BoardOptions,
)


@dataclass(frozen=True, kw_only=True)
class PayloadOptions(
    BoardOptions,
    CameraOptions,
    CommandOptions,
    DynamicsOptions,
    ModeOptions,
    StreamOptions,
    PowerOptions,
    LinkOptions,
):
    """All options by one flat name each; a part of the payload takes only its own group. Faults are off by default."""

    def __post_init__(self) -> None:
        """Raises OptionError, a ValueError, for what no payload can be."""
        check(self)
        for name, low, high in _PLANT_RANGES:
            value = getattr(self.plant, name)
            if not low <= value <= high:
                raise OptionError(f'The payload option plant.{name} is {value:g}: use {low:g} .. {high:g}.')


PRESETS = {
    'ideal': PayloadOptions(),
    'gremsy': PayloadOptions(plant=GREMSY),
    'realistic': PayloadOptions(
        plant=replace(GREMSY, rate_gain_by_zoom=ZOOM_RATE_GAIN),
        attitude_age_s=0.020,
        attitude_noise_rad=math.radians(0.02),
        zero_triple_share=0.14,
        lost_byte_share=0.02,
    ),
    'moving': PayloadOptions(
        vehicle_yaw_rad=math.radians(5.0),
        vehicle_period_s=2.0,
        follow_window_rad=math.radians(10.0),
    ),
    'old_firmware': PayloadOptions(firmware=(7, 8, 4), own_heading_rad=0.0),
}
"""`realistic` is the plant *gremsy* plus the link's and the telemetry's faults (design.md section 7);
`moving` is *ideal* on a vehicle that sways, within its follow window; `old_firmware` is *ideal* with the 285 of before
7.8.7, which has neither delta_yaw nor the yaw's frame, and whose own heading is 0 at power-up (gimbal.md 1.7)."""
