# SPDX-License-Identifier: Apache-2.0
"""The driver's last stage for a batch: acceleration limit, gain against zoom, pulses in the dead zone.

The same rules as `RateLimiter` and `PlantInverse`, which know one gimbal at a time; a test compares the two. New
rates come each 20 ms, so that the streamer writes each at once and repeats none.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters
from gremsy_gimbal_driver.motion.motion_writer import REPEAT_INTERVAL_S
from gremsy_gimbal_driver.motion.plant_inverse import MeasuredPlant
from gremsy_gimbal_sim.plant.plant import Plant, PlantParameters

Array = NDArray[np.float64]

_PARAMETERS = MotionParameters()
_ABOVE = 1.05
_SLACK_S = 1e-3


def calibrated(plant: PlantParameters) -> MeasuredPlant:
    """What a calibration that makes no mistake finds of it."""
    zooms, gains = zip(*plant.rate_gain_by_zoom, strict=True) if plant.rate_gain_by_zoom else ((), ())
    return MeasuredPlant(dead_zone_rad_s=plant.dead_zone_rad_s, rate_gain_zooms=zooms, rate_gains=gains)


class BatchDriver:
    """True rates (..., 2) to a plant's commands."""

    def __init__(self, plant: Plant, zoom: float) -> None:
        self._plant = plant
        parameters = plant.parameters
        self._dead_zone = parameters.dead_zone_rad_s
        self._gain = calibrated(parameters).rate_gain(zoom)
        shape = plant.angles_rad.shape
        self._last = np.zeros(shape)
        self._wished, self._commanded, self._owed = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self._age_s = np.full(shape, math.inf)
        self._last_s: float | None = None

    def ask(self, now_s: float, rates_rad_s: Array) -> None:
        """Command these true rates now."""
        elapsed_s = REPEAT_INTERVAL_S
        if self._last_s is not None:
            elapsed_s = min(now_s - self._last_s, elapsed_s)
        self._last_s = now_s
        largest = _PARAMETERS.max_rate_rad_s
        change = _PARAMETERS.max_acceleration_rad_s2 * elapsed_s
        self._last = np.clip(np.clip(rates_rad_s, -largest, largest), self._last - change, self._last + change)
        wished = self._last / self._gain
        self._plant.command(now_s, self._pulses(wished, elapsed_s) if self._dead_zone > 0.0 else wished)

    def stop(self, now_s: float) -> None:
        """Command zero, which owes nothing."""
        self._last_s = now_s
        for each in (self._last, self._wished, self._commanded, self._owed):
            each[...] = 0.0
        self._age_s[...] = math.inf
        self._plant.command(now_s, 0.0)

    def _pulses(self, wished: Array, elapsed_s: float) -> Array:
        pulse_s, pulse = REPEAT_INTERVAL_S, self._dead_zone * _ABOVE
        first = np.isinf(self._age_s)
        self._owed = np.where(first, self._owed, self._owed + (self._wished - self._commanded) * elapsed_s)
        age = np.where(first, pulse_s, self._age_s + elapsed_s)
        self._wished = wished
        fast = np.abs(wished) >= self._dead_zone
        due = ~fast & (age >= pulse_s - _SLACK_S)
        with_owed = wished + self._owed / pulse_s
        pulses = np.where(np.abs(with_owed) > 0.5 * pulse, np.copysign(pulse, with_owed), 0.0)
        self._owed = np.where(fast, 0.0, self._owed)
        self._age_s = np.where(fast, pulse_s, np.where(due, 0.0, age))
        self._commanded = np.where(fast, wished, np.where(due, pulses, self._commanded))
        return self._commanded
