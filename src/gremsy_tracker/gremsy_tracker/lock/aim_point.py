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
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Walking towards the camera or away, a target's size changes over seconds; hidden, it does at once.
_TIME_CONSTANT_S = 1.5
# Who stays small is small: so slowly is the usual size believed to have been wrong.
_DOUBTED_TIME_CONSTANT_S = 4.0
# A walker's legs change his width by a third: nothing of him is hidden then.
_NORMAL_SHARE = np.array([0.35, 0.0])
# Of the usual size, how far an edge is off by itself: a walker's legs, the detector (twice its noise).
_EDGE_SHARE = np.array([0.15, 0.07])
# Edges that are believed by less than this share of the other are not the target's own.
_HIDDEN_BELOW = 0.5
# Of whom nobody knows how large he is, the image cuts off anything from nothing to the same again: the centre is off by
# half of that, and evenly distributed.
_CUT_OFF_SHARE = 1.0 / math.sqrt(12.0)
_EDGE_PX = 2.0


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


class AimPoint:
    """The usual angular size of one target, older ones fading, and with it the target's centre in each box.

    Attributes:
        is_whole: the newest box shows all of the target, as far as is known.
    """

    def __init__(self) -> None:
        self.is_whole = False
        self._usual_rad: Array | None = None
        self._whole = np.zeros(2, dtype=np.bool_)  # of each side, whether it was seen uncut
        self._stamp_ns = 0

    def clear(self) -> None:
        """Another target from now on."""
        self._usual_rad = None
        self._whole[:] = False

    def aimed(self, stamp_ns: int, box_px: Array, size_px: Array, focal_px: Array, predicted_px: Array | None) -> Aimed:
        """The centre of the target of which an image has that box.

        Args:
            stamp_ns: of the image, later than the last.
            box_px: (4,) by its corners.
            size_px: (2,) width and height of the image.
            focal_px: (2,) of the image.
            predicted_px: (2,) where the centre was predicted; None for a first sighting.
        """
        low, high = box_px[:2], box_px[2:]
        cut = np.array([low < _EDGE_PX, high > size_px - _EDGE_PX])  # (edge, axis)
        is_cut: NDArray[np.bool_] = cut[0] | cut[1]
        size_rad = (high - low) / focal_px
        if self._usual_rad is None:
            self._begin(stamp_ns, size_rad, ~is_cut)
            self.is_whole = not is_cut.any()
            return Aimed((low + high) / 2, np.ones(2), np.where(is_cut, _CUT_OFF_SHARE * (high - low), 0.0))
        is_first_whole = bool((~is_cut & ~self._whole).any())
        usual_px = self._usual_rad * focal_px
        half_px = np.maximum(high - low, np.where(is_cut, 1.0, 1.0 - _NORMAL_SHARE) * usual_px) / 2
        half_px = np.where(is_cut & ~self._whole, (high - low) / 2, half_px)
        centres = np.array([low + half_px, high - half_px])
        weights = np.ones((2, 2))
        if predicted_px is not None:
            weights = 1.0 / (1.0 + ((centres - predicted_px) / (_EDGE_SHARE * usual_px)) ** 2)
        weights = np.where(cut & ~(cut[0] & cut[1]), 1e-3 * weights, weights)
        is_hidden = weights.min(axis=0) < _HIDDEN_BELOW * weights.max(axis=0)
        self.is_whole = not (is_hidden | is_cut).any()
        self._learn(stamp_ns, size_rad, is_hidden, is_cut)
        both = weights.sum(axis=0)
        # Of one edge alone the noise is that of two, times the root of two.
        less_certain = np.sqrt(2.0 * (weights**2).sum(axis=0)) / both
        unknown_px = np.where(is_cut & ~self._whole, _CUT_OFF_SHARE * (high - low), 0.0)
        return Aimed((weights * centres).sum(axis=0) / both, less_certain, unknown_px, is_first_whole)

    def _begin(self, stamp_ns: int, size_rad: Array, whole: NDArray[np.bool_]) -> None:
        self._usual_rad, self._whole, self._stamp_ns = np.array(size_rad, dtype=np.float64), whole, stamp_ns

    def _learn(self, stamp_ns: int, size_rad: Array, is_hidden: NDArray[np.bool_], is_cut: NDArray[np.bool_]) -> None:
        assert self._usual_rad is not None
        since_s = max(0, stamp_ns - self._stamp_ns) * 1e-9
        time_constant_s = np.where(is_hidden, _DOUBTED_TIME_CONSTANT_S, _TIME_CONSTANT_S)
        share = -np.expm1(-since_s / time_constant_s)
        # The first whole sight of somebody who was cut off says at once how large he is; he is no smaller than what is
        # seen of him before; and what is cut off later tells nothing.
        share = np.where(~is_cut & ~self._whole, 1.0, np.where(is_cut, 0.0, share))
        self._usual_rad += share * (size_rad - self._usual_rad)
        self._usual_rad = np.maximum(self._usual_rad, np.where(is_cut, size_rad, 0.0))
        self._whole |= ~is_cut
        self._stamp_ns = stamp_ns
