# SPDX-License-Identifier: Apache-2.0
"""How old telemetry is when its stamp says "now": the shift in time at which it tells what the pictures show.

Between two pictures things that stand still move by what the camera turned. Telemetry says the same, later or sooner by
its error in time: for each shift of a grid it is compared with what was seen, by least squares, and a parabola through
the best and its neighbours gives what lies between. A camera that turns evenly tells nothing (its turn is the same at
every shift), one that speeds up or reverses does. The picture's scale is fitted as well: a focal length that is a tenth
wrong must not become a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_STEP_S = 0.01
SHIFTS_S: Array = np.arange(-0.12, 0.3201, _STEP_S)
"""Telemetry that is stamped too late, by up to 0.3 s, and pictures that are, by up to 0.1 s (`arrival` stamps)."""

LEAST_PAIRS = 12
# Another scale than the calibrated one by more than this is another motion.
_LEAST_SCALE, _LARGEST_SCALE = 0.8, 1.25
# What the shifted telemetry must leave unexplained, at most: a vehicle that turns unknown to it leaves more.
_LARGEST_REST_SHARE = 0.2
# Beyond so many times the median of what is left, a pair is a passer-by that was taken for the background.
_OUTLIER = 4.0
# Pairs share pictures, and what disturbs one disturbs the next.
_INFLATED = 1.5
# Stamps in whole milliseconds, and angles that are interpolated.
_FLOOR_S = 0.001


@dataclass(frozen=True, slots=True, eq=False)
class SeenTurn:
    """One pair of pictures.

    Attributes:
        seen: (2,) where the middle of the earlier picture went, in focal lengths.
        told: (len(SHIFTS_S), 2) the same by telemetry at each shift.
    """

    seen: Array
    told: Array


@dataclass(frozen=True, slots=True)
class AgeFit:
    """The shift, its standard deviation, and how many pairs it is from."""

    late_s: float
    std_s: float
    pairs: int


def fit_age(turns: list[SeenTurn]) -> AgeFit | None:
    """The shift that explains them best; None where they tell none."""
    if len(turns) < LEAST_PAIRS:
        return None
    seen = np.stack([each.seen for each in turns])  # (n, 2)
    told = np.stack([each.told for each in turns])  # (n, s, 2)
    kept = np.ones(len(turns), dtype=np.bool_)
    for _ in range(3):
        best, scale = _best(seen[kept], told[kept])
        rest = np.linalg.norm(seen - scale * told[:, best], axis=1)
        kept = rest <= max(_OUTLIER * float(np.median(rest[kept])), 1e-6)
    if kept.sum() < LEAST_PAIRS:
        return None
    return _refined(seen[kept], told[kept])


def _squares(seen: Array, told: Array) -> tuple[Array, Array]:
    """(s,) what is left at each shift, and the scale there."""
    products = np.einsum('ni,nsi->s', seen, told)
    powers = np.einsum('nsi,nsi->s', told, told) + 1e-12
    scales = np.clip(products / powers, _LEAST_SCALE, _LARGEST_SCALE)
    return (seen**2).sum() - 2.0 * scales * products + scales**2 * powers, scales


def _best(seen: Array, told: Array) -> tuple[int, float]:
    left, scales = _squares(seen, told)
    best = int(left.argmin())
    return best, float(scales[best])


def _refined(seen: Array, told: Array) -> AgeFit | None:
    left, scales = _squares(seen, told)
    best = int(left.argmin())
    scale = float(scales[best])
    if best in (0, len(SHIFTS_S) - 1) or not _LEAST_SCALE < scale < _LARGEST_SCALE:
        return None
    if left[best] > _LARGEST_REST_SHARE * (seen**2).sum():
        return None
    before, here, after = left[best - 1 : best + 2].tolist()
    bend = before - 2.0 * here + after
    if bend <= 0.0:
        return None
    offset = 0.5 * (before - after) / bend
    # Twice the unscaled variance over the second derivative: each of 2 n values has that variance, two are fitted.
    variance = max(here - 0.125 * (before - after) ** 2 / bend, 0.0) / (2 * len(seen) - 2)
    std_s = _INFLATED * math.sqrt(2.0 * variance / bend) * _STEP_S
    return AgeFit(float(SHIFTS_S[best]) + offset * _STEP_S, math.hypot(std_s, _FLOOR_S), len(seen))
