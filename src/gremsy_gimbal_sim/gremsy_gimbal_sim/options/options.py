# SPDX-License-Identifier: Apache-2.0
"""What the simulated payload does and what is wrong with it; presets are named sets of these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from gremsy_common.parameters.parameter_fields import check_values, specs_of
from gremsy_common.parameters.parameter_texts import as_text
from gremsy_gimbal_sim.options.options_camera import BoardOptions, PayloadCameraOptions
from gremsy_gimbal_sim.options.options_gimbal import CommandOptions, DynamicsOptions, ModeOptions, StreamOptions
from gremsy_gimbal_sim.options.options_link import LinkOptions, PowerOptions
from gremsy_gimbal_sim.plant.plant import GREMSY, ZOOM_RATE_GAIN


@dataclass(frozen=True, kw_only=True)
class PayloadOptions(
    BoardOptions,
    PayloadCameraOptions,
    CommandOptions,
    DynamicsOptions,
    ModeOptions,
    StreamOptions,
    PowerOptions,
    LinkOptions,
):
    """All options by one flat name each; a part of the payload takes only its own group. Faults are off by default."""

    DECLARES: ClassVar[str] = 'Payload option'
    ALL_NAMES: ClassVar[str] = '--list-options names them all.'

    def __post_init__(self) -> None:
        """Raises ParameterError, a ValueError, for what no payload can be."""
        check_values(self)


OPTION_GROUPS = PayloadOptions.__bases__[::-1]

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


def option_lines(options: PayloadOptions, groups: Sequence[type[Any]]) -> list[str]:
    """Every option with its default, unit and range, by group."""
    lines: list[str] = []
    for group in groups:
        lines += ['', (group.__doc__ or '').splitlines()[0]]
        for spec in specs_of(group):
            meta = spec.meta
            if inner := spec.inner():
                lines.append(f'  {spec.name}: {meta.doc} ({", ".join(each.name for each in inner)})')
                continue
            text = as_text(getattr(options, spec.name))
            lines.append(f'  {spec.name}={text}  {meta.doc}' + (f' [{"; ".join(meta.notes)}]' if meta.notes else ''))
    return lines[1:]
