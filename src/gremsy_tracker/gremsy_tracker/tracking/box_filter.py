# SPDX-License-Identifier: Apache-2.0
"""Kalman filters of many boxes at once: centre and size, each a position with a velocity, in real seconds.

The four quantities of a box (centre x, centre y, width, height) are independent second-order systems driven by white
acceleration (Bar-Shalom, Li & Kirubarajan, 2001, section 6.2.2), so every 8x8 covariance is four 2x2 blocks and one
step over all boxes is a dozen array operations. Noise is a share of the box's own size: a near person's box jitters by
more pixels than a far one's.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Share of the box's width (for x, w) or height (for y, h): a detector's boxes jitter by about 5 % of their size.
_MEASURED_SHARE = 0.06
# A walker crosses about half of his own height per second and may turn round within one: velocity and its change per
# root second, as shares of the box's height. More change than 0.6 lets a track that is not seen for a moment reach for
# its neighbours (identity switches on the footage: 102 at 1.0, 90 at 0.6); 0.5 costs 8 points IDF1 on TUD-Stadtmitte.
_VELOCITY_SHARE = 1.0
_ACCELERATION_SHARE = np.array([0.6, 0.6, 0.3, 0.3])
# A box that grows does not grow for ever: its size's velocity fades with this time constant.
_SIZE_VELOCITY_FADES_S = 0.5
_SMALLEST_PX = 1.0
# Quantities kept of each filter, and one row of scratch behind them: what drives it in a step.
_KEPT, _DRIVE = 5, 5


class BoxStates:
    """N box filters side by side, all in one array: for ten boxes it is the number of array operations that costs.

    Attributes:
        kept: (5, N, 4), of which the others are views.
        position: (N, 4) centre x, centre y, width, height in px.
        velocity: (N, 4) the same per second.
        position_variance, covariance, velocity_variance: (N, 4) each, the 2x2 blocks of the covariances.
    """

    __slots__ = ('_all', 'covariance', 'kept', 'position', 'position_variance', 'velocity', 'velocity_variance')

    def __init__(self, kept: Array) -> None:
        self._all = np.empty((_KEPT + 1, *kept.shape[1:]))
        self._all[:_KEPT] = kept
        self.kept = self._all[:_KEPT]
        self.position, self.velocity = self._all[0], self._all[1]
        self.position_variance, self.covariance, self.velocity_variance = self._all[2], self._all[3], self._all[4]

    def __len__(self) -> int:
        return self._all.shape[1]

    @classmethod
    def begin(cls, boxes_px: Array) -> BoxStates:
        """Filters that have seen one box each: at rest, with a velocity uncertain by the box's height per second."""
        measured = _centres_from_corners(boxes_px)
        states = cls(np.zeros((_KEPT, *measured.shape)))
        states.position[:] = measured
        states.position_variance[:] = np.tile(_measured_variance(measured)[:, 0], 2)
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
        entries = (1.0, dt_s, 1.0, 1.0, 2 * dt_s, square, square * dt_s / 3, 1.0, dt_s, square / 2, 1.0, dt_s)
        step.ravel()[_STEP_PLACES] = entries
        np.copyto(self.kept.reshape(_KEPT, -1), step @ self._all.reshape(_KEPT + 1, -1))
        self.velocity[:, 2:] *= math.exp(-dt_s / _SIZE_VELOCITY_FADES_S)
        size = self.position[:, 2:]
        np.maximum(size, _SMALLEST_PX, out=size)

    def update(self, index: Index, boxes_px: Array) -> None:
        """Correct the filters at `index` (M,), no index twice, with the measured boxes (M, 4)."""
        if not len(index):
            return
        measured = _centres_from_corners(boxes_px)
        everyone = len(index) == len(self)
        if everyone and len(index) > 1:
            # Gathering and scattering cost more than the arithmetic: bring the boxes into the filters' order instead.
            ordered = np.empty_like(measured)
            ordered[index] = measured
            measured = ordered
        some = self.kept if everyone else self.kept[:, index]
        # By box, then (centre, size), then (x, y): one variance for x serves centre and width alike.
        halves = some.reshape(_KEPT, -1, 2, 2)
        gains = halves[2:4] / (halves[2] + _measured_variance(measured))
        halves[:2] += gains * (measured.reshape(-1, 2, 2) - halves[0])
        halves[4] -= gains[1] * halves[3]
        halves[2:4] *= np.subtract(1.0, gains[0], out=gains[0])
        if not everyone:
            self.kept[:, index] = some

    def distances(self, index: Index, boxes_px: Array, by_edge: NDArray[np.bool_]) -> Array:
        """(M,) how far measured boxes (M, 4) are from the filters at `index` (M,), in standard deviations.

        Mahalanobis distances under the innovation's covariance (Bar-Shalom, Li & Kirubarajan, 2001, section 3.7.4) of
        the centre or, where `by_edge` (M,), of that edge of each axis which is nearer to where it is expected: of
        somebody who goes behind a car the box loses its lower half, its centre jumps, but the upper edge stays.
        """
        off = boxes_px - self.boxes_px[index]
        low, high = off[:, :2], off[:, 2:]
        away = np.where(by_edge[:, None], np.minimum(np.abs(low), np.abs(high)), (low + high) * 0.5)
        away *= away
        away /= self.position_variance[index, :2] + _measured_variance(self.position[index])[:, 0]
        return np.sqrt(away[:, 0] + away[:, 1])

    @property
    def boxes_px(self) -> Array:
        """(N, 4) x_min, y_min, x_max, y_max."""
        return np.asarray(self.position @ _CORNERS)


# Where in the flattened (5, 6) step matrix there is something other than 0.
_STEP_PLACES = np.array([0, 1, 7, 14, 15, 16, 17, 21, 22, 23, 28, 29])
# One product does what otherwise takes half a dozen operations on columns: rows (x_min, y_min, x_max, y_max) times the
# first are (centre x, centre y, width, height), and the second is the way back.
_CENTRES = np.array([[0.5, 0.0, -1.0, 0.0], [0.0, 0.5, 0.0, -1.0], [0.5, 0.0, 1.0, 0.0], [0.0, 0.5, 0.0, 1.0]])
_CORNERS = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0], [-0.5, 0.0, 0.5, 0.0], [0.0, -0.5, 0.0, 0.5]])


def _measured_variance(measured: Array) -> Array:
    """(N, 1, 2) of a detected box: by its width for x and w, by its height for y and h."""
    share = _MEASURED_SHARE * measured[:, None, 2:]
    share *= share
    share += 0.25  # half a pixel
    return share


def _centres_from_corners(boxes_px: Array) -> Array:
    """(N, 4) centre x, centre y, width, height."""
    return np.asarray(boxes_px @ _CENTRES)
