# SPDX-License-Identifier: Apache-2.0
"""What a detection is worth as evidence that something is there: its score beside those of what is known to be there.

A score means something else with every network: a Faster R-CNN gives a clearly seen person 0.98 and false alarms up to
0.9, a small YOLO gives the same person 0.75. So a score counts by how it compares with what established tracks of its
class have had of late.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Detections of established tracks, summed over their time, by which the usual score follows (five tracks: in 1 s).
_TIME_CONSTANT_S = 5.0
# A detection of 0.9 of the usual score counts for a fifth of one that has it.
_STEEPNESS = 16.0


class UsualScores:
    """The mean score of each class's established tracks, older ones fading."""

    def __init__(self) -> None:
        self._usual = np.zeros(0)  # by class number, NaN where none was seen yet

    def learn(self, classes: NDArray[np.int64], scores: Array, established: NDArray[np.bool_], dt_s: float) -> None:
        """One picture's detections of tracks.

        Args:
            classes: (N,) number of each one's class, small and from 0.
            scores: (N,) of the detections.
            established: (N,) which are of known tracks and clearly seen; a class that has none yet learns from all.
            dt_s: since the picture before.
        """
        if not len(classes):
            return
        if len(self._usual) == 1 and not classes.any():
            # One class is the usual case, and one number soon told.
            usual = float(self._usual[0])
            of = scores if math.isnan(usual) else scores[established]
            self._usual[0] = _followed(usual, len(of), float(of.sum()), dt_s)
            return
        largest = int(classes.max())
        if largest >= len(self._usual):
            self._usual = np.append(self._usual, np.full(largest + 1 - len(self._usual), np.nan))
        new = np.isnan(self._usual)
        taken = established | new[classes]
        if not taken.any():
            return
        count = np.bincount(classes[taken], minlength=len(self._usual))
        total = np.bincount(classes[taken], weights=scores[taken], minlength=len(self._usual))
        self._usual = np.array(
            [_followed(*each, dt_s) for each in zip(self._usual.tolist(), count.tolist(), total.tolist(), strict=True)]
        )

    def worth(self, classes: NDArray[np.int64], scores: Array) -> Array:
        """(N,) in 0..1: 1 for a detection as sure as usual; all of classes that `learn` was told of."""
        return np.asarray(np.minimum(scores / self._usual[classes], 1.0) ** _STEEPNESS)


def _followed(usual: float, count: int, total: float, dt_s: float) -> float:
    """A class's usual score after one more picture with so many detections of that summed score."""
    if not count:
        return usual
    if math.isnan(usual):
        return total / count
    return usual - math.expm1(-dt_s / _TIME_CONSTANT_S * count) * (total / count - usual)
