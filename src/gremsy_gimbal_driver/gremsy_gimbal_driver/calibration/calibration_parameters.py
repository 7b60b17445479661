# SPDX-License-Identifier: Apache-2.0
"""What the calibration may do: its parameters, and its bounds that are none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import ClassVar

from gremsy_common.parameters.parameter_fields import ParameterError, Span, param
from gremsy_common.parameters.parameter_forms import TextForm
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters

# A travel is crossed in no less than this, so that a gimbal that answers after half a second can still be turned back.
_LEAST_CROSSING_S = 1.5


class Axis(IntEnum):
    """Index into every pair of azimuth and tilt."""

    AZIMUTH = 0
    TILT = 1

    @property
    def word(self) -> str:
        """In sentences."""
        return self.name.lower()


@dataclass(frozen=True)
class CalibrationParameters(MotionParameters):
    """Bounds of one calibration; its travel must fit between the soft limits.

    Attributes:
        fastest_calibration_rad_s: the largest rate that is commanded.
        calibration_limit_s: it ends after this, ...
        calibration_limit_per_zoom_s: ... and so much for each zoom.
    """

    fastest_calibration_rad_s: ClassVar[float] = math.radians(8.0)
    calibration_limit_s: ClassVar[float] = 100.0
    calibration_limit_per_zoom_s: ClassVar[float] = 40.0

    calibration_file: str = param(
        'gimbal_calibration.yaml',
        'Where `~/calibrate` writes what it measured, as a parameter file of this node.',
        form=TextForm.PATH,
    )
    calibration_travel_rad: float = param(
        0.2094, 'The calibration turns no further than this to either side.', Span(0.053, 0.523, 'rad')
    )
    calibration_zooms: tuple[float, ...] = param(
        (), 'Zoom factors, ascending, to measure the rate gain at; empty leaves the zoom alone.', Span(1.0, 1000.0)
    )

    def check(self) -> None:
        """Lists that must ascend.

        Raises:
            ParameterError: naming the parameter.
        """
        for name, others in (('rate_gain_zooms', ', with its `rate_gains`'), ('calibration_zooms', '')):
            if any(after <= before for before, after in pairwise(getattr(self, name))):
                raise ParameterError(f'Parameter `{name}` does not ascend: sort it{others}.')

    @property
    def calibration_rate_rad_s(self) -> float:
        """The rate of the main steps: slower where the travel is short."""
        return min(self.fastest_calibration_rad_s, self.calibration_travel_rad / _LEAST_CROSSING_S)

    @property
    def calibration_deadline_s(self) -> float:
        """The longest it may take."""
        return self.calibration_limit_s + self.calibration_limit_per_zoom_s * len(self.calibration_zooms)
