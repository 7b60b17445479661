# SPDX-License-Identifier: Apache-2.0
"""Which point of a box stands for the target: its centre, unless one of its edges is not the target's own.

Somebody who goes behind a sign sinks into his box's top, and who comes out of it grows from there. The box's centre
moves then although he does not, and the prediction would go on moving while he is hidden. A box that is smaller than
usual therefore says twice where the centre is, half of the usual size away from either edge; how far each is believed
falls with its distance from the prediction (Cauchy's weight; Huber & Ronchetti, "Robust Statistics", 2009). An edge
that the image cuts off is believed not at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gremsy_common.geometry import Array

# Walking towards the camera or away, a target's size changes over seconds; hidden, it does at once.
_TIME_CONSTANT_S = 1.5
# Who stays small is small: so slowly is the usual size believed to have been wrong.
_DOUBTED_TIME_CONSTANT_S = 4.0
# A walker's legs change his width by a third: nothing of him is hidden then. By axis.
_NORMAL_SHARES = (0.35, 0.0)
# Of the usual size, how far an edge is off by itself: a walker's legs, the detector (twice its noise).
_EDGE_SHARES = (0.15, 0.07)
# Edges that are believed by less than this share of the other are not the target's own.
_HIDDEN_BELOW = 0.5
# Of whom nobody knows how large he is, the image cuts off anything from nothing to the same again: the centre is off by
# half of that, and evenly distributed.
_CUT_OFF_SHARE = 1.0 / math.sqrt(12.0)
_EDGE_PX = 2.0
# An edge that the image cuts off is believed so little beside the other.
_CUT_OFF_WEIGHT = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Aimed:
    """Where the centre of a target is in an image, and how uncertain that is.

    Attributes:
        centre_px: (2,).
        noise_factor: (2,) by which a box's noise is multiplied.
        unknown_px: (2,) noise to be added.
        is_first_whole: the target was cut off so far; where its centre seemed to be was the image's doing.
    """

    centre_px: Array
    noise_factor: Array
    unknown_px: Array
    is_first_whole: bool = False


class _Side:
    """A target's size along one axis: plain numbers, since arrays of two take six times as long (43 us)."""

    def __init__(self, normal_share: float, edge_share: float) -> None:
        self._normal_share, self._edge_share = normal_share, edge_share
        self._usual_rad = 0.0
        self._was_whole = False  # whether it was seen uncut

    def begin(self) -> None:
        self._usual_rad, self._was_whole = 0.0, False

    def aimed(
        self,
        low_px: float,
        high_px: float,
        limit_px: float,
        focal_px: float,
        predicted_px: float | None,
        since_s: float,
    ) -> tuple[float, float, float, bool, bool]:
        """Where its middle is, by its edges in an image of that size, the prediction, and the time since the last.

        In the order of `Aimed`, and last whether this side is seen whole, as far as is known.
        """
        size_px = high_px - low_px
        is_low_cut, is_high_cut = low_px < _EDGE_PX, high_px > limit_px - _EDGE_PX
        is_cut = is_low_cut or is_high_cut
        is_unknown = is_cut and not self._was_whole
        unknown_px = _CUT_OFF_SHARE * size_px if is_unknown else 0.0
        if not self._usual_rad:
            self._usual_rad, self._was_whole = size_px / focal_px, not is_cut
            return (low_px + high_px) / 2, 1.0, unknown_px, False, not is_cut
        is_first_whole = not (is_cut or self._was_whole)
        usual_px = self._usual_rad * focal_px
        half_px = max(size_px, usual_px * (1.0 if is_cut else 1.0 - self._normal_share)) / 2
        if is_unknown:
            half_px = size_px / 2
        by_low, by_high = low_px + half_px, high_px - half_px
        low_weight = high_weight = 1.0
        if predicted_px is not None:
            edge_px = self._edge_share * usual_px
            low_weight = 1.0 / (1.0 + ((by_low - predicted_px) / edge_px) ** 2)
            high_weight = 1.0 / (1.0 + ((by_high - predicted_px) / edge_px) ** 2)
        if is_low_cut is not is_high_cut:
            low_weight *= _CUT_OFF_WEIGHT if is_low_cut else 1.0
            high_weight *= _CUT_OFF_WEIGHT if is_high_cut else 1.0
        is_hidden = min(low_weight, high_weight) < _HIDDEN_BELOW * max(low_weight, high_weight)
        self._learn(size_px / focal_px, since_s, is_hidden=is_hidden, is_cut=is_cut)
        both = low_weight + high_weight
        # Of one edge alone the noise is that of two, times the root of two.
        less_certain = math.sqrt(2.0 * (low_weight**2 + high_weight**2)) / both
        centre_px = (low_weight * by_low + high_weight * by_high) / both
        return centre_px, less_certain, unknown_px, is_first_whole, not (is_hidden or is_cut)

    def _learn(self, size_rad: float, since_s: float, *, is_hidden: bool, is_cut: bool) -> None:
        if is_cut:
            # He is no smaller than what is seen of him; what is cut off tells nothing else.
            self._usual_rad = max(self._usual_rad, size_rad)
            return
        # The first whole view of somebody who was cut off shows at once how large he is.
        share = 1.0
        if self._was_whole:
            share = -math.expm1(-since_s / (_DOUBTED_TIME_CONSTANT_S if is_hidden else _TIME_CONSTANT_S))
        self._usual_rad += share * (size_rad - self._usual_rad)
        self._was_whole = True


class AimPoint:
    """The usual angular size of one target, older ones fading, and with it the target's centre in each box.

    Attributes:
        is_whole: the newest box shows all of the target, as far as is known.
    """

    def __init__(self) -> None:
        self.is_whole = False
        self._sides = [_Side(*shares) for shares in zip(_NORMAL_SHARES, _EDGE_SHARES, strict=True)]
        self._stamp_ns = 0

    def clear(self) -> None:
        """Another target from now on."""
        for side in self._sides:
            side.begin()

    def aimed(self, stamp_ns: int, box_px: Array, size_px: Array, focal_px: Array, predicted_px: Array | None) -> Aimed:
        """The centre of the target of which an image has that box.

        Args:
            stamp_ns: of the image, later than the last.
            box_px: (4,) by its corners.
            size_px: (2,) width and height of the image.
            focal_px: (2,) of the image.
            predicted_px: (2,) where the centre was predicted; None for a first sighting.
        """
        since_s = max(0, stamp_ns - self._stamp_ns) * 1e-9
        self._stamp_ns = stamp_ns
        corners, limits, focals = box_px.tolist(), size_px.tolist(), focal_px.tolist()
        predicted = [None, None] if predicted_px is None else predicted_px.tolist()
        by_axis = (
            side.aimed(corners[axis], corners[axis + 2], limits[axis], focals[axis], predicted[axis], since_s)
            for axis, side in enumerate(self._sides)
        )
        centres, factors, unknowns, first_whole, whole = zip(*by_axis, strict=True)
        self.is_whole = all(whole)
        return Aimed(np.array(centres), np.array(factors), np.array(unknowns), any(first_whole))
