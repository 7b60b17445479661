# SPDX-License-Identifier: Apache-2.0
"""Where the centre of a half-hidden target is: its box is suddenly smaller, and that box's centre is not the target's.

What is seen of a target lies inside its full extent. With the usual size 2h and a box from a to b along one axis, the
centre is therefore anywhere in [b - h, a + h]: an interval as wide as what is missing, a point when nothing is. Where
the centre was predicted inside it, the box says nothing new; else the nearer end is the least that must be believed.

Somebody who goes behind a sign sinks into his box's top; taken at its centre he would seem to rise, and the prediction
would go on rising when he is hidden (by 10 degrees in a second, footage frame 75 of vtest.avi).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Walking towards the camera or away, a target's size changes over seconds; hidden, it does at once.
_TIME_CONSTANT_S = 1.5
# Who stays small is small: so slowly is the usual size believed to have been wrong.
_DOUBTED_TIME_CONSTANT_S = 4.0
# A walker's legs change his width by a third, a detector his height by a sixth: nothing of him is hidden then.
_NORMAL_SHARE = np.array([0.35, 0.15])


class UsualSize:
    """The mean angular size of one target's boxes, older ones fading; rad, so that zoom does not change it."""

    def __init__(self) -> None:
        self._mean_rad: Array | None = None
        self._stamp_ns = 0

    def clear(self) -> None:
        """Another target from now on."""
        self._mean_rad = None

    def missing(self, size_rad: Array) -> Array:
        """(2,) how much of the target's extent a box of that size (2,) does not show, in rad; 0 for a normal one.

        Farther away, both sides are smaller; hidden, mostly one. So the side that shrank less says how far it may be.
        """
        if self._mean_rad is None:
            return np.zeros(2)
        least = (1.0 - _NORMAL_SHARE) * self._mean_rad
        nearness = min(1.0, float((size_rad / least).max()))
        return np.asarray(np.maximum(nearness * least - size_rad, 0.0))

    def learn(self, stamp_ns: int, size_rad: Array) -> None:
        """A box of the target, at a later time than the last."""
        if self._mean_rad is None:
            self._mean_rad = np.array(size_rad, dtype=np.float64)
        else:
            since_s = max(0, stamp_ns - self._stamp_ns) * 1e-9
            hidden = self.missing(size_rad) > 0.0
            share = np.where(
                hidden, -math.expm1(-since_s / _DOUBTED_TIME_CONSTANT_S), -math.expm1(-since_s / _TIME_CONSTANT_S)
            )
            self._mean_rad += share * (size_rad - self._mean_rad)
        self._stamp_ns = stamp_ns


def centre_of_part(box_px: Array, missing_px: Array, predicted_px: Array) -> tuple[Array, Array]:
    """Centre (2,) of a target of which a box (4,) shows a part, and its standard deviation (2,), in px.

    Args:
        box_px: by its corners.
        missing_px: (2,) how much of the width and height is not in it.
        predicted_px: (2,) where the centre was predicted.
    """
    centre, half = (box_px[:2] + box_px[2:]) / 2, missing_px / 2
    # The standard deviation of what lies evenly anywhere in an interval.
    return np.clip(predicted_px, centre - half, centre + half), missing_px / math.sqrt(12.0)
