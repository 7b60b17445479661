# SPDX-License-Identifier: Apache-2.0
"""What the driver says on the latched topic `gimbal/plant` (`gremsy_common.types.plant_model`), and its origin."""

from __future__ import annotations

from typing import Protocol

from gremsy_common.types.plant_model import PlantModel


class PlantValues(Protocol):
    """The three parameters, as `GimbalDriverParameters` and `CalibratedParameters` have them."""

    @property
    def plant_delay_s(self) -> float:
        """Delay."""

    @property
    def plant_lag_s(self) -> float:
        """Lag."""

    @property
    def dead_zone_rad_s(self) -> float:
        """Dead zone."""


def plant_model(in_force: PlantValues, defaults: PlantValues, calibrated: PlantValues | None) -> PlantModel:
    """The values in force, and their source.

    Args:
        in_force: what the driver works with.
        defaults: what it would have if nobody set anything.
        calibrated: what the newest calibration says, where there is one; values that differ from it were set by hand.
    """
    values = _values(in_force)
    if calibrated is not None and values == _values(calibrated):
        source = 'calibrated'
    else:
        source = 'default' if values == _values(defaults) else 'parameters'
    return PlantModel(*values, source)


def _values(of: PlantValues) -> tuple[float, float, float]:
    return of.plant_delay_s, of.plant_lag_s, of.dead_zone_rad_s
