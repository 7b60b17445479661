# SPDX-License-Identifier: Apache-2.0
"""What the simulated payload does and what is wrong with it; presets are named sets of these."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gremsy_gimbal_driver.plant import GREMSY, IDEAL, ZOOM_RATE_GAIN, PlantParameters

_RANGES = (
    ('system', 1, 255),
    ('gimbal_component', 1, 255),
    ('camera_component', 1, 255),
    ('attitude_rate_hz', 0.1, 200.0),
    ('orientation_rate_hz', 0.1, 200.0),
    ('attitude_age_s', 0.0, 10.0),
    ('zero_triple_share', 0.0, 1.0),
    ('lost_byte_share', 0.0, 1.0),
    ('rate_expiry_s', 0.0, 3600.0),
    ('zoom_max', 1.0, 1000.0),
)


@dataclass(frozen=True, slots=True)
class PayloadOptions:
    """Faults are off by default.

    Attributes:
        plant: how it moves.
        system, gimbal_component, camera_component: MAVLink ids; the payload board is always 26.
        attitude_rate_hz: of message 285 until told otherwise (payloads: about 20, gimbal.md 1.4).
        orientation_rate_hz: of message 265.
        attitude_age_s: from a measurement to the sending of its 285.
        attitude_noise_rad: standard deviation per angle, in telemetry only.
        zero_triple_share: of the 265 that are exact zeros (14 % were seen on a VIO).
        lost_byte_share: of the bytes in either direction.
        rate_expiry_s: a rate command ends by itself after this; 0 holds it (evidence is mixed, gimbal.md 1.10).
        zoom_max: magnification at 100 %.
        zoom_doublings_per_s: how fast the lens zooms.
        boot_ms: what the device's clock shows at the start.
    """

    plant: PlantParameters = IDEAL
    system: int = 1
    gimbal_component: int = 154
    camera_component: int = 100
    attitude_rate_hz: float = 20.0
    orientation_rate_hz: float = 10.0
    attitude_age_s: float = 0.0
    attitude_noise_rad: float = 0.0
    zero_triple_share: float = 0.0
    lost_byte_share: float = 0.0
    rate_expiry_s: float = 0.0
    zoom_max: float = 20.0
    zoom_doublings_per_s: float = 1.0
    boot_ms: int = 12_000

    def __post_init__(self) -> None:
        """Raises ValueError for what no payload can be."""
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f'The payload option {name} is {value:g}: use {low:g} .. {high:g}.')


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
}
"""`realistic` is the plant *gremsy* plus the link's and the telemetry's faults (design.md section 7)."""
