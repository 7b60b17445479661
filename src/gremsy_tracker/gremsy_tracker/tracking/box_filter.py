# SPDX-License-Identifier: Apache-2.0
"""Kalman filters of many boxes at once: centre and size, each a position with a velocity, in real seconds.

The four quantities of a box (centre x, centre y, width, height) are independent second-order systems driven by white
acceleration (Bar-Shalom, Li & Kirubarajan, 2001, section 6.2.2), so every 8x8 covariance is four 2x2 blocks and one
step over all boxes is a dozen array operations. How far a detected box may be from the true one
`BoxNoise` says; each filter also learns from its own innovations how much calmer (or wilder) than that its boxes are.

How far a detector's box is from the true one: by its size and by its score.

Fitted to 10 725 boxes of a Faster R-CNN against ground truth (four sequences of 2DMOT2015) by
`benchmarks/tracker/box_noise_fit.py`. Without any one of the sequences the shares come out within 7 % of these, the
doubt within 11 %, and the floor between 2.2 and 3.5 px.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import Array

Index = NDArray[np.intp]

# A walker crosses about half of his own height per second and may turn round within one: velocity and its change per
# root second, as shares of the box's height. More change than 0.6 lets a track that is not seen for a moment reach for
# its neighbours (identity switches on the footage: 102 at 1.0, 90 at 0.6); 0.5 costs 8 points IDF1 on TUD-Stadtmitte.
_VELOCITY_SHARE = 1.0
_ACCELERATION_SHARE = np.array([0.6, 0.6, 0.3, 0.3])
# A box that grows does not grow for ever: its size's velocity fades with this time constant.
_SIZE_VELOCITY_FADES_S = 0.5
_SMALLEST_PX = 1.0
# How fast a filter learns how noisy its boxes are, by measurement: what it knows is from the last ten or so.
_LEARNING = 0.1
# Errors of neighbouring pictures are alike: they correlate by r = 0.6 (2DMOT2015, 10 to 30 pictures/s). A filter that
# takes them for white must believe (1 + r) / (1 - r) = 4 times their variance, so that much is learnt: the square of an
# innovation is to be a quarter of the variance that the filter reckons with.
_EXPECTED_SQUARE = 0.25
# One innovation counts no more than three standard deviations; and the learnt ratio stays within these.
_LARGEST_SQUARE, _LEAST_RATIO, _LARGEST_RATIO = 9.0, 0.1, 2.0
# Quantities kept of each filter, and one row of scratch behind them: what drives it in a step.
_KEPT, _DRIVE = 6, 6


class BoxStates:
    """N box filters side by side, all in one array: for ten boxes it is the number of array operations that costs.

    Attributes:
        kept: (6, N, 4), of which the others are views.
        position: (N, 4) centre x, centre y, width, height in px.
        velocity: (N, 4) the same per second.
        position_variance, covariance, velocity_variance: (N, 4) each, the 2x2 blocks of the covariances.
        noise_ratio: (N, 4) by which the variance of a measured box is multiplied, learnt; the same for all four.
    """

    __slots__ = (
        '_all',
        'covariance',
        'kept',
        'noise_ratio',
        'position',
        'position_variance',
        'velocity',
        'velocity_variance',
    )

    def __init__(self, kept: Array) -> None:
        self._all = np.empty((_KEPT + 1, *kept.shape[1:]))
        self._all[:_KEPT] = kept
        self.kept = self._all[:_KEPT]
        self.position, self.velocity = self._all[0], self._all[1]
        self.position_variance, self.covariance, self.velocity_variance = self._all[2], self._all[3], self._all[4]
        self.noise_ratio = self._all[5]

    def __len__(self) -> int:
        return self._all.shape[1]

    @classmethod
    def begin(cls, boxes_px: Array, variance: Array) -> BoxStates:
        """Filters that have seen one box each: at rest, with a velocity uncertain by the box's height per second.

        Args:
            boxes_px: (N, 4) by their corners.
            variance: (N, 4) of their measured centres and sizes, px^2.
        """
        measured = _centres_from_corners(boxes_px)
        states = cls(np.zeros((_KEPT, *measured.shape)))
        states.position[:] = measured
        states.position_variance[:] = variance
        states.noise_ratio[:] = 1.0
        states.velocity_variance[:] = (_VELOCITY_SHARE * measured[:, 3:4]) ** 2
        return states

    @classmethod
    def empty(cls) -> BoxStates:
        """No filter."""
        return cls(np.zeros((_KEPT, 0, 4)))

    def take(self, index: Index | NDArray[np.bool_]) -> BoxStates:
        """Some of the filters."""
        return BoxStates(self.kept[:, index])

    def join(self, other: BoxStates) -> BoxStates:
        """These filters followed by others."""
        return BoxStates(np.concatenate([self.kept, other.kept], axis=1))

    def predict(self, dt_s: float) -> None:
        """Carry every filter on by `dt_s` >= 0 seconds."""
        drive = np.multiply(_ACCELERATION_SHARE, self.position[:, 3:4], out=self._all[_DRIVE])
        drive *= drive
        # Every quantity after the step is the same mixture of those before it, whichever the box.
        step = np.zeros((_KEPT, _KEPT + 1))
        square = dt_s * dt_s
        entries = (1.0, dt_s, 1.0, 1.0, 2 * dt_s, square, square * dt_s / 3, 1.0, dt_s, square / 2, 1.0, dt_s, 1.0)
        step.ravel()[_STEP_PLACES] = entries
        np.copyto(self.kept.reshape(_KEPT, -1), step @ self._all.reshape(_KEPT + 1, -1))
        self.velocity[:, 2:] *= math.exp(-dt_s / _SIZE_VELOCITY_FADES_S)
        size = self.position[:, 2:]
        np.maximum(size, _SMALLEST_PX, out=size)

    def update(self, index: Index, boxes_px: Array, variance: Array) -> None:
        """Correct the filters at `index` (M,), no index twice, with the measured boxes (M, 4).

        Args:
            index: of the filters.
            boxes_px: by their corners.
            variance: (M, 4) of their centres and sizes by `BoxNoise`, px^2.
        """
        if not len(index):
            return
        measured = _centres_from_corners(boxes_px)
        everyone = len(index) == len(self)
        if everyone and len(index) > 1:
            # Gathering and scattering cost more than the arithmetic: bring the boxes into the filters' order instead.
            ordered = np.empty((2, *measured.shape))
            ordered[0, index], ordered[1, index] = measured, variance
            measured, variance = ordered
        some = self.kept if everyone else self.kept[:, index]
        noise = variance * some[5]
        total = some[2] + noise
        innovation = measured - some[0]
        gains = some[2:4] / total
        some[5] *= _noise_learnt(innovation, noise, total)
        np.clip(some[5], _LEAST_RATIO, _LARGEST_RATIO, out=some[5])
        some[:2] += gains * innovation
        some[4] -= gains[1] * some[3]
        some[2:4] *= np.subtract(1.0, gains[0], out=gains[0])
        if not everyone:
            self.kept[:, index] = some

    def distances(self, index: Index, boxes_px: Array, variance: Array, by_edge: NDArray[np.bool_]) -> Array:
        """(M,) how far measured boxes (M, 4) are from the filters at `index` (M,), in standard deviations.

        Mahalanobis distances under the innovation's covariance (Bar-Shalom, Li & Kirubarajan, 2001, section 3.7.4) of
        the centre or, where `by_edge` (M,), of that edge of each axis which is nearer to where it is expected: of
        somebody who goes behind a car the box loses its lower half, its centre jumps, but the upper edge stays.
        `variance` (M, 4) is that of the measured boxes.
        """
        off = boxes_px - self.boxes_px[index]
        low, high = off[:, :2], off[:, 2:]
        away = np.where(by_edge[:, None], np.minimum(np.abs(low), np.abs(high)), (low + high) * 0.5)
        away *= away
        away /= self.position_variance[index, :2] + variance[:, :2] * self.noise_ratio[index, :2]
        return np.sqrt(away[:, 0] + away[:, 1])

    @property
    def boxes_px(self) -> Array:
        """(N, 4) x_min, y_min, x_max, y_max."""
        return np.asarray(self.position @ _CORNERS)


# Where in the flattened (6, 7) step matrix there is something other than 0.
_STEP_PLACES = np.array([0, 1, 8, 16, 17, 18, 20, 24, 25, 27, 32, 34, 40])
# One product does what otherwise takes half a dozen operations on columns: rows (x_min, y_min, x_max, y_max) times the
# first are (centre x, centre y, width, height), and the second is the way back.
_CENTRES = np.array([[0.5, 0.0, -1.0, 0.0], [0.0, 0.5, 0.0, -1.0], [0.5, 0.0, 1.0, 0.0], [0.0, 0.5, 0.0, 1.0]])
_CORNERS = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0], [-0.5, 0.0, 0.5, 0.0], [0.0, -0.5, 0.0, 0.5]])


def _noise_learnt(innovation: Array, noise: Array, total: Array) -> Array:
    """(M, 1) by which the noise of each filter's boxes is to be multiplied after one more innovation (M, 4).

    A step along the slope of the innovation's likelihood: innovations that are larger than expected raise the noise,
    smaller ones lower it, by as much as noise and not the uncertain prediction makes up their variance `total` (M, 4).
    """
    square = innovation * innovation
    square /= total
    np.minimum(square, _LARGEST_SQUARE, out=square)
    square -= _EXPECTED_SQUARE
    square *= noise
    square /= total
    return np.exp(square @ _MEAN_OF_FOUR)


_MEAN_OF_FOUR = np.full((4, 1), _LEARNING / 4)


def _centres_from_corners(boxes_px: Array) -> Array:
    """(N, 4) centre x, centre y, width, height."""
    return np.asarray(boxes_px @ _CENTRES)


@dataclass(frozen=True, slots=True)
class BoxNoise:
    """Standard deviations of a box's centre and size.

    Attributes:
        shares: of centre x, centre y, width and height, as shares of the box's width (x and width) or height, at a
            score of 1.
        doubt: they grow by e to so many times what is missing of a score of 1 (1.8: twice at 0.6).
        floor_px: what is added of the centre whatever the size, and twice that of the size.
    """

    shares: tuple[float, float, float, float] = (0.073, 0.027, 0.157, 0.066)
    doubt: float = 1.8
    floor_px: float = 2.5

    def variance(self, boxes_px: Array, scores: Array) -> Array:
        """(N, 4) px^2 of centre x, centre y, width and height of boxes (N, 4), by their corners, with scores (N,)."""
        size = boxes_px[:, 2:] - boxes_px[:, :2]
        variance = np.concatenate([size, size], axis=1)
        variance *= self.shares
        variance *= np.exp(self.doubt * (1.0 - scores))[:, None]
        variance *= variance
        floor = self.floor_px * self.floor_px
        variance += (floor, floor, 4.0 * floor, 4.0 * floor)
        return variance
