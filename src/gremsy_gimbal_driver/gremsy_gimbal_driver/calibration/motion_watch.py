# SPDX-License-Identifier: Apache-2.0
"""What ends a calibration at once: silence, a way too far, and motion that nobody commanded."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gremsy_gimbal_driver.calibration.axis_probe import IN_A_ROW, AxisProbe
from gremsy_gimbal_driver.calibration.calibration_parameters import CalibrationParameters, Pair
from gremsy_gimbal_driver.calibration.motion_record import MotionRecord
from gremsy_gimbal_driver.motion.instant import nanoseconds

_RUNAWAY = 3.0  # times the largest commanded rate


class MotionWatch:
    """Checks every step; each check returns what is wrong, or ''."""

    def __init__(self, parameters: CalibrationParameters, record: MotionRecord, probes: Sequence[AxisProbe]) -> None:
        self._parameters = parameters
        self._record = record
        self._probes = probes
        self._begun_ns = record.now.monotonic_ns
        self._fast = 0

    def attitude(self, angles_rad: Pair, rates_rad_s: Pair) -> str:
        """An attitude came; what is wrong with it, or ''."""
        largest = _RUNAWAY * self._parameters.fastest_calibration_rad_s
        self._fast = self._fast + 1 if max(map(abs, rates_rad_s)) > largest else 0
        if self._fast >= IN_A_ROW:
            return (
                f'the gimbal turns at more than {math.degrees(largest):.0f} deg/s, while at most '
                f'{math.degrees(self._parameters.fastest_calibration_rad_s):.0f} deg/s were commanded'
            )
        faults = (probe.fault(angle) for probe, angle in zip(self._probes, angles_rad, strict=True))
        return next(filter(None, faults), '')

    def silence(self) -> str:
        """Whether telemetry or the time has run out, or ''."""
        now_ns = self._record.now.monotonic_ns
        if now_ns - self._record.received_ns > nanoseconds(self._parameters.attitude_timeout_s):
            return f'no attitude came from the gimbal for {self._parameters.attitude_timeout_s:g} s'
        if now_ns - self._begun_ns > nanoseconds(self._parameters.calibration_deadline_s):
            return f'it took longer than {self._parameters.calibration_deadline_s:.0f} s'
        return ''
