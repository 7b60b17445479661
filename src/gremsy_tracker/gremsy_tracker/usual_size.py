# SPDX-License-Identifier: Apache-2.0
"""How large the target usually is: a box suddenly half as high is half hidden, and its centre is not the target's.

A box that lost a part on one side has its centre off by half of what it lost. Which side that is nobody says, so the
bearing is not corrected but believed less.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Walking towards the camera or away, and through zoom, a target's size changes over seconds; hidden, it does at once.
_TIME_CONSTANT_S = 1.5
# A detector's boxes breathe by about this share of their size; that is in `box_noise_share` already.
_NORMAL_SHARE = 0.15


class UsualSize:
    """The mean angular size of one target's boxes, older ones fading."""

    def __init__(self) -> None:
        self._mean_rad: Array | None = None
        self._stamp_ns = 0

    def clear(self) -> None:
        """Another target from now on."""
        self._mean_rad = None

    def displacement(self, size_rad: Array) -> Array:
        """(2,) by how much the centre of a box of that size (2,) may be off, in rad; 0 for a normal one."""
        if self._mean_rad is None:
            return np.zeros(2)
        missing = np.maximum(self._mean_rad - size_rad - _NORMAL_SHARE * self._mean_rad, 0.0)
        return np.asarray(missing / 2.0)

    def learn(self, stamp_ns: int, size_rad: Array) -> None:
        """A box of the target, at a later time than the last."""
        if self._mean_rad is None:
            self._mean_rad = np.array(size_rad, dtype=np.float64)
        else:
            share = -math.expm1(-max(0, stamp_ns - self._stamp_ns) * 1e-9 / _TIME_CONSTANT_S)
            self._mean_rad += share * (size_rad - self._mean_rad)
        self._stamp_ns = stamp_ns
