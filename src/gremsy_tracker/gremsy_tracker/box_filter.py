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
# root second, as shares of the box's height.
_VELOCITY_SHARE = 1.0
_ACCELERATION_SHARE = np.array([1.0, 1.0, 0.3, 0.3])
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
        position = centres_from_corners(boxes_px)
        states = cls(np.zeros((_KEPT, *position.shape)))
        states.position[:] = position
        states.position_variance[:] = _measured_variance(position)
        states.velocity_variance[:] = (_VELOCITY_SHARE * position[:, 3:4]) ** 2
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
        self._all[_DRIVE] = (_ACCELERATION_SHARE * self.position[:, 3:4]) ** 2
        # Every quantity after the step is the same mixture of those before it, whichever the box.
        step = np.array(
            [
                [1.0, dt_s, 0.0, 0.0, 0.0, 0.0],
                [0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
                [0.0, 0.0, 1.0, 2 * dt_s, dt_s**2, dt_s**3 / 3],
                [0.0, 0.0, 0.0, 1.0, dt_s, dt_s**2 / 2],
                [0.0, 0.0, 0.0, 0.0, 1.0, dt_s],
            ]
        )
        self.kept[:] = (step @ self._all.reshape(_KEPT + 1, -1)).reshape(self.kept.shape)
        self.velocity[:, 2:] *= math.exp(-dt_s / _SIZE_VELOCITY_FADES_S)
        np.maximum(self.position[:, 2:], _SMALLEST_PX, out=self.position[:, 2:])

    def update(self, index: Index, boxes_px: Array) -> None:
        """Correct the filters at `index` (M,), no index twice, with the measured boxes (M, 4)."""
        if not len(index):
            return
        measured = centres_from_corners(boxes_px)
        some = self.kept[:, index]
        gains = some[2:4] / (some[2] + _measured_variance(measured))
        some[:2] += gains * (measured - some[0])
        some[4] -= gains[1] * some[3]
        some[2:4] *= 1.0 - gains[0]
        self.kept[:, index] = some

    @property
    def boxes_px(self) -> Array:
        """(N, 4) x_min, y_min, x_max, y_max."""
        corners = np.empty(self.position.shape)
        half = self.position[:, 2:] / 2
        np.subtract(self.position[:, :2], half, out=corners[:, :2])
        np.add(self.position[:, :2], half, out=corners[:, 2:])
        return corners


def centres_from_corners(boxes_px: Array) -> Array:
    """(N, 4) centre x, centre y, width, height of boxes given by their corners."""
    measured = np.empty(boxes_px.shape)
    low, high = boxes_px[:, :2], boxes_px[:, 2:]
    np.add(low, high, out=measured[:, :2])
    measured[:, :2] *= 0.5
    np.subtract(high, low, out=measured[:, 2:])
    return measured


def _measured_variance(position: Array) -> Array:
    """(N, 4) of a detected box: by its width for x and w, by its height for y and h."""
    share = (_MEASURED_SHARE * position[:, 2:]) ** 2 + 0.25  # half a pixel, or tiny boxes would be believed too much
    return share[:, [0, 1, 0, 1]]
